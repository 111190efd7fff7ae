"""ChainerRL's training loop for several environments at once."""

from __future__ import annotations

import logging
import os
import typing

from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.adapting import adapt_many
from chainertrpo.experiments.endings import EndWatch
from chainertrpo.experiments.evaluator import Evaluator
from chainertrpo.experiments.hooks import closed_at_the_end, told_of_episodes
from chainertrpo.experiments.ownership import owned_folder
from chainertrpo.experiments.sharing import check_one_process
from chainertrpo.experiments.signals import sigterm_interrupts
from chainertrpo.experiments.training import (
    PATIENCE,
    save,
    save_or_say,
    say_if_nothing_was_learned,
    succeeded,
    tell,
)


@single_blas_thread()
def train_agent_batch(
    agent: typing.Any,
    env: typing.Any,
    steps: int,
    outdir: str,
    checkpoint_freq: int | None = None,
    log_interval: int | None = None,
    max_episode_len: int | None = None,
    step_offset: int = 0,
    evaluator: typing.Any = None,
    successful_score: float | None = None,
    step_hooks: typing.Sequence[typing.Callable] = (),
    return_window_size: int = 100,
    logger: logging.Logger | None = None,
    *,
    episode_hooks: typing.Sequence[typing.Callable] = (),
    overwrite: bool = False,
) -> None:
    """Train an agent in several environments at once.

    Parameters
    ----------
    agent : object
        With the batch protocol.
    env : SerialVectorEnv
        Or any with ChainerRL's ``VectorEnv`` interface.
    steps, outdir, checkpoint_freq, max_episode_len, step_offset, evaluator
        As in `train_agent`; steps are counted over all environments.
    log_interval : int, optional
        Steps between logs of the mean return.
    successful_score, step_hooks, logger, episode_hooks
        As in `train_agent`.
    return_window_size : int
        Episodes in the logged mean.
    overwrite : bool
        As in `train_agent`.

    Raises
    ------
    FolderInUseError, FolderHoldsRunError
        As in `train_agent`.
    KeyboardInterrupt
        Ctrl-C or, as `Interrupted`, SIGTERM, after saving; likewise any exception.
    SystemExit
        An environment called ``sys.exit``; likewise.
    """
    check_one_process("train_agent_batch")
    logger = logger or logging.getLogger(__name__)
    env = adapt_many(env)
    ours = owned_folder(outdir, goes_on=step_offset > 0, overwrite=overwrite)
    episode_hooks = told_of_episodes(step_hooks, episode_hooks)
    with ours, sigterm_interrupts(), closed_at_the_end(step_hooks):
        n = env.num_envs
        watch = EndWatch(n, PATIENCE, max_episode_len, logger)
        t, episodes, returns = step_offset, 0, []
        lengths, totals = [0] * n, [0.0] * n
        try:
            obs = env.reset()
            while t < steps:
                actions = agent.batch_act_and_train(obs)
                obs, rewards, dones, infos = env.step(actions)
                cuts = []
                for i in range(n):
                    lengths[i] += 1
                    totals[i] += rewards[i]
                    cut = lengths[i] == max_episode_len or infos[i].get(
                        "needs_reset", False
                    )
                    cuts.append(cut)
                agent.batch_observe_and_train(obs, rewards, dones, cuts)
                goes_on = [not (d or c) for d, c in zip(dones, cuts)]
                watch.count(n, not all(goes_on))
                for i in range(n):
                    t += 1
                    for hook in step_hooks:
                        hook(env, agent, t)
                    if checkpoint_freq and t % checkpoint_freq == 0:
                        save(agent, t, outdir, "checkpoint", logger)
                    if log_interval and t % log_interval == 0:
                        recent = returns[-return_window_size:]
                        mean = sum(recent) / len(recent) if recent else float("nan")
                        logger.info("step %d, episode %d: mean R %g", t, episodes, mean)
                    if not goes_on[i]:
                        returns.append(totals[i])
                        episodes += 1
                        tell(episode_hooks, t, totals[i], lengths[i])
                        lengths[i], totals[i] = 0, 0.0
                if evaluator is not None:
                    evaluator.evaluate_if_necessary(t=t, episodes=episodes)
                    if succeeded(evaluator, successful_score):
                        break
                if t < steps:
                    obs = env.reset(goes_on)
        except (Exception, KeyboardInterrupt, SystemExit):
            save_or_say(agent, os.path.join(outdir, f"{t}_except"), logger)
            env.close()
            raise
        watch.finish()
        say_if_nothing_was_learned(agent, t - step_offset, logger)
        save(agent, t, outdir, "finish", logger)


@single_blas_thread()
def train_agent_batch_with_evaluation(
    agent: typing.Any,
    env: typing.Any,
    steps: int,
    eval_n_steps: int | None,
    eval_n_episodes: int | None,
    eval_interval: int,
    outdir: str,
    checkpoint_freq: int | None = None,
    max_episode_len: int | None = None,
    step_offset: int = 0,
    eval_max_episode_len: int | None = None,
    return_window_size: int = 100,
    eval_env: typing.Any = None,
    log_interval: int | None = None,
    successful_score: float | None = None,
    step_hooks: typing.Sequence[typing.Callable] = (),
    save_best_so_far_agent: bool = True,
    logger: logging.Logger | None = None,
    *,
    episode_hooks: typing.Sequence[typing.Callable] = (),
    overwrite: bool = False,
) -> None:
    """Train in several environments at once, with evaluations in between.

    Parameters
    ----------
    agent, env, steps, outdir, checkpoint_freq, max_episode_len, step_offset
        As in `train_agent_batch`.
    eval_n_steps, eval_n_episodes, eval_interval, eval_max_episode_len
        As in `train_agent_with_evaluation`.
    return_window_size, log_interval, successful_score, step_hooks, logger
        As in `train_agent_batch`; so `episode_hooks`.
    eval_env : object
        An environment of its own: stepping the training environments in an evaluation
        would break the running episodes.
    save_best_so_far_agent : bool
        See `Evaluator`.
    overwrite : bool
        As in `train_agent`.

    Raises
    ------
    ValueError
        `eval_env` is missing.
    """
    check_one_process("train_agent_batch_with_evaluation")
    if eval_env is None:
        raise ValueError("expected eval_env, an environment of its own, got None.")
    with owned_folder(outdir, goes_on=step_offset > 0, overwrite=overwrite):
        evaluator = Evaluator(
            agent=agent,
            env=eval_env,
            n_steps=eval_n_steps,
            n_episodes=eval_n_episodes,
            eval_interval=eval_interval,
            outdir=outdir,
            max_episode_len=eval_max_episode_len or max_episode_len,
            step_offset=step_offset,
            save_best_so_far_agent=save_best_so_far_agent,
            logger=logger,
        )
        train_agent_batch(
            agent,
            env,
            steps,
            outdir,
            checkpoint_freq=checkpoint_freq,
            log_interval=log_interval,
            max_episode_len=max_episode_len,
            step_offset=step_offset,
            evaluator=evaluator,
            successful_score=successful_score,
            step_hooks=step_hooks,
            return_window_size=return_window_size,
            logger=logger,
            episode_hooks=episode_hooks,
        )
