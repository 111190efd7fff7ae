"""What scripts say, and to whom: a closed pipe ends no run, a full disk is one line."""

import argparse
import contextlib
import copy
import errno
import logging
import os
import sys
import warnings

from chainertrpo import ranks
from chainertrpo._checks import did_you_mean

import tqdm

REMEDIES = {
    errno.ENOSPC: "The disk is full: make room, or use another folder (--outdir).",
    errno.EDQUOT: "The quota is used up: make room, or use another folder (--outdir).",
    errno.EROFS: "It cannot be written to: use another folder (--outdir).",
    errno.EACCES: "It cannot be written to or read: use another folder (--outdir).",
    errno.ENAMETOOLONG: "Its name is too long: use a shorter one (--outdir).",
}


def explain(error):
    """Say an OSError in one line, with the remedy where there is one.

    Parameters
    ----------
    error : Exception
        Any.

    Returns
    -------
    str
        The line.
    """
    text = str(error)
    remedy = REMEDIES.get(getattr(error, "errno", None))
    return f"{text}. {remedy}" if remedy else text


class _Surviving:
    """A stream that goes nowhere once its reader has gone."""

    def __init__(self, stream, name):
        self._stream, self._name = stream, name

    def __getattr__(self, attribute):
        return getattr(self._stream, attribute)

    def write(self, text):
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._give_up()
        return len(text)

    def flush(self):
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._give_up()

    def _give_up(self):
        # What is left in the buffer would fail once more when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        other = sys.stderr if self._name == "standard output" else sys.stdout
        with contextlib.suppress(OSError, ValueError):
            print(f"{self._name} was closed; going on without it", file=other)


def survive_closed_streams():
    """Have what is printed go nowhere when its reader has gone, as after ``| head -1``.

    One line on the other stream says so.
    """
    if sys.stdout is not None:
        sys.stdout = _Surviving(sys.stdout, "standard output")
    if sys.stderr is not None:
        sys.stderr = _Surviving(sys.stderr, "standard error")


class LogHandler(logging.Handler):
    """Writes lines of the log between those of a progress bar, never into them."""

    def emit(self, record):
        """Write a line."""
        try:
            tqdm.tqdm.write(self.format(record), file=sys.stderr)
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def plain_warnings():
    """Show warnings as their text; the line of code they come from says users nothing."""
    with warnings.catch_warnings():

        def show(message, category, *place):
            tqdm.tqdm.write(f"{category.__name__}: {message}", file=sys.stderr)

        warnings.showwarning = show
        yield


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests what may have been meant."""

    def parse_args(self, args=None, namespace=None):
        """Read the command line, as argparse does."""
        found, unknown = self.parse_known_args(args, namespace)
        copies = ranks.started_by_mpiexec()
        if copies > 1 and not getattr(found, "mpi", False):
            self.error(
                "expected one process, or --mpi, by which several train one agent (of the "
                f"commands train, ppo and gail), got {copies} that mpiexec has started: "
                "each would do all of it, in the same folder"
            )
        if unknown:
            flags = [flag for flag in unknown if flag.startswith("-")]
            hints = [did_you_mean(f.split("=")[0], self._flags(), 1) for f in flags]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(hints)}")
        return found

    def _flags(self):
        flags = []
        for action in self._actions:
            flags += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    flags += parser._option_string_actions
        return flags

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            hint = did_you_mean(value, action.choices)
            known = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(
                action, f"expected one of {known}, got {value!r}.{hint}"
            )

    def given(self, args=None):
        """Return the names of the settings that the command line gives itself."""
        quiet = copy.deepcopy(self)
        quiet._defaults.clear()
        for action in quiet._actions:
            action.default = argparse.SUPPRESS
        return set(vars(quiet.parse_args(args)))
