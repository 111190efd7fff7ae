"""A run's progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import collections
import sys
import time
import typing

import tqdm


class Progress:
    """A step hook that shows steps/s, time left, return and KL, in any training loop.

    The return is the mean of the last ten episodes, of which its method `episode` is
    told: by the loops themselves.

    Parameters
    ----------
    total_steps : int
        Of the run.
    file : file, optional
        Where to; by default standard error.
    bar : bool, optional
        A bar, or a plain line every `seconds`; by default whether `file` is a terminal
        or a notebook's output.
    seconds : float
        Between plain lines.
    interval : int, optional
        Steps between plain lines, instead of `seconds`.
    """

    def __init__(
        self,
        total_steps: int,
        file: typing.Any = None,
        bar: bool | None = None,
        seconds: float = 10.0,
        interval: int | None = None,
    ) -> None:
        self.file = file or sys.stderr
        self.total = total_steps
        self.seconds, self.interval = seconds, interval
        bar = _rewrites_lines(self.file) if bar is None else bar
        self._last = time.monotonic()
        self._first = None  # (step, time) of the first call: a resumed run begins late
        self._returns = collections.deque(maxlen=10)
        self._bar = (
            tqdm.tqdm(
                total=total_steps,
                unit=" steps",
                file=self.file,
                smoothing=0.05,
            )
            if bar
            else None
        )

    def __call__(self, env, agent, step):
        """Show the state, if it is time to."""
        now = time.monotonic()
        if self._first is None:
            self._first = step, now
            if self._bar is not None:
                self._bar.initial = self._bar.n = step
        if not self._is_due(now, step) and step < self.total:
            return
        self._last = now
        words = self._words(agent)
        if self._bar is not None:
            self._bar.set_postfix_str(words, refresh=False)
            self._bar.update(step - self._bar.n)
            if step >= self.total:
                self.close()
            return
        speed = self._speed(step, now)
        text = f"{step:>9}/{self.total} steps  {speed}{words}".rstrip()
        print(text, file=self.file, flush=True)

    def _speed(self, step, now):
        done = step - self._first[0]
        if done <= 0:  # the first call tells nothing of the speed
            return ""
        rate = done / max(now - self._first[1], 1e-9)
        left = tqdm.tqdm.format_interval(max(self.total - step, 0) / rate)
        return f"{rate:6.0f} steps/s  {left} left  "

    def _is_due(self, now, step):
        if self._bar is None and self.interval is not None:
            return step % self.interval == 0
        return now - self._last >= (0.2 if self._bar is not None else self.seconds)

    def episode(self, t, total, length):
        """Remember the return of an episode."""
        self._returns.append(total)

    def _words(self, agent):
        returns = self._returns
        words = [f"return {sum(returns) / len(returns):.1f}"] if returns else []
        step = getattr(agent, "last_step", None)
        if step is not None:
            words.append(f"KL {step.kl:.4f}" if step.accepted else f"({step.reason})")
        return "  ".join(words)

    def close(self):
        """End the bar."""
        if self._bar is not None:
            self._bar.close()


def _rewrites_lines(file):
    """Whether what is written after a carriage return replaces the line before."""
    return file.isatty() or type(file).__module__.startswith("ipykernel.")
