"""What memory is worth: two tasks that cannot be solved from the present observation.

    python benchmarks/memory_tasks.py --seeds 5

`cartpole`: CartPole-v1 without its two velocities; solved at 450 of 500.  `repeat`: the
action must be the observation of three steps ago; solved at 0.95 of what can be had.  Each
by TRPO with a GRU, and with an MLP of the same layers: `results/memory_tasks.json`.
"""

import argparse
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from chainertrpo import make_agent, settings_of  # noqa: E402 (after the threads)
from chainertrpo.experiments import adapt, make_env  # noqa: E402

import numpy as np  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "results", "memory_tasks.json")
MEMORY = {"gru": {"core": "gru", "core_size": 32}, "mlp": {}}


class Hidden:
    """CartPole without velocities."""

    def __init__(self, seed):
        self.env = make_env("CartPole-v1", seed=seed)
        space = self.env.observation_space
        self.action_space = self.env.action_space
        self.observation_space = type(space)(space.low[::2], space.high[::2])

    def reset(self):
        """Begin an episode."""
        return self.env.reset()[::2]

    def step(self, action):
        """Take a step."""
        obs, *rest = self.env.step(action)
        return (obs[::2], *rest)


class Repeat:
    """Three steps back, 40 steps; 1 is paid for each that is right, 37 at most."""

    def __init__(self, seed, back=3, length=40, n=4):
        spaces = make_env("CartPole-v1").observation_space, make_env("CartPole-v1")
        self.observation_space = type(spaces[0])(np.zeros(n, "f"), np.ones(n, "f"))
        self.action_space = type(spaces[1].action_space)(n)
        self.rng, self.back, self.length, self.n = (
            np.random.default_rng(seed),
            back,
            length,
            n,
        )

    def _next(self):
        self.seen.append(int(self.rng.integers(self.n)))
        return np.eye(self.n, dtype="f")[self.seen[-1]]

    def reset(self):
        """Begin an episode."""
        self.seen = []
        return self._next()

    def step(self, action):
        """Take a step."""
        known = len(self.seen) > self.back
        right = known and int(action) == self.seen[-1 - self.back]
        return self._next(), float(right), len(self.seen) > self.length, {}


TASKS = {
    # environment, best return, steps, settings
    "cartpole": (Hidden, 500, 60_000, {"gamma": 0.99, "update_interval": 3000}),
    "repeat": (Repeat, 37, 120_000, {"gamma": 0.8, "update_interval": 2000}),
}


def score(agent, env, episodes=20):
    """Mean return of the most probable actions."""
    agent.act_deterministically, total = True, 0.0
    for _ in range(episodes):
        obs, end = env.reset(), False
        while not end:
            obs, reward, done, info = env.step(agent.act(obs))
            end = done or info.get("needs_reset", False)
            total += reward
        agent.stop_episode()
    agent.act_deterministically = False
    return total / episodes


def train(task, memory, seed):
    """Scores along one run, relative to the best possible."""
    make, best, steps, agent_settings = TASKS[task]
    settings = settings_of(
        "chainerrl-reproduction",
        agent=agent_settings,
        policy={"hidden_sizes": [32], **MEMORY[memory]},
        vf={"hidden_sizes": [64]},
        policy_step={
            "curvature": {"kind": "gauss_newton"},
            "region": {"max_kl": 0.05},
            "objective": {"entropy_coef": 0.0},
        },
        vf_optimizer={"alpha": 3e-3},
    )
    env, test = adapt(make(seed)), adapt(make(seed + 1000))
    agent = make_agent(env.observation_space, env.action_space, settings, seed=seed)
    start, obs, reward, curve = time.process_time(), env.reset(), 0.0, []
    for t in range(1, steps + 1):
        action = agent.act_and_train(obs, reward)
        obs, reward, done, info = env.step(action)
        if done or info.get("needs_reset", False):
            agent.stop_episode_and_train(obs, reward, done=done)
            obs, reward = env.reset(), 0.0
        if t % (steps // 10) == 0:
            curve.append(round(score(agent, test) / best, 4))
            print(task, memory, seed, t, curve[-1], flush=True)
    seconds = round(time.process_time() - start, 1)
    return {"scores": curve, "cpu_seconds": seconds, "best": best, "steps": steps}


def main():
    """Train all, and write what they scored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    args = parser.parse_args()
    for seed in range(args.seeds):
        for task in args.tasks:
            for memory in MEMORY:
                name = f"{task} {memory} {seed}"
                if name not in known():
                    save({name: train(task, memory, seed)})


def known():
    """What has been run: {task memory seed: scores …}."""
    if not os.path.exists(PATH):
        return {}
    with open(PATH) as file:
        return json.load(file)


def save(more):
    """Add to it."""
    found = {**known(), **more}
    with open(PATH, "w") as file:
        json.dump(found, file, indent=1, sort_keys=True)


if __name__ == "__main__":
    main()
