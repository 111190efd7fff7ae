"""The products written out for our own MLPs, against the same truth as Chainer's."""

from chainertrpo import GaussianPolicy
from chainertrpo.numerics import dense, flatten
from chainertrpo.policies import LinearizedMLP, LinearizedPolicy, can_linearize
from chainertrpo.updates import mean_entropy, surrogate

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


def on_host(batch):
    return batch._make(map(to_cpu, batch))


@every_kind
@every_memory
@activations
def test_products_are_those_of_the_dense_hessian(build, xp, kind, memory, activation):
    policy, plain, batch = build(kind, activation=activation)
    linear = LinearizedPolicy(policy, batch.obs, **memory)
    truth = plain.kl_hessian(plain.theta, to_cpu(batch.obs))
    for _ in range(2):  # what is kept is not used up
        matrix = to_cpu(dense(linear.fisher_product, len(truth), xp=xp))
        assert np.abs(matrix - truth).max() < 1e-9 * np.abs(truth).max()


@every_kind
@every_memory
@activations
def test_gradients_are_those_of_complex_steps(build, kind, memory, activation):
    policy, plain, batch = build(kind, activation=activation)
    linear = LinearizedPolicy(policy, batch.obs, **memory)
    gain = surrogate(linear.dist, batch) + 0.5 * mean_entropy(linear.dist)
    truth = plain.gain_gradient(plain.theta, on_host(batch), 0.5)
    found = to_cpu(linear.gradient(gain))
    assert np.abs(found - truth).max() < 1e-11 * np.abs(truth).max()
    gain_there = plain.gain(plain.theta, on_host(batch), 0.5)
    assert float(gain.array) == pytest.approx(gain_there, rel=1e-12)


@every_kind
def test_without_hidden_layers_too(build, xp, kind):
    policy, plain, batch = build(kind, hidden=())
    linear = LinearizedPolicy(policy, batch.obs)
    truth = plain.kl_hessian(plain.theta, to_cpu(batch.obs))
    matrix = to_cpu(dense(linear.fisher_product, len(truth), xp=xp))
    assert np.abs(matrix - truth).max() < 1e-9 * np.abs(truth).max()


@every_kind
def test_its_distribution_is_the_policys(build, kind):
    policy, _, batch = build(kind)
    linear = LinearizedPolicy(policy, batch.obs, chunk_rows=13)
    for found, want in zip(linear.dist.params, policy(batch.obs).params):
        np.testing.assert_allclose(to_cpu(found.array), to_cpu(want.array), atol=1e-14)


@every_kind
@every_memory
def test_nothing_is_modified_and_float32_stays(make_policy, make_batch, kind, memory):
    policy = make_policy(kind)
    batch, theta = make_batch(policy), flatten(policy)
    before = [x.copy() for x in batch]
    v = np.ones_like(theta)
    linear = LinearizedPolicy(policy, batch.obs, **memory)
    product = linear.fisher_product(v)
    gradient = linear.gradient(surrogate(linear.dist, batch))
    assert {product.dtype, gradient.dtype} == {np.dtype("float32")}
    assert np.array_equal(linear.fisher_product(v), product)
    assert np.array_equal(flatten(policy), theta)
    assert all(np.array_equal(x, y) for x, y in zip(batch, before))
    assert (v == 1).all()


@activations
def test_push_and_pull_are_adjoint(xp, rng, activation):
    """⟨u, Jt⟩ = ⟨Jᵀu, t⟩ for any u and t."""

    def normal(*shape):
        return xp.asarray(rng.standard_normal(shape))

    def layers():
        return [(normal(b, a), normal(b)) for a, b in ((4, 7), (7, 5), (5, 3))]

    mlp, tangents = LinearizedMLP(layers(), activation), layers()
    output, kept = mlp.forward(normal(20, 4))
    pushed, u = mlp.push(kept, tangents), normal(*output.shape)
    one = float((u * pushed).sum())
    pulled = mlp.pull(kept, u.copy())
    pairs = zip(tangents, pulled)
    two = sum(float((t * g).sum()) for ts, gs in pairs for t, g in zip(ts, gs))
    assert one == pytest.approx(two, rel=1e-12)


class Ours(GaussianPolicy):
    """A subclass may compute anything."""


def test_only_our_own_policies_are_linearised(make_policy):
    assert all(can_linearize(make_policy(kind)) for kind in POLICY_KINDS)
    assert not can_linearize(Ours(4, 2))
