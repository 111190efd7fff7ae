"""One run of an imitation study: ``python -m chainertrpo.comparison.imitation FOLDER``.

As in `comparison.training`, a killed run goes on from its newest checkpoint.  A clone is a
run of no environment steps: it is fitted to the demonstrations and evaluated.
"""

import functools
import os
import typing

from chainertrpo.agents import clone_expert, make_gail_agent
from chainertrpo.comparison.folders import read_as
from chainertrpo.comparison.training import fast, learn, main
from chainertrpo.data import read_demonstrations, select
from chainertrpo.experiments import make_env, scheduled
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.updates import Cloning

BC, GAIL = METHODS = ("bc", "gail")
TRAINED, LAZY, NONE = EXPERTS = ("trained", "always-0", "none")
# A last layer of zeros that stays: D = ½ of every pair, so the reward is a constant.
NEVER_FITTED = {"learning_rate": 0.0, "last_scale": 0.0}


class ImitationRun(typing.NamedTuple):
    """Everything that determines a run; what ``config.json`` holds.

    Attributes
    ----------
    study : str
        What it is part of.
    env : str
        The environment's full id.
    method : str
        ``bc`` or ``gail``.
    preset : str
        A key of `GAIL_PRESETS`; of a clone it gives the policy's network.
    reward : str
        The reward form; a clone has no use for it.
    expert : str
        ``trained``; ``always-0``, who always takes action 0; ``none``: the
        discriminator is never fitted, whatever the demonstrations are.
    fixed_horizon : int or None
        Episodes have this many steps (`FixedHorizon`), or end when they end.
    trajectories : int
        Episodes of the expert.
    every : int
        Of each every so manieth pair counts, from an offset drawn by the seed.
    seed : int
        Of everything random; it also chooses the episodes.
    steps : int
        Environment steps of training.
    clone_epochs : int
        Passes of behaviour cloning before; its best parameters are kept.
    changes : dict
        By part, as `make_gail_agent` takes them, ``discriminator`` among them.
    demonstrations : str
        The file, relative to the run's folder.
    eval_interval, eval_n_runs : int
        Steps between the evaluations of the curve, and their episodes.
    final_n_runs : int
        Episodes of the final evaluations.
    """

    study: str
    env: str
    method: str
    preset: str
    reward: str
    expert: str
    fixed_horizon: typing.Optional[int]
    trajectories: int
    every: int
    seed: int
    steps: int
    clone_epochs: int
    changes: dict
    demonstrations: str
    eval_interval: int
    eval_n_runs: int
    final_n_runs: int


def environment(seed=None, *, env_id, horizon, **settings):
    """Make an environment.

    Parameters
    ----------
    seed : int, optional
        See `make_env`.
    env_id : str
        Its full id.
    horizon : int or None
        Of `FixedHorizon`; None leaves episodes as they are.
    **settings
        Of `make_env`.

    Returns
    -------
    Env
        The environment.
    """
    env = make_env(env_id, seed, **settings)
    return FixedHorizon(env, horizon) if horizon else env


def own_episodes(demonstrations, n, seed):
    """Take the episodes of a seed, so that no two seeds share one while there are enough.

    Parameters
    ----------
    demonstrations : Demonstrations
        All there are.
    n : int
        How many a seed has.
    seed : int
        Seed s has those from the s·n-th on, counted in a circle.

    Returns
    -------
    Demonstrations
        n episodes.

    Raises
    ------
    ValueError
        There are fewer than n.
    """
    count = len(demonstrations.episodes)
    if n > count:
        raise ValueError(
            f"expected at least {n} episodes, got {count}. Record more, or ask for fewer "
            "trajectories."
        )
    return select(demonstrations, [(seed * n + i) % count for i in range(n)])


def build(run, env, demonstrations):
    """Build a run's agent, cloned where it begins as a clone.

    Parameters
    ----------
    run : ImitationRun
        What to build.
    env : Env
        For its spaces.
    demonstrations : Demonstrations
        All of the expert's.

    Returns
    -------
    agent : OnPolicyAgent
        The imitator.
    settings : dict
        What it was made with.
    """
    changes = dict(run.changes)
    judge = changes.pop("discriminator", {})
    if run.expert == NONE:
        judge = {**judge, **NEVER_FITTED}
    agent, settings = make_gail_agent(
        env.observation_space,
        env.action_space,
        own_episodes(demonstrations, run.trajectories, run.seed),
        run.preset,
        reward=run.reward,
        discriminator=judge,
        every=run.every,
        seed=run.seed,
        **changes,
    )
    if run.clone_epochs:
        report = clone_expert(
            agent,
            agent.rewards.demonstrations,
            Cloning(run.clone_epochs),
            log_std_floor=None if run.method == BC else -1.0,
            seed=run.seed,
        )
        print(f"cloning: {report}", flush=True)
    return fast(agent), settings


def train(folder):
    """Train and evaluate what a folder's ``config.json`` says; go on if it was begun.

    Parameters
    ----------
    folder : str
        Of `plan_study`, not finished.
    """
    run = read_as(ImitationRun, folder)
    make = functools.partial(environment, env_id=run.env, horizon=run.fixed_horizon)
    demonstrations = read_demonstrations(os.path.join(folder, run.demonstrations))
    agent, settings = build(run, make(), demonstrations)
    generator = settings["generator"]
    make = functools.partial(make, **generator.get("env", {}))
    learn(folder, run, agent, make, scheduled(generator, run.steps))


if __name__ == "__main__":
    main(train)
