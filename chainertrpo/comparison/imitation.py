"""What an imitation study has besides its grid: experts and their recordings.

An expert's folder is that of a run, and beside it stand its demonstrations, those of an
"expert" that always takes action 0, and what the expert and a random player score.
"""

import os

from chainertrpo.agents import clone_expert, settings_of
from chainertrpo.comparison.builders import build_agent, make_environment
from chainertrpo.comparison.grid import claim_all, runs_of
from chainertrpo.comparison.runs import (
    LAZY,
    NONE,
    SCORES,
    TRAINED,
    Run,
    claim,
    folder_of,
    read_run,
)
from chainertrpo.comparison.studies import EXPERT_TASKS, STUDIES
from chainertrpo.data import (
    Space,
    file_name,
    read_demonstrations,
    read_json,
    write_demonstrations,
    write_json,
)
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.updates import Cloning

import numpy

EXPERT, RANDOM = "expert", "random"
EPISODES = 50  # of each recording
_RECORDING_SEED = 2**30  # far from those of training and evaluation


def push_with_velocity(obs):
    """Play MountainCar: push in the direction of the velocity, which pumps energy."""
    return 2 if obs[1] > 0 else 0


# Where exploration alone finds nothing, an expert begins as a clone of a scripted player.
PLAYERS = {"MountainCar-v0": push_with_velocity}


def plan_experts(outdir, envs):
    """Write the folders of the experts that are not there yet: one an environment."""
    folders = []
    for env in envs:
        task = EXPERT_TASKS[env]
        interval = max(1, task.steps // 20)
        head = (EXPERT, env, 0, task.steps, task.preset, task.changes)
        run = Run(*head, interval, 10, EPISODES)
        folders.append(claim(os.path.join(outdir, file_name(env)), run))
    return folders


def plan_study(outdir, name, experts, seeds=None, steps=None):
    """Write the folders of a study's runs that are not there yet.

    They come in the order of `runs_of`.  ``experts`` is the folder of `plan_experts`;
    ``seeds`` and ``steps`` (of GAIL runs) are instead of the study's.
    """
    grid = STUDIES[name]
    if seeds is not None:
        grid = grid._replace(seeds=tuple(seeds))
    if steps is not None:
        grid = grid._replace(tasks=tuple(t._replace(steps=steps) for t in grid.tasks))
    runs = []
    for run in runs_of(grid, study=name):
        player = TRAINED if run.expert == NONE else run.expert  # only its spaces count
        place = os.path.join(experts, file_name(run.env))
        file = recording(place, player, run.fixed_horizon)
        file = os.path.relpath(file, folder_of(outdir, run))
        runs.append(run._replace(demonstrations=file))
    return claim_all(outdir, runs)


def prepare(agent, run, make):
    """Let an expert begin as a clone of a scripted player, where there is one."""
    player = PLAYERS.get(run.env) if run.label == EXPERT else None
    if player is not None:
        played = record_episodes(make(), player, 20, seed=_RECORDING_SEED)
        print(f"the scripted player: {numpy.mean(played.returns)}", flush=True)
        print(clone_expert(agent, played, Cloning(20)), flush=True)


def record_for(name, experts):
    """Record what the runs of a study will read, once its experts are trained."""
    grid = STUDIES[name]
    for task in grid.tasks:
        folder = os.path.join(experts, file_name(task.env))
        scores_of(folder)
        for kind in {TRAINED, *grid.conditions["expert"]} - {NONE}:
            for horizon in task.conditions["fixed_horizon"]:
                record(folder, kind, horizon)


def recording(folder, kind, horizon=None):
    """Where a recording stands in an expert's folder.

    ``kind`` is ``trained``, ``always-0`` or ``random``.
    """
    name = kind if horizon is None else f"{kind}-fixed{horizon}"
    return os.path.join(folder, f"{name}.npz")


def record(folder, kind, horizon=None):
    """Record a player in an expert's environment, unless it is recorded.

    `EPISODES` of them, actions sampled; arguments as of `recording`.
    """
    path = recording(folder, kind, horizon)
    if os.path.exists(path):
        return read_demonstrations(path)
    run = read_run(folder)
    settings = settings_of(run.preset, **run.changes)
    env = make_environment(env_id=run.env, horizon=horizon, **settings.get("env", {}))
    act, made_by = _player(folder, run, kind, env, settings)
    found = record_episodes(env, act, EPISODES, seed=_RECORDING_SEED, made_by=made_by)
    env.close()
    write_demonstrations(path, found)
    return found


def _player(folder, run, kind, env, settings):
    if kind == RANDOM:
        how = "every action is as probable as any other"
        space = env.action_space
        sample = lambda obs: Space.of(space).encode(space.sample())  # noqa: E731
        return sample, {"kind": "random", "how": how}
    if kind == LAZY:
        return lambda obs: 0, {"kind": "script", "how": "always action 0"}
    agent = build_agent(run, settings, env)
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
    """What the expert and a random player score: 1 and 0 of normalised scores.

    {``trained`` or ``random``: {mean, stdev, episodes}}, kept as ``scores.json``.
    """
    path = os.path.join(folder, SCORES)
    if not os.path.exists(path):
        scores = {}
        for kind in (TRAINED, RANDOM):
            returns = numpy.array(record(folder, kind).returns)
            scores[kind] = {
                "mean": float(returns.mean()),
                "stdev": float(returns.std(ddof=1)),
                "episodes": len(returns),
            }
        write_json(path, scores)
    return read_json(path)
