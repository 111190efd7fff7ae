"""Seconds of training iterations, ours."""

import functools
import json
import sys
import tempfile
import time

from chainertrpo import make_agent, settings_of
from chainertrpo.experiments import (
    Collector,
    default_num_envs,
    make_env,
    train_agent_parallel,
)


def build(env_id, seed):
    """Make the agent of `--preset chainerrl-reproduction`, as examples/ does."""
    env = make_env(env_id, seed, package="gymnasium")
    step = {"curvature": {"kind": "gauss_newton"}}
    settings = settings_of("chainerrl-reproduction", policy_step=step)
    make = functools.partial(make_env, env.id, package="gymnasium")
    spaces = env.observation_space, env.action_space
    return make_agent(*spaces, settings, seed=seed), make


def train(env_id, workers, iterations, seed):
    """Return the seconds of all iterations but the first, checkpoints included."""
    agent, make = build(env_id, seed)
    times = []
    with tempfile.TemporaryDirectory() as outdir:
        train_agent_parallel(
            agent,
            make,
            (iterations + 1) * agent.update_interval,
            outdir,
            workers=workers,
            seed=seed,
            step_hooks=[lambda env, agent, t: times.append(time.perf_counter())],
        )
    return {"seconds": times[-1] - times[0], "steps": iterations * 5000}


def phases(env_id, workers, iterations, seed):
    """Return the seconds of collection and of an update's parts, one after the other.

    In training the value fit goes on beside the next collection.
    """
    agent, make = build(env_id, seed)
    seconds = dict.fromkeys(("collection", "batch", "policy", "value"), 0.0)

    def timed(name, function):
        def call(*args):
            start = time.perf_counter()
            result = function(*args)
            seconds[name] += time.perf_counter() - start
            return result

        return call

    agent.batch = timed("batch", agent.batch)
    agent.policy_step = timed("policy", agent.policy_step)
    agent.value_step = timed("value", agent.value_step)
    num_envs = default_num_envs(agent.update_interval)
    with Collector(make, num_envs, seed, workers=workers) as collector:
        collect = timed("collection", collector.collect)
        for i in range(iterations + 1):
            agent.update(collect(agent.actor(), agent.update_interval).paths)
            if not i:
                seconds.update(dict.fromkeys(seconds, 0.0))
    return {**seconds, "steps": iterations * 5000}


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    measure = phases if settings.pop("phases", False) else train
    print(json.dumps(measure(**settings)))
