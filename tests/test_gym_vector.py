"""gymnasium's vectors of environments against environments stepped one after the other."""

import functools

from chainertrpo.experiments import (
    SerialVectorEnv,
    eval_performance,
    train_agent_batch,
    train_agent_parallel,
)
from chainertrpo.experiments.acting_together import Together
from chainertrpo.experiments.adapting import adapt, adapt_many
from chainertrpo.experiments.envs import BadEnvironmentError, Env
from chainertrpo.experiments.episodes import STATE_SIZE
from chainertrpo.experiments.sharing import share_out
from chainertrpo.experiments.vector_env import OneByOne
from chainertrpo.numerics import flatten

import numpy as np
import pytest
from test_acting_together import SEED, assert_same_results, collected
from test_reach import CHOICES, agent_for
from worlds import Repeat

gymnasium = pytest.importorskip("gymnasium")
if not hasattr(gymnasium.vector, "AutoresetMode"):
    pytest.skip("gymnasium 1.1 or newer", allow_module_level=True)
MODES = ["NEXT_STEP", "SAME_STEP"]
every_mode = pytest.mark.parametrize("mode", MODES)


class Task(Repeat, gymnasium.Env):
    """As gymnasium makes it; every second episode is cut by a limit."""

    def reset(self, seed=None, options=None):
        self.limit = not getattr(self, "limit", True)
        return super().reset(seed)

    def step(self, action):
        obs, reward, done, _, info = super().step(action)
        return obs, reward, done and self.limit, done and not self.limit, info


def cartpole():
    return gymnasium.make("CartPole-v1", max_episode_steps=12)


TASKS = {"cartpole": cartpole}
for name in CHOICES:
    for masks in (None, "observation"):
        make = functools.partial(Task, CHOICES[name], masks)
        TASKS[f"{name} {masks}"] = make


def vector(make, mode, cls=gymnasium.vector.SyncVectorEnv, n=3):
    return cls([make] * n, autoreset_mode=gymnasium.vector.AutoresetMode[mode])


def paths_of(env, make, steps=300):
    """The paths that updates of an agent get in some steps."""
    agent, paths = agent_for(Env(make()), agent={"update_interval": 90}), []
    agent.update = paths.extend
    obs = env.reset()
    for _ in range(steps // env.num_envs):
        obs, rewards, dones, infos = env.step(agent.batch_act_and_train(obs))
        cuts = [info.get("needs_reset", False) for info in infos]
        agent.batch_observe_and_train(obs, rewards, dones, cuts)
        obs = env.reset([not (d or c) for d, c in zip(dones, cuts)])
    return paths


@every_mode
@pytest.mark.parametrize("name", TASKS)
def test_paths_are_those_of_environments_one_after_the_other(name, mode):
    """So no path has the step in which a vector resets itself, and each its own end."""
    make = TASKS[name]
    one = SerialVectorEnv([Env(make()) for _ in range(3)])
    many = adapt_many(vector(make, mode))
    one.seed(5)
    many.seed(5)
    truth, found = (paths_of(env, make) for env in (one, many))
    assert len(truth) == len(found) > 10
    assert any(p.terminal for p in truth) and not all(p.terminal for p in truth)
    for a, b in zip(truth, found):
        for x, y in zip(a, b):
            assert np.array_equal(x, y)


def test_training_in_processes_of_gymnasium(tmp_path):
    """AsyncVectorEnv steps where it likes; what is learned is the same."""
    thetas = []
    for cls in (gymnasium.vector.SyncVectorEnv, gymnasium.vector.AsyncVectorEnv):
        env = vector(cartpole, "NEXT_STEP", cls, n=2)
        agent = agent_for(Env(cartpole()), agent={"update_interval": 200})
        wrapped = adapt_many(env)
        wrapped.seed(0)
        outdir = str(tmp_path / cls.__name__)
        train_agent_batch(agent, wrapped, 400, outdir, max_episode_len=9)
        thetas.append(flatten(agent.policy))
        env.close()
    assert agent.n_updates == 2 and np.array_equal(*thetas)


def test_evaluations_share_out_the_episodes():
    agent = agent_for(Env(cartpole()))
    found = eval_performance(vector(cartpole, "NEXT_STEP"), agent, None, 5)
    assert found["episodes"] == 5 and 5 <= found["mean"] <= 12


def test_vectors_that_cannot_be_reset_one_by_one_are_refused():
    env = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="vector_entry_point")
    with pytest.raises(BadEnvironmentError, match="vectorization_mode='sync'"):
        adapt_many(env)
    with pytest.raises(BadEnvironmentError, match="expected one environment"):
        adapt(vector(cartpole, "NEXT_STEP"))


def poles(seed):
    """Two environments at once, the second with a longer pole."""
    made = vector(cartpole, "SAME_STEP", n=2)
    made.envs[1].unwrapped.length = 2.0
    return made


def pole(seed, index):
    return poles(seed).envs[index % 2]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_vectors_of_workers_are_taken_apart(workers):
    """Environment i is number i % 2 of its vector, whichever process has it."""
    actor = agent_for(Env(cartpole())).actor()
    found = collected(poles, actor, 5, workers, (60, 40))
    alone = []
    for i in range(5):
        make = functools.partial(pole, index=i)
        one = Together(make, SEED, [i], 5, np.zeros(STATE_SIZE))
        one.restart(0)
        alone += zip(*[one.collect(actor, share_out(n, 5), True) for n in (60, 40)])
    assert_same_results(found, alone)
    together = Together(poles, SEED, range(1, 4), 5, np.zeros(STATE_SIZE))
    together.restart(0)
    lengths = [one.env.env.unwrapped.length for one in together.envs]
    assert lengths == [2.0, 0.5, 2.0]


def own_error(seed):
    raise AssertionError("my own")


class Wrapped(gymnasium.vector.VectorWrapper):
    """Any wrapper of a whole vector."""


def test_vectors_that_cannot_be_taken_apart_are_refused():
    class Daemons:
        def __call__(self, seed):
            raise AssertionError("daemonic processes are not allowed to have children")

    entry = functools.partial(
        gymnasium.make_vec, "CartPole-v1", 2, vectorization_mode="vector_entry_point"
    )
    for make in (lambda seed: entry(), lambda seed: Wrapped(poles(seed)), Daemons()):
        with pytest.raises(BadEnvironmentError, match="num_envs says how many"):
            OneByOne(make)(0, 0)
    with pytest.raises(AssertionError, match="own"):
        OneByOne(own_error)(0, 0)


def test_training_takes_vectors(tmp_path):
    """The same parameters, however many workers share the environments."""
    found = []
    for workers in (1, 2):
        agent = agent_for(Env(cartpole()), agent={"update_interval": 200})
        train_agent_parallel(
            agent, poles, 200, str(tmp_path / str(workers)), num_envs=4, workers=workers
        )
        found.append(flatten(agent.policy))
    assert agent.n_updates >= 1 and np.array_equal(*found)
