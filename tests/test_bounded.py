"""Means within bounds, and decay that spares biases: ChainerRL's flags of PPO."""

import types

from chainertrpo import TRPO, ValueFunction, make_agent, settings_of
from chainertrpo.agents.presets import adam
from chainertrpo.policies import (
    MLP,
    BoundedGaussianPolicy,
    HostLink,
    SoftmaxPolicy,
    can_linearize,
    host_policy,
)

import chainer
import numpy as np
import pytest
from conftest import GAUSSIAN_KINDS
from protocol import drive
from worlds import Point

LOW, HIGH = np.array([-1.0, 2.0]), np.array([3.0, 2.5])


def bounded(kind="state_independent", **settings):
    return BoundedGaussianPolicy(
        4, 2, LOW, HIGH, (8,), log_std=kind, last_scale=3.0, seed=0, **settings
    )


@pytest.mark.parametrize("kind", GAUSSIAN_KINDS)
def test_means_are_the_formula_and_the_host_has_them_too(rng, kind):
    policy = bounded(kind)
    obs = rng.standard_normal((200, 4)).astype("f")
    dist = policy(obs)
    free = policy.mlp(obs).array[:, :2].astype("d")
    expected = (HIGH + LOW) / 2 + np.tanh(free) * (HIGH - LOW) / 2
    np.testing.assert_allclose(dist.mean.array, expected, atol=1e-6)
    assert (expected > HIGH - 0.1).any() and (expected < LOW + 0.2).any()
    host = host_policy(policy)
    assert not isinstance(host, HostLink)
    np.testing.assert_allclose(host.most_probable(obs), expected, atol=2e-6)
    samples = [host.sample(obs, np.random.default_rng(i)) for i in range(400)]
    sigma = np.broadcast_to(np.exp(dist.log_std.array), dist.mean.shape)
    error = np.abs(np.mean(samples, axis=0) - expected) / (sigma / 20)
    assert error.max() < 5


def test_bounds_that_are_none():
    for low, high in ((-np.inf, 1), (1, 1), ([0, 0], [1, np.nan])):
        with pytest.raises(ValueError, match="finite bounds of actions"):
            BoundedGaussianPolicy(4, 2, low, high)


def test_it_learns_through_graphs():
    """The written-out products know nothing of the tanh at the end."""
    policy = BoundedGaussianPolicy(2, 1, [-1], [1], (8,), last_scale=1.0, seed=0)
    assert not can_linearize(policy)
    vf = ValueFunction(2, (8,), seed=1)
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(policy, vf, optimizer, update_interval=100, seed=0)
    drive(agent, Point(), 101)
    assert agent.last_step.accepted and 0 < agent.last_step.kl <= agent.max_kl


@pytest.mark.parametrize("preset", ["chainerrl-ppo-example", "chainerrl-reproduction"])
def test_presets_take_it(preset):
    settings = settings_of(preset, policy={"bound_mean": True})
    obs_space = types.SimpleNamespace(shape=(4,))
    box = types.SimpleNamespace(shape=(2,), low=LOW, high=HIGH)
    agent = make_agent(obs_space, box, settings, seed=0)
    assert type(agent.policy) is BoundedGaussianPolicy
    np.testing.assert_allclose(agent.policy.reach, (HIGH - LOW) / 2)
    discrete = types.SimpleNamespace(n=3)  # nothing to bound
    policy = make_agent(obs_space, discrete, settings, seed=0).policy
    assert type(policy) is SoftmaxPolicy


@pytest.mark.parametrize("decay_biases", [True, False])
def test_decay_spares_biases(decay_biases):
    """Where the loss is flat Adam follows the sign of the decay alone."""
    link = MLP((3, 4, 2), seed=0)
    for param in link.params():
        param.array[...] = 0.5
        param.grad = np.zeros_like(param.array)
    adam(1e-2, weight_decay=0.1, decay_biases=decay_biases)(link).update()
    for param in link.params():
        spared = param.name == "b" and not decay_biases
        np.testing.assert_allclose(param.array, 0.5 if spared else 0.49, rtol=1e-5)
