"""Steps of bare environments with random actions: what the physics alone allows."""

import json
import multiprocessing
import sys
import time

import gymnasium


def loop(env_id, steps, seed, barrier):
    """Take steps in one environment, from barrier to barrier."""
    env = gymnasium.make(env_id)
    env.action_space.seed(seed)
    env.reset(seed=seed)
    barrier.wait()
    for _ in range(steps):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            env.reset()
    barrier.wait()


def measure(env_id, processes, steps, seed, loop=loop):
    """Return the seconds that so many processes take for so many steps in all."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    share = steps // processes
    loops = [
        context.Process(target=loop, args=(env_id, share, seed + i, barrier))
        for i in range(processes)
    ]
    for process in loops:
        process.start()
    barrier.wait()
    start = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - start
    for process in loops:
        process.join()
    return {"seconds": seconds, "steps": share * processes}


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
