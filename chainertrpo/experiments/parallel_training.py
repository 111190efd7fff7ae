"""The training loop with worker processes, checkpoints and exact resumption."""

from __future__ import annotations

import functools
import logging
import os
import time
import typing

from chainertrpo._checks import whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.adapting import adapt_any
from chainertrpo.experiments.checkpoints import (
    load_checkpoint,
    newest_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from chainertrpo.experiments.collection import Collector, packed, unpacked
from chainertrpo.experiments.endings import EndWatch
from chainertrpo.experiments.evaluator import Evaluator
from chainertrpo.experiments.hooks import closed_at_the_end, told_of_episodes
from chainertrpo.experiments.ownership import TABLES, owned_folder, what_holds
from chainertrpo.experiments.sharing import (
    available_cores,
    check_num_envs,
    default_num_envs,
    say_what_is_odd,
)
from chainertrpo.experiments.signals import Interrupted, deferred_signals
from chainertrpo.experiments.training import save_or_say
from chainertrpo.experiments.workers import WorkerError

LOST = 50_000  # steps that a kill may cost at most, unless a batch has more


@single_blas_thread()
def train_agent_parallel(
    agent: typing.Any,
    make_env: typing.Callable[..., typing.Any],
    steps: int,
    outdir: str,
    *,
    num_envs: int | None = None,
    workers: int | None = None,
    seed: int = 0,
    eval_env: typing.Any = None,
    eval_n_steps: int | None = None,
    eval_n_episodes: int | None = 10,
    eval_interval: int = 10_000,
    eval_max_episode_len: int | None = None,
    checkpoint_interval: int | None = None,
    resume: bool = False,
    worker_timeout: float = 30.0,
    step_hooks: typing.Sequence[typing.Callable] = (),
    episode_hooks: typing.Sequence[typing.Callable] = (),
    save_best_so_far_agent: bool = True,
    logger: logging.Logger | None = None,
    overwrite: bool = False,
) -> None:
    """Train with worker processes that collect whole paths.

    An iteration is ``agent.update_interval`` steps, shared out among the environments, and
    one update.  As soon as the policy has been improved the workers begin the next one: the
    value function is fitted, hooks are called and the agent is evaluated meanwhile.

    What is learned depends neither on the number of workers nor on checkpoints.  With one
    of these goes the state of everything that goes on, running episodes among them: an
    environment is led back to where it was by the actions it was given (see
    `Collector.restore`).  Therefore a run that is killed at any moment and resumed ends
    with the same parameters, normaliser, optimiser state and scores, bit for bit (the
    column ``elapsed`` apart), as one that was never killed.

    Parameters
    ----------
    agent : OnPolicyAgent
        With ``actor``, ``update``, ``update_interval``, ``get_state`` and ``set_state``
        besides the agent protocol.
    make_env : callable
        ``make_env(seed)``; see `Collector`.
    steps : int
        Environment steps in all.  Steps at the end that do not fill a batch are taken
        but not learned from, as in `train_agent`.
    outdir : str
        The run's folder.
    num_envs : int, optional
        Environments; by default as many as before, or `default_num_envs`.  Each is cut at
        the end of a batch, so that many of them learn from short pieces of episodes.
    workers : int, optional
        Processes that step them, at most one for each; by default one per core this
        process may use.
    seed : int
        Of environments and actions.
    eval_env : Env, optional
        Without it nothing is evaluated.  It is seeded anew for every evaluation.
    eval_n_steps, eval_n_episodes : int or None
        Of each evaluation; one of them is None.
    eval_interval : int
        Steps between evaluations, which happen after updates.
    eval_max_episode_len : int, optional
        Cut evaluation episodes there.
    checkpoint_interval : int, optional
        Updates between checkpoints; by default 10, or as many as 50,000 steps make (one
        at least) if these are fewer.
    resume : bool
        Go on from the newest checkpoint in `outdir`, if there is one; `steps` may have
        grown.
    worker_timeout : float
        See `Collector`.
    step_hooks : sequence of callable
        ``hook(env, agent, t)`` after every iteration, and on resuming; env is None.  What
        a hook sets at step t holds for the update of the n steps that follow; in
        `train_agent`, which calls hooks after every step, for that at t.
    episode_hooks : sequence of callable
        ``hook(t, total, length)`` for every episode, after the iteration it ended in.
    save_best_so_far_agent : bool
        See `Evaluator`.
    logger : logging.Logger, optional
        By default this module's.
    overwrite : bool
        Remove what another run has left in `outdir`.

    Raises
    ------
    FolderInUseError, FolderHoldsRunError
        Another process trains in `outdir`, or another run is there.
    ValueError
        `steps` are not one batch, or `num_envs` are not as many as before.
    Interrupted
        SIGINT or SIGTERM came; the newest checkpoint can be resumed from.
    KeyboardInterrupt
        The same, at a second Ctrl-C.
    WorkerError
        A worker raised, died or hung; likewise.
    """
    logger = logger or logging.getLogger(__name__)
    if checkpoint_interval is None:
        checkpoint_interval = max(1, min(10, LOST // agent.update_interval))
    with owned_folder(outdir, goes_on=resume, overwrite=overwrite):
        run = _Run(agent, steps, outdir, eval_env, seed, checkpoint_interval, logger)
        run.begin(
            resume,
            num_envs,
            workers,
            eval_n_steps,
            eval_n_episodes,
            eval_interval,
            eval_max_episode_len,
            save_best_so_far_agent,
        )
        episode_hooks = told_of_episodes(step_hooks, episode_hooks)
        with closed_at_the_end(step_hooks):
            run.train(make_env, worker_timeout, step_hooks, episode_hooks)


class _Run:
    """What `train_agent_parallel` does: where it is, and how it goes on."""

    def __init__(self, agent, steps, outdir, eval_env, seed, interval, logger):
        self.agent, self.steps, self.outdir = agent, steps, outdir
        self.eval_env = None if eval_env is None else adapt_any(eval_env)
        self.seed, self.interval, self.logger = seed, interval, logger
        self.evaluator, self.signals = None, []

    def begin(
        self,
        resume,
        num_envs,
        workers,
        n_steps,
        n_episodes,
        interval,
        longest,
        keep_best,
    ):
        state = load_checkpoint(self.outdir, self.agent) if resume else None
        if resume and not state:
            _check_nothing_is_lost(self.outdir)
        self.t = state["t"] if state else 0
        self.episodes = state["episodes"] if state else 0
        self.resumed = state is not None
        self.collection = unpacked(state) if state else None
        self._share(num_envs, workers)
        if (
            0 < self.steps < self.agent.update_interval
        ):  # 0: somebody only wants to save
            raise ValueError(
                f"expected steps >= {self.agent.update_interval}, which is one batch "
                f"(update_interval), got {self.steps}: nothing would be learned."
            )
        if self.eval_env is not None:
            self.evaluator = Evaluator(
                self.agent,
                self.eval_env,
                n_steps,
                n_episodes,
                interval,
                self.outdir,
                longest,
                step_offset=self.t,
                save_best_so_far_agent=keep_best,
                logger=self.logger,
                overwrite=True,  # what is there has been looked at
                poll=self._stop_if_asked,
            )
            if state:
                self.evaluator.set_state(state["evaluator"])

    def _share(self, num_envs, workers):
        known = len(self.collection) if self.collection else None
        rows = self.agent.update_interval
        default = known or default_num_envs(rows)
        self.num_envs = default if num_envs is None else whole("num_envs", num_envs, 1)
        if known:
            check_num_envs(known, self.num_envs)
        self.workers = workers or min(available_cores(), self.num_envs)
        say_what_is_odd(self.num_envs, self.workers, rows, self.logger)

    def train(self, make_env, timeout, step_hooks, episode_hooks):
        agent = self.agent
        if self.resumed:
            self.logger.info("resumed at step %d", self.t)
            for hook in step_hooks:  # what they set, they set again
                hook(None, agent, self.t)
        else:
            remove_checkpoints(self.outdir)
            self._checkpoint()  # a run killed before the next one begins anew
        with deferred_signals() as self.signals:
            try:
                with Collector(
                    make_env,
                    self.num_envs,
                    self.seed,
                    workers=self.workers,
                    # Earlier versions began all episodes anew at a checkpoint.
                    generation=0 if self.collection else self.t,
                    timeout=timeout,
                ) as collector:
                    if self.collection and self.t < self.steps:
                        collector.restore(agent.actor(), self.collection)
                    self._loop(collector, step_hooks, episode_hooks)
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                if isinstance(error, WorkerError):
                    # A signal to all processes may reach the workers first.
                    time.sleep(0.2)
                    if self.signals:
                        error = Interrupted(self.signals[0])
                path = os.path.join(self.outdir, f"{self.t}_except")
                save_or_say(agent, path, self.logger)
                last = newest_checkpoint(self.outdir)
                if last:
                    self.logger.info("the run can be resumed from %s", last)
                raise error
            path = os.path.join(self.outdir, f"{self.t}_finish")
            agent.save(path)
            self.logger.info("saved the agent to %s", path)
            self._checkpoint()

    def _loop(self, collector, step_hooks, episode_hooks):
        agent, steps = self.agent, self.steps
        watch = EndWatch(
            self.num_envs,
            self.interval * agent.update_interval,
            getattr(self.eval_env, "max_episode_steps", None),
            self.logger,
        )

        def begin(step):
            n_steps = min(agent.update_interval, steps - step)
            if n_steps > 0:
                keep = self._is_due(step + n_steps)
                collector.begin(agent.actor(), n_steps, keep)

        begin(self.t)
        while self.t < steps:
            self._stop_if_asked()
            collected = collector.finish(stop=lambda: bool(self.signals))
            if collected is None:
                raise Interrupted(self.signals[0])
            n_steps = sum(len(path.reward) for path in collected.paths)
            if n_steps == agent.update_interval:
                # What follows the policy's step goes on beside the collection.
                agent.update(
                    collected.paths, functools.partial(begin, self.t + n_steps)
                )
            for step, total, length in collected.episodes:
                for hook in episode_hooks:
                    hook(self.t + step, total, length)
            watch.count(n_steps, len(collected.episodes))
            self.t += n_steps
            self.episodes += len(collected.episodes)
            self.collection = collected.state
            for hook in step_hooks:
                hook(None, agent, self.t)
            if self.evaluator:
                self.eval_env.seed((self.seed + self.t) % 2**32)
                self.evaluator.evaluate_if_necessary(self.t, self.episodes)
            if self._is_due(self.t) and self.t < steps:
                self._checkpoint()
        watch.finish()

    def _is_due(self, t):
        return t >= self.steps or t // self.agent.update_interval % self.interval == 0

    def _stop_if_asked(self):
        if self.signals:
            raise Interrupted(self.signals[0])

    def _checkpoint(self):
        content = {
            "episodes": self.episodes,
            "evaluator": self.evaluator.get_state() if self.evaluator else None,
        }
        arrays = None
        if self.collection:
            content["collection"], arrays = packed(self.collection)
        here = [n for n in TABLES if os.path.exists(os.path.join(self.outdir, n))]
        save_checkpoint(self.outdir, self.t, self.agent, content, here, arrays)


def _check_nothing_is_lost(outdir):
    found = what_holds(outdir)
    if found:
        raise FileNotFoundError(
            f"{outdir}: expected a checkpoint to resume from, got none beside "
            f"{', '.join(found)}. A run without worker processes keeps none."
        )
