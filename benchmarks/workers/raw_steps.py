"""Steps of MuJoCo alone, on the way that random actions took: no library is faster."""

import functools
import json
import sys

import gymnasium
import mujoco
from random_actions import measure


def recorded(env, steps):
    """How the episodes of random actions began, and the actions of each."""
    data, episodes, end = env.unwrapped.data, [], True
    for _ in range(steps):
        if end:
            env.reset()
            episodes.append((data.qpos.copy(), data.qvel.copy(), []))
        action = env.action_space.sample()
        episodes[-1][2].append(action)
        _, _, terminated, truncated, _ = env.step(action)
        end = terminated or truncated
    return episodes


def loop(env_id, steps, seed, barrier):
    """Go through them again by mj_step and nothing else, from barrier to barrier."""
    env = gymnasium.make(env_id)
    env.action_space.seed(seed)
    env.reset(seed=seed)
    episodes, task = recorded(env, steps), env.unwrapped
    model, data, n = task.model, task.data, task.frame_skip
    step, ctrl = mujoco.mj_step, data.ctrl
    barrier.wait()
    for qpos, qvel, actions in episodes:
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_forward(model, data)
        for action in actions:
            ctrl[:] = action
            step(model, data, n)
    barrier.wait()


if __name__ == "__main__":
    measure = functools.partial(measure, loop=loop)
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
