"""Blocks of rows side by side: one thread a core, each product on one of them.

A BLAS that uses several threads waits for the slowest of them at every product: whoever
shares a core with another program then takes many times as long.  Here each product runs
on one thread, and whole blocks of rows run side by side (NumPy releases the
interpreter's lock meanwhile).  Blocks depend on the rows only and their results are
added in order, so that nothing depends on how many threads there are.
"""

import contextlib
import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy
from threadpoolctl import ThreadpoolController


@functools.lru_cache(maxsize=1)
def _blas():
    return ThreadpoolController().select(user_api="blas")


@functools.lru_cache(maxsize=1)
def thread_count():
    """How many threads `side_by_side` uses: as many as BLAS found when first asked.

    ``OMP_NUM_THREADS`` and the like therefore hold here too.

    Returns
    -------
    int
        At least 1.
    """
    counts = [library["num_threads"] for library in _blas().info()]
    return max(counts, default=os.cpu_count() or 1)


@functools.lru_cache(maxsize=1)
def _pool():
    pool = ThreadPoolExecutor(thread_count(), "chainertrpo")
    if hasattr(os, "register_at_fork"):  # a child has the pool but not its threads
        os.register_at_fork(after_in_child=_pool.cache_clear)
    return pool


class _Limit:
    """BLAS at one thread while anybody wants it so; then as before."""

    def __init__(self):
        self._lock, self._users = threading.Lock(), 0

    def enter(self):
        with self._lock:
            if not self._users:
                thread_count()  # what the user chose, before it is changed
                self._limit = _blas().limit(limits=1)
            self._users += 1

    def leave(self):
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limit.restore_original_limits()


_LIMIT = _Limit()


@contextlib.contextmanager
def single_blas_thread():
    """Have BLAS use one thread: in a ``with``, or as a decorator ``@single_blas_thread()``.

    Results then do not depend on the number of cores, and another busy program costs its
    share only.
    """
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


def side_by_side(function, items):
    """Return ``[function(item) for item in items]``, worked on by several threads.

    Parameters
    ----------
    function : callable
        Calls nothing that calls `side_by_side`, and spends its time in NumPy, of which it
        finds the caller's ``errstate``.
    items : sequence
        One call each.

    Returns
    -------
    list
        The results, in order.
    """
    errors = numpy.geterr()  # each thread has its own

    def work(item):
        with numpy.errstate(**errors):
            return function(item)

    with single_blas_thread():
        if len(items) < 2 or thread_count() == 1:
            return [function(item) for item in items]
        return list(_pool().map(work, items))
