"""Parallel collection: environments, spread over worker processes that act for them.

The actor (policy and normaliser in plain NumPy) goes out once an iteration, whole paths
come back; there is no message per step.  What is collected depends on the seed and the
number of environments only: not on timing, nor on how many processes there are.
"""

import multiprocessing
import multiprocessing.connection
import sys
import typing

from chainertrpo._checks import whole
from chainertrpo.data import Path
from chainertrpo.experiments.sharing import available_cores, check_num_envs, share_out
from chainertrpo.experiments.workers import Worker

POLL_SECONDS = 0.5


class Collected(typing.NamedTuple):
    """What an iteration brought.

    Attributes
    ----------
    paths : list of Path
        By environment, in order.
    episodes : list of (int, float, int)
        Episodes that ended: at which step of the iteration (counted over all
        environments), return, length.
    state : list, optional
        Where each environment is, for `Collector.restore`, if it was asked for.
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
        a function of a module or a ``functools.partial`` of one, not a lambda.  A vector
        of environments (``SyncVectorEnv``) is taken apart: see `OneByOne`.
    num_envs : int
        Environments.
    seed : int
        Of the environments and of the actions.
    workers : int, optional
        Processes, at most one for each environment; by default one per core this process
        may use.  Nothing that is collected depends on it.
    envs : range, optional
        Which of the environments are stepped here, where others are elsewhere (see
        `chainertrpo.ranks`); by default all.  What one of them gives does not depend on it.
    generation : int
        See `restart`; what the first episodes are seeded with.
    timeout : float
        Seconds without a step after which a worker counts as hung.  The first steps are
        waited for ten times as long: environments may compile.
    """

    def __init__(
        self,
        make_env,
        num_envs,
        seed,
        *,
        workers=None,
        envs=None,
        generation=0,
        timeout=30.0,
    ):
        self.num_envs = whole("num_envs", num_envs, 1)
        self.envs = range(num_envs) if envs is None else envs
        workers = available_cores() if workers is None else whole("workers", workers, 1)
        self.timeout = timeout
        context = _context()
        self._workers, first, n_envs = [], self.envs.start, len(self.envs)
        try:
            for index, n in enumerate(share_out(n_envs, min(workers, n_envs))):
                own, first = range(first, first + n), first + n
                about = (own, num_envs, seed, generation)
                self._workers.append(Worker(context, make_env, index, *about))
        except BaseException:
            self.close()
            raise

    def restart(self, generation):
        """Begin new episodes, seeded by the seed, the environment and this number.

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
            Of `Collected`; one item for each environment that is stepped here.

        Raises
        ------
        ValueError
            It is that of another number of environments.
        """
        self._check_open()
        check_num_envs(len(state), len(self.envs))
        first = self.envs.start
        for worker in self._workers:
            worker.send(("restore", actor, [state[i - first] for i in worker.envs]))

    def collect(self, actor, n_steps, stop=lambda: False):
        """Take `n_steps` steps, shared out evenly: `begin` and `finish` at once.

        Parameters
        ----------
        actor : Actor
            Chooses the actions.
        n_steps : int
            Of all environments.
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
        """Have the environments take `n_steps` steps, and do not wait for them.

        Episodes go on from one collection to the next; a path ends with each.

        Parameters
        ----------
        actor : Actor
            Chooses the actions; sent as it is now.
        n_steps : int
            Of all environments.
        keep : bool
            Say where the episodes are at the end of it (`Collected.state`).
        """
        self._check_open()
        self._n_steps, shares = n_steps, share_out(n_steps, self.num_envs)
        for worker in self._workers:
            worker.send(("collect", actor, shares, keep))

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
        results = [of_one for result in results for of_one in result]
        paths = [path for found, _, _ in results for path in found]
        episodes = [
            (min((step - 1) * self.num_envs + i + 1, self._n_steps), total, length)
            for i, (_, ended, _) in enumerate(results, self.envs.start)
            for step, total, length in ended
        ]
        kept = [state for _, _, state in results]
        return Collected(paths, sorted(episodes), None if None in kept else kept)

    def _results(self, stop):
        results = [None] * len(self._workers)
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


def packed(state):
    """What a checkpoint keeps of `Collected.state`: JSON, and arrays by name."""
    arrays = {
        f"{i}/{name}": array
        for i, (arrays, _) in enumerate(state)
        for name, array in arrays.items()
    }
    return [about for _, about in state], arrays


def unpacked(state):
    """What `Collector.restore` takes, from a checkpoint; None from an older version."""
    if "collection" not in state:
        return None
    collection = [({}, about) for about in state["collection"]]
    for name, array in state["arrays"].items():
        i, _, name = name.partition("/")
        collection[int(i)][0][name] = array
    return collection
