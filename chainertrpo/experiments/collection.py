"""Parallel collection: worker processes, each with its own environment and actor.

The actor (policy and normaliser in plain NumPy) goes out once an iteration, whole paths
come back; there is no message per step.  What is collected depends on the seed and the
number of workers only, never on timing.
"""

import contextlib
import faulthandler
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import queue
import random
import signal
import tempfile
import threading
import time
import traceback
import typing

from chainertrpo.data import Path, PathRecorder
from chainertrpo.experiments.envs import adapt

import numpy

POLL_SECONDS = 0.5
PARENT_SIGNALS = (signal.SIGINT,)
SENDER_SECONDS = 10  # writes end with their reader, if no child of it has the pipe
ACTION_SIZE = 64  # of the last action, how much is shown in errors


class WorkerError(RuntimeError):
    """A worker process raised, died or hung; the message holds its traceback."""


class Collected(typing.NamedTuple):
    """What an iteration brought.

    Attributes
    ----------
    paths : list of Path
        By worker, in order.
    episodes : list of (int, float, int)
        Episodes that ended: at which step of the iteration (counted over all workers),
        return, length.
    """

    paths: typing.List[Path]
    episodes: typing.List[typing.Tuple[int, float, int]]


class Collector:
    """Worker processes that stay alive between iterations.

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
        context = multiprocessing.get_context("spawn")
        self._workers = []
        try:
            for index in range(n_workers):
                self._workers.append(
                    _Worker(context, make_env, index, seed, generation)
                )
        except BaseException:
            self.close()
            raise

    def restart(self, generation):
        """Begin new episodes, seeded by the seed, the worker and this number.

        After it nothing depends on what was before: a run that goes on from a checkpoint
        made here and one that was never stopped collect the same.

        Parameters
        ----------
        generation : int
            For example the number of steps done.
        """
        self._check_open()
        for worker in self._workers:
            worker.send(("restart", generation))

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

    def begin(self, actor, n_steps):
        """Have the workers take `n_steps` steps, and do not wait for them.

        Episodes go on from one collection to the next; a path ends with each.

        Parameters
        ----------
        actor : Actor
            Chooses the actions; sent as it is now.
        n_steps : int
            In all.
        """
        self._check_open()
        self._n_steps = n_steps
        shares = numpy.diff(numpy.linspace(0, n_steps, self.n_workers + 1).astype(int))
        for worker, share in zip(self._workers, shares):
            worker.send(("collect", actor, int(share)))

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
        return Collected(paths, sorted(episodes))

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


class _Worker:
    """The parent's side of a worker process."""

    def __init__(self, context, make_env, index, seed, generation):
        self.index = index
        self.state = context.RawArray("d", 2 + ACTION_SIZE)  # steps, size, last action
        self._seen, self._since = -1.0, time.monotonic()
        # Where the worker writes its stack; it removes the name when it has opened it.
        handle, self._stack_path = tempfile.mkstemp(suffix=f".worker{index}")
        self._stack = os.fdopen(handle)
        self.connection, child = context.Pipe()
        # A thread sends, because a pipe that is full would make the parent wait.
        self._outbox, self._send_error = queue.SimpleQueue(), None
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()
        arguments = (child, make_env, index, seed, generation, self.state)
        self.process = context.Process(
            target=_work, args=(*arguments, self._stack_path), daemon=True
        )
        try:
            with _as_child():
                self.process.start()
        except Exception as error:
            self.close()
            raise ValueError(
                "expected make_env to be a function of a module or a functools.partial "
                f"of one, because it is sent to worker processes, got {make_env}: {error}"
            ) from error
        child.close()

    def send(self, message):
        self._seen, self._since = -1.0, time.monotonic()
        self._outbox.put(message)

    def _send_all(self):
        for message in iter(self._outbox.get, None):
            try:
                self.connection.send(message)
            except OSError:
                return  # its end is noticed by whoever waits for it
            except Exception as error:
                self._send_error = error
                return

    def receive(self):
        try:
            kind, *content = self.connection.recv()
        except (EOFError, OSError):
            self._died()
        if kind == "error":
            raise WorkerError(
                f"worker {self.index} raised in its environment, after {self._last()}:\n\n"
                f"{content[0]}"
            )
        return content

    def _last(self):
        size = int(self.state[1])
        if not size:
            return "no step"
        action = ", ".join(
            f"{x:.6g}" for x in self.state[2 : 2 + min(size, ACTION_SIZE)]
        )
        return f"{self.state[0]:.0f} steps, last action [{action}]"

    def _died(self):
        self.process.join(5)
        code = self.process.exitcode
        how = (
            f"signal {signal.Signals(-code).name}"
            if code and code < 0
            else f"code {code}"
        )
        raise WorkerError(
            f"worker {self.index} (process {self.process.pid}) died with {how}, after "
            f"{self._last()}.\n{self._traceback()}"
        )

    def check_alive(self, timeout):
        if self._send_error is not None:
            raise ValueError(
                "expected an actor that can be sent to worker processes (phi a function "
                f"of a module, not a lambda), got: {self._send_error}"
            ) from self._send_error
        if not self.process.is_alive() and not self.connection.poll():
            self._died()
        now, steps = time.monotonic(), self.state[0]
        if steps != self._seen:
            self._seen, self._since = steps, now
        limit = timeout if steps else 10 * timeout
        if now - self._since > limit:
            with contextlib.suppress(OSError, AttributeError):
                os.kill(
                    self.process.pid, signal.SIGUSR1
                )  # faulthandler writes the stack
                time.sleep(0.5)
            raise WorkerError(
                f"worker {self.index} (process {self.process.pid}) has hung for "
                f"{limit:g} s, after {self._last()}.\n{self._traceback()}"
            )

    def _traceback(self):
        with contextlib.suppress(OSError, ValueError):
            self._stack.seek(0)
            return self._stack.read()
        return ""

    def close(self):
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()
        self._outbox.put(None)
        # Closed under its writer, the number of this pipe could be another file's by the
        # time the writer's system call is made: a message would go there.
        self._sender.join(SENDER_SECONDS)
        if not self._sender.is_alive():
            self.connection.close()
        self._stack.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._stack_path)


@contextlib.contextmanager
def _as_child():
    """Let a child start with one BLAS thread, and with SIGINT blocked.

    Ctrl-C goes to the whole process group and is the parent's business; a child that is
    still importing has no handler of its own yet, but it inherits the mask.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        # Its first start would unblock what is blocked here.
        multiprocessing.resource_tracker.ensure_running()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, PARENT_SIGNALS)
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _die_with_parent():
    """Have a thread end this process when the parent dies, however it does."""
    parent = multiprocessing.parent_process()

    def wait():
        parent.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=wait, daemon=True).start()


def _work(connection, make_env, index, seed, generation, state, stack_path):
    """The worker process."""
    _die_with_parent()
    for number in PARENT_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_SIGNALS)
    stack = open(stack_path, "w")  # noqa: SIM115 (as long as the process)
    if os.name == "posix":
        os.unlink(stack_path)
    faulthandler.enable(stack)
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, stack)
    answer = _answers(make_env, seed, index, generation, numpy.frombuffer(state))
    next(answer)
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return  # the parent has gone
        try:
            result = answer.send(message)
        except BaseException:
            result = ("error", traceback.format_exc())
        try:
            if result is not None:
                connection.send(result)
        except OSError:
            return
        if result is not None and result[0] == "error":
            return


def _answers(
    make_env, seed, index, generation, state
):  # a coroutine: message -> answer
    message = yield
    episodes = _Episodes(make_env, seed, index, state)
    episodes.restart(generation)
    while True:
        kind, *content = message
        if kind == "restart":
            message = yield episodes.restart(*content)
        else:
            message = yield ("paths", *episodes.collect(*content))


class _Episodes:
    """An environment whose episodes go on from one collection to the next."""

    def __init__(self, make_env, seed, index, state):
        self.make_env, self.seed, self.index, self.state = make_env, seed, index, state
        self.env = None

    def restart(self, generation):
        sequence = numpy.random.SeedSequence((self.seed, self.index, generation))
        streams = sequence.spawn(3)
        self.rng = numpy.random.default_rng(streams[0])
        env_seed = int(streams[1].generate_state(1)[0] >> 1)
        # Environments and foreign policies may draw from the global generators.
        common = int(streams[2].generate_state(1)[0])
        random.seed(common)
        numpy.random.seed(common)  # noqa: NPY002
        if self.env is None:
            made = self.make_env(env_seed)
            self.env = adapt(made)
            if self.env is not made:
                self.env.seed(env_seed)
        else:
            self.env.seed(env_seed)
        self.obs = None

    def collect(self, actor, n_steps):
        env, rng, state, recorder = self.env, self.rng, self.state, PathRecorder()
        obs, episodes = self.obs, []
        for step in range(n_steps):
            if obs is None:
                obs = actor.features(env.reset())
                self.total, self.length = 0.0, 0
            action = actor.sample(obs, rng)
            recorder.act(obs, action)
            size = min(action.size, ACTION_SIZE)
            state[1] = size
            state[2 : 2 + size] = action.ravel()[:size]
            obs, reward, done, info = env.step(action)
            state[0] += 1
            recorder.observe(reward)
            obs = actor.features(obs)
            self.total += reward
            self.length += 1
            if done or info.get("needs_reset", False):
                recorder.close(obs, done)
                episodes.append((step + 1, self.total, self.length))
                obs = None
        if obs is not None:
            recorder.close(obs, False)
        self.obs = obs
        return recorder.drain(), episodes
