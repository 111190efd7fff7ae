"""A process of its own, marked in its environment as are all that it starts.

Whoever still has the mark afterwards is an orphan.
"""

import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

import pytest
from collecting import LONG

HERE = pathlib.Path(__file__).parent
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prctl")

MARK = "CHAINERTRPO_TEST_MARK"


class Marked:
    """A process in a session of its own, running a function of a module of these tests.

    Parameters
    ----------
    call : str
        Such as ``test_collection_ends.hold()``.
    temporary : path, optional
        TMPDIR.
    argv : list of str, optional
        A program instead.
    """

    def __init__(self, call, temporary=None, argv=None):
        module = call.split(".")[0]
        # Whoever starts the tests in the background may have them ignore Ctrl-C.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        code += f"; import chainertrpo, {module}; {call}"
        self.mark = uuid.uuid4().hex
        environment = {**os.environ, MARK: self.mark, "PYTHONPATH": str(HERE.parent)}
        if temporary is not None:
            environment["TMPDIR"] = str(temporary)
        self.process = subprocess.Popen(
            argv or [sys.executable, "-u", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=HERE,
            env=environment,
            start_new_session=True,
        )

    def wait_for(self, line):
        """Read up to a line that begins like this."""
        seen = []
        for text in self.process.stdout:
            seen.append(text)
            if text.startswith(line):
                return
        raise AssertionError("".join(seen))

    def end(self):
        """The exit status and the rest of the output."""
        output, _ = self.process.communicate(timeout=LONG)
        return self.process.returncode, output

    def alive(self):
        """Which processes have the mark; zombies have no environment any more."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = pathlib.Path("/proc", pid, "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(pid))
        return found

    def nothing_is_left(self, seconds=20):
        """Whether all end by themselves, in about the time that imports take."""
        end = time.monotonic() + seconds
        while self.alive() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()
        self.process.wait()
