"""Demonstration files, which cannot run code when read.

A file is an ``.npz`` without pickles.  N steps of E episodes lie one after the other:
``obs`` (N + E, S), or images (N + E, H, W, C) of bytes, perhaps ``action`` (N, A) or (N,),
``reward`` (N,), ``kept`` (N,), perhaps ``mask`` (N, M), and for each episode ``length``,
``terminated``, ``truncated``, ``seed`` (−1: unknown) and perhaps ``weight``.  ``header``
is JSON: format, version, environment with its spaces, who played, library versions, and
the SHA-256 of every array.
"""

import hashlib
import json

from chainertrpo.data.demonstrations.records import (
    Demonstrations,
    Episode,
    check_environment,
)
from chainertrpo.data.files import BadFileError, read_npz, write_npz

import numpy

FORMAT, VERSION = "chainertrpo demonstrations", 1
ARRAYS = {  # name: kinds of dtype, number of dimensions
    "obs": ("fu", (2, 4)),
    "reward": ("f", (1,)),
    "kept": ("b", (1,)),
    "length": ("i", (1,)),
    "terminated": ("b", (1,)),
    "truncated": ("b", (1,)),
    "seed": ("i", (1,)),
}
# There only where there are actions, masks of them, and weights other than 1.
OPTIONAL = {"action": ("if", (1, 2)), "mask": ("b", (2,)), "weight": ("f", (1,))}
OF_EPISODES = {"length", "terminated", "truncated", "seed", "weight"}


def write_demonstrations(path, demonstrations):
    """Write demonstrations to a file, atomically.

    Parameters
    ----------
    path : str or os.PathLike
        The ``.npz``.
    demonstrations : Demonstrations
        The episodes.
    """
    episodes = demonstrations.episodes
    arrays = {
        name: numpy.concatenate([getattr(e, name) for e in episodes])
        for name in ("obs", "action", "reward", "kept", "mask")
        if getattr(episodes[0], name) is not None
    }
    arrays["length"] = numpy.array(demonstrations.lengths, numpy.int64)
    for name, dtype in (("terminated", bool), ("truncated", bool), ("seed", "i8")):
        arrays[name] = numpy.array([getattr(e, name) for e in episodes], dtype)
    weight = numpy.array([e.weight for e in episodes], numpy.float64)
    if (weight != 1).any():
        arrays["weight"] = weight
    header = {
        "format": FORMAT,
        "version": VERSION,
        "environment": demonstrations.environment,
        "made_by": demonstrations.made_by,
        "versions": demonstrations.versions,
        "sha256": {name: _digest(array) for name, array in arrays.items()},
    }
    write_npz(path, {**arrays, "header": numpy.array(json.dumps(header))})


def read_demonstrations(path, environment=None, max_bytes=None):
    """Read and check a file of demonstrations.

    Parameters
    ----------
    path : str or os.PathLike
        What `write_demonstrations` wrote.
    environment : dict, optional
        Must be theirs: see `check_environment`.
    max_bytes : int, optional
        See `read_npz`.

    Returns
    -------
    Demonstrations
        Everything in them has been checked.

    Raises
    ------
    BadFileError
        The file is damaged, of another kind or environment, or contradicts itself.
    """
    arrays = read_npz(path, max_bytes=max_bytes)
    try:
        header = _read_header(arrays)
        for name, (kinds, dimensions) in {**ARRAYS, **OPTIONAL}.items():
            if name in arrays or name in header["sha256"]:
                _check_array(
                    name, arrays.get(name), kinds, dimensions, header["sha256"]
                )
        demonstrations = Demonstrations(
            _episodes(arrays),
            header["environment"],
            header.get("made_by", {}),
            header.get("versions", {}),
        )
        if environment is not None:
            check_environment(demonstrations, environment)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadFileError(f"{path}: {error}") from error
    return demonstrations


def _check_array(name, array, kinds, dimensions, sums):
    if array is None:
        raise ValueError(
            f"expected the array {name}, whose SHA-256 there is, got none."
        )
    if array.dtype.kind not in kinds or array.ndim not in dimensions:
        raise ValueError(
            f"expected {name} of kind {kinds} with {dimensions} dimensions, got "
            f"{array.dtype} of shape {array.shape}."
        )
    if _digest(array) != sums.get(name):
        raise ValueError(f"{name} differs from its SHA-256: damaged or edited.")


def _read_header(arrays):
    missing, extra = ARRAYS.keys() - arrays.keys(), arrays.keys() - ARRAYS.keys()
    if "header" not in arrays or missing or extra - {"header", *OPTIONAL}:
        raise ValueError(
            f"expected the arrays header, {', '.join(ARRAYS)}; got {sorted(arrays)}. "
            "Files of other projects: chainertrpo record convert."
        )
    text = arrays["header"]
    if text.dtype.kind != "U" or text.shape != ():
        raise ValueError("expected the header to be one string of JSON.")
    header = json.loads(text.item())  # JSONDecodeError is a ValueError
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"expected the format {FORMAT!r} in the header.")
    if header.get("version") != VERSION:
        raise ValueError(
            f"expected version {VERSION}, got {header.get('version')!r}. A newer "
            "chainertrpo may have written it."
        )
    for name in ("made_by", "versions"):
        if not isinstance(header.get(name, {}), dict):
            raise ValueError(f"expected a JSON object as {name} in the header.")
    if not isinstance(header.get("environment"), dict):
        raise ValueError("expected the environment in the header, got none.")
    if not isinstance(header.get("sha256"), dict):
        raise ValueError("expected SHA-256 sums in the header, got none.")
    return header


def _episodes(arrays):
    length = arrays["length"]
    if len(length) == 0 or length.min() < 1 or length.max() > len(arrays["obs"]):
        raise ValueError("expected episodes of at least one step.")
    n, e = sum(length.tolist()), len(length)
    for name in [*ARRAYS, *(OPTIONAL.keys() & arrays.keys())]:
        want = n + e if name == "obs" else n
        want = e if name in OF_EPISODES else want
        if len(arrays[name]) != want:
            raise ValueError(
                f"expected {want} rows in {name} for {e} episodes of {n} steps in all, "
                f"got {len(arrays[name])}. (An episode of n steps has n + 1 observations.)"
            )
    ends = numpy.cumsum(length)[:-1]
    rows = {"action", "reward", "kept", "mask"} & arrays.keys()
    parts = {k: numpy.split(arrays[k], ends) for k in rows}
    parts["obs"] = numpy.split(arrays["obs"], ends + numpy.arange(1, e))
    for name in (OF_EPISODES & arrays.keys()) - {"length"}:
        parts[name] = arrays[name].tolist()
    parts.setdefault("action", [None] * e)
    return [Episode(**{k: parts[k][i] for k in parts}) for i in range(e)]


def _digest(array):
    array = numpy.ascontiguousarray(array)
    kind = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(kind + array.tobytes()).hexdigest()
