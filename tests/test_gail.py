"""GAIL: laws, files and exact resumption."""

import functools
import types

from chainertrpo import GAIL, TRPO, Discriminator, GaussianPolicy, ValueFunction
from chainertrpo.agents import clone_expert
from chainertrpo.data import Demonstrations, Episode, environment_header, merge
from chainertrpo.data.demonstrations import without_actions
from chainertrpo.experiments import train_agent_parallel
from chainertrpo.numerics import flatten
from chainertrpo.policies import EmpiricalNormalization

import chainer
import numpy as np
import pytest
from protocol import AgentContract, drive, theta
from worlds import Point, some_paths

pytestmark = pytest.mark.filterwarnings(
    "ignore::chainertrpo.updates.TerminationBiasWarning"
)


class Pushed(Point):
    """A point that stays where it was pushed to, and pays −x²."""

    def step(self, action):
        x, (obs, reward, done, info) = self.x, super().step(action)
        self.x = x + float(np.clip(action, -1, 1)[0])
        obs[0] = self.x
        return obs, reward, done, info


def expert(discrete=False, episodes=4, world=Point):
    """Points that are pushed to 0 exactly (a = −x)."""
    env, found = world(discrete=discrete), []
    for i in range(episodes):
        obs, action, reward, done = [env.reset()], [], [], False
        while not done:
            a = 1 if discrete else -obs[-1][:1]
            o, r, done, _ = env.step(a)
            obs.append(o), action.append(a), reward.append(r)
        found.append(
            Episode(np.stack(obs), np.array(action), np.array(reward), 1, 0, i)
        )
    return Demonstrations(found, environment_header(env))


def make(discrete=False, seed=0, **settings):
    from chainertrpo import SoftmaxPolicy

    policy = (
        SoftmaxPolicy(2, 3, (8,), seed=seed)
        if discrete
        else GaussianPolicy(2, 1, (8,), seed=seed)
    )
    vf = ValueFunction(2, (8,), seed=seed)
    return TRPO(policy, vf, chainer.optimizers.Adam().setup(vf), seed=seed, **settings)


class PaysTheEnvironment(Discriminator):
    """A discriminator whose opinion is the environment's reward."""

    def relabel(self, paths):
        return paths


class TestThePlainAgentIsGAILWhoseDiscriminatorPaysTheEnvironment(AgentContract):
    """The law, and the contract of every agent: update for update the same."""

    def make_agent(self, discrete, **settings):
        demos = expert(discrete)
        agent = make(discrete, **settings)
        made = GAIL(agent, PaysTheEnvironment(demos, hidden_sizes=(8,)))
        made.get_statistics = made._statistics.named  # the contract's five
        return made

    @pytest.mark.parametrize("discrete", [False, True])
    def test_the_law(self, discrete):
        imitator = self.make_agent(discrete, update_interval=100)
        plain = make(discrete, update_interval=100)
        for agent in (imitator, plain):
            drive(agent, Point(discrete=discrete), 401)
        assert plain.n_updates == imitator.n_updates == 4
        assert np.array_equal(theta(plain), theta(imitator))
        assert np.array_equal(flatten(plain.vf), flatten(imitator.vf))
        assert imitator.rewards.last_report.loss > 0  # it did learn, to no effect


def test_rewards_of_the_constructor_are_the_same():
    one = make(rewards=Discriminator(expert(), seed=1), update_interval=100)
    two = GAIL(make(update_interval=100), Discriminator(expert(), seed=1))
    for agent in (one, two):
        drive(agent, Point(), 201)
    assert np.array_equal(theta(one), theta(two))


def test_it_imitates():
    """Towards a = −x without having seen a reward; Point pays −(x + a)²."""
    agent = GAIL(
        make(update_interval=500, entropy_coef=0.0), Discriminator(expert(), steps=3)
    )
    log = drive(agent, Point(), 12_001)
    rewards = np.array([reward for _, _, reward, _ in log])
    assert rewards[-1000:].mean() > 0.5 * rewards[:1000].mean()


def test_it_imitates_what_was_only_seen():
    demos = without_actions(expert(episodes=20, world=Pushed))
    agent = GAIL(
        make(update_interval=500, entropy_coef=0.0), Discriminator(demos, steps=3)
    )
    log = drive(agent, Pushed(), 12_001)
    rewards = np.array([reward for _, _, reward, _ in log])
    print(rewards[:1000].mean(), rewards[-1000:].mean())
    assert rewards[-1000:].mean() > 0.5 * rewards[:1000].mean()


def test_observations_cannot_be_cloned():
    agent = make()
    before = theta(agent).copy()
    with pytest.raises(ValueError, match="nothing can be cloned"):
        clone_expert(agent, without_actions(expert()))
    assert np.array_equal(theta(agent), before)


def test_save_load_and_state(tmp_path):
    agents = [GAIL(make(seed=s), Discriminator(expert(), seed=s)) for s in (0, 1)]
    for _ in range(3):
        agents[0].update(some_paths())
    agents[0].save(tmp_path / "a")
    agents[1].load(tmp_path / "a")
    agents[1].set_state(agents[0].get_state())
    for agent in agents:
        agent.update(some_paths(3))
    assert np.array_equal(theta(agents[0]), theta(agents[1]))
    links = [flatten(agent.rewards.link) for agent in agents]
    assert np.array_equal(*links)
    assert agents[0].get_statistics() == agents[1].get_statistics()
    names = [name for name, _ in agents[0].get_statistics()]
    assert "discriminator_accuracy_expert" in names and len(set(names)) == len(names)
    plain = make(seed=5)
    with pytest.raises(ValueError, match="discriminator"):
        plain.load(tmp_path / "a")
    assert not np.array_equal(theta(plain), theta(agents[0]))
    agents[0].save(tmp_path / "b")
    plain.load(tmp_path / "b", to_act=True)
    assert np.array_equal(theta(plain), theta(agents[0]))
    assert not np.array_equal(flatten(plain.vf), flatten(agents[0].vf))
    normalized = make(obs_normalizer=EmpiricalNormalization(2))
    with pytest.raises(ValueError, match="has no obs_normalizer"):
        normalized.load(tmp_path / "b", to_act=True)
    normalized.save(tmp_path / "c")
    with pytest.raises(ValueError, match=r"has obs_normalizer.npz.*no use"):
        plain.load(tmp_path / "c", to_act=True)


class SeededPoint(Point):
    """Point, as a worker needs it."""

    def seed(self, seed):
        self.rng = np.random.RandomState(seed)


class Killed(Exception):
    """In the middle of a run."""


@pytest.mark.parametrize(
    "judge", [{}, {"spectral_norm": 1.0, "sees": "next_observations"}], ids=str
)
def test_a_resumed_run_is_bit_identical(tmp_path, judge):
    demos = merge([expert(), expert(episodes=2)], [1, 3])

    def run(folder, resume=False, hooks=()):
        made = Discriminator(demos, batch_size=30, **judge)
        agent = GAIL(make(update_interval=60), made)
        train_agent_parallel(
            agent,
            functools.partial(SeededPoint, 10, True, False),
            480,
            str(folder),
            workers=1,
            checkpoint_interval=2,
            resume=resume,
            step_hooks=hooks,
        )
        return agent

    def kill(env, agent, t):
        if t == 300:
            raise Killed

    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "killed", hooks=[kill])
    resumed = run(tmp_path / "killed", resume=True)
    assert np.array_equal(theta(whole), theta(resumed))
    assert np.array_equal(flatten(whole.rewards.link), flatten(resumed.rewards.link))
    for name in (
        "discriminator",
        "discriminator_optimizer",
        "discriminator_normalizer",
    ):
        files = [
            tmp_path / f / "480_finish" / f"{name}.npz" for f in ("whole", "killed")
        ]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_does_not_fit_is_refused():
    agent = make(gamma=0.99)
    with pytest.raises(ValueError, match=r"gamma=0.99.*got 0.9"):
        GAIL(agent, Discriminator(expert(), absorbing_horizon=10, gamma=0.9))
    other = types.SimpleNamespace(
        id="Hopper-v4",
        observation_space=Point().observation_space,
        action_space=Point(discrete=True).action_space,
    )
    with pytest.raises(ValueError, match="action_space"):
        GAIL(agent, Discriminator(expert()), environment_header(other))


@pytest.mark.gpu
def test_an_iteration_on_the_gpu_is_that_of_the_cpu():
    agents = [make(rewards=Discriminator(expert(), seed=1)) for _ in range(2)]
    for link in (agents[1].policy, agents[1].vf, agents[1].rewards.link):
        link.to_device("@cupy:0")
    for agent in agents:
        agent.update(some_paths(lengths=(50, 70)))
        assert agent.last_step.accepted
    links = zip(*([a.policy, a.vf, a.rewards.link] for a in agents))
    for here, there in links:
        found = chainer.backends.cuda.to_cpu(flatten(there))
        np.testing.assert_allclose(found, flatten(here), rtol=1e-3, atol=1e-4)
