"""Evaluations at intervals: ``scores.txt``, and the best agent so far."""

import logging
import math
import os
import time

from chainertrpo._checks import whole
from chainertrpo.experiments.adapting import adapt_any
from chainertrpo.experiments.evaluation import check_limits, eval_performance
from chainertrpo.experiments.ownership import FolderHoldsRunError, what_holds

COLUMNS = ("steps", "episodes", "elapsed", "mean", "median", "stdev", "max", "min")


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
        check_limits(n_steps, n_episodes)
        self.agent, self.env = agent, adapt_any(env)
        self.n_steps, self.n_episodes = n_steps, n_episodes
        self.eval_interval = whole("eval_interval", eval_interval, 1)
        self.poll = poll
        self.max_episode_len = max_episode_len
        self.outdir = outdir
        self.save_best_so_far_agent = save_best_so_far_agent
        self.logger = logger or logging.getLogger(__name__)
        self.max_score = -math.inf
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
            "max_score": self.max_score if self.max_score > -math.inf else None,
            "prev_eval_t": self.prev_eval_t,
            "elapsed": time.time() - self.start_time,
        }

    def set_state(self, state):
        """Continue from a state of `get_state`."""
        best = state["max_score"]
        self.max_score = -math.inf if best is None else best
        self.prev_eval_t = state["prev_eval_t"]
        self.start_time = time.time() - state["elapsed"]
