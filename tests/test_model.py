"""The products written out for our own MLPs, against the same truth as Chainer's."""

import io

from chainertrpo import GaussianPolicy
from chainertrpo.data import Batch
from chainertrpo.numerics import dense, flatten, named_params
from chainertrpo.policies import MLP, Policy, parts
from chainertrpo.policies.families import Bernoulli, Gaussian, Product, Softmax
from chainertrpo.policies.network import ACTIVATIONS
from chainertrpo.updates import (
    Curvature,
    Linearized,
    NaturalStep,
    Surrogate,
    TrustRegion,
    local_model,
)

import chainer
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
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


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


@every_activation
@pytest.mark.parametrize("kind", ["state_dependent", "categorical"])
def test_both_makers_agree_with_any_activation(build, rng, kind, activation):
    """Written out and by double backprop, which has the Hessian of the mean KL."""
    policy, plain, batch = build(kind, activation=activation, hidden=(5, 4))
    values = Surrogate(0.3), TrustRegion()
    one, other = (
        local_model(policy, batch, values[0], Curvature(curvature), values[1])
        for curvature in ("gauss_newton", "hessian")
    )
    v = policy.xp.asarray(rng.standard_normal(plain.theta.size))
    theta = flatten(policy) + 0.1 * v
    pairs = [(one.gradient, other.gradient), (one.product(v), other.product(v))]
    for x, y in pairs:
        assert float(abs(x - y).max()) < 1e-12 * float(abs(y).max())
    np.testing.assert_allclose(one.evaluate(theta), other.evaluate(theta), rtol=1e-10)
    truth = plain.gain_gradient(plain.theta, on_host(batch), 0.3)
    assert np.abs(to_cpu(one.gradient) - truth).max() < 1e-11 * np.abs(truth).max()
    product = plain.kl_hessian(plain.theta, to_cpu(batch.obs)) @ to_cpu(v)
    assert np.abs(to_cpu(one.product(v)) - product).max() < 1e-9 * np.abs(product).max()


FAMILIES = {
    "bits": lambda: Bernoulli(3),
    "by state": lambda: Product([Gaussian(1, "state_dependent"), Softmax(2)]),
    "product": lambda: Product([Gaussian(2), Softmax(3), Bernoulli(2)]),
}


@pytest.mark.parametrize("build_family", FAMILIES.values(), ids=FAMILIES)
def test_policies_of_any_family(float64, rng, xp, build_family):
    """Both makers agree, a stored policy is the same one, and a step is accepted."""
    family = build_family()

    def made(seed):
        own = {name[1:]: (-0.5, shape) for name, shape in family.shapes.items()}
        mlp = MLP((4, 6, family.width), seed=seed)
        policy = Policy(mlp, family, own)
        return policy if xp is np else policy.to_device("@cupy:0")

    policy, other = made(0), made(1)
    obs = xp.asarray(rng.standard_normal((50, 4)))
    action = family.sample(policy(obs)._detached(), xp.random.default_rng(0))
    log_prob = policy(obs).log_prob(action).array
    batch = Batch(obs, action, log_prob, xp.asarray(rng.standard_normal(50)), None)
    values = Surrogate(0.3), TrustRegion()
    one, two = (
        local_model(policy, batch, values[0], Curvature(curvature), values[1])
        for curvature in ("gauss_newton", "hessian")
    )
    v = xp.asarray(rng.standard_normal(flatten(policy).size))
    theta = flatten(policy) + 0.1 * v
    pairs = [(one.gradient, two.gradient), (one.product(v), two.product(v))]
    for x, y in pairs:
        assert float(abs(x - y).max()) < 1e-12 * float(abs(y).max())
    np.testing.assert_allclose(one.evaluate(theta), two.evaluate(theta), rtol=1e-10)
    assert NaturalStep(curvature=Curvature("gauss_newton"))(policy, batch).accepted
    file = io.BytesIO()
    chainer.serializers.save_npz(file, policy)
    file.seek(0)
    chainer.serializers.load_npz(file, other)
    assert (flatten(other) == flatten(policy)).all()


@pytest.mark.parametrize("kept", [True, False])
def test_graphs_of_chunks_are_kept_where_they_fit(
    monkeypatch, make_policy, make_batch, kept
):
    """Made once, or in every product; the product is the same, bit for bit."""
    calls = []

    class Counted(GaussianPolicy):
        def forward(self, obs):
            calls.append(len(obs))
            return super().forward(obs)

    policy, counted = make_policy("state_independent"), Counted(4, 2, (8, 6))
    counted.copyparams(policy)
    batch = make_batch(policy)
    if not kept:
        monkeypatch.setattr("chainertrpo.updates.model.KEEP_BYTES", 0)
    values = Surrogate(), Curvature("hessian"), TrustRegion()
    model = local_model(counted, batch, *values, 13)
    calls.clear()
    v = flatten(policy)
    products = [model.product(v) for _ in range(3)]
    assert calls == [13, 13, 13, 1] * (1 if kept else 3)
    assert np.array_equal(products[0], products[1])
    whole = local_model(policy, batch, *values).product(v)
    np.testing.assert_allclose(products[2], whole, rtol=1e-4, atol=1e-5)
