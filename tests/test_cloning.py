"""Behaviour cloning, and imitators by preset."""

from chainertrpo.agents import (
    GAIL_PRESETS,
    clone_expert,
    held_out_loss,
    make_gail_agent,
)
from chainertrpo.data import Demonstrations
from chainertrpo.numerics import flatten
from chainertrpo.policies import EmpiricalNormalization
from chainertrpo.updates import Cloning

import chainer
import numpy as np
import pytest
from protocol import drive, theta
from test_gail import expert, make
from worlds import Point

pytestmark = pytest.mark.filterwarnings(
    "ignore::chainertrpo.updates.TerminationBiasWarning"
)


@pytest.mark.parametrize("discrete", [False, True])
def test_a_clone_does_what_the_expert_did(discrete):
    agent = make(discrete)
    demos = expert(discrete, episodes=40)
    cloning = Cloning(epochs=60, batch_size=32)
    report = clone_expert(agent, demos, cloning, learning_rate=1e-2)
    assert report.n_updates == 60 * -(-280 // 32) and report.validation_loss < 0.7
    assert f"held-out pairs {report.validation_loss:.4f}; parameters" in str(report)
    obs, action = demos.pairs()
    with chainer.no_backprop_mode():
        mode = agent.policy(obs).most_probable.array
    agent.act_deterministically = True
    # The actor is the new one; a product of one row is rounded otherwise than of many.
    np.testing.assert_allclose(agent.act(obs[0]), mode[0], atol=2e-6)
    if discrete:
        assert (mode == action).all()
    else:
        assert abs(mode - action).mean() < 0.1
        assert agent.policy.log_std.array.min() == -1  # raised to the floor


def test_the_best_parameters_are_kept_not_the_last():
    policy = make().policy
    optimizer = chainer.optimizers.SGD(lr=50.0).setup(policy)  # only gets worse
    before = flatten(policy)
    obs, action = expert().pairs()
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        report = Cloning(epochs=1)(policy, optimizer, obs, action, rng)
    assert report.best_epoch == 0
    assert str(report).endswith("parameters kept: the first ones")
    assert np.array_equal(flatten(policy), before)


def test_held_out_pairs_are_not_learned_from():
    """What is differentiated and what is only evaluated at first are all pairs, once."""
    policy, (obs, action) = make().policy, expert().pairs()
    obs = np.arange(len(obs), dtype=np.float32)[:, None].repeat(obs.shape[1], axis=1)
    seen = {True: [], False: []}

    class Watched(chainer.Chain):
        def forward(self, x):
            seen[chainer.config.enable_backprop].append(set(x[:, 0].astype(int)))
            return policy(x)

    watched = Watched()
    with watched.init_scope():
        watched.policy = policy
    optimizer = chainer.optimizers.Adam().setup(watched)
    rng = np.random.default_rng(0)
    Cloning(epochs=2, batch_size=5)(watched, optimizer, obs, action, rng)
    held, learned = seen[False][0], set().union(*seen[True])
    assert len(held) == int(0.3 * len(obs))
    assert not held & learned and held | learned == set(range(len(obs)))


@pytest.mark.parametrize("normalized", [False, True])
def test_the_held_out_loss_of_a_clone_is_the_one_it_reports(normalized):
    more = {"obs_normalizer": EmpiricalNormalization(2)} if normalized else {}
    clone, other = make(**more), make(seed=1)
    demos, cloning = expert(episodes=10), Cloning(epochs=20, batch_size=16)
    report = clone_expert(clone, demos, cloning, log_std_floor=None)
    before = theta(clone)
    loss = held_out_loss(clone, demos, cloning)
    assert loss == pytest.approx(report.validation_loss, rel=1e-6)
    assert np.array_equal(before, theta(clone))
    assert held_out_loss(other, demos, cloning) > loss


@pytest.mark.parametrize("discrete", [False, True])
def test_a_pair_of_weight_two_is_that_pair_twice(discrete):
    obs, action = expert(discrete).pairs()
    n, found = len(obs) // 2, []
    weight = np.repeat([2.0, 1.0], [n, len(obs) - n])
    twice = np.concatenate([np.arange(n), np.arange(len(obs))])
    for rows, weights in ((np.arange(len(obs)), weight / weight.mean()), (twice, None)):
        policy = make(discrete).policy
        optimizer = chainer.optimizers.Adam(alpha=1e-2).setup(policy)
        cloning = Cloning(epochs=5, batch_size=10**6, validation=0)
        rng = np.random.default_rng(0)
        report = cloning(
            policy, optimizer, obs[rows], action[rows], rng, weight=weights
        )
        found.append((flatten(policy), report.loss))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-3, atol=1e-5)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-5)


def test_wrong_settings():
    with pytest.raises(ValueError, match="validation"):
        Cloning(validation=1.0)


@pytest.mark.parametrize("preset", sorted(GAIL_PRESETS))
def test_presets_make_agents_that_learn(preset):
    demos, env = expert(True), Point(discrete=True)
    spaces = env.observation_space, env.action_space
    agent, settings = make_gail_agent(
        *spaces, demos, preset, agent={"update_interval": 50}, seed=1
    )
    before = theta(agent)
    drive(agent, env, 201)
    assert agent.n_updates == 4 and np.isfinite(theta(agent)).all()
    assert preset != "ho2016" or not np.array_equal(theta(agent), before)
    assert settings["every"] == GAIL_PRESETS[preset]["every"]
    clips = settings["generator"].get("env", {}).get("clip_actions", True)
    assert clips == (preset in ("stable-baselines", "cartpole-ppo"))
    kept = agent.rewards.demonstrations.pairs()[0]
    assert len(kept) == len(demos.pairs()[0]) // settings["every"]


def test_presets_refuse_what_they_do_not_know():
    env = Point(discrete=True)
    spaces = env.observation_space, env.action_space
    with pytest.raises(ValueError, match="expected a preset"):
        make_gail_agent(*spaces, expert(True), "ho2017")
    demos = expert(True)
    other = Demonstrations(expert(False).episodes, expert(False).environment)
    with pytest.raises(ValueError, match="action_space"):
        make_gail_agent(*spaces, other)
    assert demos.environment["action_space"]["n"] == 3


@pytest.mark.gpu
@pytest.mark.parametrize("discrete", [False, True])
def test_a_clone_on_the_gpu_is_that_of_the_cpu(discrete):
    agents, found = [make(discrete) for _ in range(2)], []
    agents[1].policy.to_device("@cupy:0")
    agents[1].vf.to_device("@cupy:0")
    for agent in agents:
        cloning = Cloning(epochs=3, batch_size=16)
        found.append(clone_expert(agent, expert(discrete), cloning))
    here, there = (chainer.backends.cuda.to_cpu(theta(agent)) for agent in agents)
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(*found, rtol=1e-3)
