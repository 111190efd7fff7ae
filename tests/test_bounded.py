"""Policies that know bounds, and decay that spares biases."""

import types

from chainertrpo import TRPO, GaussianPolicy, ValueFunction, make_agent, settings_of
from chainertrpo.agents.presets.parts import adam
from chainertrpo.data import Batch
from chainertrpo.numerics import (
    dense,
    gradient,
    hessian_vector_product,
    named_params,
)
from chainertrpo.policies import (
    MLP,
    BoundedGaussianPolicy,
    OnHost,
    ScaledGaussianPolicy,
    SoftmaxPolicy,
    on_host,
    parts,
)
from chainertrpo.updates import (
    CG,
    Curvature,
    Linearized,
    NaturalStep,
    TrustRegion,
    mean_kl,
)

import chainer
import numpy as np
import pytest
from conftest import GAUSSIAN_KINDS
from protocol import drive
from worlds import Point

LOW, HIGH = np.array([-1.0, 2.0]), np.array([3.0, 2.5])


every_class = pytest.mark.parametrize(
    "cls", [BoundedGaussianPolicy, ScaledGaussianPolicy]
)


def in_bounds(cls, kind="state_independent", **settings):
    return cls(4, 2, LOW, HIGH, (8,), log_std=kind, last_scale=3.0, seed=0, **settings)


@pytest.mark.parametrize("kind", GAUSSIAN_KINDS)
@every_class
def test_means_are_the_formula_and_the_host_has_them_too(rng, kind, cls):
    policy = in_bounds(cls, kind, log_std_init=-0.3)
    obs = rng.standard_normal((200, 4)).astype("f")
    dist = policy(obs)
    free = policy.mlp(obs).array[:, :2].astype("d")
    log_std = np.broadcast_to(-0.3, free.shape)
    if kind == "state_dependent":
        log_std = policy.mlp(obs).array[:, 2:]
    if cls is BoundedGaussianPolicy:
        free = np.tanh(free)
    else:
        log_std = log_std + np.log((HIGH - LOW) / 2)
    expected = (HIGH + LOW) / 2 + free * (HIGH - LOW) / 2
    np.testing.assert_allclose(dist.mean.array, expected, atol=1e-6)
    found = np.broadcast_to(dist.log_std.array, log_std.shape)
    np.testing.assert_allclose(found, log_std, atol=1e-6)
    assert (expected > HIGH - 0.1).any() and (expected < LOW + 0.2).any()
    host = on_host(policy)
    assert isinstance(host, OnHost)
    np.testing.assert_allclose(host.most_probable(obs), expected, atol=2e-6)
    samples = [host.sample(obs, np.random.default_rng(i)) for i in range(400)]
    sigma = np.exp(log_std)
    error = np.abs(np.mean(samples, axis=0) - expected) / (sigma / 20)
    assert error.max() < 5
    np.testing.assert_allclose(np.std(samples, axis=0) / sigma, 1, atol=0.2)


@every_class
def test_bounds_that_are_none(cls):
    for low, high in ((-np.inf, 1), (1, 1), ([0, 0], [1, np.nan])):
        with pytest.raises(ValueError, match="finite bounds of actions"):
            cls(4, 2, low, high)


@every_class
@pytest.mark.parametrize("kind", GAUSSIAN_KINDS)
def test_products_are_those_of_the_graph(float64, rng, kind, cls):
    policy, obs = in_bounds(cls, kind), rng.standard_normal((30, 4))
    (part,) = parts(policy)
    arrays = {name: p.array for name, p in named_params(policy).items()}
    linear = Linearized(part, arrays, obs, chunk_rows=13)
    params, old = named_params(policy), policy(obs).copy()
    grads = gradient(mean_kl(old=old, new=policy(obs)), params, create_graph=True)
    n = sum(param.size for param in params.values())
    truth = dense(hessian_vector_product(grads, params), n)
    found = dense(linear.fisher_product, n)
    assert np.abs(found - truth).max() < 1e-11 * np.abs(truth).max()
    means = [m.mean for m in linear.m]
    np.testing.assert_allclose(np.concatenate(means), old.mean.array, atol=1e-14)


@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_a_natural_step_is_the_same_in_any_unit(float64, rng, curvature):
    """The plain policy that begins as the scaled one does moves as that one does."""
    policy = in_bounds(ScaledGaussianPolicy)
    plain = GaussianPolicy(4, 2, (8,), seed=0)
    reach, middle = (HIGH - LOW) / 2, (HIGH + LOW) / 2
    plain.copyparams(policy)
    plain.mlp[1].W.array *= reach[:, None]
    plain.mlp[1].b.array[...] = plain.mlp[1].b.array * reach + middle
    plain.log_std.array += np.log(reach)
    obs = rng.standard_normal((200, 4))
    action = policy(obs).sample().array
    log_prob = policy(obs).log_prob(action).array
    batch = Batch(obs, action, log_prob, rng.standard_normal(200), None)
    step = NaturalStep(
        curvature=Curvature(kind=curvature, damping=0.0),
        solver=CG(iterations=300),
        region=TrustRegion(max_kl=1e-6, eps=0.0),
        search=None,
    )
    moves = []
    for one in (policy, plain):
        before = [x.array.copy() for x in one(obs).params]
        assert step(one, batch).kl == pytest.approx(1e-6, rel=0.2)
        moves.append([x.array - y for x, y in zip(one(obs).params, before)])
    for one, other in zip(*moves):
        assert np.abs(one - other).max() < 1e-5 * np.abs(other).max()


@every_class
def test_they_learn(cls):
    policy = cls(2, 1, [-1], [3], (8,), last_scale=1.0, seed=0)
    vf = ValueFunction(2, (8,), seed=1)
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(policy, vf, optimizer, update_interval=100, seed=0)
    drive(agent, Point(), 101)
    assert agent.last_step.accepted and 0 < agent.last_step.kl <= agent.max_kl


@pytest.mark.parametrize(
    "key, cls",
    [("bound_mean", BoundedGaussianPolicy), ("scaled", ScaledGaussianPolicy)],
)
@pytest.mark.parametrize("preset", ["chainerrl-ppo-example", "chainerrl-reproduction"])
def test_presets_take_it(preset, key, cls):
    settings = settings_of(preset, policy={key: True})
    obs_space = types.SimpleNamespace(shape=(4,))
    box = types.SimpleNamespace(shape=(2,), low=LOW, high=HIGH)
    agent = make_agent(obs_space, box, settings, seed=0)
    assert type(agent.policy) is cls
    np.testing.assert_allclose(agent.policy.half_range, (HIGH - LOW) / 2)
    discrete = types.SimpleNamespace(n=3)  # nothing to bound
    policy = make_agent(obs_space, discrete, settings, seed=0).policy
    assert type(policy) is SoftmaxPolicy


def test_two_ways_at_once_are_refused():
    settings = settings_of("pfrl", policy={"bound_mean": True, "scaled": True})
    box = types.SimpleNamespace(shape=(2,), low=LOW, high=HIGH)
    with pytest.raises(ValueError, match="bound_mean or scaled, got both"):
        make_agent(types.SimpleNamespace(shape=(4,)), box, settings)


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
