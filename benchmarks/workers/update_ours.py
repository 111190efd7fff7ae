"""Milliseconds and memory of an update, ours."""

import dataclasses
import json
import sys
import time

from chainertrpo import _threads
from chainertrpo.data import Batch, Path
from chainertrpo.experiments.collection import Collector
from chainertrpo.numerics import flatten
from chainertrpo.updates import local_model

import numpy
from serve import serve
from train_ours import build


def milliseconds(function):
    """Time one call."""
    start = time.perf_counter()
    result = function()
    return 1000 * (time.perf_counter() - start), result


def measurement(agent, batch):
    """Return a function: milliseconds of both halves, from the present parameters."""
    params = [*agent.policy.params(), *agent.vf.params()]
    before = [param.array.copy() for param in params]
    rng = numpy.random.default_rng(0)

    def measure():
        for param, array in zip(params, before):
            param.array[...] = array
        policy, step = milliseconds(lambda: agent.policy_step(agent.policy, batch))
        value, _ = milliseconds(
            lambda: agent.value_step(agent.vf, agent.vf_optimizer, batch, rng)
        )
        return {
            "policy": policy,
            "value": value,
            "tries": step.n_tries,
            "products": step.cg_iterations,
        }

    return measure


def on_humanoid():
    """Serve on 5,000 steps of Humanoid-v4 under the initial policy."""
    agent, make = build("Humanoid-v4", 0)
    with Collector(make, 1, 0) as collector:
        paths = collector.collect(agent.actor(), 5000).paths
    batch, _ = agent.batch(paths)
    serve(measurement(agent, batch))


def status(key):
    """Bytes of a line of /proc/self/status."""
    with open("/proc/self/status") as file:
        return next(1024 * int(x.split()[1]) for x in file if x.startswith(key))


def peak_above(function):
    """Bytes by which the resident memory rises while a function runs, at its peak."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    before = status("VmRSS")
    result = function()
    return status("VmHWM") - before, result


def synthetic(n, seed=0):
    """A batch of n rows of Humanoid-v4's sizes."""
    rng = numpy.random.default_rng(seed)
    obs = rng.standard_normal((n, 376), dtype=numpy.float32)
    action = rng.standard_normal((n, 17), dtype=numpy.float32)
    log_prob = -0.5 * (action**2).sum(axis=1) - 17 * 0.5 * numpy.log(
        2 * numpy.pi, dtype=numpy.float32
    )
    advantage = rng.standard_normal(n, dtype=numpy.float32)
    return Batch(obs, action, log_prob, advantage, advantage)


def on_rows(n):
    """A synthetic batch: both halves; then the whole update from paths of 1,000."""
    agent, _ = build("Humanoid-v4", 0)
    measurement(agent, synthetic(1000))()  # imports and first calls
    batch = synthetic(n)
    data = sum(x.nbytes for x in batch if x is not None)
    memory, times = peak_above(measurement(agent, batch))
    del batch
    paths, rows = [], min(n, 1000)
    rng = numpy.random.default_rng(1)
    for _ in range(0, n, rows):
        obs = rng.standard_normal((rows + 1, 376), dtype=numpy.float32)
        action = rng.standard_normal((rows, 17), dtype=numpy.float32)
        reward = rng.standard_normal(rows, dtype=numpy.float32)
        paths.append(Path(obs, action, reward, False))
    agent_memory, _ = peak_above(lambda: agent.update(paths))
    return {**times, "data": data, "memory": memory, "agent_memory": agent_memory}


def chunks_against_one_piece(n):
    """Relative differences of gradient, product and step.

    In one piece means one matrix product a layer, on one thread, for all rows.
    """
    agent, _ = build("Humanoid-v4", 0)
    batch = synthetic(n)
    theta = flatten(agent.policy)
    v = numpy.random.default_rng(2).standard_normal(theta.shape, dtype=numpy.float32)
    found = []
    step = agent.policy_step
    usual = step.chunk_rows, _threads.BLOCK_ROWS, _threads.MAX_SHARDS
    for rows, _threads.BLOCK_ROWS, _threads.MAX_SHARDS in (usual, (n, n, 1)):
        step = dataclasses.replace(step, chunk_rows=rows)
        model = local_model(
            agent.policy, batch, step.objective, step.curvature, step.region, rows
        )
        before = [param.array.copy() for param in agent.policy.params()]
        product = model.product(v)
        step(agent.policy, batch)
        found.append((model.gradient, product, flatten(agent.policy) - theta))
        for param, array in zip(agent.policy.params(), before):
            param.array[...] = array
    differences = [
        float(numpy.linalg.norm(x - y) / numpy.linalg.norm(y)) for x, y in zip(*found)
    ]
    return dict(zip(("gradient", "product", "step"), differences))


def main(rows=None, compare=False):
    """Measure."""
    if rows is None:
        on_humanoid()
    else:
        result = chunks_against_one_piece(rows) if compare else on_rows(rows)
        print(json.dumps(result))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
