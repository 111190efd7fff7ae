"""What the tests of parallel collection share: environments, and the slower truth.

The truth is a loop in this process for every environment, one after the other.  Workers
import this module, so its environments are functions and classes of it.
"""

import ctypes
import functools
import importlib.util
import multiprocessing
import os
import random
import signal
import sys
import time

from chainertrpo import TRPO, GaussianPolicy, SoftmaxPolicy, ValueFunction
from chainertrpo.experiments import WorkerError, make_env, resolve

import chainer
import numpy as np
import pytest
from worlds import Point

HAS_MUJOCO = importlib.util.find_spec("mujoco") is not None
mujoco = pytest.mark.skipif(not HAS_MUJOCO, reason="needs mujoco")
LONG = 60  # seconds; none of the waits of these tests needs a tenth of it


class SeededPoint(Point):
    """`Point` that can be seeded again, as an environment of a Collector has to be."""

    def seed(self, seed):
        self.rng = np.random.RandomState(seed)


class Troubled(SeededPoint):
    """A point that gets into trouble at its 6th step, or elsewhere."""

    def __init__(self, trouble, **settings):
        super().__init__(**settings)
        self.trouble, self.steps = trouble, 0
        if trouble == "make":
            raise OSError("no such simulator")
        if trouble == "hang in make":
            self.wait_for_ever()

    def seed(self, seed):
        if self.trouble == "seed":
            raise RuntimeError("expected no second seed")
        super().seed(seed)

    def step(self, action):
        self.steps += 1
        obs, reward, done, info = super().step(action)
        if self.steps == (1 if self.trouble == "die at once" else 6):
            reward = self.get_into_trouble(obs, reward, action)
        return obs, reward, done, info

    def get_into_trouble(self, obs, reward, action):
        if self.trouble == "raise":
            raise RuntimeError(f"the spring broke at {action[0]:.6g}")
        if self.trouble == "lose the simulator":
            raise BrokenPipeError("the simulator has gone")
        if self.trouble == "call sys.exit":
            sys.exit("the licence has run out")
        if self.trouble in ("be killed", "die at once"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.trouble == "call os._exit":
            os._exit(3)
        if self.trouble == "read address 0":
            ctypes.string_at(0)
        if self.trouble == "hang":
            self.wait_for_ever()
        if self.trouble == "observe nan":
            obs[1] = np.nan
        return np.nan if self.trouble == "reward nan" else reward

    def wait_for_ever(self):
        while True:
            time.sleep(1)


class Slow(SeededPoint):
    def step(self, action):
        time.sleep(0.01)
        return super().step(action)


class Dicing(SeededPoint):
    """A point that draws from the global generators, as environments do that were."""

    def _obs(self):
        noise = np.random.uniform() + random.random()  # noqa: NPY002
        return (super()._obs() + noise).astype("f")


class ForeignPolicy(GaussianPolicy):
    """A policy of somebody else; it is acted with through Chainer."""

    def forward(self, obs):
        return super().forward(2 * obs)


def point(seed, cls=SeededPoint, **settings):
    return cls(seed=seed, **settings)


def troubled(seed, trouble, at=None):
    """A point in trouble, or a sound one if this is not the seed that gets it."""
    return Troubled(trouble if at in (None, seed) else None, seed=seed)


def raw_cartpole(seed):
    """CartPole as its package makes it."""
    return resolve("CartPole-v1")[0].make("CartPole-v1", disable_env_checker=True).env


# The slower truth


def streams(seed, index, generation=0, reseeds=0):
    """The generator of an environment's actions, and its seed."""
    sequence = np.random.SeedSequence((seed, index, generation, reseeds))
    children = sequence.spawn(2)
    env_seed = int(children[1].generate_state(1)[0] >> 1)
    return np.random.default_rng(children[0]), env_seed


class InRow:
    """Draws for one row; the others are 2."""

    def __init__(self, rng, row):
        self.rng, self.row = rng, row

    def _put(self, x, n):
        rows = np.full((n, *x.shape), 2, x.dtype)
        rows[self.row] = x
        return rows

    def standard_normal(self, shape, dtype):
        return self._put(self.rng.standard_normal(shape[1:], dtype), shape[0])

    def standard_exponential(self, shape):
        return self._put(self.rng.standard_exponential(shape[1:]), shape[0])


def act(actor, obs, rng, index=0, num_envs=1):
    """An action, chosen alone in a product of as many rows as the collector's has."""
    n = min(num_envs, 8)
    if n == 1:
        return actor.sample(obs, rng)
    rows = np.zeros((n, *obs.shape), obs.dtype)
    rows[index % n] = obs
    return actor.sample_batch(rows, InRow(rng, index % n))[index % n]


def truth(make, num_envs, seed, calls, generation=0):
    """What `num_envs` give in calls of (actor, steps): lists of paths, and of episodes.

    A path is (obs, action, reward, terminal); an episode (index, step, return, length).
    """
    results = [([], []) for _ in calls]
    for index in range(num_envs):
        rng, env_seed = streams(seed, index, generation)
        env, obs, reseeds, since = make(env_seed), None, 0, 0
        for (paths, episodes), (actor, n_steps) in zip(results, calls):
            share = (index + 1) * n_steps // num_envs - index * n_steps // num_envs
            start = 0
            log = []
            for step in range(share):
                if obs is None:
                    if since >= 1000:  # seeded anew, whatever checkpoints there are
                        reseeds, since = reseeds + 1, 0
                        env.seed(streams(seed, index, generation, reseeds)[1])
                    obs, total, length = actor.features(env.reset()), 0.0, 0
                action = act(actor, obs, rng, index, num_envs)
                after, reward, done, info = env.step(action)
                since += 1
                after = actor.features(after)
                log.append((obs, action, reward, after))
                total, length, obs = total + reward, length + 1, after
                end = done or info.get("needs_reset", False)
                if end:
                    episodes.append((index, step + 1, total, length))
                    obs = None
                if end or step == share - 1:
                    befores, actions, rewards, afters = zip(*log[start:])
                    paths.append(
                        (
                            np.stack([*befores, afters[-1]]),
                            np.stack(actions),
                            np.array(rewards, "f"),
                            done,
                        )
                    )
                    start = step + 1
    return results


def same(a, b):
    """Bit for bit."""
    return len(a) == len(b) and all(
        np.asarray(x).dtype == np.asarray(y).dtype
        and np.shape(x) == np.shape(y)
        and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for p, q in zip(a, b)
        for x, y in zip(p, q)
    )


def joined(paths, field):
    rows = [path[field][:-1] if field == 0 else path[field] for path in paths]
    return np.concatenate(rows)


def actor_of(obs_size, n_actions=None, n_out=1, seed=0):
    build, n = (GaussianPolicy, n_out) if n_actions is None else (SoftmaxPolicy, 2)
    policy = build(obs_size, n, (8,), seed=seed, last_scale=1.0)
    vf = ValueFunction(obs_size, (8,), seed=1)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(vf)
    return TRPO(policy, vf, optimizer, seed=0).actor()


ENVIRONMENTS = {
    "Point": (point, (2,)),
    "Point, cut": (functools.partial(point, terminal=False, length=7), (2,)),
    "CartPole": (functools.partial(make_env, "CartPole-v1"), (4, 2)),
    "Hopper": (functools.partial(make_env, "Hopper"), (11, None, 3)),
}
NAMES = ["Point", "Point, cut", "CartPole", pytest.param("Hopper", marks=mujoco)]


def no_process_is_left():
    return not [p for p in multiprocessing.active_children() if p.is_alive()]


def error_of(function, *args):
    """The message of a WorkerError, or None; the error and its frames are let go."""
    try:
        function(*args)
    except WorkerError as error:
        return str(error)
    return None
