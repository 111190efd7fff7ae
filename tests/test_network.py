"""Networks' derivatives against complex steps and against Chainer's graph."""

import chainertrpo
from chainertrpo import PPO, TRPO, ActorCritic, GaussianPolicy, ValueFit, ValueFunction
from chainertrpo.data import Batch
from chainertrpo.numerics import flatten
from chainertrpo.policies.network import ACTIVATIONS, MLP, Room, views

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from plain import ACTIVATIONS as HOLOMORPHIC
from plain import SLOPES, STEP, column_by_column
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


def plain_input_gradient(network, flat, x):
    """∂(Σ out)/∂x of each row, likewise: the chain rule from the inputs on."""
    theta, (first, *rest) = views(flat, network.shapes), network.layers
    a = x @ theta[first[0]].T + theta[first[1]]
    push = np.broadcast_to(theta[first[0]], (len(x), *theta[first[0]].shape))
    for w, b in rest:
        push = theta[w] @ (SLOPES[network.activation](a)[:, :, None] * push)
        a = HOLOMORPHIC[network.activation](a) @ theta[w].T + theta[b]
    return push.sum(axis=1)


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
    acted, _ = network.acting(views(theta, network.shapes))(x)
    # A GPU's kernel of a layer has a tanh of its own.
    assert error(acted, out) <= (0 if isinstance(out, np.ndarray) else 1e-15)


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
def test_slopes_and_curves_are_those_of_complex_steps(xp, rng, activation):
    phi, a = ACTIVATIONS[activation], 3 * rng.standard_normal(500)
    steps = a + 1j * STEP
    there = xp.asarray(a)
    h = phi.apply(xp, there, xp.empty_like(there))
    assert error(h, HOLOMORPHIC[activation](a)) < 1e-14
    known = None if phi.from_h else there
    slope = HOLOMORPHIC[activation](steps).imag / STEP
    assert error(phi.slope(xp, known, h), slope) < 1e-12
    curve = SLOPES[activation](steps).imag / STEP
    assert error(phi.curve(xp, known, h), curve) < 1e-12
    if not phi.from_h:
        a_again = there.copy()
        assert (phi.apply(xp, a_again, a_again) == h).all()  # in place too


@every_activation
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_overflows(xp, activation, dtype):
    phi = ACTIVATIONS[activation]
    a = xp.asarray([-1e6, -800.0, -90.0, -0.0, 0.0, 90.0, 800.0, 1e6], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        h = phi.apply(xp, a, xp.empty_like(a))
        slope, curve = phi.slope(xp, a, h), phi.curve(xp, a, h)
    assert {x.dtype for x in (h, slope, curve)} == {np.dtype(dtype)}
    assert all(np.isfinite(to_cpu(x)).all() for x in (h, slope, curve))
    # Beyond all bends: φ' is 0 or 1 and φ'' is 0.
    assert set(to_cpu(slope)[[0, 1, -2, -1]].tolist()) <= {0.0, 1.0}
    assert not to_cpu(curve)[[0, 1, -2, -1]].any()


@every_activation
def test_the_gradient_in_the_inputs_and_its_derivative(made, rng, xp, activation):
    """Both by complex steps: in x, and of the gradient in θ; and by Chainer's graph."""
    network, theta, _, x = made(activation)
    slope, pull = network.input_gradient(views(theta, network.shapes), x)
    host, rows = to_cpu(theta), to_cpu(x)
    for j in range(x.shape[1]):
        there = rows + 1j * STEP * np.eye(x.shape[1])[j]
        truth = plain_forward(network, host, there).sum(axis=1).imag / STEP
        assert error(slope[:, j], truth) < 1e-12
    u = rng.standard_normal(x.shape)
    found = pull(xp.asarray(u))
    truth = column_by_column(
        lambda flat: (u * plain_input_gradient(network, flat, rows)).sum(), host
    )
    flat = np.concatenate([to_cpu(found[name]).ravel() for name in network.shapes])
    assert error(flat, truth) < 1e-12
    params = {
        k: chainer.Variable(v.copy()) for k, v in views(theta, network.shapes).items()
    }
    inputs = chainer.Variable(x)
    y = F.sum(network.graph(params, inputs))
    (g,) = chainer.grad([y], [inputs], enable_double_backprop=True)
    wanted = chainer.grad([F.sum(g * xp.asarray(u))], list(params.values()))
    largest = np.abs(truth).max()
    for (name, param), want in zip(params.items(), wanted):
        want = np.zeros(param.shape) if want is None else to_cpu(want.array)
        assert np.abs(to_cpu(found[name]) - want).max() < 1e-12 * largest, name


@every_activation
@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian"])
def test_agents_train_with_any_activation(activation, curvature):
    """TRPO on every activation; `ValueFit` with it."""
    policy, vf = small(activation)
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(
        policy, vf, optimizer, update_interval=100, curvature=curvature, seed=0
    )
    before = flatten(vf)
    drive(agent, Point(), 101)
    assert agent.last_step.accepted and 0 < agent.last_step.kl <= agent.max_kl
    assert np.isfinite(agent.last_fit.loss)
    assert not np.array_equal(flatten(vf), before)


def small(activation):
    settings = {"activation": activation, "seed": 0}
    return GaussianPolicy(2, 1, (6,), **settings), ValueFunction(2, (6,), **settings)


@every_activation
def test_ppo_trains_with_any_activation(activation):
    model = ActorCritic(*small(activation))
    optimizer = chainer.optimizers.Adam().setup(model)
    agent = PPO(model, optimizer, update_interval=100, epochs=2, seed=0)
    before = flatten(model)
    drive(agent, Point(), 101)
    assert agent.last_step.accepted and agent.last_step.kl > 0
    assert np.isfinite(flatten(model)).all()
    assert not np.array_equal(flatten(model), before)


@every_activation
def test_values_are_learned_with_any_activation(rng, activation):
    vf = ValueFunction(4, (16,), activation=activation, seed=0)
    optimizer = chainer.optimizers.Adam(0.01).setup(vf)
    obs = rng.standard_normal((200, 4)).astype("f")
    target = obs @ np.float32([1, -2, 0.5, 0]) + 1
    batch = Batch(obs, None, None, None, target)
    loss = ValueFit(60, 20)(vf, optimizer, batch, rng).loss
    error = ((vf(obs).array[:, 0] - target) ** 2).mean()
    assert error < 0.05 * target.var() and error < loss


def test_what_is_unknown_is_named():
    with pytest.raises(ValueError, match="activation .*silu.*'swish'"):
        GaussianPolicy(2, 1, activation="swish")
    with pytest.raises(ValueError, match="positive layer widths"):
        chainertrpo.policies.MLP((3, 0, 1))
