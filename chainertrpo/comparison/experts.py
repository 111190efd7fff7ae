"""Experts of the imitation studies: ``python -m chainertrpo.comparison.experts FOLDER``.

An expert's folder is that of a run, and beside it stand its demonstrations, those of an
"expert" that always takes action 0, and what the expert and a random player score.
"""

import functools
import os

from chainertrpo.agents import clone_expert, settings_of
from chainertrpo.comparison.folders import claim, read_as
from chainertrpo.comparison.imitation import LAZY, TRAINED, environment
from chainertrpo.comparison.imitation_studies import EXPERT_TASKS
from chainertrpo.comparison.runs import Run
from chainertrpo.comparison.training import build, learn, main
from chainertrpo.data import (
    read_demonstrations,
    read_json,
    write_demonstrations,
    write_json,
)
from chainertrpo.experiments import make_env, scheduled
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.updates import Cloning

import numpy

RANDOM = "random"
EPISODES = 50  # of each recording
SCORES = "scores.json"
_RECORDING_SEED = 2**30  # far from those of training and evaluation


def push_with_velocity(obs):
    """Play MountainCar: push in the direction of the velocity, which pumps energy.

    Parameters
    ----------
    obs : array, shape (2,)
        Position and velocity.

    Returns
    -------
    int
        0 (left) or 2 (right).
    """
    return 2 if obs[1] > 0 else 0


# Where exploration alone finds nothing, an expert begins as a clone of a scripted player.
PLAYERS = {"MountainCar-v0": push_with_velocity}


def plan_experts(outdir, envs):
    """Write the folders of the experts that are not there yet.

    Parameters
    ----------
    outdir : str
        The experts' folder.
    envs : sequence of str
        Keys of `EXPERT_TASKS`.

    Returns
    -------
    list of str
        A folder an environment.
    """
    folders = []
    for env in envs:
        task = EXPERT_TASKS[env]
        interval = max(1, task.steps // 20)
        head = ("expert", env, 0, task.steps, task.preset, task.changes)
        run = Run(*head, interval, 10, EPISODES)
        folders.append(claim(os.path.join(outdir, env), run, run.preset))
    return folders


def train(folder):
    """Train the expert that a folder's ``config.json`` says.

    Parameters
    ----------
    folder : str
        Of `plan_experts`, not finished.
    """
    run = read_as(Run, folder)
    settings = settings_of(run.preset, **run.changes)
    make = functools.partial(make_env, run.env, **settings.get("env", {}))
    agent = build(run, settings, make())
    player = PLAYERS.get(run.env)
    if player is not None:
        played = record_episodes(make(), player, 20, seed=_RECORDING_SEED)
        print(f"the scripted player: {numpy.mean(played.returns)}", flush=True)
        print(clone_expert(agent, played, Cloning(20)), flush=True)
    learn(folder, run, agent, make, scheduled(settings, run.steps))


def recording(folder, kind, horizon=None):
    """Where a recording stands.

    Parameters
    ----------
    folder : str
        The expert's.
    kind : str
        ``trained``, ``always-0`` or ``random``.
    horizon : int, optional
        Of `FixedHorizon`.

    Returns
    -------
    str
        The file; see `record`.
    """
    name = kind if horizon is None else f"{kind}-fixed{horizon}"
    return os.path.join(folder, f"{name}.npz")


def record(folder, kind, horizon=None):
    """Record a player in an expert's environment, unless it is recorded.

    Parameters
    ----------
    folder : str
        Of an expert that is trained.
    kind, horizon
        As in `recording`.

    Returns
    -------
    Demonstrations
        `EPISODES` of them, actions sampled.
    """
    path = recording(folder, kind, horizon)
    if os.path.exists(path):
        return read_demonstrations(path)
    run = read_as(Run, folder)
    settings = settings_of(run.preset, **run.changes)
    env = environment(env_id=run.env, horizon=horizon, **settings.get("env", {}))
    act, made_by = _player(folder, run, kind, env, settings)
    found = record_episodes(env, act, EPISODES, seed=_RECORDING_SEED, made_by=made_by)
    env.close()
    write_demonstrations(path, found)
    return found


def _player(folder, run, kind, env, settings):
    if kind == RANDOM:
        how = "every action is as probable as any other"
        return lambda obs: env.action_space.sample(), {"kind": "random", "how": how}
    if kind == LAZY:
        return lambda obs: 0, {"kind": "script", "how": "always action 0"}
    agent = build(run, settings, env)
    agent.load(os.path.join(folder, f"{run.steps}_finish"))
    made_by = {
        "kind": "agent",
        "algorithm": settings["algorithm"],
        "preset": run.preset,
        "changes": run.changes,
        "steps": run.steps,
        "actions": "sampled",
    }
    if run.env in PLAYERS:
        made_by["began_as"] = (
            "a clone of 20 episodes of a scripted player, "
            f"{PLAYERS[run.env].__name__}; then TRPO on the environment's reward"
        )
    return agent.act, made_by


def scores_of(folder):
    """What the expert and a random player score: 0 and 1 of normalised scores.

    Parameters
    ----------
    folder : str
        Of an expert that is trained.

    Returns
    -------
    dict of str to dict
        By ``trained`` and ``random``: mean and stdev over episodes of undiscounted
        returns, and the number of episodes.  Kept as ``scores.json``.
    """
    path = os.path.join(folder, SCORES)
    if not os.path.exists(path):
        scores = {}
        for kind in (TRAINED, RANDOM):
            returns = numpy.array(record(folder, kind).returns)
            spread = float(returns.std(ddof=1))
            scores[kind] = {
                "mean": float(returns.mean()),
                "stdev": spread,
                "episodes": len(returns),
            }
        write_json(path, scores)
    return read_json(path)


if __name__ == "__main__":
    main(train)
