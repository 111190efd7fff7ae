"""ChainerRL's training loops: any agent with the protocol, any environment.

`train_agent` steps one environment, `train_agent_batch` several at once; the forms
``_with_evaluation`` also write ``scores.txt`` and ``best/``.
"""

from __future__ import annotations

import logging
import os
import typing

from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.adapting import adapt, adapt_many
from chainertrpo.experiments.endings import EndWatch
from chainertrpo.experiments.evaluator import Evaluator
from chainertrpo.experiments.hooks import closed_at_the_end, told_of_episodes
from chainertrpo.experiments.ownership import owned_folder
from chainertrpo.experiments.sharing import check_one_process
from chainertrpo.experiments.signals import sigterm_interrupts

PATIENCE = 50_000  # steps without the end of an episode


def save_or_say(agent, path, logger):
    """Save on the way out of an exception, which a failure must not hide."""
    try:
        agent.save(path)
    except Exception as error:
        logger.warning("the agent could not be saved to %s: %s", path, error)
    else:
        logger.info("saved the agent to %s", path)


def _save(agent, t, outdir, suffix, logger):
    path = os.path.join(outdir, f"{t}_{suffix}")
    agent.save(path)
    logger.info("saved the agent to %s", path)


@single_blas_thread()
def train_agent(
    agent: typing.Any,
    env: typing.Any,
    steps: int,
    outdir: str,
    checkpoint_freq: int | None = None,
    max_episode_len: int | None = None,
    step_offset: int = 0,
    evaluator: typing.Any = None,
    successful_score: float | None = None,
    step_hooks: typing.Sequence[typing.Callable] = (),
    logger: logging.Logger | None = None,
    *,
    episode_hooks: typing.Sequence[typing.Callable] = (),
    overwrite: bool = False,
) -> None:
    """Train an agent in one environment.

    Parameters
    ----------
    agent : object
        With the agent protocol.
    env : object
        Of gym or gymnasium, or with ChainerRL's interface (see `adapting.adapt`).
    steps : int
        Environment steps in all.
    outdir : str
        Where ``<t>_checkpoint``, ``<t>_except`` (on any exception, Ctrl-C included) and
        ``<t>_finish`` are saved.
    checkpoint_freq : int, optional
        Steps between saves.
    max_episode_len : int, optional
        Cut episodes there.
    step_offset : int
        Steps already done before.
    evaluator : Evaluator, optional
        Asked at the end of every episode.
    successful_score : float, optional
        Stop once the best evaluation reaches it.
    step_hooks : sequence of callable
        ``hook(env, agent, t)`` after every step.
    logger : logging.Logger, optional
        By default this module's.
    episode_hooks : sequence of callable
        ``hook(t, total, length)`` at the end of every episode, with its return.
    overwrite : bool
        Remove what another run has left in `outdir`.

    Raises
    ------
    FolderInUseError, FolderHoldsRunError
        Another process trains in `outdir`, or another run is there and `step_offset` is 0.
    KeyboardInterrupt
        Ctrl-C or, as `Interrupted`, SIGTERM, after saving; likewise any exception.
    SystemExit
        An environment called ``sys.exit``; likewise.
    """
    check_one_process("train_agent")
    logger = logger or logging.getLogger(__name__)
    env = adapt(env)
    ours = owned_folder(outdir, goes_on=step_offset > 0, overwrite=overwrite)
    episode_hooks = told_of_episodes(step_hooks, episode_hooks)
    with ours, sigterm_interrupts(), closed_at_the_end(step_hooks):
        limit = max_episode_len or getattr(env, "max_episode_steps", None)
        watch = EndWatch(1, PATIENCE, limit, logger)
        t, episodes, length, reward, total = step_offset, 0, 0, 0.0, 0.0
        try:
            obs = env.reset()
            while t < steps:
                action = agent.act_and_train(obs, reward)
                obs, reward, done, info = env.step(action)
                t += 1
                length += 1
                total += reward
                for hook in step_hooks:
                    hook(env, agent, t)
                cut = length == max_episode_len or info.get("needs_reset", False)
                watch.count(1, done or cut)
                if done or cut or t == steps:
                    agent.stop_episode_and_train(obs, reward, done=done)
                    logger.debug("step %d, episode %d: R %g", t, episodes, total)
                    episodes += 1
                    if done or cut:
                        _tell(episode_hooks, t, total, length)
                    if evaluator is not None:
                        evaluator.evaluate_if_necessary(t=t, episodes=episodes)
                        if _succeeded(evaluator, successful_score):
                            break
                    if t < steps:
                        obs, reward, length, total = env.reset(), 0.0, 0, 0.0
                if checkpoint_freq and t % checkpoint_freq == 0:
                    _save(agent, t, outdir, "checkpoint", logger)
        except (Exception, KeyboardInterrupt, SystemExit):
            save_or_say(agent, os.path.join(outdir, f"{t}_except"), logger)
            raise
        watch.finish()
        _say_if_nothing_was_learned(agent, t - step_offset, logger)
        _save(agent, t, outdir, "finish", logger)


def _say_if_nothing_was_learned(agent, n_steps, logger):
    if n_steps and getattr(agent, "n_updates", None) == 0:
        logger.warning(
            "nothing was learned: the steps taken are fewer than the %s of one batch "
            "(update_interval)",
            getattr(agent, "update_interval", "steps"),
        )


def _tell(episode_hooks, t, total, length):
    for hook in episode_hooks:
        hook(t, total, length)


def _succeeded(evaluator, score):
    return score is not None and evaluator.max_score >= score


@single_blas_thread()
def train_agent_with_evaluation(
    agent: typing.Any,
    env: typing.Any,
    steps: int,
    eval_n_steps: int | None,
    eval_n_episodes: int | None,
    eval_interval: int,
    outdir: str,
    checkpoint_freq: int | None = None,
    train_max_episode_len: int | None = None,
    step_offset: int = 0,
    eval_max_episode_len: int | None = None,
    eval_env: typing.Any = None,
    successful_score: float | None = None,
    step_hooks: typing.Sequence[typing.Callable] = (),
    save_best_so_far_agent: bool = True,
    logger: logging.Logger | None = None,
    *,
    episode_hooks: typing.Sequence[typing.Callable] = (),
    overwrite: bool = False,
) -> None:
    """Train in one environment, with evaluations in between.

    Parameters
    ----------
    agent, env, steps, outdir, checkpoint_freq, step_offset, successful_score
        As in `train_agent`.
    eval_n_steps, eval_n_episodes : int or None
        Of each evaluation; one of them is None.
    eval_interval : int
        Steps between evaluations; they happen at the ends of episodes.
    train_max_episode_len, eval_max_episode_len : int, optional
        Cut episodes there; evaluation takes the training's by default.
    eval_env : object, optional
        By default `env` itself.
    step_hooks, logger, episode_hooks
        As in `train_agent`.
    save_best_so_far_agent : bool
        See `Evaluator`.
    overwrite : bool
        As in `train_agent`.
    """
    check_one_process("train_agent_with_evaluation")
    env = adapt(env)
    with owned_folder(outdir, goes_on=step_offset > 0, overwrite=overwrite):
        evaluator = Evaluator(
            agent=agent,
            env=env if eval_env is None else eval_env,
            n_steps=eval_n_steps,
            n_episodes=eval_n_episodes,
            eval_interval=eval_interval,
            outdir=outdir,
            max_episode_len=eval_max_episode_len or train_max_episode_len,
            step_offset=step_offset,
            save_best_so_far_agent=save_best_so_far_agent,
            logger=logger,
        )
        train_agent(
            agent,
            env,
            steps,
            outdir,
            checkpoint_freq=checkpoint_freq,
            max_episode_len=train_max_episode_len,
            step_offset=step_offset,
            evaluator=evaluator,
            successful_score=successful_score,
            step_hooks=step_hooks,
            logger=logger,
            episode_hooks=episode_hooks,
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
                        _save(agent, t, outdir, "checkpoint", logger)
                    if log_interval and t % log_interval == 0:
                        recent = returns[-return_window_size:]
                        mean = sum(recent) / len(recent) if recent else float("nan")
                        logger.info("step %d, episode %d: mean R %g", t, episodes, mean)
                    if not goes_on[i]:
                        returns.append(totals[i])
                        episodes += 1
                        _tell(episode_hooks, t, totals[i], lengths[i])
                        lengths[i], totals[i] = 0, 0.0
                if evaluator is not None:
                    evaluator.evaluate_if_necessary(t=t, episodes=episodes)
                    if _succeeded(evaluator, successful_score):
                        break
                if t < steps:
                    obs = env.reset(goes_on)
        except (Exception, KeyboardInterrupt, SystemExit):
            save_or_say(agent, os.path.join(outdir, f"{t}_except"), logger)
            env.close()
            raise
        watch.finish()
        _say_if_nothing_was_learned(agent, t - step_offset, logger)
        _save(agent, t, outdir, "finish", logger)


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
