"""Networks' derivatives against complex steps and against Chainer's graph."""

import chainertrpo
from chainertrpo import TRPO, GaussianPolicy, ValueFunction
from chainertrpo.policies.network import ACTIVATIONS, MLP, Room, views

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from plain import ACTIVATIONS as HOLOMORPHIC
from plain import STEP
from protocol import drive
from worlds import Point

SIZES = (4, 7, 5, 3)
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)


@pytest.fixture
def made(xp, rng):
    """A network at random parameters, a direction, and inputs: float64."""

    def make(activation):
        network = MLP("/mlp", SIZES, activation)
        n = sum(int(np.prod(s)) for s in network.shapes.values())
        theta, dtheta = (xp.asarray(rng.standard_normal(n)) for _ in range(2))
        return network, theta, dtheta, xp.asarray(rng.standard_normal((20, 4)))

    return make


def plain_forward(network, flat, x):
    """The network by plain holomorphic NumPy."""
    theta = views(flat, network.shapes)
    for w, b in network.layers[:-1]:
        x = HOLOMORPHIC[network.activation](x @ theta[w].T + theta[b])
    w, b = network.layers[-1]
    return x @ theta[w].T + theta[b]


def error(found, truth):
    found, truth = to_cpu(found), to_cpu(truth)
    return np.abs(found - truth).max() / max(np.abs(truth).max(), 1e-300)


@every_activation
def test_outputs_and_tangents_are_those_of_complex_steps(made, activation):
    network, theta, dtheta, x = made(activation)
    out, tape, _ = network.forward(views(theta, network.shapes), x)
    there = to_cpu(theta) + 1j * STEP * to_cpu(dtheta)
    truth = plain_forward(network, there, to_cpu(x))
    assert error(out, truth.real) < 1e-14
    tangent = network.jvp(tape, views(dtheta, network.shapes))
    assert error(tangent, truth.imag / STEP) < 1e-12
    acted, _ = network.step(views(theta, network.shapes), x)
    assert error(acted, out) == 0


@every_activation
def test_jvp_and_vjp_are_each_others_transposes(made, rng, xp, activation):
    """⟨u, Jt⟩ = ⟨Jᵀu, t⟩ for any u and t; in a room too."""
    network, theta, dtheta, x = made(activation)
    out, tape, _ = network.forward(views(theta, network.shapes), x)
    u = xp.asarray(rng.standard_normal(out.shape))
    for room in (Room(), Room(32)):
        pulled = xp.empty_like(theta)
        one = float((u * network.jvp(tape, views(dtheta, network.shapes), room)).sum())
        network.vjp(tape, u.copy(), views(pulled, network.shapes), room)
        assert one == pytest.approx(float(pulled.dot(dtheta)), rel=1e-12)


@every_activation
def test_scores_are_each_rows_part(made, rng, xp, activation):
    network, theta, _, x = made(activation)
    out, tape, _ = network.forward(views(theta, network.shapes), x)
    u, pulled = xp.asarray(rng.standard_normal(out.shape)), xp.empty_like(theta)
    network.vjp(tape, u, views(pulled, network.shapes))
    whole = views(pulled, network.shapes)
    for (w, b), (delta, h) in zip(network.layers, network.scores(tape, u)):
        assert error(delta.T.dot(h), whole[w]) < 1e-14
        assert error(delta.sum(axis=0), whole[b]) < 1e-14


@every_activation
def test_chainers_graph_computes_the_same(made, rng, xp, activation):
    network, theta, _, x = made(activation)
    params = {
        k: chainer.Variable(v.copy()) for k, v in views(theta, network.shapes).items()
    }
    y = network.graph(params, x)
    out, tape, _ = network.forward(views(theta, network.shapes), x)
    assert error(out, y.array) < 1e-14
    u, pulled = xp.asarray(rng.standard_normal(out.shape)), xp.empty_like(theta)
    network.vjp(tape, u, views(pulled, network.shapes))
    grads = chainer.grad([F.sum(y * u)], list(params.values()))
    for name, grad in zip(params, grads):
        assert error(views(pulled, network.shapes)[name], grad.array) < 1e-12, name


@every_activation
def test_the_gradient_in_the_inputs_and_its_derivative(made, rng, activation):
    """Both by complex steps: in x, and of the gradient in θ."""
    network, theta, _, x = made(activation)
    theta, x = to_cpu(theta), to_cpu(x)
    slope, pull = network.input_gradient(views(theta, network.shapes), x)
    for j in range(x.shape[1]):
        there = x + 1j * STEP * np.eye(x.shape[1])[j]
        truth = plain_forward(network, theta, there).sum(axis=1).imag / STEP
        assert error(slope[:, j], truth) < 1e-12
    u = rng.standard_normal(x.shape)
    params = {
        k: chainer.Variable(v.copy()) for k, v in views(theta, network.shapes).items()
    }
    inputs = chainer.Variable(x)
    y = F.sum(network.graph(params, inputs))
    (g,) = chainer.grad([y], [inputs], enable_double_backprop=True)
    wanted = chainer.grad([F.sum(g * u)], list(params.values()))
    found = pull(u)
    for (name, param), want in zip(params.items(), wanted):
        want = np.zeros_like(param.array) if want is None else want.array
        assert np.abs(found[name] - want).max() < 1e-11 * (1 + np.abs(want).max()), name


@every_activation
@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_agents_train_with_any_activation(activation, curvature):
    settings = {"activation": activation, "seed": 0}
    policy = GaussianPolicy(2, 1, (6,), **settings)
    vf = ValueFunction(2, (6,), **settings)
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(
        policy, vf, optimizer, update_interval=100, curvature=curvature, seed=0
    )
    drive(agent, Point(), 101)
    assert agent.last_step.accepted and np.isfinite(agent.last_fit.loss)


def test_what_is_unknown_is_named():
    with pytest.raises(ValueError, match="activation .*silu.*'swish'"):
        GaussianPolicy(2, 1, activation="swish")
    with pytest.raises(ValueError, match="positive layer widths"):
        chainertrpo.policies.MLP((3, 0, 1))
