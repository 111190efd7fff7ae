"""Scores of an agent: evaluation episodes, ``scores.txt``, and the best agent so far."""

from __future__ import annotations

import logging
import os
import statistics
import time
import typing

from chainertrpo._checks import whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.envs import adapt, adapt_any, is_several
from chainertrpo.experiments.ownership import FolderHoldsRunError, what_holds
from chainertrpo.experiments.packages import BadEnvironmentError

import numpy

LONGEST = 50_000  # steps of an evaluation episode, where nobody has set a limit
COLUMNS = ("steps", "episodes", "elapsed", "mean", "median", "stdev", "max", "min")


def _check_limits(n_steps, n_episodes):
    for name, n in (("n_steps", n_steps), ("n_episodes", n_episodes)):
        if n is not None:
            whole(name, n, 1)
    if (n_steps is None) == (n_episodes is None):
        raise ValueError(
            f"expected one of n_steps and n_episodes to be None, got n_steps={n_steps}, "
            f"n_episodes={n_episodes}."
        )


def _shares(n, k):
    # n in k whole parts that differ by 1 at most; None stays None.
    return [None if n is None else (i + 1) * n // k - i * n // k for i in range(k)]


def length_limit(env, given, logger):
    """Return after how many steps an episode is cut, and a way to say that it was.

    Parameters
    ----------
    env : Env
        Whose ``max_episode_steps`` is taken if nothing is given.
    given : int or None
        Wins.
    logger : logging.Logger
        Where to.

    Returns
    -------
    int, callable
        The limit; the function says, once, that nobody had set it.
    """
    limit = given or getattr(env, "max_episode_steps", None)
    said = []

    def say():
        if limit is None and not said:
            said.append(True)
            logger.warning(
                "an episode has not ended within %d steps and was cut; give the "
                "environment a time limit (--max-episode-steps) if it should have ended",
                LONGEST,
            )

    return limit or LONGEST, say


@single_blas_thread()
def run_evaluation_episodes(
    env, agent, n_steps, n_episodes, max_episode_len=None, logger=None, *, poll=None
):
    """Run episodes without learning.

    Parameters
    ----------
    env : Env
        Not the one that is trained in; any of gym or gymnasium.  The environments of a
        `SerialVectorEnv` take their shares of the episodes, or of the steps, in turn.
    agent : object
        With ``act`` and ``stop_episode``.
    n_steps, n_episodes : int or None
        How much; one of them is None.  An episode that `n_steps` cuts does not count,
        unless it is the first.
    max_episode_len : int, optional
        Cut episodes there; by default at the environment's ``max_episode_steps`` or, if
        there is none, at 50,000 steps, and a warning says so.
    logger : logging.Logger, optional
        By default this module's.
    poll : callable, optional
        Called at every step without arguments; what it raises breaks the evaluation off.

    Returns
    -------
    list of float
        Undiscounted returns.
    """
    _check_limits(n_steps, n_episodes)
    logger = logger or logging.getLogger(__name__)
    envs = _each_of(env)
    scores, cut_short = [], []
    shares = zip(_shares(n_steps, len(envs)), _shares(n_episodes, len(envs)))
    for one, share in zip(envs, shares):
        ended, cut = _run_in(one, agent, *share, max_episode_len, logger, poll)
        scores += ended
        cut_short += cut
    return scores or cut_short[:1]


def _each_of(env):
    env = adapt_any(env)
    if not is_several(env):
        return [env]
    if not hasattr(env, "envs"):
        raise BadEnvironmentError(
            f"expected environments of this process, got {env}. Evaluate in one, or in a "
            "SerialVectorEnv."
        )
    return [adapt(one) for one in env.envs]


def _run_in(env, agent, n_steps, n_episodes, max_episode_len, logger, poll):
    # The returns of whole episodes, and of the one that `n_steps` cut.
    limit, say_cut = length_limit(env, max_episode_len, logger)
    scores, t = [], 0
    while len(scores) != n_episodes and (n_steps is None or t < n_steps):
        obs, total, length, end = env.reset(), 0.0, 0, False
        while not end and (n_steps is None or t < n_steps):
            if poll is not None:
                poll()
            obs, reward, done, info = env.step(agent.act(obs))
            total += reward
            length += 1
            t += 1
            end = done or info.get("needs_reset", False)
            if not end and length == limit:
                end = True
                say_cut()
        agent.stop_episode()
        if not end:
            return scores, [total]
        scores.append(total)
        logger.debug(
            "evaluation episode %d: length %d, R %g", len(scores), length, total
        )
    return scores, []


@single_blas_thread()
def eval_performance(
    env: typing.Any,
    agent: typing.Any,
    n_steps: int | None,
    n_episodes: int | None,
    max_episode_len: int | None = None,
    logger: logging.Logger | None = None,
    *,
    poll: typing.Callable | None = None,
) -> dict[str, float]:
    """Run episodes without learning and summarise their returns.

    Parameters
    ----------
    env, agent, n_steps, n_episodes, max_episode_len, logger, poll
        As in `run_evaluation_episodes`.

    Returns
    -------
    dict
        episodes, mean, median, stdev (sample; 0 for one episode), max, min.
    """
    scores = run_evaluation_episodes(
        env, agent, n_steps, n_episodes, max_episode_len, logger, poll=poll
    )
    return {
        "episodes": len(scores),
        "mean": statistics.mean(scores),
        "median": statistics.median(scores),
        "stdev": statistics.stdev(scores) if len(scores) > 1 else 0.0,
        "max": max(scores),
        "min": min(scores),
    }


class Evaluator:
    """Evaluates an agent at intervals and appends a row to ``scores.txt``.

    The columns are ChainerRL's: steps, episodes, elapsed (seconds), mean, median, stdev,
    max, min, then the agent's statistics; separated by tabs.

    Parameters
    ----------
    agent : object
        With the agent protocol.
    env : Env
        Not the one that is trained in.
    n_steps, n_episodes : int or None
        Of each evaluation; one of them is None.
    eval_interval : int
        Steps between evaluations.
    outdir : str
        The run's folder; must exist.
    max_episode_len : int, optional
        Cut evaluation episodes there.
    step_offset : int
        Steps already done before; then rows are appended to ``scores.txt``.
    save_best_so_far_agent : bool
        Save the agent to ``best/`` whenever the mean exceeds all before.
    logger : logging.Logger, optional
        By default this module's.
    overwrite : bool
        Begin ``scores.txt`` anew, whatever is in it.
    poll : callable, optional
        See `run_evaluation_episodes`.
    """

    def __init__(
        self,
        agent,
        env,
        n_steps,
        n_episodes,
        eval_interval,
        outdir,
        max_episode_len=None,
        step_offset=0,
        save_best_so_far_agent=True,
        logger=None,
        *,
        overwrite=False,
        poll=None,
    ):
        _check_limits(n_steps, n_episodes)
        self.agent, self.env = agent, adapt_any(env)
        self.n_steps, self.n_episodes = n_steps, n_episodes
        self.eval_interval = whole("eval_interval", eval_interval, 1)
        self.poll = poll
        self.max_episode_len = max_episode_len
        self.outdir = outdir
        self.save_best_so_far_agent = save_best_so_far_agent
        self.logger = logger or logging.getLogger(__name__)
        self.max_score = -numpy.inf
        self.prev_eval_t = step_offset - step_offset % eval_interval
        self.start_time = time.time()
        self.path = os.path.join(outdir, "scores.txt")
        if step_offset == 0 and not overwrite and "scores.txt" in what_holds(outdir):
            raise FolderHoldsRunError(
                f"{self.path}: holds scores already. Give another folder, step_offset or "
                "overwrite=True."
            )
        if step_offset == 0 or not os.path.exists(self.path):
            names = [name for name, _ in agent.get_statistics()]
            with open(self.path, "w") as file:
                print(*COLUMNS, *names, sep="\t", file=file)

    def evaluate_and_update_max_score(self, t, episodes):
        """Evaluate now.

        Parameters
        ----------
        t : int
            Steps done.
        episodes : int
            Episodes done.

        Returns
        -------
        float
            The mean return.
        """
        stats = eval_performance(
            self.env,
            self.agent,
            self.n_steps,
            self.n_episodes,
            self.max_episode_len,
            self.logger,
            poll=self.poll,
        )
        row = [t, episodes, time.time() - self.start_time]
        row += [stats[name] for name in COLUMNS[3:]]
        row += [value for _, value in self.agent.get_statistics()]
        with open(self.path, "a") as file:
            print(*row, sep="\t", file=file)
        self.logger.info(
            "evaluation at step %d: mean %.1f, stdev %.1f over %d episodes",
            t,
            stats["mean"],
            stats["stdev"],
            stats["episodes"],
        )
        if stats["mean"] > self.max_score:
            self.max_score = stats["mean"]
            if self.save_best_so_far_agent:
                self.agent.save(os.path.join(self.outdir, "best"))
        return stats["mean"]

    def evaluate_if_necessary(self, t, episodes):
        """Evaluate if an interval has passed.

        Parameters
        ----------
        t : int
            Steps done.
        episodes : int
            Episodes done.

        Returns
        -------
        float or None
            The mean return, if evaluated.
        """
        if t < self.prev_eval_t + self.eval_interval:
            return None
        score = self.evaluate_and_update_max_score(t, episodes)
        self.prev_eval_t = t - t % self.eval_interval
        return score

    def get_state(self):
        """Return the state that ``scores.txt`` does not hold, as JSON."""
        return {
            "max_score": self.max_score if self.max_score > -numpy.inf else None,
            "prev_eval_t": self.prev_eval_t,
            "elapsed": time.time() - self.start_time,
        }

    def set_state(self, state):
        """Continue from a state of `get_state`."""
        best = state["max_score"]
        self.max_score = -numpy.inf if best is None else best
        self.prev_eval_t = state["prev_eval_t"]
        self.start_time = time.time() - state["elapsed"]
