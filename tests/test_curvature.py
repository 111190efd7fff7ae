"""Curvature products against dense matrices got by another route, and by law.

The tolerance against dense matrices is 1e-9, relative to the largest entry: sums of
some 100 float64 terms of both signs lose about three of sixteen digits.
"""

from chainertrpo.numerics import (
    check_differentiable_twice,
    damped,
    dense,
    finite_difference_product,
    flatten,
    gauss_newton_product,
    gradient,
    hessian_vector_product,
    named_params,
    unflatten,
)
from chainertrpo.updates import kl_gauss_newton, kl_hessian, mean_kl

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from conftest import POLICY_KINDS
from plain import PlainPolicy

PRODUCTS = {"hessian": kl_hessian, "gauss_newton": kl_gauss_newton}
every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)
every_product = pytest.mark.parametrize("build", PRODUCTS.values(), ids=PRODUCTS)


def product_of(policy, obs, build=kl_hessian):
    dist = policy(obs)
    return build(dist, dist.copy(), named_params(policy))


def everything(policy):
    """Parameters as bits, and their accumulated gradients."""
    return [(p.array.tobytes(), p.grad) for p in policy.params()]


def largest_difference(a, b):
    return np.abs(to_cpu(a) - b).max() / np.abs(b).max()


@pytest.fixture(params=POLICY_KINDS)
def case(request, float64, xp, make_policy, make_batch):
    """A policy of up to 300 parameters, observations, and its dense Hessian."""
    policy = make_policy(request.param, hidden=(6, 3))
    plain = PlainPolicy(policy)
    obs = make_batch(policy).obs
    truth = plain.kl_hessian(plain.theta, obs)
    assert 50 < len(truth) <= 300
    if xp is not np:
        policy.to_device("@cupy:0")
    return policy, xp.asarray(obs), truth


@every_product
def test_products_are_those_of_the_dense_hessian(case, xp, build):
    policy, obs, truth = case
    matrix = dense(product_of(policy, obs, build), len(truth), xp=xp)
    assert matrix.shape == truth.shape
    assert largest_difference(matrix, truth) < 1e-9


@every_kind
def test_hessian_product_away_from_the_old_policy(
    float64, make_policy, make_batch, kind
):
    """Where the KL's gradient is not zero its Hessian is not the Fisher matrix."""
    policy = make_policy(kind)
    plain, obs = PlainPolicy(policy), make_batch(policy).obs
    old = make_policy(kind, seed=1)
    truth = plain.kl_hessian(plain.theta, obs, theta_old=plain.read(old))
    params = named_params(policy)
    kl = mean_kl(old=old(obs).copy(), new=policy(obs))
    grads = gradient(kl, params, create_graph=True)
    matrix = dense(hessian_vector_product(grads, params), len(truth))
    assert largest_difference(matrix, truth) < 1e-9
    assert not np.allclose(truth, plain.kl_hessian(plain.theta, obs), rtol=1e-2)


@every_kind
def test_gauss_newton_is_jacobian_fisher_jacobian(
    float64, make_policy, make_batch, kind
):
    """F as the covariance of the score, J written out: E over states of JᵀFJ."""
    policy = make_policy(kind, hidden=(5,))
    plain, obs = PlainPolicy(policy), make_batch(policy, n=12).obs
    jacobian = plain.jacobian(plain.theta, obs)
    if kind == "categorical":
        p = np.exp(policy(obs).all_log_prob.array)
        truth = 0
        for state in range(len(obs)):
            for action in range(p.shape[1]):
                score = (np.eye(p.shape[1])[action] - p[state]) @ jacobian[0][state]
                truth = truth + p[state, action] * np.outer(score, score) / len(obs)
    else:
        mean, log_std = jacobian
        scaled = mean / np.exp(plain.params(plain.theta, obs)[1])[..., None]
        truth = sum(
            np.einsum("nap,naq->pq", j, j) * weight / len(obs)
            for j, weight in ((scaled, 1), (log_std, 2))
        )
    matrix = dense(product_of(policy, obs, kl_gauss_newton), len(truth))
    assert largest_difference(matrix, truth) < 1e-9


@pytest.mark.parametrize("kind", ["state_independent", "categorical"])
@every_product
def test_relu_networks_too(float64, make_policy, make_batch, kind, build):
    policy = make_policy(kind, activation="relu")
    plain, obs = PlainPolicy(policy), make_batch(policy).obs
    truth = plain.kl_hessian(plain.theta, obs)
    matrix = dense(product_of(policy, obs, build), len(truth))
    assert largest_difference(matrix, truth) < 1e-9


@every_product
@pytest.mark.parametrize("kind", ["state_independent", "categorical"])
def test_float32_products_are_those_of_float64(
    make_policy, make_batch, kind, build, xp
):
    policy = make_policy(kind)
    plain, obs = PlainPolicy(policy), make_batch(policy).obs
    truth = plain.kl_hessian(plain.theta, np.float64(obs))
    if xp is not np:
        policy.to_device("@cupy:0")
    product = product_of(policy, xp.asarray(obs), build)
    matrix = dense(product, len(truth), xp=xp, dtype="float32")
    assert matrix.dtype == np.float32
    # 40 states: the rounding (6e-8) of sums of 40 terms, a few layers deep.  GPUs may
    # multiply in TF32 only if told to, so the bound is the same there.
    assert largest_difference(matrix, truth) < 1e-5


@every_product
def test_products_are_linear_and_symmetric(case, xp, rng, build):
    policy, obs, truth = case
    product = product_of(policy, obs, build)
    u, v = xp.asarray(rng.standard_normal((2, len(truth))))
    mixed, apart = product(2 * u - 3 * v), 2 * product(u) - 3 * product(v)
    norm = float(abs(apart).max())
    assert float(abs(mixed - apart).max()) < 1e-12 * norm
    scale = float(abs(u).dot(abs(product(v))))
    assert abs(float(u.dot(product(v)) - v.dot(product(u)))) < 1e-12 * scale
    assert float(v.dot(product(v))) > 0
    assert not product(xp.zeros_like(v)).any()


@every_kind
@every_product
def test_products_repeat_bit_for_bit(make_policy, make_batch, rng, kind, build):
    """On NumPy: sums have one order; one graph serves all products and keeps no state."""
    policy = make_policy(kind)
    obs = make_batch(policy).obs
    policy.cleargrads()
    before = everything(policy)
    theta = flatten(policy)
    u, v = rng.standard_normal((2, len(theta))).astype("f")
    product = product_of(policy, obs, build)
    first = product(v)
    product(u)
    assert product(v).tobytes() == first.tobytes()
    assert product_of(policy, obs, build)(v).tobytes() == first.tobytes()
    assert everything(policy) == before


@every_kind
def test_a_foreign_distribution_tells_its_fisher_matrix_by_its_kl(
    float64, make_policy, make_batch, kind
):
    """Without `fisher` the metric is the Hessian of the KL in the outputs."""
    policy = make_policy(kind, hidden=(5,))
    obs = make_batch(policy).obs
    n = len(flatten(policy))
    ours = dense(product_of(policy, obs, kl_gauss_newton), n)

    class Foreign:
        def __init__(self, dist):
            self.params, self.dist = dist.params, dist

        def kl(self, other):
            return self.dist.kl(other.dist)

    dist = policy(obs)
    old = Foreign(dist.copy())
    product = kl_gauss_newton(Foreign(dist), old, named_params(policy))
    assert largest_difference(dense(product, n), ours) < 1e-12


def test_gradient_is_that_of_complex_steps(float64, make_policy, make_batch):
    policy = make_policy("state_independent")
    plain, obs = PlainPolicy(policy), make_batch(policy).obs
    old = make_policy("state_independent", seed=1)
    kl = mean_kl(old=old(obs).copy(), new=policy(obs))
    truth = plain.mean_kl_gradient(plain.read(old), plain.theta, obs)
    for create_graph in (False, True):
        grads = gradient(kl, named_params(policy), create_graph=create_graph)
        assert largest_difference(flatten(grads), truth) < 1e-12


def test_finite_differences_are_of_second_order(float64, make_policy, make_batch, rng):
    policy = make_policy("state_independent")
    plain, obs = PlainPolicy(policy), make_batch(policy).obs
    old = plain.theta + 0.1 * rng.standard_normal(len(plain.theta))
    truth = plain.kl_hessian(plain.theta, obs, theta_old=old)
    v = 3 * rng.standard_normal(len(truth))

    def error(eps):
        product = finite_difference_product(
            lambda theta: plain.mean_kl_gradient(old, theta, obs), plain.theta, eps
        )
        return np.abs(product(v) - truth @ v).max() / np.abs(truth @ v).max()

    # Halving ε divides the error by 4, up to terms in ε⁴.
    assert error(1e-2) / error(5e-3) == pytest.approx(4, rel=0.01)
    assert error(6e-6) < 1e-8
    assert not finite_difference_product(lambda t: t, plain.theta, 1e-3)(0 * v).any()


def test_damping_adds_its_multiple_of_the_vector(rng):
    matrix = rng.standard_normal((5, 5))

    def product(v):
        return matrix @ v

    assert damped(product, 0) is product
    shifted = dense(damped(product, 0.1), 5)
    assert np.array_equal(shifted, matrix + 0.1 * np.eye(5))
    with pytest.raises(ValueError, match="damping >= 0"):
        damped(product, -0.1)


def test_dense_writes_a_known_matrix(xp, rng):
    matrix = xp.asarray(rng.standard_normal((4, 4)).astype("f"))
    assert (dense(lambda v: matrix.dot(v), 4, xp=xp, dtype="float32") == matrix).all()


def test_a_parameter_without_second_derivative_has_zero_rows():
    """y = a² + b: ∂²y/∂b² = 0, and Chainer says None."""
    a, b = chainer.Parameter(np.ones(2)), chainer.Parameter(np.ones(1))
    params = {"a": a, "b": b}
    grads = gradient(F.sum(a * a) + F.sum(b), params, create_graph=True)
    matrix = dense(hessian_vector_product(grads, params), 3)
    assert np.array_equal(matrix, np.diag([2.0, 2.0, 0.0]))


def test_unused_parameters_are_named():
    a, b = chainer.Parameter(np.ones(2)), chainer.Parameter(np.ones(1))
    with pytest.raises(ValueError, match="depend on spare"):
        gradient(F.sum(a), {"used": a, "spare": b})
    with pytest.raises(ValueError, match="depend on number 1"):
        gradient(F.sum(a), [a, b])
    with pytest.raises(ValueError, match="the gradient.*spare"):
        hessian_vector_product([a, None], {"used": a, "spare": b})
    with pytest.raises(ValueError, match="the outputs.*spare"):
        gauss_newton_product([2 * a], {"used": a, "spare": b}, list)


class OldSquare(chainer.Function):
    """x², in the style before Chainer v3."""

    def forward_cpu(self, inputs):
        return (inputs[0] ** 2,)

    def backward_cpu(self, inputs, grads):
        return (2 * inputs[0] * grads[0],)


def test_old_style_functions_are_named_and_not_silently_wrong():
    a = chainer.Parameter(np.ones(2))
    y = F.sum(F.tanh(OldSquare()(2 * a)) + a)
    gradient(y, [a])  # once is right
    for refuse in (
        lambda: gradient(y, [a], create_graph=True),
        lambda: gauss_newton_product([y], [a], list),
        lambda: check_differentiable_twice([a * 1, y]),
    ):
        with pytest.raises(TypeError, match="OldSquare"):
            refuse()


def test_a_long_graph_is_walked_once():
    """Each step doubles the number of paths; 2¹⁰⁰ would not end."""
    y = chainer.Variable(np.ones(()))
    for _ in range(100):
        y = y + y
    check_differentiable_twice([y])


def test_product_of_a_wrong_length_is_refused(make_policy, make_batch):
    policy = make_policy("fixed")
    product = product_of(policy, make_batch(policy).obs)
    with pytest.raises(ValueError, match="expected a vector"):
        product(np.zeros(3, "f"))
    assert len(unflatten(flatten(policy), policy)) == 6
