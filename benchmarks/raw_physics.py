"""How close collection comes to the physics alone.

    python benchmarks/raw_physics.py

Where chainertrpo is installed with its physics.  On every task one trajectory of a policy
that has learned nothing is gone through in turn by MuJoCo's mj_step alone, by gymnasium,
lean, and by a worker that acts, records and sends: the same states, so the same physics.
Medians of rounds, steps a second on one core.
"""

import argparse
import functools
import json
import os
import time
import types
import typing

from chainertrpo import make_agent, settings_of
from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments import Collector, describe_environment, make_env
from chainertrpo.experiments.episodes import RESEED

import numpy
import report

NAMES = ("Hopper", "Walker2d", "HalfCheetah", "Swimmer", "Ant", "Humanoid")
TASKS = [f"{name}-v4" for name in NAMES]
SEED = 0


def seed_of(index, reseeds):
    """What a collector seeds an environment with, for the so many-th time."""
    sequence = numpy.random.SeedSequence((SEED, index, 0, reseeds))
    return int(sequence.spawn(3)[1].generate_state(1)[0] >> 1)


class Episode(typing.NamedTuple):
    """An episode to go through again."""

    qpos: numpy.ndarray
    qvel: numpy.ndarray
    actions: list
    seed: typing.Optional[int]  # if the environment was seeded at its beginning


def episodes_of(env_id, paths, index=0):
    """Where the episodes of paths began, and the actions as the physics were given them."""
    env = make_env(env_id, lean=False)
    low, high = env.action_space.low, env.action_space.high
    episodes, data, since, reseeds = [], env.env.unwrapped.data, RESEED, -1
    for path in paths:
        seed = None
        if since >= RESEED:
            since, reseeds = 0, reseeds + 1
            seed = seed_of(index, reseeds)
            env.seed(seed)
        obs = env.reset()
        assert obs.tobytes() == path.obs[0].tobytes(), "another episode"
        actions = list(numpy.minimum(numpy.maximum(path.action, low), high))
        since += len(actions)
        episodes.append(Episode(data.qpos.copy(), data.qvel.copy(), actions, seed))
        for action, after in zip(actions, path.obs[1:]):
            obs, *_ = env.step(action)
            assert obs.tobytes() == after.tobytes(), "another state"
    return episodes


def raw(env, episodes, clock=time.perf_counter):
    """mj_step and nothing else but setting the controls."""
    import mujoco

    task = env.env.unwrapped
    model, data, n = task.model, task.data, task.frame_skip
    step, ctrl = mujoco.mj_step, task.data.ctrl
    seconds = 0.0
    for episode in episodes:
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = episode.qpos, episode.qvel
        mujoco.mj_forward(model, data)
        start = clock()
        for action in episode.actions:
            ctrl[:] = action
            step(model, data, n)
        seconds += clock() - start
    return seconds


def own(env, episodes):
    """Gymnasium's reset and step."""
    env = env.env
    start = time.perf_counter()
    for episode in episodes:
        env.reset(seed=episode.seed)
        for action in episode.actions:
            env.step(action)
    return time.perf_counter() - start


def lean(env, episodes):
    """Lean resets and steps, as `Env` takes them."""
    start = time.perf_counter()
    for episode in episodes:
        if episode.seed is not None:
            env.seed(episode.seed)
        env.reset()
        for action in episode.actions:
            env.step(action)
    return time.perf_counter() - start


def collection(collector, actor, n):
    """A worker of ours: acting, stepping, recording, sending."""
    collector.restart(0)
    start = time.perf_counter()
    collected = collector.collect(actor, n)
    return time.perf_counter() - start, collected


def actor_for(env):
    """A policy that has learned nothing."""
    spaces = env.observation_space, env.action_space
    settings = settings_of("chainerrl-reproduction")
    return make_agent(*spaces, settings, seed=SEED).actor()


def measure(env_id, n, repeats, check):
    """Steps a second of each way, of every round."""
    plain, fast = [make_env(env_id, lean=x) for x in (False, True)]
    assert fast.steps == "lean", fast.steps
    actor = actor_for(fast)
    make = functools.partial(make_env, env_id)
    before = Collector(functools.partial(make, lean=False), 1, SEED)
    after = Collector(make, 1, SEED)
    with before, after:
        episodes = episodes_of(env_id, collection(after, actor, n)[1].paths)
        ways = {
            "mj_step": lambda: raw(plain, episodes),
            "gymnasium": lambda: own(plain, episodes),
            "lean": lambda: lean(fast, episodes),
            "collection, gymnasium": lambda: collection(before, actor, n)[0],
            "collection, lean": lambda: collection(after, actor, n)[0],
        }

        def once():
            return {name: n / way() for name, way in ways.items()}

        once()  # thrown away
        ours = [types.SimpleNamespace(pid=os.getpid())]
        ours += [x.process for c in (before, after) for x in c._workers]
        return [report.quietly(once, ours) if check else once() for _ in range(repeats)]


def text(results):
    """The table."""
    names = list(results[TASKS[0]]["median"])
    rows = []
    for task, found in results.items():
        row = [task, f"{found['median']['mj_step']:,.0f}"]
        # Shares are taken within rounds: processors change their clock between them.
        for name in names[1:]:
            share = report.ratio(found["all"], name, "mj_step")
            row.append(f"{found['median'][name]:,.0f} ({share:.0%})")
        rows.append(row)
    return report.table(["steps/s (of mj_step)", *names], rows)


@single_blas_thread()
def main():
    """Measure, and write results/raw_physics.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3000, help="of a round")
    args = report.arguments(parser, repeats=9)
    results, loads = {}, [os.getloadavg()]
    for task in TASKS:
        found = measure(task, args.steps, args.repeats, args.check)
        results[task] = {"median": report.median(found), "all": found}
        loads.append(os.getloadavg())
    environment = describe_environment()
    del environment["command"]  # with this machine's paths
    content = {
        "command": "python benchmarks/raw_physics.py",
        "machine": report.machine(),
        "environment": environment,
        "steps": args.steps,
        "repeats": args.repeats,
        "idle machine waited for": args.check,
        "load averages before and after each task": loads,
        "steps a second": results,
    }
    path = report.RESULTS / "raw_physics.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    report.save_table("raw_physics", text(results))


if __name__ == "__main__":
    main()
