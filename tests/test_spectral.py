"""Bounded layers: against the plain network at weights bounded by hand."""

from chainertrpo.policies.network import MLP, Room
from chainertrpo.policies.spectral import SpectralMLP

import chainer
import numpy as np
import pytest

SIZES = (5, 8, 6, 2)


def theta_of(network, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return {
        k: scale * rng.standard_normal(shape) for k, shape in network.shapes.items()
    }


def bounded(theta, c):
    """By hand, from the eigenvalues of WᵀW."""
    found = dict(theta)
    for name, w in theta.items():
        if w.ndim == 2:
            sigma = np.sqrt(np.linalg.eigvalsh(w.T.dot(w))[-1])
            found[name] = w * min(1, c / sigma)
    return found


@pytest.fixture(params=[(1.0, 0.7), (1.0, 2.5), (0.05, 1.0)], ids=str)
def case(request):
    """All layers beyond the bound, some of them, none."""
    scale, c = request.param
    network = SpectralMLP("/mlp", SIZES, bound=c)
    theta = theta_of(network, scale=scale)
    x = np.random.default_rng(1).standard_normal((7, 5))
    return network, theta, x, MLP("/mlp", SIZES), bounded(theta, c)


def test_it_is_the_plain_network_at_bounded_weights(case):
    network, theta, x, plain, by_hand = case
    want = plain.forward(by_hand, x)[0]
    for out in (
        network.forward(theta, x)[0],
        network.acting(theta)(x)[0],
        network.named("").forward({k[4:]: v for k, v in theta.items()}, x)[0],
        network.graph({k: chainer.Variable(v) for k, v in theta.items()}, x).array,
    ):
        np.testing.assert_allclose(out, want, rtol=1e-12, atol=1e-14)


def test_tangents_are_differences_and_gradients_their_transposes(case):
    network, theta, x, plain, _ = case
    dtheta, c = theta_of(network, 2), network.bound
    eps = 1e-6
    ends = [
        plain.forward(bounded({k: v + s * dtheta[k] for k, v in theta.items()}, c), x)[
            0
        ]
        for s in (eps, -eps)
    ]
    slope = (ends[0] - ends[1]) / (2 * eps)
    _, tape, _ = network.forward(theta, x)
    found = network.jvp(tape, dtheta)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
    dout = np.random.default_rng(3).standard_normal(found.shape)
    into = {k: np.full_like(v, np.nan) for k, v in theta.items()}
    network.vjp(tape, dout, into, Room(7))
    along = sum((into[k] * dtheta[k]).sum() for k in theta)
    assert along == pytest.approx((dout * found).sum(), rel=1e-10)
    variables = {k: chainer.Parameter(v) for k, v in theta.items()}
    out = network.graph(variables, x)
    out.grad = dout
    out.backward()
    for k, v in variables.items():
        np.testing.assert_allclose(v.grad, into[k], rtol=1e-9, atol=1e-12, err_msg=k)


def test_a_layer_of_zeros_stays_one_and_can_be_left():
    network = SpectralMLP("", (3, 4, 1))
    theta = theta_of(network)
    theta["/1/W"][...] = 0
    x = np.random.default_rng(1).standard_normal((7, 3))
    out, tape, _ = network.forward(theta, x)
    assert np.array_equal(out, np.broadcast_to(theta["/1/b"], (7, 1)))
    into = {k: np.empty_like(v) for k, v in theta.items()}
    network.vjp(tape, np.ones((7, 1)), into)
    assert np.isfinite(into["/0/W"]).all() and np.abs(into["/1/W"]).max() > 0.1
