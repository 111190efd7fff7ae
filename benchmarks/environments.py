"""What collection costs besides the physics, by how many environments a worker has.

    python benchmarks/environments.py

Where chainertrpo is installed with its physics.  What a worker does with E environments
(acting on them together, stepping, recording) and MuJoCo's mj_step alone over the same
states take turns in this process.  Seconds of its processor, the least of all rounds: what
other programs do to a clock on the wall is left out, what they do to caches nearly.
"""

import argparse
import functools
import json
import os
import time

from chainertrpo._threads import single_blas_thread
from chainertrpo.experiments import describe_environment, make_env
from chainertrpo.experiments.acting_together import Together
from chainertrpo.experiments.episodes import STATE_SIZE
from chainertrpo.experiments.sharing import share_out

import numpy
import report
from raw_physics import SEED, TASKS, actor_for, episodes_of, raw

NUMBERS = (1, 2, 8)


def ways(env_id, num_envs, n):
    """What is measured of so many environments: functions that return seconds."""
    actor = actor_for(make_env(env_id))
    shares, state = share_out(n, num_envs), numpy.zeros(STATE_SIZE)
    make = functools.partial(make_env, env_id)
    envs = Together(make, SEED, range(num_envs), num_envs, state)
    envs.restart(0)
    found = envs.collect(actor, shares, False)
    plain = make_env(env_id, lean=False)
    episodes = [
        episode
        for i, (paths, _, _) in enumerate(found)
        for episode in episodes_of(env_id, paths, i)
    ]

    def collection():
        envs.restart(0)
        start = time.process_time()
        envs.collect(actor, shares, False)
        return time.process_time() - start

    return collection, lambda: raw(plain, episodes, time.process_time)


def measure(env_id, n, repeats):
    """Seconds by number of environments, of every round: collection, mj_step."""
    pairs = {k: ways(env_id, k, n) for k in NUMBERS}
    found = {k: [] for k in NUMBERS}
    for _ in range(repeats):
        for k, pair in pairs.items():
            found[k].append([way() for way in pair])
    return found


def least(found):
    """The least seconds of collection and of mj_step."""
    return [min(column) for column in zip(*found)]


def text(results, n):
    """The table."""
    rows = []
    for task, found in results.items():
        cells = []
        for k in NUMBERS:
            ours, physics = least(found[k])
            cells += [f"{1e6 * ours / n:.0f} / {1e6 * physics / n:.0f} = "]
            cells[-1] += f"{ours / physics:.2f}"
        rows.append([task, *cells])
    heads = [f"{k} a worker" for k in NUMBERS]
    return report.table(["µs a step: collection / mj_step", *heads], rows)


@single_blas_thread()
def main():
    """Measure, and write results/environments.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4000, help="of a round")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--repeats", type=int, default=9, help="rounds")
    args = parser.parse_args()
    results, loads = {}, [os.getloadavg()]
    for task in args.tasks:
        results[task] = measure(task, args.steps, args.repeats)
        loads.append(os.getloadavg())
    environment = describe_environment()
    del environment["command"]  # with this machine's paths
    content = {
        "command": "python benchmarks/environments.py",
        "machine": report.machine(),
        "environment": environment,
        "steps": args.steps,
        "repeats": args.repeats,
        "load averages before and after each task": loads,
        "seconds of the processor: collection, mj_step": results,
    }
    path = report.RESULTS / "environments.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    report.save_table("environments", text(results, args.steps))


if __name__ == "__main__":
    main()
