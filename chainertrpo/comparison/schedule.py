"""Many runs on few cores: processes, their progress, and when all will be done."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from chainertrpo.comparison.runs import is_finished, read_run, step_of

import tqdm

LOG = "log.txt"
PROGRAM = "chainertrpo.comparison.training"


def run_all(folders, jobs, *, file=None, seconds=10.0):
    """Train the runs that are not finished, several at a time.

    Each is a process with one thread for its matrix products and a log of its own.  One
    that fails is reported and does not stop the others.

    Parameters
    ----------
    folders : sequence of str
        Of `make_plan` or another plan.
    jobs : int
        How many at a time.
    file : file, optional
        Where progress is shown; by default standard error.
    seconds : float
        Between the lines of progress (on a terminal one line is rewritten every second).

    Returns
    -------
    dict of str to str
        The folders of runs that failed, with the last line of their logs.

    Raises
    ------
    ValueError
        `jobs` is less than 1.
    KeyboardInterrupt
        After all processes have been told to stop and have stopped.
    """
    if jobs < 1:
        raise ValueError(f"expected jobs >= 1, got {jobs}.")
    waiting = [folder for folder in folders if not is_finished(folder)]
    running, failed = {}, {}
    progress = _Progress(folders, jobs, file or sys.stderr, seconds)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                folder = waiting.pop(0)
                running[folder] = _start(folder)
            time.sleep(0.1)
            for folder, process in list(running.items()):
                if process.poll() is None:
                    continue
                del running[folder]
                if process.returncode or not is_finished(folder):
                    failed[folder] = _last_line(folder)
                    progress.say(f"failed: {folder}: {failed[folder]}")
            progress.show(running, failed)
    except BaseException:
        _stop(running.values())
        raise
    progress.show({}, failed, now=True)
    return failed


def _start(folder):
    # One thread each: two BLAS threads of each of several processes wait for each other.
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    with open(os.path.join(folder, LOG), "a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", PROGRAM, folder],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
        )


def _stop(processes):
    processes = list(processes)
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait()


def _last_line(folder):
    with open(os.path.join(folder, LOG), errors="replace") as file:
        lines = [line.strip() for line in file if line.strip()]
    return lines[-1] if lines else "it wrote nothing"


class _Progress:
    """Lines such as ``3/10 runs, 41 % of the steps, 12:03 left``.

    The time left is Σ (steps left / steps per second) / jobs.  Speeds are measured since
    this command began: in the run's environment or, where it has not run yet, in all.
    """

    def __init__(self, folders, jobs, file, seconds):
        self.jobs, self.file = jobs, file
        self.tty = file.isatty()
        self.seconds = 1.0 if self.tty else seconds
        self.runs = {folder: read_run(folder) for folder in folders}
        self.begun = {}  # folder -> (time, step) when it was first seen running
        self.spent = {}  # folder -> (seconds, steps) since then
        self._last = 0.0

    def show(self, running, failed, now=False):
        """Print the state, if it is time to."""
        if not now and time.monotonic() - self._last < self.seconds:
            return
        self._last = time.monotonic()
        steps = {folder: step_of(folder, run) for folder, run in self.runs.items()}
        for folder in running:
            clock, step = self.begun.setdefault(folder, (self._last, steps[folder]))
            self.spent[folder] = self._last - clock, steps[folder] - step
        total = sum(run.steps for run in self.runs.values()) or 1
        finished = sum(map(is_finished, self.runs))
        words = [f"{finished}/{len(self.runs)} runs"]
        words += [f"{len(failed)} failed"] if failed else []
        words += [f"{100 * sum(steps.values()) / total:.0f} % of the steps"]
        words += [f"{self._left(steps, failed)} left"]
        words += [f"{_name(f)} at {steps[f]}" for f in list(running)[:2]]
        self.say(", ".join(words), passing=not now)

    def say(self, text, passing=False):
        """Print a line; one that is `passing` may be written over on a terminal."""
        if self.tty:
            print(f"\r{text:<100}", end="" if passing else "\n", file=self.file)
            self.file.flush()
        else:
            print(text, file=self.file, flush=True)

    def _left(self, steps, failed):
        left = 0.0
        for folder, run in self.runs.items():
            if folder in failed or run.steps <= steps[folder]:
                continue
            there = [f for f in self.spent if self.runs[f].env == run.env]
            speed = self._speed(there) or self._speed(self.spent)
            if not speed:
                return "?"
            left += (run.steps - steps[folder]) / speed
        return tqdm.tqdm.format_interval(left / self.jobs)

    def _speed(self, folders):
        seconds, steps = map(sum, zip((0, 0), *(self.spent[f] for f in folders)))
        return steps / seconds if seconds else 0.0


def _name(folder):
    return "/".join(os.path.normpath(folder).split(os.sep)[-3:])
