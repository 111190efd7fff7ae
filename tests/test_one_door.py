"""Whatever users have as environments goes through one door, or is refused by name."""

import logging

from chainertrpo import GaussianPolicy
from chainertrpo.agents.acting import Actor
from chainertrpo.experiments import (
    BadEnvironmentError,
    Collector,
    Env,
    Evaluator,
    SerialVectorEnv,
    adapt,
    eval_performance,
    make_env,
    run_evaluation_episodes,
    train_agent,
    train_agent_batch,
    train_agent_batch_with_evaluation,
    train_agent_with_evaluation,
)
from chainertrpo.experiments import evaluation as evaluating
from chainertrpo.experiments.acting_together import Together
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.interface import begin_episode
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

    def __init__(self, result=None):
        self.observation_space = spaces.Box(-9, 9, (2,), np.float32)
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)
        self.result = result

    def reset(self, *, seed=None, options=None):
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
        lambda: train_agent(Recorder(), env, 5, str(tmp_path)),
        lambda: record_episodes(env, Recorder().act, 1),
    ]
    for call in calls:
        with pytest.raises(BadEnvironmentError, match=r"one environment.*SerialVector"):
            call()
    if not hasattr(module.vector, "AutoresetMode"):  # else see test_gym_vector.py
        for call in (
            lambda: run_evaluation_episodes(env, Recorder(), None, 1),
            lambda: train_agent_batch(Recorder(), env, 5, str(tmp_path)),
        ):
            with pytest.raises(BadEnvironmentError, match="can be reset one by one"):
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


class Ending:
    """Ends after three steps; neither package knows it, and it cannot be closed."""

    observation_space = spaces.Box(-9, 9, (2,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, reward=2.0, info=None):
        self.reward, self.info = reward, {} if info is None else info

    def reset(self):
        self.t = 0
        return np.zeros(2, "f")

    def step(self, action):
        self.t += 1
        return np.zeros(2, "f"), self.reward, self.t == 3, self.info


class New(Ending):
    def reset(self, seed=None):
        return super().reset(), {"seed": seed}

    def step(self, action):
        obs, reward, done, info = super().step(action)
        return obs, reward, False, done, info


class OldOfGym(Ending, gym.Env):
    pass


class NewOfGym(New, gym.Env):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed)


EVERYONES = [Ending, New, OldOfGym, NewOfGym]


def helpers(make, path):
    """All that take an environment, called with those that `make` gives."""
    with_evaluation = {"eval_n_steps": None, "eval_n_episodes": 2, "eval_interval": 5}
    several = SerialVectorEnv([make(), make()])
    yield lambda: train_agent(Recorder(), make(), 10, str(path / "a"))
    yield lambda: train_agent_with_evaluation(
        Recorder(), make(), 10, outdir=str(path / "b"), **with_evaluation
    )
    yield lambda: train_agent_batch(Recorder(), several, 10, str(path / "c"))
    yield lambda: train_agent_batch_with_evaluation(
        Recorder(),
        several,
        10,
        outdir=str(path / "d"),
        eval_env=make(),
        **with_evaluation,
    )
    yield lambda: eval_performance(make(), Recorder(), None, 2)
    yield lambda: eval_performance(FixedHorizon(make(), 5), Recorder(), None, 2)
    yield lambda: eval_performance(several, Recorder(), None, 2)
    yield lambda: Evaluator(
        Recorder(), several, None, 2, 5, str(path)
    ).evaluate_if_necessary(5, 1)
    yield lambda: record_episodes(make(), Recorder().act, 2)
    together = Together(lambda seed: make(), 0, [0], 1, np.zeros(99))
    yield lambda: together.restart(0)


@pytest.mark.parametrize("make", EVERYONES)
def test_every_interface_in_every_helper(make, tmp_path):
    scores = [call() for call in helpers(make, tmp_path)]
    assert [scores[i]["mean"] for i in (4, 5, 6)] == [6.0] * 3 and scores[7] == 6.0
    demos = scores[8]
    assert demos.lengths == [3, 3]
    seeds = [0, 1] if issubclass(make, New) else [-1, -1]
    assert [episode.seed for episode in demos.episodes] == seeds
    assert demos.episodes[0].truncated is issubclass(make, New)


@pytest.mark.parametrize("make", EVERYONES)
@pytest.mark.parametrize(
    "answers, message",
    [
        ({"reward": None}, "one number as the reward, got None"),
        ({"reward": [1.0, [2.0]]}, "one number as the reward"),
        ({"info": "fine"}, "a dict as the info of a step, got fine"),
    ],
)
def test_no_helper_takes_what_is_no_step(make, answers, message, tmp_path):
    calls = helpers(lambda: make(**answers), tmp_path)
    for call in list(calls)[:-1]:  # the last takes no step
        with pytest.raises(BadEnvironmentError, match=message):
            call()


@pytest.mark.parametrize("thing", ["CartPole-v1", Ending, None, lambda: Ending()])
def test_what_is_no_environment(thing, tmp_path):
    with pytest.raises(
        BadEnvironmentError, match="with reset and step, got .*make_env"
    ):
        train_agent(Recorder(), thing, 10, str(tmp_path))


def test_vectors_of_others_are_refused(tmp_path):
    """Such as begin episodes by themselves: their last observations would be lost."""

    class Vector(Ending):
        num_envs = 2

    for call in (train_agent, train_agent_batch):
        with pytest.raises(BadEnvironmentError, match="SerialVectorEnv"):
            call(Recorder(), Vector(), 10, str(tmp_path))
    with pytest.raises(BadEnvironmentError, match="SerialVectorEnv"):
        eval_performance(Vector(), Recorder(), None, 2)


def test_one_environment_that_counts_itself():
    """gym's RecordEpisodeStatistics has a `num_envs` of its own."""
    env = gym.wrappers.RecordEpisodeStatistics(NewOfGym())
    env.num_envs = 1
    assert eval_performance(env, Recorder(), None, 2)["mean"] == 6.0


def test_a_reset_without_seed():
    for made in (Env(OldOfGym()), adapt(Ending())):
        made.seed(3)
        assert made.reset().shape == (2,) and made.seeded_with is None

    class Seeded(OldOfGym):
        def seed(self, seed):
            self.seeds = seed

    env = Env(Seeded(), seed=3)
    env.reset()
    assert env.env.seeds == env.seeded_with == 3
    env.reset()
    assert env.seeded_with is None


def test_what_cannot_be_seeded_is_said_once(caplog):
    class Wild(Ending):
        pass

    record_episodes(Wild(), Recorder().act, 3)
    record_episodes(Wild(), Recorder().act, 3)
    assert caplog.text.count("Wild has neither reset(seed=...) nor seed(...)") == 1


@pytest.mark.parametrize("seed", [None, 3])
def test_wrappers_that_give_more_than_reset_takes(seed):
    class Passing:
        def __init__(self, env):
            self.env = env

        def reset(self, *, seed=None, options=None):
            return self.env.reset(seed=seed, options=options)

        def step(self, action):
            return self.env.step(action)

    with pytest.raises(BadEnvironmentError, match=r"reset\(self, \*, seed=None"):
        begin_episode(Passing(Passing(Ending())), seed)


@pytest.mark.parametrize("base", [Ending, OldOfGym, NewOfGym])
def test_an_error_inside_reset_is_the_environments_own(base):
    class Simulator:
        def reset(self):
            pass

    class Broken(base):
        def reset(self, *, seed=None, options=None):
            if seed is not None:
                Simulator().reset(seed=seed)  # no old signature of this `reset`
            return len(3)

        def seed(self, seed):
            raise AssertionError("an old signature is not what is wrong")

    env = adapt(Broken())
    with pytest.raises(TypeError, match="has no len"):
        env.reset()
    env.seed(3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'seed'"):
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


class NotFinite(Actor):
    """An actor whose policy has become NaN."""

    def __init__(self):
        super().__init__(GaussianPolicy(2, 1, (2,)))

    def sample_each(self, features, rngs, carry=None):
        return np.full((len(rngs), 1), np.nan, "f")


def test_a_policy_that_is_nan_does_not_reach_the_environment():
    with Collector(Point, 1, 0) as collector:
        message = error_of(collector.collect, NotFinite(), 5)
    assert "BadActionError: expected finite actions, got [nan]" in message
    assert "after no step" in message
