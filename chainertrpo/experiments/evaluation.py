"""Scores of an agent: episodes without learning, and what their returns come to."""

from __future__ import annotations

import logging
import statistics
import typing

from chainertrpo._checks import whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.adapting import adapt, adapt_any, is_several
from chainertrpo.experiments.packages import BadEnvironmentError

LONGEST = 50_000  # steps of an evaluation episode, where nobody has set a limit


def check_limits(n_steps, n_episodes):
    """See that one of them is None, and the other a number from 1."""  # noqa: DOC501
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
    check_limits(n_steps, n_episodes)
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
