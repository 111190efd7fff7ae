"""A mistake of the user is one line, not a traceback."""

import contextlib
import logging
import signal
import sys

from chainertrpo.data import BadFileError
from chainertrpo.experiments.console import (
    LogHandler,
    explain,
    survive_closed_streams,
)
from chainertrpo.experiments.signals import sigterm_interrupts


@contextlib.contextmanager
def mistakes_are_lines(stopped="stopped"):
    """End the process by a line where a user can do something about it."""
    survive_closed_streams()
    logging.basicConfig(format="%(message)s", handlers=[LogHandler()])
    try:
        with sigterm_interrupts():
            yield
    except (BadFileError, ImportError, OSError, ValueError) as error:
        sys.exit(f"error: {explain(error)}")
    except KeyboardInterrupt as stop:
        print(stopped, file=sys.stderr)
        sys.exit(128 + getattr(stop, "signal_number", signal.SIGINT))
