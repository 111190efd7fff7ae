"""Whatever users have as environments goes through one door, or is refused by name."""

import logging

from chainertrpo.experiments import (
    BadEnvironmentError,
    Collector,
    Env,
    SerialVectorEnv,
    adapt,
    eval_performance,
    make_env,
    run_evaluation_episodes,
    train_agent,
    train_agent_batch,
)
from chainertrpo.experiments import evaluation as evaluating
from chainertrpo.experiments.packages import import_package
from chainertrpo.experiments.recording import record_episodes

import numpy as np
import pytest
from collecting import error_of
from test_envs import PACKAGES
from test_training import Recorder
from worlds import Point, spaces

gym = import_package("gym")


class Paying(Point):
    """Pays the same at every step."""

    def __init__(self, pay, **settings):
        super().__init__(**settings)
        self.pay = pay

    def step(self, action):
        obs, _, done, info = super().step(action)
        return obs, self.pay, done, info


class Raw(gym.Env):
    """An environment of gym whose answers are set by a test."""

    def __init__(self, result=None, seeds=True):
        self.observation_space = spaces.Box(-9, 9, (2,), np.float32)
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)
        self.result, self.seeds = result, seeds

    def reset(self, **kwargs):
        if kwargs and not self.seeds:
            raise TypeError("reset() got an unexpected keyword argument 'seed'")
        return np.zeros(2, "f"), {}

    def step(self, action):
        return self.result


class Endless(Raw):
    def step(self, action):
        return np.zeros(2, "f"), 1.0, False, False, {}


def test_evaluation_shares_episodes_out():
    """Two environments that pay 5 and 500 an episode."""
    env = SerialVectorEnv([Paying(0.5), Paying(50.0)])
    assert (
        sorted(run_evaluation_episodes(env, Recorder(), None, 5))
        == [5.0] * 2 + [500.0] * 3
    )
    assert eval_performance(env, Recorder(), None, 4)["mean"] == 252.5
    assert run_evaluation_episodes(env, Recorder(), None, 1) == [500.0]
    assert run_evaluation_episodes(env, Recorder(), 60, None) == [5.0] * 3 + [500.0] * 3
    assert run_evaluation_episodes(env, Recorder(), 10, None) == [2.5]


@pytest.mark.parametrize("package", PACKAGES)
def test_raw_environments_in_every_helper(package):
    raw = import_package(package).make("Pendulum-v1", disable_env_checker=True)
    agent = Recorder()
    assert len(run_evaluation_episodes(raw, agent, None, 2)) == 2
    assert eval_performance(raw, agent, 300, None)["episodes"] == 1
    demos = record_episodes(raw, agent.act, 2, seed=3)
    assert demos.lengths == [200, 200] and demos.episodes[1].truncated
    assert demos.episodes[1].seed == 4


@pytest.mark.parametrize("package", PACKAGES)
def test_vectors_of_the_packages_are_refused_with_the_remedy(package, tmp_path):
    module = import_package(package)
    make = [lambda: module.make("CartPole-v1", disable_env_checker=True)] * 2
    env = module.vector.SyncVectorEnv(make)
    calls = [
        lambda: adapt(env),
        lambda: run_evaluation_episodes(env, Recorder(), None, 1),
        lambda: train_agent(Recorder(), env, 5, str(tmp_path)),
        lambda: train_agent_batch(Recorder(), env, 5, str(tmp_path)),
        lambda: record_episodes(env, Recorder().act, 1),
    ]
    for call in calls:
        with pytest.raises(BadEnvironmentError, match=r"one environment.*SerialVector"):
            call()
    with pytest.raises(BadEnvironmentError, match=r"SerialVectorEnv\(\[env\]\)"):
        train_agent_batch(Recorder(), Point(), 5, str(tmp_path))


@pytest.mark.parametrize("reward", [np.ones(1), np.ones((1, 1), "f"), 1, np.int8(1)])
def test_one_number_is_a_reward(reward):
    env = Env(Raw((np.zeros(2), reward, False, False, {})))
    env.reset()
    got = env.step(np.zeros(1))[1]
    assert type(got) is float and got == 1.0


@pytest.mark.parametrize("reward", [None, "1", np.ones(2), [], {}])
def test_what_is_no_reward(reward):
    env = Env(Raw((np.zeros(2), reward, False, False, {})))
    env.reset()
    with pytest.raises(BadEnvironmentError, match="expected one number as the reward"):
        env.step(np.zeros(1))


@pytest.mark.parametrize("result", [(np.zeros(2), 1.0, False), None, np.zeros(2), ()])
def test_steps_of_other_lengths(result):
    env = Env(Raw(result))
    env.reset()
    with pytest.raises(BadEnvironmentError, match=r"step to give \(obs, reward, term"):
        env.step(np.zeros(1))


def test_a_reset_without_seed():
    env = Env(Raw(seeds=False))
    assert env.reset().shape == (2,)
    env.seed(3)
    with pytest.raises(
        BadEnvironmentError, match=r"expected reset\(seed=...\) or seed"
    ):
        env.reset()


def test_an_error_inside_reset_is_the_environments_own():
    class Broken(Raw):
        def reset(self, *, seed=None, options=None):
            return len(3)

        def seed(self, seed):
            raise AssertionError("an old signature is not what is wrong")

    env = Env(Broken(), seed=3)
    with pytest.raises(TypeError, match="has no len"):
        env.reset()


def test_bounds_that_are_nan():
    for name in ("action_space", "observation_space"):
        raw = Raw()
        getattr(raw, name).low[0] = np.nan
        with pytest.raises(BadEnvironmentError, match="NaN"):
            Env(raw)


def test_an_evaluation_that_does_not_end(monkeypatch, caplog):
    monkeypatch.setattr(evaluating, "LONGEST", 50)
    logger = logging.getLogger("evaluations")
    assert run_evaluation_episodes(Endless(), Recorder(), None, 2, None, logger) == [
        50.0,
        50.0,
    ]
    assert caplog.text.count("has not ended within 50 steps and was cut") == 1
    assert "--max-episode-steps" in caplog.text
    caplog.clear()
    assert run_evaluation_episodes(Endless(), Recorder(), None, 1, 20) == [20.0]
    assert not caplog.text


def test_an_evaluation_can_be_broken_off():
    asked = []

    def poll():
        asked.append(1)
        if len(asked) == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_evaluation_episodes(Endless(), Recorder(), None, 1, poll=poll)
    assert len(asked) == 70


def test_a_training_without_ends_is_said(tmp_path, caplog):
    train_agent(Recorder(), Endless(), 30, str(tmp_path))
    assert caplog.text.count("no episode has ended in the last 30 steps") == 1
    caplog.clear()
    train_agent(Recorder(), Point(), 30, str(tmp_path), overwrite=True)
    assert not caplog.text


def test_a_time_limit_of_ones_own():
    env = make_env("Pendulum-v1", max_episode_steps=7)
    env.reset()
    cuts = [env.step(np.zeros(1, "f"))[3].get("needs_reset", False) for _ in range(7)]
    assert cuts == [False] * 6 + [True] and env.max_episode_steps == 7
    with pytest.raises(ValueError, match="max_episode_steps"):
        make_env("Pendulum-v1", max_episode_steps=0.5)


class NotFinite:
    """An actor whose policy has become NaN."""

    def features(self, obs):
        return np.asarray(obs, "f")

    def sample(self, features, rng):
        return np.full(1, np.nan, "f")


def test_a_policy_that_is_nan_does_not_reach_the_environment():
    with Collector(Point, 1, 0) as collector:
        message = error_of(collector.collect, NotFinite(), 5)
    assert "BadActionError: expected finite actions, got [nan]" in message
    assert "after no step" in message
