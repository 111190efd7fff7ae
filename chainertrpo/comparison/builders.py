"""Build the agent and the environment that a run's ``config.json`` describes."""

import dataclasses
import functools
import os

from chainertrpo.agents import clone_expert, make_agent, make_gail_agent, settings_of
from chainertrpo.agents.presets import generator_of
from chainertrpo.comparison.runs import BC, NONE
from chainertrpo.data import read_demonstrations, select
from chainertrpo.experiments import make_env
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.updates import Cloning

# A last layer of zeros that stays: D = ½ of every pair, so the reward is a constant.
NEVER_FITTED = {"learning_rate": 0.0, "last_scale": 0.0}


def make_environment(seed=None, *, env_id, horizon=None, **settings):
    """Make a run's environment; ``horizon`` is that of `FixedHorizon`, or None."""
    env = make_env(env_id, seed, **settings)
    return FixedHorizon(env, horizon) if horizon else env


def build(folder, run):
    """Build what a run trains: agent, seed -> environment, and the agent's settings."""
    make = functools.partial(
        make_environment, env_id=run.env, horizon=run.fixed_horizon
    )
    if run.method is None:
        settings = settings_of_run(run)
        agent = build_agent(run, settings, make())
    else:
        shown = read_demonstrations(os.path.join(folder, run.demonstrations))
        agent, settings = build_imitator(run, make(), shown)
    return agent, functools.partial(make, **settings.get("env", {})), settings


def settings_of_run(run):
    """Return what a run's agent is made with.

    Parameters
    ----------
    run : Run
        Such as from `read_run`.

    Returns
    -------
    dict
        As `settings_of` gives them; of an imitator those of its generator.
    """
    if run.method is None:
        return settings_of(run.preset, **run.changes)
    changes = {k: v for k, v in run.changes.items() if k != "discriminator"}
    return generator_of(run.preset, **changes)


def build_agent(run, settings, env):
    """Build the agent of a run without demonstrations."""
    return _fast(
        make_agent(env.observation_space, env.action_space, settings, seed=run.seed)
    )


def build_imitator(run, env, demonstrations):
    """Build a run's imitator, cloned where it begins as a clone.

    Returns it and the settings of its generator.
    """
    changes = dict(run.changes)
    judge = changes.pop("discriminator", {})
    if run.absorbing:
        judge = {**judge, "absorbing_horizon": run.absorbing}
    if run.expert == NONE:
        judge = {**judge, **NEVER_FITTED}
    agent, settings = make_gail_agent(
        env.observation_space,
        env.action_space,
        episodes_of_seed(demonstrations, run.trajectories, run.seed),
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
    return _fast(agent), settings["generator"]


def episodes_of_seed(demonstrations, n, seed):
    """Take n episodes from the (seed·n)-th on, in a circle: no two seeds share one."""
    count = len(demonstrations.episodes)
    if n > count:
        raise ValueError(
            f"expected at least {n} episodes, got {count}. Record more, or ask for fewer "
            "trajectories."
        )
    return select(demonstrations, [(seed * n + i) % count for i in range(n)])


def _fast(agent):
    """Take Gauss–Newton products for double backprop: equal to rounding, and faster."""
    curvature = getattr(agent.policy_step, "curvature", None)
    if getattr(curvature, "kind", None) == "hessian":
        curvature = dataclasses.replace(curvature, kind="gauss_newton")
        agent.policy_step = dataclasses.replace(agent.policy_step, curvature=curvature)
    return agent
