"""Parallel collection: worker processes, each with its own environment and actor.

The actor (policy and normaliser in plain NumPy) goes out once an iteration, whole paths
come back; there is no message per step.  What is collected depends on the seed and the
number of workers only, never on timing.
"""

import multiprocessing
import multiprocessing.connection
import sys
import typing

from chainertrpo.data import Path
from chainertrpo.experiments.workers import Worker

import numpy

POLL_SECONDS = 0.5


class Collected(typing.NamedTuple):
    """What an iteration brought.

    Attributes
    ----------
    paths : list of Path
        By worker, in order.
    episodes : list of (int, float, int)
        Episodes that ended: at which step of the iteration (counted over all workers),
        return, length.
    state : list, optional
        Where each worker's episodes are, for `Collector.restore`, if it was asked for.
    """

    paths: typing.List[Path]
    episodes: typing.List[typing.Tuple[int, float, int]]
    state: typing.Any = None


def _context():
    """On Linux one process imports all once, and forks for each worker: starts are cheap.

    It has no threads and no device, so that forking is safe.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Worker.__module__])
    return context


class Collector:
    """Worker processes that stay alive between iterations.

    On Linux all workers of a program are forks of one process, which starts with the first
    collector: environment variables that are set, and streams that are redirected after
    that, are not the workers'.

    Parameters
    ----------
    make_env : callable
        ``make_env(seed)`` -> an environment with ``reset() -> obs`` and
        ``step(action) -> obs, reward, done, info``.  It is sent to the workers, so it is
        a function of a module or a ``functools.partial`` of one, not a lambda.
    n_workers : int
        Processes.
    seed : int
        Of the environments and of the actions.
    generation : int
        See `restart`; what the first episodes are seeded with.
    timeout : float
        Seconds without a step after which a worker counts as hung.  The first steps are
        waited for ten times as long: environments may compile.
    """

    def __init__(self, make_env, n_workers, seed, *, generation=0, timeout=30.0):
        if n_workers < 1:
            raise ValueError(f"expected n_workers >= 1, got {n_workers}.")
        self.n_workers, self.timeout = n_workers, timeout
        context = _context()
        self._workers = []
        try:
            for index in range(n_workers):
                self._workers.append(Worker(context, make_env, index, seed, generation))
        except BaseException:
            self.close()
            raise

    def restart(self, generation):
        """Begin new episodes, seeded by the seed, the worker and this number.

        After it nothing depends on what was before.

        Parameters
        ----------
        generation : int
            For example the number of steps done.
        """
        self._check_open()
        for worker in self._workers:
            worker.send(("restart", generation))

    def restore(self, actor, state):
        """Go on from where the episodes were: as if nothing had happened since.

        The environments take the actions that they took since they were last seeded, about
        a thousand, and those of the running episode.  A log says so if one of them is then
        not where it was.

        Parameters
        ----------
        actor : Actor
            Its ``features`` are taken.
        state : list
            Of `Collected`; one item for each worker.

        Raises
        ------
        ValueError
            It is that of another number of workers.
        """
        self._check_open()
        if len(state) != self.n_workers:
            raise ValueError(
                f"expected workers={len(state)}, as before, got {self.n_workers}: with "
                "another number other data would be collected."
            )
        for worker, (arrays, about) in zip(self._workers, state):
            worker.send(("restore", actor, arrays, about))

    def collect(self, actor, n_steps, stop=lambda: False):
        """Take `n_steps` steps, shared out evenly: `begin` and `finish` at once.

        Parameters
        ----------
        actor : Actor
            Chooses the actions.
        n_steps : int
            In all.
        stop : callable
            As in `finish`.

        Returns
        -------
        Collected or None
            None if stopped.
        """
        self.begin(actor, n_steps)
        return self.finish(stop)

    def begin(self, actor, n_steps, keep=False):
        """Have the workers take `n_steps` steps, and do not wait for them.

        Episodes go on from one collection to the next; a path ends with each.

        Parameters
        ----------
        actor : Actor
            Chooses the actions; sent as it is now.
        n_steps : int
            In all.
        keep : bool
            Say where the episodes are at the end of it (`Collected.state`).
        """
        self._check_open()
        self._n_steps = n_steps
        shares = numpy.diff(numpy.linspace(0, n_steps, self.n_workers + 1).astype(int))
        for worker, share in zip(self._workers, shares):
            worker.send(("collect", actor, int(share), keep))

    def finish(self, stop=lambda: False):
        """Wait for what was begun.

        Parameters
        ----------
        stop : callable
            Asked twice a second; True abandons the collection and closes the collector.

        Returns
        -------
        Collected or None
            None if stopped.

        Raises
        ------
        WorkerError
            A worker raised, died or hung; the collector is closed.
        """
        self._check_open()
        try:
            results = self._results(stop)
        except BaseException:
            self.close()
            raise
        if results is None:
            self.close()  # what is on its way belongs to nothing that follows
            return None
        paths = [path for result in results for path in result[0]]
        episodes = [
            (min((step - 1) * self.n_workers + i + 1, self._n_steps), total, length)
            for i, result in enumerate(results)
            for step, total, length in result[1]
        ]
        kept = [result[2] for result in results]
        state = None if None in kept else kept
        return Collected(paths, sorted(episodes), state)

    def _results(self, stop):
        results = [None] * self.n_workers
        waiting = {worker.connection: i for i, worker in enumerate(self._workers)}
        while waiting:
            ready = multiprocessing.connection.wait(list(waiting), POLL_SECONDS)
            for connection in ready:
                i = waiting.pop(connection)
                results[i] = self._workers[i].receive()
            if stop():
                return None
            for i in waiting.values():
                self._workers[i].check_alive(self.timeout)
        return results

    def _check_open(self):
        if not self._workers:
            raise ValueError(
                "expected an open collector, got a closed one. Make another."
            )

    def close(self):
        """End the workers, at once."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
