"""What runs in a worker process: it steps its environments when it is told to.

See `workers` for the messages.
"""

import faulthandler
import multiprocessing
import os
import signal
import threading
import traceback

from chainertrpo.data import BadObservationError
from chainertrpo.experiments.acting_together import BadActionError, Together
from chainertrpo.experiments.packages import BadEnvironmentError

import numpy

PARENT_SIGNALS = (signal.SIGINT,)
SENTENCES = BadEnvironmentError, BadObservationError, BadActionError


def _die_with_parent():
    """Have a thread end this process when the parent dies, however it does."""
    parent = multiprocessing.parent_process()

    def wait():
        parent.join()
        os._exit(1)

    if parent is not None:
        threading.Thread(target=wait, daemon=True).start()


def work(connection, make_env, envs, num_envs, seed, generation, state, stack_path):
    """Answer messages until there are no more, or one cannot be."""
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
    state = numpy.frombuffer(state)
    answer = _answers(
        lambda: Together(make_env, seed, envs, num_envs, state), generation
    )
    next(answer)
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            return  # the parent has gone
        try:
            result = answer.send(message)
        except BaseException as error:
            result = ("error", _what_was_raised(error))
        try:
            if result is not None:
                connection.send(result)
        except OSError:
            return
        if result is not None and result[0] == "error":
            return


def _what_was_raised(error):
    # Ours say all that helps, unless they came of another.
    if isinstance(error, SENTENCES) and error.__cause__ is None:
        return f"{type(error).__name__}: {error}"
    return "\n\n" + traceback.format_exc()


def _answers(make, generation):
    # A coroutine: a message is sent to it, and it yields the answer.
    message = yield
    envs = make()
    envs.restart(generation)
    while True:
        kind, *content = message
        if kind == "restart":
            message = yield envs.restart(*content)
        elif kind == "restore":
            message = yield envs.restore(*content)
        else:
            message = yield ("paths", envs.collect(*content))
