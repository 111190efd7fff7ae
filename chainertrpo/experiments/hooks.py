"""Hooks of the training loops.

A step hook is called after every step: ``hook(env, agent, t)``, as in ChainerRL.  An
episode hook is called at the end of every training episode: ``hook(t, total, length)``
with the undiscounted return.  A step hook with a method `episode` is an episode hook too,
and one with a method `close` is closed when the loop ends, however it ends.
"""

from __future__ import annotations

import contextlib
import functools
import os

from chainertrpo import ranks
from chainertrpo.experiments.ownership import FolderHoldsRunError, what_holds
from chainertrpo.experiments.progress import Progress
from chainertrpo.experiments.run_folder import draw_learning_curve


def told_of_episodes(step_hooks, episode_hooks=()):
    """Return the episode hooks, and the methods `episode` of the step hooks."""
    own = [getattr(hook, "episode", None) for hook in step_hooks]
    return [*episode_hooks, *(x for x in own if x and x not in episode_hooks)]


@contextlib.contextmanager
def closed_at_the_end(step_hooks):
    """Close the step hooks that can be closed; a full disk has been said already."""
    try:
        yield
    finally:
        for hook in step_hooks:
            with contextlib.suppress(OSError):
                getattr(hook, "close", lambda: None)()


class LinearInterpolationHook:
    """Set a value that moves linearly from its start at step 1 to its stop at the end.

    Parameters
    ----------
    total_steps : int
        The step at which `stop_value` is reached, and kept.
    start_value, stop_value : float
        The values.
    setter : callable
        ``setter(env, agent, value)``.
    """

    def __init__(self, total_steps, start_value, stop_value, setter):
        if total_steps < 2:
            raise ValueError(f"expected total_steps >= 2, got {total_steps}.")
        self.total_steps = total_steps
        self.start_value, self.stop_value = start_value, stop_value
        self.setter = setter

    def __call__(self, env, agent, step):
        """Set the value of this step."""
        done = min(max(step - 1, 0) / (self.total_steps - 1), 1)
        value = self.start_value + done * (self.stop_value - self.start_value)
        self.setter(env, agent, value)


def scheduled(settings, steps):
    """Make hooks for the settings that a preset schedules over the steps of a run.

    Parameters
    ----------
    settings : dict
        Of `settings_of`; ``schedules`` is {attribute of the agent: (first, last value)},
        the attribute as in ``optimizer.alpha``.
    steps : int
        Of the run.

    Returns
    -------
    list of LinearInterpolationHook
        Empty for a preset without schedules.  They raise an AttributeError when they
        run with an agent that has no such attribute.
    """

    def hook(path, start, stop):
        *owners, name = path.split(".")

        def assign(env, agent, value):
            owner = functools.reduce(getattr, owners, agent)
            if not hasattr(owner, name):
                raise AttributeError(
                    f"expected schedules of attributes of the agent, got {path!r}: "
                    f"{type(owner).__name__} has no {name}."
                )
            setattr(owner, name, value)

        return LinearInterpolationHook(steps, start, stop, assign)

    moving = settings.get("schedules") or {}
    return [hook(path, *ends) for path, ends in moving.items()]


class EpisodeLog:
    """An episode hook that writes ``episodes.txt``: step, return, length.

    The file is what learning curves of training returns are drawn from; its rows are
    written at once, so that a killed run keeps them.  Of several ranks the first writes it.

    Parameters
    ----------
    outdir : str
        The run's folder.
    resume : bool
        Append to the file that is there.

    Raises
    ------
    FolderHoldsRunError
        It has rows, and the log is not to be resumed.
    """

    def __init__(self, outdir, resume=False):
        if not resume and not ranks.rank() and "episodes.txt" in what_holds(outdir):
            raise FolderHoldsRunError(
                f"{outdir}/episodes.txt: holds episodes already. Give another folder, or "
                "resume=True."
            )
        path = os.path.join(outdir, "episodes.txt")
        if ranks.rank():
            path = os.devnull
        begun = os.path.exists(path) and os.path.getsize(path) > 0
        mode = "a" if resume and begun else "w"
        self._file = open(path, mode, buffering=1)  # noqa: SIM115 (kept open)
        if mode == "w":
            print("steps", "return", "length", sep="\t", file=self._file)

    def __call__(self, t, total, length):
        """Write a row."""
        print(t, total, length, sep="\t", file=self._file)

    def close(self):
        """Close the file."""
        self._file.close()


class LearningCurve:
    """A step hook that writes ``episodes.txt`` and draws ``learning_curve.png`` at the end.

    Parameters
    ----------
    outdir : str
        The run's folder, as the training loop is given it.
    resume : bool
        The run goes on.
    """

    def __init__(self, outdir, resume=False):
        self.outdir, self.resume, self._log = outdir, resume, None

    def episode(self, t, total, length):
        """Write an episode."""
        if self._log is None:
            self._log = EpisodeLog(self.outdir, self.resume)
        self._log(t, total, length)

    def __call__(self, env, agent, t):
        """Do nothing: what it draws are episodes, and the evaluations in the folder."""

    def close(self):
        """Draw the curve of what there is."""
        if self._log is not None:
            self._log.close()
            self._log, self.resume = None, True
            draw_learning_curve(self.outdir)


def watch(outdir: str, total_steps: int, resume: bool = False) -> list:
    """Make the step hooks that show a run, and draw its curve in its folder.

    Parameters
    ----------
    outdir : str
        The run's folder, as the training loop is given it.
    total_steps : int
        Of the run.
    resume : bool
        The run goes on.

    Returns
    -------
    list
        A `Progress` and a `LearningCurve`; nothing on any rank but the first.
    """
    if ranks.rank():
        return []
    return [Progress(total_steps), LearningCurve(outdir, resume)]
