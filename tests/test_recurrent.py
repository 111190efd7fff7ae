"""Networks that remember, against loops over rows, complex steps and Chainer's own GRU."""

from chainertrpo import GaussianPolicy, SoftmaxPolicy
from chainertrpo.policies.chain import Chain
from chainertrpo.policies.network import MLP, Room, views
from chainertrpo.policies.recurrent import GRU, pack

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from plain import STEP, sigmoid

LENGTHS = (3, 1, 6, 7, 1, 4)
STARTS = np.cumsum((0, *LENGTHS))[:-1]
ROWS = sum(LENGTHS)
NETWORKS = {
    "gru": GRU("/n", 4, 3),
    "encoder-gru-head": Chain(
        [
            ("/encoder", MLP("", (4, 5, 6), "silu", squash=True)),
            ("/core", GRU("", 6, 3)),
            ("/head", MLP("", (3, 2))),
        ],
        "/n",
    ),
    "two-grus": Chain([("/a", GRU("", 4, 3)), ("/b", GRU("", 3, 2))], "/n"),
    "no-memory": Chain(
        [("/a", MLP("", (4, 5), squash=True)), ("/b", MLP("", (5, 2)))], "/n"
    ),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture
def made(xp, rng):
    """A network at random parameters, a direction, inputs and a carry: float64."""

    def make(name):
        network = NETWORKS[name]
        n = sum(int(np.prod(s)) for s in network.shapes.values())
        theta, dtheta = (xp.asarray(rng.standard_normal(n)) for _ in range(2))
        x = xp.asarray(rng.standard_normal((ROWS, 4)))
        carry = rng.standard_normal((len(LENGTHS), network.carry_size))
        return network, theta, dtheta, x, xp.asarray(carry)

    return make


def by_rows(part, theta, x, h):
    """One row through one part, by the textbook: output and hidden state; holomorphic."""
    if isinstance(part, MLP):
        for i, (w, b) in enumerate(part.layers):
            x = theta[w] @ x + theta[b]
            if i < len(part.layers) - 1 or part.squash:
                x = x * sigmoid(x) if part.activation == "silu" else np.tanh(x)
        return x, h
    n = part.width
    w_n, w_r, w_z = (theta[part.w][i * n : (i + 1) * n] for i in range(3))
    u_r, u_z, u_n = (theta[part.u][i * n : (i + 1) * n] for i in range(3))
    b_n, b_r, b_z, c = (theta[part.b][i * n : (i + 1) * n] for i in range(4))
    r, z = sigmoid(w_r @ x + u_r @ h + b_r), sigmoid(w_z @ x + u_z @ h + b_z)
    new = np.tanh(w_n @ x + b_n + r * (u_n @ h + c))
    h = (1 - z) * new + z * h
    return h, h


def plain(network, flat, x, carry):
    """Row after row of path after path: outputs, hidden states after rows and paths."""
    theta = views(flat, network.shapes)
    parts = getattr(network, "parts", [network])
    sizes = [part.carry_size for part in parts]
    out, states, after = [], [], []
    for start, length, h in zip(STARTS, LENGTHS, carry):
        hs = np.split(h, np.cumsum(sizes)[:-1])
        for row in x[start : start + length]:
            for i, part in enumerate(parts):
                row, hs[i] = by_rows(part, theta, row, hs[i])
            out.append(row)
            states.append(np.concatenate(hs))
        after.append(np.concatenate(hs))
    return np.array(out), np.array(states), np.array(after)


def error(found, truth):
    found, truth = to_cpu(found), to_cpu(truth)
    assert found.shape == truth.shape
    return np.abs(found - truth).max(initial=0) / max(
        np.abs(truth).max(initial=0), 1e-9
    )


def test_rows_are_packed_step_by_step():
    order, steps, paths = pack(STARTS, ROWS)
    assert sorted(order.tolist()) == list(range(ROWS))
    longest = sorted(range(len(LENGTHS)), key=lambda i: -LENGTHS[i])
    assert paths.tolist() == longest
    for t, rows in enumerate(steps):
        there = [STARTS[i] + t for i in longest if LENGTHS[i] > t]
        assert order[rows].tolist() == there
    assert len(steps) == max(LENGTHS)


@every_network
def test_outputs_and_tangents_are_those_of_loops_over_rows(made, name):
    network, theta, dtheta, x, carry = made(name)
    out, tape, after = network.forward(views(theta, network.shapes), x, carry, STARTS)
    there = to_cpu(theta) + 1j * STEP * to_cpu(dtheta)
    truth, states, last = plain(network, there, to_cpu(x), to_cpu(carry))
    assert error(out, truth.real) < 1e-14
    assert error(after, last.real) < 1e-14
    tangent = network.jvp(tape, views(dtheta, network.shapes))
    assert error(tangent, truth.imag / STEP) < 1e-12
    again, nothing, _ = network.forward(
        views(theta, network.shapes), x, carry, STARTS, keep=False
    )
    assert nothing is None and error(again, out) == 0
    if network.carry_size and name != "gru":
        found = network.states(views(theta, network.shapes), x, carry, STARTS)
        assert error(found, states.real) < 1e-14


@every_network
def test_jvp_and_vjp_are_each_others_transposes(made, rng, xp, name):
    """⟨u, Jt⟩ = ⟨Jᵀu, t⟩ for any u and t; in a room too, and u stays."""
    network, theta, dtheta, x, carry = made(name)
    out, tape, _ = network.forward(views(theta, network.shapes), x, carry, STARTS)
    u = xp.asarray(rng.standard_normal(out.shape))
    for room in (Room(), Room(ROWS), Room(ROWS + 3)):
        pulled, given = xp.empty_like(theta), u.copy()
        one = float((u * network.jvp(tape, views(dtheta, network.shapes), room)).sum())
        network.vjp(tape, given, views(pulled, network.shapes), room)
        assert one == pytest.approx(float(pulled.dot(dtheta)), rel=1e-11)
        assert (given == u).all()


@every_network
def test_derivatives_by_the_inputs(made, rng, xp, name):
    """What a network before it pushes in, and what it pulls."""
    network, theta, _, x, carry = made(name)
    zero = views(xp.zeros_like(theta), network.shapes)
    out, tape, _ = network.forward(views(theta, network.shapes), x, carry, STARTS)
    dx = xp.asarray(rng.standard_normal(x.shape))
    there = to_cpu(x) + 1j * STEP * to_cpu(dx)
    truth, _, _ = plain(network, to_cpu(theta), there, to_cpu(carry))
    tangent = network.jvp(tape, zero, dx=dx.copy())
    assert error(tangent, truth.imag / STEP) < 1e-12
    u, into = xp.asarray(rng.standard_normal(out.shape)), xp.empty_like(theta)
    found = network.vjp(tape, u, views(into, network.shapes), by_x=True)
    one = float((u * tangent).sum())
    assert one == pytest.approx(float((found * dx).sum()), rel=1e-11)


@every_network
def test_chainers_graph_computes_the_same(made, rng, xp, name):
    network, theta, _, x, carry = made(name)
    params = {
        k: chainer.Variable(v.copy()) for k, v in views(theta, network.shapes).items()
    }
    memory = (carry, STARTS) if network.carry_size else ()
    y = network.graph(params, x, *memory)
    out, tape, _ = network.forward(views(theta, network.shapes), x, carry, STARTS)
    assert error(out, y.array) < 1e-14
    u, pulled = xp.asarray(rng.standard_normal(out.shape)), xp.empty_like(theta)
    network.vjp(tape, u, views(pulled, network.shapes))
    grads = chainer.grad([F.sum(y * u)], list(params.values()))
    for key, grad in zip(params, grads):
        assert error(views(pulled, network.shapes)[key], grad.array) < 1e-12, key


def test_it_is_the_gru_of_chainer(made, xp):
    """`NStepGRU`'s outputs and gradients: biases of cuDNN's variant add up to ours."""
    network, theta, _, x, carry = made("gru")
    ours, n = views(theta, network.shapes), network.width
    w_n, w_r, w_z = ours["/n/W"].reshape(3, n, 4)
    u_r, u_z, u_n = ours["/n/U"].reshape(3, n, n)
    b_n, b_r, b_z, c = ours["/n/b"].reshape(4, n)
    zero = xp.zeros_like(c)
    with chainer.using_config("dtype", np.float64):
        link = L.NStepGRU(1, 4, n, 0.0)
    link.to_device(chainer.get_device("@numpy" if xp is np else "@cupy:0"))
    given = (w_r, w_z, w_n, u_r, u_z, u_n, b_r, b_z, b_n, zero, zero, c)
    for i, array in enumerate(given):
        kind = "w" if i < 6 else "b"
        getattr(link[0], f"{kind}{i % 6}").array[...] = array
    ends = np.append(STARTS[1:], ROWS)
    h, ys = link(carry[None], [x[a:b] for a, b in zip(STARTS, ends)])
    out, tape, last = network.forward(ours, x, carry, STARTS)
    assert error(out, xp.concatenate([y.array for y in ys])) < 1e-14
    assert error(last, h.array[0]) < 1e-14
    pulled = xp.empty_like(theta)
    network.vjp(tape, out, views(pulled, network.shapes))
    found = views(pulled, network.shapes)
    link.cleargrads()
    sum(F.sum(y * y) for y in ys).backward()
    truth = [getattr(link[0], f"{k}{i}").grad / 2 for k in "wb" for i in range(6)]
    assert error(found["/n/W"], xp.concatenate([truth[2], *truth[:2]])) < 1e-12
    assert error(found["/n/U"], xp.concatenate(truth[3:6])) < 1e-12
    bias = xp.concatenate([truth[8], truth[6], truth[7], truth[11]])
    assert error(found["/n/b"], bias) < 1e-12


@every_network
def test_acting_row_by_row_is_the_same(made, name):
    network, theta, _, x, carry = made(name)
    step = network.acting(views(theta, network.shapes))
    out, _, last = network.forward(views(theta, network.shapes), x, carry, STARTS)
    for i, (start, length) in enumerate(zip(STARTS, LENGTHS)):
        h = carry[i]
        for row in range(start, start + length):
            found, h = step(x[row], h)
            assert error(found, out[row]) < 1e-13
        if network.carry_size:
            assert error(h, last[i]) < 1e-13
    together, after = step(x[STARTS], carry)
    assert error(together, out[STARTS]) < 1e-13
    assert after.shape == carry.shape


@every_network
def test_a_cut_path_goes_on_with_its_carry(made, name):
    network, theta, _, x, carry = made(name)
    theta, alone = views(theta, network.shapes), np.array([0])
    out, _, last = network.forward(theta, x[3:4], carry[1:2], alone)
    whole = network.forward(theta, x, carry, STARTS)[0]
    assert error(out, whole[3:4]) < 1e-14
    start, half = STARTS[3], 4
    head, _, last = network.forward(theta, x[start : start + half], carry[3:4], alone)
    tail, _, _ = network.forward(theta, x[start + half : start + 7], last, alone)
    assert error(head, whole[start : start + half]) < 1e-13
    assert error(tail, whole[start + half : start + 7]) < 1e-13


def test_without_a_past_it_remembers_nothing(made):
    """Paths of one row each: the order of rows does not matter."""
    network, theta, _, x, carry = made("encoder-gru-head")
    theta, zero = views(theta, network.shapes), carry[:1] * 0
    zeros = zero.repeat(ROWS, axis=0)
    alone = network.forward(theta, x, zeros, np.arange(ROWS))[0]
    back = network.forward(theta, x[::-1], zeros, np.arange(ROWS))[0]
    assert error(alone, back[::-1]) < 1e-14
    remembered = network.forward(theta, x, carry * 0, STARTS)[0]
    assert error(alone[STARTS], remembered[STARTS]) < 1e-14
    assert error(alone, remembered) > 0.01


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_overflows_and_the_precision_stays(xp, dtype, rng):
    network = NETWORKS["encoder-gru-head"]
    n = sum(int(np.prod(s)) for s in network.shapes.values())
    theta = xp.asarray(rng.standard_normal(n).astype(dtype) * 30)
    x = xp.asarray(rng.standard_normal((ROWS, 4)).astype(dtype) * 1000)
    carry = xp.zeros((len(LENGTHS), 3), dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        out, tape, last = network.forward(
            views(theta, network.shapes), x, carry, STARTS
        )
        tangent = network.jvp(tape, views(theta, network.shapes))
    assert {a.dtype for a in (out, last, tangent)} == {np.dtype(dtype)}
    assert np.isfinite(to_cpu(out)).all() and np.isfinite(to_cpu(tangent)).all()


def test_policies_with_a_core():
    policy = GaussianPolicy(4, 2, (5,), core="gru", core_size=3, seed=0)
    other = GaussianPolicy(4, 2, (5,), core="gru", core_size=3, seed=0)
    assert policy.carry_size == 3 and policy.parts
    for (name, x), (_, y) in zip(policy.namedparams(), other.namedparams()):
        assert (x.array == y.array).all(), name
    gates = policy.mlp.core.U.array.reshape(3, 3, 3)
    for gate in gates:
        assert error(gate @ gate.T, np.eye(3)) < 1e-6
    no_layers = SoftmaxPolicy(4, 3, (), core="gru", seed=0)
    assert no_layers.carry_size == 64 and no_layers.mlp.core.W.shape == (192, 4)
    assert GaussianPolicy(4, 2).carry_size == 0
    dependent = GaussianPolicy(
        4, 2, (5,), core="gru", log_std="state_dependent", log_std_init=-1.0
    )
    assert (dependent.mlp[-1].b.array[2:] == -1).all()


def test_what_cannot_work_is_named():
    policy = GaussianPolicy(4, 2, (5,), core="gru", core_size=3)
    with pytest.raises(
        ValueError, match=r"policy\(obs, mask, carry, starts\).*\(K, 3\)"
    ):
        policy(np.zeros((2, 4), "f"))
    with pytest.raises(ValueError, match=r"core.*lstm"):
        GaussianPolicy(4, 2, core="lstm")
    with pytest.raises(ValueError, match="core_size=7"):
        SoftmaxPolicy(4, 2, core_size=7)
    with pytest.raises(ValueError, match="positive widths"):
        GRU("", 4, 0)
