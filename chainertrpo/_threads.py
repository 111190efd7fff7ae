"""Blocks of rows side by side: one thread a core, each product on one of them.

A BLAS that uses several threads waits for the slowest of them at every product: whoever
shares a core with another program then takes many times as long.  Here each product runs
on one thread, and whole blocks of rows run side by side (NumPy releases the
interpreter's lock meanwhile).  Blocks depend on the rows only and their results are
added in order, so that nothing depends on how many threads there are.
"""

import contextlib
import functools
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait

from chainertrpo import ranks

import numpy
from chainer import backend
from threadpoolctl import ThreadpoolController


@functools.lru_cache(maxsize=1)
def _blas():
    return ThreadpoolController().select(user_api="blas")


@functools.lru_cache(maxsize=1)
def _blas_threads():
    counts = [library["num_threads"] for library in _blas().info()]
    return max(counts, default=os.cpu_count() or 1)


def thread_count():
    """How many threads `parallel_map` uses: as many as BLAS found when first asked.

    ``OMP_NUM_THREADS`` and the like therefore hold here too.  Of several ranks on the same
    cores each has its part.

    Returns
    -------
    int
        At least 1.
    """
    found = _blas_threads()
    return found if ranks.sharing() == 1 else min(found, ranks.cores())


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


def parallel_map(function, items):
    """Return ``[function(item) for item in items]``, worked on by several threads.

    The calling thread is one of them.  When this returns or raises, all have ended.

    Parameters
    ----------
    function : callable
        Calls nothing that calls `parallel_map`, and spends its time in NumPy, of which it
        finds the caller's ``errstate``.
    items : sequence
        One call each.

    Returns
    -------
    list
        The results, in order.
    """
    if len(items) < 2:
        return [function(item) for item in items]
    results = [None] * len(items)
    numbers = iter(range(len(items)))  # whoever is free takes the next
    errors = numpy.geterr()  # each thread has its own

    def work():
        with numpy.errstate(**errors):
            for i in numbers:
                results[i] = function(items[i])

    with single_blas_thread():
        n_others = min(thread_count(), len(items)) - 1
        others = [_pool().submit(work) for _ in range(n_others)]
        try:
            work()
        finally:
            wait(others)
        for other in others:
            other.result()
    return results


# On the CPU: rows of a block; from how many rows on a shard of their own; shards at most.
BLOCK_ROWS, SHARD_ROWS, MAX_SHARDS = 1250, 1024, 16


def row_shards(x, most=BLOCK_ROWS):
    """Cut the rows of an array: shards for `parallel_map`, each a list of blocks.

    Blocks are small enough to stay in a cache.  They depend on the number of rows only.
    For a GPU there is one shard, with blocks as large as may be.

    Parameters
    ----------
    x : array, shape (N, ...)
        NumPy or CuPy.
    most : int
        The most rows of a block.

    Returns
    -------
    list of list of slice
        Of all rows, in order; the lengths of blocks differ by 1 at most.
    """
    n, n_shards = len(x), 1
    if backend.get_array_module(x) is numpy:
        most = min(most, BLOCK_ROWS)
        while n_shards < MAX_SHARDS and n >= 2 * n_shards * SHARD_ROWS:
            n_shards *= 2
    a_shard = max(1, math.ceil(n / (n_shards * most)))
    ends = numpy.linspace(0, n, n_shards * a_shard + 1).astype(int).tolist()
    blocks = [slice(*pair) for pair in zip(ends, ends[1:])]
    return [blocks[i : i + a_shard] for i in range(0, len(blocks), a_shard)]
