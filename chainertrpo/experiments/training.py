"""ChainerRL's training loop: any agent with the protocol, any environment."""

from __future__ import annotations

import logging
import os
import typing

from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.adapting import adapt
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


def save(agent, t, outdir, suffix, logger):
    """Save to ``<t>_<suffix>``, and say so."""
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
                        tell(episode_hooks, t, total, length)
                    if evaluator is not None:
                        evaluator.evaluate_if_necessary(t=t, episodes=episodes)
                        if succeeded(evaluator, successful_score):
                            break
                    if t < steps:
                        obs, reward, length, total = env.reset(), 0.0, 0, 0.0
                if checkpoint_freq and t % checkpoint_freq == 0:
                    save(agent, t, outdir, "checkpoint", logger)
        except (Exception, KeyboardInterrupt, SystemExit):
            save_or_say(agent, os.path.join(outdir, f"{t}_except"), logger)
            raise
        watch.finish()
        say_if_nothing_was_learned(agent, t - step_offset, logger)
        save(agent, t, outdir, "finish", logger)


def say_if_nothing_was_learned(agent, n_steps, logger):
    """Say that steps were taken and no batch was full."""
    if n_steps and getattr(agent, "n_updates", None) == 0:
        logger.warning(
            "nothing was learned: the steps taken are fewer than the %s of one batch "
            "(update_interval)",
            getattr(agent, "update_interval", "steps"),
        )


def tell(episode_hooks, t, total, length):
    """Call the hooks of an episode that has ended."""
    for hook in episode_hooks:
        hook(t, total, length)


def succeeded(evaluator, score):
    """Whether the best evaluation has reached a score."""
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
