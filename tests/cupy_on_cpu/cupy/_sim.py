"""What the stand-in counts: kernel launches, waits of the host, copies between the two.

Not part of CuPy; the public names are ``cupy.sim_counts``, ``sim_syncs``, ``sim_reset``,
``sim_trace`` and ``sim_where``.  Launches are an estimate: one for an element-wise call, a
reduction, a product, a fill or a copy of an array, the number of pieces for a concatenation;
a function that `cupy.fuse` has decorated counts once.
"""

import collections
import contextlib
import os
import sys

_launches = collections.Counter()  # kernel name -> launches
_syncs = collections.Counter()  # what waited (item, float, get, ...) -> times
_copies = collections.Counter()  # h2d, d2h, h2d_bytes, d2h_bytes
_where = collections.Counter()  # (what, place) -> times, while tracing
_state = {
    "trace": bool(os.environ.get("CUPY_SIM_TRACE")),
    "fused": 0,
    "used": 0,
    "lost": 0,
}
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def _forked():
    _state["lost"] = _state["used"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def use_device():
    """As CUDA: a child forked after the first use of a device cannot use any."""
    if _state["lost"]:
        from cupy.cuda.runtime import CUDARuntimeError

        raise CUDARuntimeError(3, "cudaErrorInitializationError: initialization error")
    _state["used"] = True


def _place():
    """The innermost caller outside the stand-in, and outside Chainer where there is one."""
    frame, found = sys._getframe(2), []
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_HERE):
            found.append((name, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    outside = [f for f in found if f"{os.sep}chainer{os.sep}" not in f[0]]
    pick = (outside or found or [("?", 0, "?")])[0]
    text = f"{os.sep.join(pick[0].split(os.sep)[-3:])}:{pick[1]} {pick[2]}"
    if found and found[0] is not pick:
        first = found[0]
        text += f"  (via {os.path.basename(first[0])}:{first[1]} {first[2]})"
    return text


def launch(name, times=1):
    use_device()
    if _state["fused"] or not times:
        return
    _launches[name] += times
    if _state["trace"]:
        _where["launch", _place()] += times


def sync(what):
    use_device()
    _syncs[what] += 1
    if _state["trace"]:
        _where["sync " + what, _place()] += 1


def copied(way, nbytes):
    use_device()
    _copies[way] += 1
    _copies[way + "_bytes"] += nbytes
    if _state["trace"]:
        _where[way, _place()] += 1


@contextlib.contextmanager
def fused():
    _state["fused"] += 1
    try:
        yield
    finally:
        _state["fused"] -= 1


def sim_syncs():
    """Return how often the host has waited for the device since `sim_reset`."""
    return sum(_syncs.values())


def sim_counts():
    """Return all counts since `sim_reset`: launches, syncs, copies, each by name."""
    return {
        "launches": sum(_launches.values()),
        "syncs": sum(_syncs.values()),
        "by_kernel": dict(_launches.most_common()),
        "by_sync": dict(_syncs.most_common()),
        "copies": dict(_copies),
    }


def sim_reset():
    """Start all counts again."""
    for counter in (_launches, _syncs, _copies, _where):
        counter.clear()


def sim_trace(on=True):
    """Remember from now on where each launch, wait and copy was asked for (slow)."""
    _state["trace"] = bool(on)


def sim_where(kind=""):
    """Return [(times, kind, place)] of what was traced, the most frequent first."""
    return [(n, *key) for key, n in _where.most_common() if key[0].startswith(kind)]
