"""SIGINT and SIGTERM: between steps, or as the exception that ends a run in order."""

import contextlib
import signal
import threading

ENDING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):  # noqa: N818 (as KeyboardInterrupt)
    """The run was asked to stop; it can be resumed.

    Attributes
    ----------
    signal_number : int
        SIGINT or SIGTERM.
    agreed : bool
        All ranks stop by it at the same place.
    """

    def __init__(self, signal_number, agreed=False):
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number, self.agreed = signal_number, agreed


@contextlib.contextmanager
def _handled(numbers, handler):
    # Only the main thread can have handlers.
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            before[number] = signal.signal(number, handler)
    try:
        yield before
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def deferred_signals():
    """Note SIGINT and SIGTERM instead of breaking off in the middle of an update.

    After the first of them both act as usual, so that a second one ends at once.

    Yields
    ------
    list of int
        The signals that came.
    """
    came, before = [], {}

    def note(number, frame):
        came.append(number)
        for each, old in before.items():
            signal.signal(each, old)

    with _handled(ENDING, note) as found:
        before.update(found)
        yield came


@contextlib.contextmanager
def sigterm_interrupts():
    """Have SIGTERM raise `Interrupted` as Ctrl-C raises KeyboardInterrupt.

    A handler that somebody has set stays.
    """

    def interrupt(number, frame):
        raise Interrupted(number)

    unset = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with _handled([signal.SIGTERM] if unset else [], interrupt):
        yield
