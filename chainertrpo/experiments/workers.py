"""A worker process, as its parent has it.

Messages go to it by a pipe: ``("restart", generation)`` and ``("restore", actor,
states)``, which have no answer, and ``("collect", actor, shares, keep)``, answered by
``("paths", results)``; or by ``("error", text)``, after which it ends.
"""

import contextlib
import multiprocessing.reduction
import multiprocessing.resource_tracker
import os
import queue
import signal
import socket
import tempfile
import threading
import time

from chainertrpo.experiments.episodes import (
    NONE,
    OWN_STEPS,
    SIZE,
    STATE_SIZE,
    STEPS,
    WHICH,
)
from chainertrpo.experiments.worker_process import PARENT_SIGNALS, work

_STARTING = threading.Lock()  # of this process, whose environment changes meanwhile

AT_THE_START = (
    " It died while it was starting, and wrote why above. Two causes are common: a script "
    'starts the training outside of `if __name__ == "__main__":`, which each worker '
    "then does too; or make_env is defined in a notebook, where no worker finds it: write "
    "it to a file, envs.py, and import it from there."
)


def _not_sent(make_env, why):
    return ValueError(
        "expected make_env to be a function of a module or a functools.partial of one, "
        f"because it is sent to worker processes, got {make_env}: {why}"
    )


def check_make_env(make_env):
    """Refuse what no worker could be sent, before any is started."""  # noqa: DOC501
    if not callable(make_env):
        raise _not_sent(make_env, "it cannot be called")
    try:
        multiprocessing.reduction.ForkingPickler.dumps(make_env)
    except Exception as error:
        raise _not_sent(make_env, error) from error


class WorkerError(RuntimeError):
    """A worker process raised, died or hung; the message holds its traceback."""


class Worker:
    """The parent's side of a worker process, with some of a collection's environments."""

    def __init__(self, context, make_env, index, envs, num_envs, seed, generation):
        self.index, self.envs = index, envs
        self.state = context.RawArray("d", STATE_SIZE)
        self.state[WHICH] = NONE
        self._seen, self._since = None, time.monotonic()
        # Where the worker writes its stack; it removes the name when it has opened it.
        handle, self._stack_path = tempfile.mkstemp(suffix=f".worker{index}")
        self._stack = os.fdopen(handle)
        self.connection, child = context.Pipe()
        # A thread sends, because a pipe that is full would make the parent wait.
        self._outbox, self._send_error = queue.SimpleQueue(), None
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()
        arguments = (child, make_env, envs, num_envs, seed, generation, self.state)
        self.process = context.Process(
            target=work, args=(*arguments, self._stack_path), daemon=True
        )
        try:
            with _STARTING, _as_child():
                self.process.start()
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise _not_sent(make_env, error) from error
        finally:
            child.close()

    def send(self, message):
        """Send it, sooner or later."""
        self._seen, self._since = None, time.monotonic()
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
        """Wait for an answer.

        Returns
        -------
        list
            Of each of its environments, as `Together.collect`.

        Raises
        ------
        WorkerError
            Its environment raised, or it died.
        """
        try:
            kind, *content = self.connection.recv()
        except (EOFError, OSError):
            self._died()
        if kind == "error":
            raise WorkerError(
                f"worker {self.index} raised {self._where()}: {content[0]}"
            )
        return content[0]

    def _where(self):
        which, size = int(self.state[WHICH]), int(self.state[SIZE])
        where = "after " if which == NONE else f"in environment {which}, after "
        if not size:
            return f"{where}no step"
        action = ", ".join(f"{x:.6g}" for x in self.state[SIZE + 1 : SIZE + 1 + size])
        return f"{where}{self._n_steps():.0f} steps, last action [{action}]"

    def _n_steps(self):
        # Of the environment that is being called, or of all.
        return self.state[STEPS if self.state[WHICH] == NONE else OWN_STEPS]

    def _died(self):
        self.process.join(5)
        code = self.process.exitcode
        how = (
            f"signal {signal.Signals(-code).name}"
            if code and code < 0
            else f"code {code}"
        )
        began = int(self.state[STEPS] or self.state[SIZE]) or not code or code < 0
        hint = "" if began else AT_THE_START
        raise WorkerError(
            f"worker {self.index} (process {self.process.pid}) died with {how} "
            f"{self._where()}.{hint}\n{self._traceback()}"
        )

    def check_alive(self, timeout):
        """See that an answer can still come.

        Parameters
        ----------
        timeout : float
            As in `Collector`.

        Raises
        ------
        WorkerError
            It died, or it hangs.
        ValueError
            What it waits for cannot be sent.
        """
        if self._send_error is not None:
            raise ValueError(
                "expected an actor that can be sent to worker processes (phi a function "
                f"of a module, not a lambda), got: {self._send_error}"
            ) from self._send_error
        if not self.process.is_alive() and not self.connection.poll():
            self._died()
        now, steps = time.monotonic(), self.state[STEPS]
        seen = steps, self.state[WHICH]
        if seen != self._seen:
            self._seen, self._since = seen, now
        limit = timeout if self._n_steps() else 10 * timeout
        if now - self._since > limit:
            with contextlib.suppress(OSError, AttributeError):
                os.kill(self.process.pid, signal.SIGUSR1)
                time.sleep(0.5)  # faulthandler writes the stack
            raise WorkerError(
                f"worker {self.index} (process {self.process.pid}) has hung for "
                f"{limit:g} s {self._where()}.\n{self._traceback()}"
            )

    def _traceback(self):
        with contextlib.suppress(OSError, ValueError):
            self._stack.seek(0)
            return self._stack.read()
        return ""

    def close(self):
        """End it, at once."""
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()
        self._outbox.put(None)
        # Closed under its writer, the number of this pipe could be another file's by the
        # time the writer's system call is made: a message would go there.
        _end_writes(self.connection)
        self._sender.join()
        self.connection.close()
        self._stack.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._stack_path)


def _end_writes(connection):
    """Have writes fail that wait for room, whoever else holds the other end.

    An environment may have made processes of its own, which have inherited it.
    """
    if os.name != "posix":
        return  # they fail when the reader has been killed
    with contextlib.suppress(OSError):  # it is closed already
        end = socket.socket(fileno=os.dup(connection.fileno()))
        with contextlib.closing(end):
            end.shutdown(socket.SHUT_RDWR)


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
