"""The training loop with worker processes, checkpoints and exact resumption."""

from __future__ import annotations

import logging
import typing

from chainertrpo import ranks
from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments.hooks import closed_at_the_end, told_of_episodes
from chainertrpo.experiments.ownership import owned_folder
from chainertrpo.experiments.parallel_run import Run
from chainertrpo.experiments.workers import check_make_env

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

    With several ranks (`chainertrpo.ranks`) all call this with the same arguments and the
    same agent.  Each steps its part of the environments: what is collected depends on the
    seed and `num_envs`, not on who steps them.  Rank 0 alone evaluates and writes to
    `outdir`, which need not exist for the others.  A run may go on with another number of
    ranks; what is learned is then the same to rounding.  A signal to one rank stops all.

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
        Processes of each rank that step them, at most one for each; by default one per
        core this process may use.
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
        `train_agent`, which calls hooks after every step, for that at t.  They are called
        on every rank, because all have to set the same; those that write are for rank 0.
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
        `steps` are not one batch, or `num_envs` are not as many as before, or fewer than
        the ranks.
    RanksDifferError
        The agents of the ranks are not the same.
    Interrupted
        SIGINT or SIGTERM came; the newest checkpoint can be resumed from.
    KeyboardInterrupt
        The same, at a second Ctrl-C.
    WorkerError
        A worker raised, died or hung; likewise.
    """
    logger = logger or logging.getLogger(__name__)
    check_make_env(make_env)  # before there is anything of this run in the folder
    if ranks.rank():  # what there is to say, rank 0 says
        logger = logging.Logger("silent", logging.CRITICAL)
    if checkpoint_interval is None:
        checkpoint_interval = max(1, min(10, LOST // agent.update_interval))
    with owned_folder(outdir, goes_on=resume, overwrite=overwrite):
        run = Run(agent, steps, outdir, eval_env, seed, checkpoint_interval, logger)
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
