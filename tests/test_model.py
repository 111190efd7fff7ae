"""The products written out for our own MLPs, against the same truth as Chainer's."""

from chainertrpo import GaussianPolicy
from chainertrpo.numerics import dense, flatten, named_params
from chainertrpo.policies import parts
from chainertrpo.updates import (
    Curvature,
    Linearized,
    Surrogate,
    TrustRegion,
    local_model,
)

import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from conftest import POLICY_KINDS
from plain import PlainPolicy

every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)
# In one piece; in chunks that do not divide the batch; and those forgotten in between.
MEMORY = [{}, {"chunk_rows": 13}, {"chunk_rows": 13, "keep_bytes": 0}]
every_memory = pytest.mark.parametrize(
    "memory", MEMORY, ids=["whole", "chunks", "anew"]
)
activations = pytest.mark.parametrize("activation", ["tanh", "relu"])


@pytest.fixture
def build(float64, xp, make_policy, make_batch):
    """A policy, its plain twin and its batch, in float64."""

    def make(kind, **settings):
        plain = PlainPolicy(make_policy(kind, **settings))
        policy = make_policy(kind, xp=xp, **settings)
        return policy, plain, make_batch(policy)

    return make


def linearized(policy, obs, **memory):
    params = {name: p.array for name, p in named_params(policy).items()}
    return Linearized(parts(policy)[0], params, obs, **memory)


def local(policy, batch, c=0.0, chunk_rows=25_000):
    values = Surrogate(c), Curvature("gauss_newton"), TrustRegion()
    return local_model(policy, batch, *values, chunk_rows)


def on_host(batch):
    return batch._make(x if x is None else to_cpu(x) for x in batch)


@every_kind
@every_memory
@activations
def test_products_are_those_of_the_dense_hessian(build, xp, kind, memory, activation):
    policy, plain, batch = build(kind, activation=activation)
    linear = linearized(policy, batch.obs, **memory)
    truth = plain.kl_hessian(plain.theta, to_cpu(batch.obs))
    for _ in range(2):  # what is kept is not used up
        matrix = to_cpu(dense(linear.fisher_product, len(truth), xp=xp))
        assert np.abs(matrix - truth).max() < 1e-9 * np.abs(truth).max()


@every_kind
@every_memory
@activations
def test_gradients_are_those_of_complex_steps(build, kind, memory, activation):
    policy, plain, batch = build(kind, activation=activation)
    model = local(policy, batch, 0.5, memory.get("chunk_rows", 25_000))
    truth = plain.gain_gradient(plain.theta, on_host(batch), 0.5)
    found = to_cpu(model.gradient)
    assert np.abs(found - truth).max() < 1e-11 * np.abs(truth).max()
    gain_there = plain.gain(plain.theta, on_host(batch), 0.5)
    assert model.gain == pytest.approx(gain_there, rel=1e-12)


@every_kind
def test_without_hidden_layers_too(build, xp, kind):
    policy, plain, batch = build(kind, hidden=())
    linear = linearized(policy, batch.obs)
    truth = plain.kl_hessian(plain.theta, to_cpu(batch.obs))
    matrix = to_cpu(dense(linear.fisher_product, len(truth), xp=xp))
    assert np.abs(matrix - truth).max() < 1e-9 * np.abs(truth).max()


@every_kind
@every_memory
def test_what_the_search_sees(build, rng, kind, memory):
    """Gain and divergence at other parameters, which are not put into the policy."""
    policy, plain, batch = build(kind)
    model = local(policy, batch, 0.5, memory.get("chunk_rows", 25_000))
    theta = flatten(policy) + policy.xp.asarray(
        0.1 * rng.standard_normal(plain.theta.size)
    )
    before = flatten(policy)
    gain, kl = model.evaluate(theta)
    assert np.array_equal(to_cpu(flatten(policy)), to_cpu(before))
    there = to_cpu(theta)
    assert gain == pytest.approx(plain.gain(there, on_host(batch), 0.5), rel=1e-12)
    want = plain.kl(plain.theta, there, to_cpu(batch.obs)).mean()
    assert kl == pytest.approx(want, rel=1e-10)


@every_kind
@every_memory
def test_nothing_is_modified_and_float32_stays(make_policy, make_batch, kind, memory):
    policy = make_policy(kind)
    batch, theta = make_batch(policy), flatten(policy)
    before = [x if x is None else x.copy() for x in batch]
    v = np.ones_like(theta)
    linear = linearized(policy, batch.obs, **memory)
    product = linear.fisher_product(v)
    gradient = local(policy, batch).gradient
    assert {product.dtype, gradient.dtype} == {np.dtype("float32")}
    assert np.array_equal(linear.fisher_product(v), product)
    assert np.array_equal(flatten(policy), theta)
    assert all(np.array_equal(x, y) for x, y in zip(batch, before) if x is not None)
    assert (v == 1).all()


class Ours(GaussianPolicy):
    """A subclass that computes what ours does."""


class Other(GaussianPolicy):
    """A subclass that may compute anything."""

    def forward(self, obs):
        return super().forward(obs)


def test_policies_are_written_out_unless_they_compute_something_else(make_policy):
    assert all(parts(make_policy(kind)) for kind in POLICY_KINDS)
    assert parts(Ours(4, 2)) and not parts(Other(4, 2))
    policy = GaussianPolicy(4, 2)
    policy.forward = lambda obs: None
    assert not parts(policy)


@every_kind
@pytest.mark.parametrize("curvature", ["gauss_newton", "scores"])
def test_both_makers_agree(build, rng, kind, curvature):
    """The same gradient, products and values through Chainer's graph."""
    policy, plain, batch = build(kind)
    values = (
        Surrogate(0.3),
        Curvature(curvature),
        TrustRegion(side="new_old", over="max"),
    )
    one = local_model(policy, batch, *values, 13)
    policy.forward = type(policy).forward.__get__(policy)  # anything, for all it knows
    assert not parts(policy)
    other = local_model(policy, batch, *values, 25_000)
    v = policy.xp.asarray(rng.standard_normal(plain.theta.size))
    theta = flatten(policy) + 0.1 * v
    pairs = [(one.gradient, other.gradient), (one.product(v), other.product(v))]
    for x, y in pairs:
        assert float(abs(x - y).max()) < 1e-12 * float(abs(y).max())
    np.testing.assert_allclose(one.evaluate(theta), other.evaluate(theta), rtol=1e-10)
    assert one.gain == pytest.approx(other.gain, rel=1e-12)
