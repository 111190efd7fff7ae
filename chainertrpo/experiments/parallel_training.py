"""The training loop with worker processes, checkpoints and exact resumption."""

import contextlib
import functools
import logging
import os
import signal
import threading
import time

from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.checkpoints import (
    load_checkpoint,
    remove_checkpoints,
    save_checkpoint,
)
from chainertrpo.experiments.collection import Collector
from chainertrpo.experiments.envs import adapt
from chainertrpo.experiments.evaluation import Evaluator
from chainertrpo.experiments.workers import WorkerError

TABLES = ("scores.txt", "episodes.txt")
LOST = 50_000  # steps that a kill may cost at most, unless a batch has more


class Interrupted(KeyboardInterrupt):  # noqa: N818 (as KeyboardInterrupt)
    """The run was asked to stop; it can be resumed.

    Attributes
    ----------
    signal_number : int
        SIGINT or SIGTERM.
    """

    def __init__(self, signal_number):
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


@contextlib.contextmanager
def deferred_signals():
    """Note SIGINT and SIGTERM instead of breaking off in the middle of an update.

    A second signal of the same kind acts as usual.

    Yields
    ------
    list of int
        The signals that came.
    """
    came = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {}

    def note(number, frame):
        came.append(number)
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@single_blas_thread()
def train_agent_parallel(
    agent,
    make_env,
    steps,
    outdir,
    *,
    workers=None,
    seed=0,
    eval_env=None,
    eval_n_steps=None,
    eval_n_episodes=10,
    eval_interval=10_000,
    eval_max_episode_len=None,
    checkpoint_interval=None,
    resume=False,
    worker_timeout=30.0,
    step_hooks=(),
    episode_hooks=(),
    save_best_so_far_agent=True,
    logger=None,
):
    """Train with worker processes that collect whole paths.

    An iteration is ``agent.update_interval`` steps, shared out among the workers, and one
    update.  As soon as the policy has been improved the workers begin the next one: the
    value function is fitted, hooks are called and the agent is evaluated meanwhile.

    At a checkpoint all episodes begin anew from seeds that depend on the step
    only; therefore a run that is killed at any moment and resumed ends with the same
    parameters, normaliser, optimiser state and scores, bit for bit (the column
    ``elapsed`` apart), as one that was never killed with the same `checkpoint_interval`.

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
    workers : int, optional
        By default one per core this process may use.
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
        Go on from the newest checkpoint in `outdir`, if there is one.
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

    Raises
    ------
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
    os.makedirs(outdir, exist_ok=True)
    state = load_checkpoint(outdir, agent) if resume else None
    t = state["t"] if state else 0
    episodes = state["episodes"] if state else 0
    evaluator = None
    if eval_env is not None:
        eval_env = adapt(eval_env)
        evaluator = Evaluator(
            agent,
            eval_env,
            eval_n_steps,
            eval_n_episodes,
            eval_interval,
            outdir,
            eval_max_episode_len,
            step_offset=t,
            save_best_so_far_agent=save_best_so_far_agent,
            logger=logger,
        )
        if state:
            evaluator.set_state(state["evaluator"])

    def checkpoint():
        content = {
            "episodes": episodes,
            "evaluator": evaluator.get_state() if evaluator else None,
        }
        tables = [name for name in TABLES if os.path.exists(os.path.join(outdir, name))]
        save_checkpoint(outdir, t, agent, content, tables)

    if state:
        logger.info("resumed at step %d", t)
        for hook in step_hooks:  # what they set, they set again
            hook(None, agent, t)
    else:
        remove_checkpoints(outdir)  # of another run
        checkpoint()  # a run killed before the next one begins anew, tables and all
    with deferred_signals() as signals:
        try:
            with Collector(
                make_env,
                workers or available_cores(),
                seed,
                generation=t,
                timeout=worker_timeout,
            ) as collector:

                def begin(step):
                    n_steps = min(agent.update_interval, steps - step)
                    if n_steps:
                        collector.begin(agent.actor(), n_steps)

                begin(t)
                while t < steps:
                    if signals:
                        raise Interrupted(signals[0])
                    collected = collector.finish(stop=lambda: bool(signals))
                    if collected is None:
                        raise Interrupted(signals[0])
                    n_steps = sum(len(path.reward) for path in collected.paths)
                    anew = (agent.n_updates + 1) % checkpoint_interval == 0
                    if n_steps == agent.update_interval:
                        # What follows the policy's step goes on beside the collection.
                        ahead = functools.partial(begin, t + n_steps)
                        agent.update(collected.paths, *[] if anew else [ahead])
                    for step, total, length in collected.episodes:
                        for hook in episode_hooks:
                            hook(t + step, total, length)
                    t += n_steps
                    episodes += len(collected.episodes)
                    for hook in step_hooks:
                        hook(None, agent, t)
                    if evaluator:
                        eval_env.seed((seed + t) % 2**32)
                        evaluator.evaluate_if_necessary(t, episodes)
                    if anew and t < steps:
                        checkpoint()
                        collector.restart(t)
                        begin(t)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, WorkerError):
                time.sleep(0.2)  # a signal to all processes may reach the workers first
                if signals:
                    error = Interrupted(signals[0])
            path = os.path.join(outdir, f"{t}_except")
            agent.save(path)
            logger.info("saved the agent to %s; the run can be resumed", path)
            raise error
        agent.save(os.path.join(outdir, f"{t}_finish"))
        logger.info("saved the agent to %s_finish", os.path.join(outdir, str(t)))
        checkpoint()


def available_cores():
    """How many cores this process may use.

    Returns
    -------
    int
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
