"""A run of `train_agent_parallel`: where it is, how it goes on, and what all ranks do."""

import functools
import itertools
import os
import time

from chainertrpo import ranks
from chainertrpo._checks import whole
from chainertrpo.experiments.adapting import adapt_any
from chainertrpo.experiments.alike import check_alike
from chainertrpo.experiments.checkpoints import (
    load_checkpoint,
    newest_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from chainertrpo.experiments.collection import Collector, packed, unpacked
from chainertrpo.experiments.endings import EndWatch
from chainertrpo.experiments.evaluator import Evaluator
from chainertrpo.experiments.ownership import TABLES, what_holds
from chainertrpo.experiments.sharing import (
    available_cores,
    check_num_envs,
    default_num_envs,
    envs_of_rank,
    say_what_is_odd,
)
from chainertrpo.experiments.signals import Interrupted, deferred_signals
from chainertrpo.experiments.training import save_or_say
from chainertrpo.experiments.workers import WorkerError


class Run:
    """What `train_agent_parallel` does.

    Every rank has one, and calls the same methods.  The folder and the evaluator are
    rank 0's; `collection` says where the environments of this rank are.
    """

    def __init__(self, agent, steps, outdir, eval_env, seed, interval, logger):
        self.agent, self.steps, self.outdir = agent, steps, outdir
        self.eval_env = None if eval_env is None else adapt_any(eval_env)
        self.seed, self.interval, self.logger = seed, interval, logger
        self.evaluator, self.signals = None, []
        self.writes = ranks.rank() == 0

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
        """Go on from a checkpoint, or begin; the arguments are those of the function."""
        state = self._load() if resume else None
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
        if self.eval_env is not None and self.writes:
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
                poll=self._break_off_if_asked,
            )
            if state:
                self.evaluator.set_state(state["evaluator"])

    def _load(self):
        """The checkpoint that rank 0 finds, on all ranks; None if there is none."""
        state = load_checkpoint(self.outdir, self.agent) if self.writes else None
        if self.writes and not state:
            _check_nothing_is_lost(self.outdir)
        state = ranks.agreed(state)
        if state and ranks.size() > 1:
            self.agent.agree()
        if state and state.get("ranks", 1) != ranks.size():
            self.logger.info(
                "number of ranks: %d, before: %d; data and updates are the same, but sums "
                "may be rounded otherwise",
                ranks.size(),
                state.get("ranks", 1),
            )
        return state

    def _share(self, num_envs, workers):
        known = len(self.collection) if self.collection else None
        rows = self.agent.update_interval
        default = known or default_num_envs(rows)
        self.num_envs = default if num_envs is None else whole("num_envs", num_envs, 1)
        if known:
            check_num_envs(known, self.num_envs)
        self.envs = envs_of_rank(self.num_envs, rows)
        if known:
            self.collection = [self.collection[i] for i in self.envs]
        self.workers = workers or min(available_cores(), len(self.envs))
        say_what_is_odd(self.num_envs, self.workers, rows, self.logger)

    def train(self, make_env, timeout, step_hooks, episode_hooks):
        """Train to the end, or save what can be saved on the way out."""
        agent = self.agent
        if self.resumed:
            self.logger.info("resumed at step %d", self.t)
            for hook in step_hooks:  # what they set, they set again
                hook(None, agent, self.t)
        else:
            if self.writes:
                remove_checkpoints(self.outdir)
            self._checkpoint()  # a run killed before the next one begins anew
        with deferred_signals() as self.signals:
            try:
                with Collector(
                    make_env,
                    self.num_envs,
                    self.seed,
                    workers=self.workers,
                    envs=self.envs,
                    # Earlier versions began all episodes anew at a checkpoint.
                    generation=0 if self.collection else self.t,
                    timeout=timeout,
                ) as collector:
                    if self.collection and self.t < self.steps:
                        collector.restore(agent.actor(), self.collection)
                    self._loop(collector, step_hooks, episode_hooks)
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                self._save(f"{self.t}_except")
                if self.writes and newest_checkpoint(self.outdir):
                    last = newest_checkpoint(self.outdir)
                    self.logger.info("the run can be resumed from %s", last)
                if getattr(error, "agreed", False):
                    ranks.wait()  # for rank 0, which saves
                raise
            self._checkpoint()
            if self.writes:
                path = os.path.join(self.outdir, f"{self.t}_finish")
                agent.save(path)
                self.logger.info("saved the agent to %s", path)

    def _save(self, name):
        if self.writes:
            save_or_say(self.agent, os.path.join(self.outdir, name), self.logger)

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
            collected = self._finish(collector)
            self._stop_if(self._signal())
            n_steps = min(agent.update_interval, steps - self.t)
            if n_steps == agent.update_interval:
                # What follows the policy's step goes on beside the collection.
                agent.update(
                    collected.paths, functools.partial(begin, self.t + n_steps)
                )
            of_ranks = ranks.everyone(collected.episodes)
            episodes = sorted(itertools.chain.from_iterable(of_ranks))
            for step, total, length in episodes:
                for hook in episode_hooks:
                    hook(self.t + step, total, length)
            watch.count(n_steps, len(episodes))
            self.t += n_steps
            self.episodes += len(episodes)
            self.collection = collected.state
            for hook in step_hooks:
                hook(None, agent, self.t)
            self._stop_if(self._evaluate())
            if self._is_due(self.t) and self.t < steps:
                self._checkpoint()
        watch.finish()

    def _finish(self, collector):
        """What this rank has collected; None if it has been asked to stop."""
        try:
            return collector.finish(stop=lambda: bool(self.signals))
        except WorkerError:
            # A signal to all processes may reach the workers first.
            time.sleep(0.2)
            if not self.signals:
                raise
        return None

    def _evaluate(self):
        """Evaluate on rank 0; the signal that broke it off, or 0."""
        if self.evaluator is None:
            return 0
        self.eval_env.seed((self.seed + self.t) % 2**32)
        try:
            with ranks.apart():
                self.evaluator.evaluate_if_necessary(self.t, self.episodes)
        except Interrupted as stop:
            return stop.signal_number
        return 0

    def _is_due(self, t):
        return t >= self.steps or t // self.agent.update_interval % self.interval == 0

    def _break_off_if_asked(self):
        if self.signals:
            raise Interrupted(self._signal())

    def _signal(self):
        return self.signals[0] if self.signals else 0

    def _stop_if(self, number):
        """Stop every rank if the number of a signal, on one of them, is not 0."""
        ranks.wait()  # some collect, or evaluate, longer than others
        number = int(ranks.largest(number))
        if number:
            raise Interrupted(number, agreed=True)

    def _checkpoint(self):
        check_alike(self.agent, self.t)
        collection = ranks.to_rank_0(self.collection or [])
        if not self.writes:
            return
        content = {
            "episodes": self.episodes,
            "evaluator": self.evaluator.get_state() if self.evaluator else None,
            "ranks": ranks.size(),
        }
        arrays, collection = None, list(itertools.chain.from_iterable(collection))
        if collection:
            content["collection"], arrays = packed(collection)
        here = [n for n in TABLES if os.path.exists(os.path.join(self.outdir, n))]
        save_checkpoint(self.outdir, self.t, self.agent, content, here, arrays)


def _check_nothing_is_lost(outdir):
    found = what_holds(outdir)
    if found:
        raise FileNotFoundError(
            f"{outdir}: expected a checkpoint to resume from, got none beside "
            f"{', '.join(found)}. A run without worker processes keeps none."
        )
