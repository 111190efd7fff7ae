"""Scores of an agent: evaluation episodes, ``scores.txt``, and the best agent so far."""

import logging
import os
import statistics
import time

from chainertrpo.experiments.envs import adapt
from chainertrpo.numerics import single_blas_thread

import numpy

COLUMNS = ("steps", "episodes", "elapsed", "mean", "median", "stdev", "max", "min")


def _check_limits(n_steps, n_episodes):
    if (n_steps is None) == (n_episodes is None):
        raise ValueError(
            f"expected one of n_steps and n_episodes to be None, got n_steps={n_steps}, "
            f"n_episodes={n_episodes}."
        )


@single_blas_thread()
def run_evaluation_episodes(
    env, agent, n_steps, n_episodes, max_episode_len=None, logger=None
):
    """Run episodes without learning.

    Parameters
    ----------
    env : Env
        Not the one that is trained in.
    agent : object
        With ``act`` and ``stop_episode``.
    n_steps, n_episodes : int or None
        How much; one of them is None.  An episode that `n_steps` cuts does not count,
        unless it is the first.
    max_episode_len : int, optional
        Cut episodes there.
    logger : logging.Logger, optional
        By default this module's.

    Returns
    -------
    list of float
        Undiscounted returns.
    """
    _check_limits(n_steps, n_episodes)
    logger = logger or logging.getLogger(__name__)
    scores, t = [], 0
    while True:
        obs, total, length, end = env.reset(), 0.0, 0, False
        while not end and (n_steps is None or t < n_steps):
            obs, reward, done, info = env.step(agent.act(obs))
            total += float(reward)
            length += 1
            t += 1
            end = done or length == max_episode_len or info.get("needs_reset", False)
        agent.stop_episode()
        if end or not scores:
            scores.append(total)
            logger.debug(
                "evaluation episode %d: length %d, R %g", len(scores), length, total
            )
        if len(scores) == n_episodes or (n_steps is not None and t >= n_steps):
            return scores


@single_blas_thread()
def eval_performance(
    env, agent, n_steps, n_episodes, max_episode_len=None, logger=None
):
    """Run episodes without learning and summarise their returns.

    Parameters
    ----------
    env, agent, n_steps, n_episodes, max_episode_len, logger
        As in `run_evaluation_episodes`; `env` may be a `SerialVectorEnv`, whose
        environments are then run in turn.

    Returns
    -------
    dict
        episodes, mean, median, stdev (sample; 0 for one episode), max, min.
    """
    scores = run_evaluation_episodes(
        getattr(env, "envs", [env])[0],
        agent,
        n_steps,
        n_episodes,
        max_episode_len,
        logger,
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
    """Evaluates an agent every so many steps and appends a row to ``scores.txt``.

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
        Steps already done before; then ``scores.txt`` is gone on with.
    save_best_so_far_agent : bool
        Save the agent to ``best/`` whenever the mean exceeds all before.
    logger : logging.Logger, optional
        By default this module's.
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
    ):
        _check_limits(n_steps, n_episodes)
        self.agent, self.env = agent, adapt(env)
        self.n_steps, self.n_episodes = n_steps, n_episodes
        self.eval_interval = eval_interval
        self.max_episode_len = max_episode_len
        self.outdir = outdir
        self.save_best_so_far_agent = save_best_so_far_agent
        self.logger = logger or logging.getLogger(__name__)
        self.max_score = -numpy.inf
        self.prev_eval_t = step_offset - step_offset % eval_interval
        self.start_time = time.time()
        self.path = os.path.join(outdir, "scores.txt")
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
        """Return what goes on beside ``scores.txt``, as JSON.

        Returns
        -------
        dict
            For `set_state`.
        """
        return {
            "max_score": self.max_score if self.max_score > -numpy.inf else None,
            "prev_eval_t": self.prev_eval_t,
            "elapsed": time.time() - self.start_time,
        }

    def set_state(self, state):
        """Go on from a state.

        Parameters
        ----------
        state : dict
            Of `get_state`.
        """
        best = state["max_score"]
        self.max_score = -numpy.inf if best is None else best
        self.prev_eval_t = state["prev_eval_t"]
        self.start_time = time.time() - state["elapsed"]
