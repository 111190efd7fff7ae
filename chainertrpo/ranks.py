"""The processes that share a batch: what they sum, and what one of them decides.

Each rank has some rows of a batch, perhaps none.  What is a sum over rows in one process
is a sum over rows and ranks here, divided by the number of rows of all; what is decided
by such sums is decided alike everywhere.  With one process all of this is the identity,
and nothing of MPI is imported.

ChainerMN's communicator does the work; whatever else has its ``rank``, ``size``,
``allreduce``, ``bcast_obj`` and ``gather_obj`` can take its place (`using`).
"""

import builtins
import contextlib
import functools
import os
import socket
import sys
import threading
import time
import traceback

from chainertrpo._extras import pip_install

import numpy
from chainer import backend

PATIENCE = 2.0  # seconds that the other ranks leave to rank 0 to say what is wrong
HEARD = 0.5  # seconds that the launcher has to pass on what was printed
PAUSE = 5e-4  # seconds between looks at who is here


class _Alone:
    """One process."""

    rank, size, sharing = 0, 1, 1


_ALONE = _Alone()
_joined = _ALONE  # of this process
_here = threading.local()  # of a thread, where it is another: tests, and `apart`


def _group():
    return getattr(_here, "group", None) or _joined


def rank():
    """Return the number of this process, from 0."""
    return _group().rank


def size():
    """Return how many processes share a batch."""
    return _group().size


def sharing():
    """Return how many ranks use the cores that this process may use."""
    return getattr(_group(), "sharing", 1)


def cores():
    """Return how many cores there are for this rank, at least 1."""
    found = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    return max(1, found // sharing())


def table(*numbers):
    """Tell all ranks some numbers.

    Parameters
    ----------
    *numbers : float
        As many on each rank.

    Returns
    -------
    array, shape (K, len(numbers)), float64
        Those of all ranks, in their order, bit for bit.
    """
    group = _group()
    rows = numpy.zeros((group.size, len(numbers)))
    rows[group.rank] = numbers
    if group.size == 1:
        return rows
    return group.allreduce(rows)  # each number plus zeros: exact


def sum(x):  # noqa: A001 (the field's word)
    """Σ over the processes of x, an array or a number, the same on each of them."""
    group = _group()
    if group.size == 1:
        return x
    if getattr(x, "ndim", 0):
        xp = backend.get_array_module(x)
        found = group.allreduce(backend.CpuDevice().send(x))
        return found if xp is numpy else xp.asarray(found)
    total = 0.0
    for one in table(float(x))[:, 0].tolist():  # in order, without compensation
        total += one
    return int(total) if isinstance(x, int) else total


def largest(x):
    """The largest over the processes of x, a number, or NaN if one of them is."""
    if size() == 1:
        return x
    return float(table(float(x)).max())  # NumPy's, unlike MPI's, says NaN


def agreed(x):
    """What rank 0 gives, on all ranks: an array, a number, or a plain object."""
    group = _group()
    if group.size == 1:
        return x
    xp = backend.get_array_module(x)
    if xp is numpy:
        return _of_rank_0(group, x)
    return xp.asarray(_of_rank_0(group, x.get()))


def _of_rank_0(group, x):
    return group.bcast_obj((x,) if group.rank == 0 else None)[0]  # None is refused


def place(n):
    """Where n rows of this rank are among those of all.

    Parameters
    ----------
    n : int
        Rows of this rank.

    Returns
    -------
    first, total : int
        Rows of the ranks before it, and of all.
    """
    if size() == 1:
        return 0, n
    counts = table(n)[:, 0].astype(int).tolist()
    return builtins.sum(counts[: rank()]), builtins.sum(counts)


def gathered(x):
    """The rows of all ranks in their order.

    Parameters
    ----------
    x : array, shape (n, ...)
        On the host; n may differ from rank to rank, and be 0.

    Returns
    -------
    array, shape (N, ...)
        The same on each.
    """
    group = _group()
    if group.size == 1:
        return x
    first, total = place(len(x))
    rows = numpy.zeros((total, *x.shape[1:]), x.dtype)
    rows[first : first + len(x)] = x
    return group.allreduce(rows)


def everyone(x):
    """What each rank gives, plain objects, in a list."""
    group = _group()
    if group.size == 1:
        return [x]
    return _of_rank_0(group, group.gather_obj(x))


def to_rank_0(x):
    """What each rank gives, plain objects, in a list on rank 0; None on the others."""
    group = _group()
    return [x] if group.size == 1 else group.gather_obj(x)


def wait():
    """Wait until all ranks are here, and leave the cores to others meanwhile.

    MPI's own waits keep a core busy.  What may take long is waited for by this one.
    """
    getattr(_group(), "wait", lambda: None)()


@contextlib.contextmanager
def using(group):
    """Be one of the ranks of a communicator, in this thread.

    Parameters
    ----------
    group : object
        See the head of this module.
    """
    before = getattr(_here, "group", None)
    _here.group = group
    try:
        yield
    finally:
        _here.group = before


def apart():
    """Work for oneself: what every rank does alike, or only one of them."""
    return using(_ALONE)


# Several processes


@contextlib.contextmanager
def joined():
    """Be one of the processes that mpiexec has started, until the end of a ``with``.

    All end together: an exception on one rank is printed there, and ends all others within
    seconds.  Without mpiexec there is one rank.

    Yields
    ------
    object
        The communicator.

    Raises
    ------
    ImportError
        mpi4py or an MPI library is missing.
    """
    global _joined
    world = _world()
    _joined = world
    try:
        yield world
        wait()  # nobody goes on, or ends MPI, before all are here
    except BaseException as error:
        if world.size == 1:
            raise
        _take_all_down(world, error)
        raise
    finally:
        _joined = _ALONE


def started_by_mpiexec():
    """Return how many processes the launcher of this one has started, without MPI."""
    names = ("PMI_SIZE", "PMIX_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
    return max(int(os.environ.get(name) or 1) for name in names)


def _world():
    try:
        from chainermn import create_communicator
        from mpi4py import MPI

        world = create_communicator("naive")
    except (ImportError, RuntimeError) as error:  # it has no library to load
        raise ImportError(
            f"--mpi needs mpi4py and an MPI library: {pip_install('mpi')} ({error})"
        ) from error
    cores = sorted(getattr(os, "sched_getaffinity", lambda _: ())(0))
    world.abort, world.wait = MPI.COMM_WORLD.Abort, functools.partial(_wait, MPI)
    world.sharing = 1
    if world.size > 1:
        about = socket.gethostname(), cores
        all_of_them = world.bcast_obj(world.gather_obj(about))
        world.sharing = builtins.sum(
            host == about[0] and (not cores or bool(set(cores) & set(theirs)))
            for host, theirs in all_of_them
        )
    return world


def _wait(mpi):
    request = mpi.COMM_WORLD.Ibarrier()
    while not request.Test():
        time.sleep(PAUSE)


def _take_all_down(world, error):
    """Say what has happened, and end all processes; a clean exit is none of this."""
    if isinstance(error, SystemExit) and not error.code:
        return
    if world.rank:
        time.sleep(PATIENCE)  # what is wrong everywhere is said once, by rank 0
    code = 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 1
        if not isinstance(error.code, int):
            print(f"rank {world.rank} of {world.size}: {error.code}", file=sys.stderr)
    else:
        print(f"rank {world.rank} of {world.size} has failed:", file=sys.stderr)
        traceback.print_exception(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    time.sleep(HEARD)
    world.abort(code)
