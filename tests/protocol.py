"""The contract of every agent, as a mixin: give ``make_agent(discrete, **settings)``."""

import math

from chainertrpo.numerics import flatten

import numpy as np
import pytest
from worlds import Point, some_paths

STATISTICS = [
    "average_value",
    "average_entropy",
    "average_kl",
    "average_policy_step_size",
    "explained_variance",
]


def drive(agent, env, steps):
    """The loop of ``train_agent`` without files: (obs, action, reward, done) lists."""
    obs, reward, log = env.reset(), 0.0, []
    for _ in range(steps):
        action = agent.act_and_train(obs, reward)
        new, reward, done, info = env.step(action)
        log.append((obs, action, reward, done))
        obs = new
        if done or info.get("needs_reset"):
            agent.stop_episode_and_train(obs, reward, done=done)
            obs, reward = env.reset(), 0.0
    return log


def theta(agent):
    return flatten(agent.policy).copy()


class AgentContract:
    """Tests of ChainerRL's protocol."""

    statistics = STATISTICS

    def seen(self, agent):
        """Collect the paths that updates get, instead of updating."""
        paths = []
        agent.update = paths.extend
        return paths

    @pytest.mark.parametrize("discrete", [False, True])
    @pytest.mark.parametrize("terminal", [False, True])
    def test_paths_are_what_happened(self, discrete, terminal):
        agent = self.make_agent(discrete, update_interval=25)
        paths = self.seen(agent)
        log = drive(agent, Point(10, terminal, discrete), 51)
        assert [len(p.reward) for p in paths] == [10, 10, 5, 5, 10, 10]
        assert [p.terminal for p in paths] == [
            terminal,
            terminal,
            False,
            terminal,
            terminal,
            terminal,
        ]
        obs, action, reward, _ = zip(*log[:50])
        assert np.array_equal(np.concatenate([p.obs[:-1] for p in paths]), obs)
        assert np.array_equal(np.concatenate([p.action for p in paths]), action)
        rewards = np.concatenate([p.reward for p in paths])
        assert np.array_equal(rewards, np.float32(reward))
        # A cut at the end of a batch goes on with the same observation.
        assert np.array_equal(paths[2].obs[-1], paths[3].obs[0])

    def test_batch_protocol_makes_the_same_paths_an_environment(self):
        agent = self.make_agent(False, update_interval=24)
        paths = self.seen(agent)
        envs = [Point(5, True, seed=0), Point(7, False, seed=1)]
        obs = [env.reset() for env in envs]
        for _ in range(12):
            actions = agent.batch_act_and_train(obs)
            obs, rewards, dones, infos = zip(
                *[e.step(a) for e, a in zip(envs, actions)]
            )
            resets = [info["needs_reset"] for info in infos]
            agent.batch_observe_and_train(obs, rewards, dones, resets)
            obs = [
                env.reset() if done or reset else o
                for env, o, done, reset in zip(envs, obs, dones, resets)
            ]
        assert sorted(len(p.reward) for p in paths) == [2, 5, 5, 5, 7]
        assert sum(p.terminal for p in paths) == 2

    def test_updates_change_the_policy_and_fill_the_statistics(self):
        agent = self.make_agent(False, update_interval=100)
        names, values = zip(*agent.get_statistics())
        assert list(names) == self.statistics
        assert all(n == "n_updates" or math.isnan(v) for n, v in zip(names, values))
        before = theta(agent)
        drive(agent, Point(), 201)
        assert agent.n_updates == 2
        assert not np.array_equal(theta(agent), before)
        assert all(map(math.isfinite, dict(agent.get_statistics()).values()))

    def test_acting_without_training_draws_no_training_data(self):
        agents = [self.make_agent(False, update_interval=100) for _ in range(2)]
        for _ in range(30):
            action = agents[0].act(np.ones(2))
            agents[0].stop_episode()
            agents[0].batch_act([np.ones(2)] * 2)
        assert action.shape == (1,)
        for agent in agents:
            drive(agent, Point(), 201)
        assert np.array_equal(theta(agents[0]), theta(agents[1]))

    def test_a_seed_repeats_a_run_bit_for_bit(self):
        agents = [self.make_agent(True, update_interval=100) for _ in range(2)]
        logs = [drive(agent, Point(discrete=True), 301) for agent in agents]
        assert np.array_equal(theta(agents[0]), theta(agents[1]))
        assert [a for _, a, _, _ in logs[0]] == [a for _, a, _, _ in logs[1]]

    def test_deterministic_acting(self):
        agent = self.make_agent(False, act_deterministically=True)
        actions = {agent.act(np.ones(2)).tobytes() for _ in range(10)}
        assert len(actions) == 1

    def test_save_and_load_give_back_the_agent(self, tmp_path):
        agent = self.make_agent(False, update_interval=100)
        drive(agent, Point(), 201)
        agent.save(tmp_path / "saved")
        other = self.make_agent(False, update_interval=100, seed=77)
        assert not np.array_equal(theta(other), theta(agent))
        other.load(tmp_path / "saved")
        assert np.array_equal(theta(other), theta(agent))
        assert np.array_equal(flatten(other.vf), flatten(agent.vf))
        obs = np.array([0.3, 0.4], np.float32)
        for one in (agent, other):
            one.act_deterministically = True
        assert np.array_equal(agent.act(obs), other.act(obs))
        # The optimiser's moments too: one more update goes the same way.
        for one in (agent, other):
            one._streams["fit"] = np.random.default_rng(3)
            one.update(some_paths(carry_size=getattr(agent.policy, "carry_size", 0)))
        assert np.array_equal(theta(other), theta(agent))
        assert np.array_equal(flatten(other.vf), flatten(agent.vf))

    @pytest.mark.long
    def test_it_learns(self):
        """From −(x + a)² with a ~ N(0, 1), at best 0, to most of the way."""
        agent = self.make_agent(False, update_interval=500)
        log = drive(agent, Point(), 10_001)
        rewards = np.array([reward for _, _, reward, _ in log])
        assert rewards[-1000:].mean() > 0.4 * rewards[:1000].mean()
