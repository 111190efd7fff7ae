"""Updates of policies with memory, against Chainer's graph and dense matrices."""

from chainertrpo import GaussianPolicy, SoftmaxPolicy, ValueFunction
from chainertrpo.data import Batch
from chainertrpo.data.pieces import in_pieces, n_pieces, take
from chainertrpo.numerics import flatten, named_params
from chainertrpo.policies import ActorCritic, parts
from chainertrpo.updates import (
    CG,
    Curvature,
    GradientStep,
    Gram,
    Minibatches,
    NaturalFit,
    NaturalStep,
    Surrogate,
    TrustRegion,
    ValueFit,
    said,
)
from chainertrpo.updates.linearized import Linearized, outputs
from chainertrpo.updates.model import closed, graph

import chainer
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu

LENGTHS = (9, 1, 4, 12, 7)
N, CARRY = sum(LENGTHS), 3
STARTS = np.cumsum((0, *LENGTHS))[:-1]
every_kind = pytest.mark.parametrize(
    "kind", ["state_independent", "state_dependent", "categorical"]
)


@pytest.fixture
def made(xp, float64):
    """A policy with memory away from its start, and a batch of whole paths."""

    def make(kind="state_independent", seed=0):
        rng = np.random.default_rng(seed)
        settings = {"core": "gru", "core_size": CARRY, "seed": seed, "last_scale": 1.0}
        if kind == "categorical":
            policy = SoftmaxPolicy(4, 3, (5,), **settings)
            action = rng.integers(3, size=N).astype("i")
        else:
            policy = GaussianPolicy(4, 2, (5,), log_std=kind, **settings)
            action = rng.standard_normal((N, 2))
        for _, param in sorted(policy.namedparams()):
            param.array += 0.3 * rng.standard_normal(param.shape)
        if xp is not np:
            policy.to_device("@cupy:0")
        obs, action = xp.asarray(rng.standard_normal((N, 4))), xp.asarray(action)
        carry = xp.asarray(0.5 * rng.standard_normal((len(LENGTHS), CARRY)))
        (part,) = parts(policy)
        theta = part.theta({k: x.array for k, x in named_params(policy).items()})
        states = part.network.states(theta, obs, carry, STARTS)
        hidden = xp.concatenate([carry[:1], states[:-1]])
        hidden[xp.asarray(STARTS)] = carry
        log_prob = said(policy, obs, memory=(carry, STARTS)).log_prob(action)
        batch = Batch(
            obs,
            action,
            log_prob + 0.1 * xp.asarray(rng.standard_normal(N)),
            *(xp.asarray(rng.standard_normal(N)) for _ in range(3)),
            starts=STARTS,
            carry=carry,
            hidden=hidden,
        )
        return policy, batch

    return make


def close(a, b, rel=1e-9):
    a, b = to_cpu(a), to_cpu(b)
    assert np.abs(a - b).max() <= rel * np.abs(b).max()


@every_kind
@pytest.mark.parametrize("curvature", ["gauss_newton", "scores"])
@pytest.mark.parametrize("stride", [1, 2])
def test_models_are_those_of_chainers_graph(made, rng, kind, curvature, stride):
    """Gain, gradient, products and divergences; the graph in one chunk and in several."""
    policy, batch = made(kind)
    objective, region = Surrogate(entropy_coef=0.03), TrustRegion()
    settings = (batch, objective, Curvature(curvature, stride=stride), region)
    ours = closed(policy, parts(policy)[0], *settings, 25_000)
    v = policy.xp.asarray(rng.standard_normal(ours.gradient.shape))
    there = flatten(policy) + 0.05 * v
    for chunk_rows in (25_000, 10):
        theirs = graph(policy, *settings, chunk_rows)
        assert ours.gain == pytest.approx(theirs.gain, rel=1e-12)
        close(ours.gradient, theirs.gradient)
        close(ours.product(v), theirs.product(v))
        assert ours.evaluate(there) == pytest.approx(theirs.evaluate(there), rel=1e-9)


@every_kind
def test_double_backprop_gives_the_gauss_newton_product(made, rng, kind):
    """At θ_old the Hessian of the divergence is JᵀFJ, also through the recurrence."""
    policy, batch = made(kind)
    settings = Surrogate(), Curvature("hessian"), TrustRegion(), 25_000
    hessian = graph(policy, batch, *settings).product
    (part,) = parts(policy)
    arrays = {k: x.array for k, x in named_params(policy).items()}
    product = Linearized(part, arrays, batch.obs, memory=batch.memory).fisher_product
    v = policy.xp.asarray(rng.standard_normal(flatten(policy).shape))
    close(product(v), hessian(v))


@pytest.mark.parametrize("most", [1, 5, 13, 25_000])
@pytest.mark.parametrize("keep_bytes", [0, 2**29])
def test_blocks_of_whole_paths_change_nothing(made, rng, most, keep_bytes):
    policy, batch = made()
    (part,) = parts(policy)
    arrays = {k: x.array for k, x in named_params(policy).items()}
    whole = Linearized(part, arrays, batch.obs, memory=batch.memory)
    assert len(whole.blocks) == 1
    some = Linearized(
        part,
        arrays,
        batch.obs,
        chunk_rows=most,
        keep_bytes=keep_bytes,
        memory=batch.memory,
    )
    assert [b.start for b in some.blocks][0] == 0
    assert {b.start for b in some.blocks} <= set(STARTS.tolist())
    assert sum(b.stop - b.start for b in some.blocks) == N
    v = policy.xp.asarray(rng.standard_normal(flatten(policy).shape))
    close(some.fisher_product(v), whole.fisher_product(v), 1e-12)


def test_many_paths_are_worked_on_side_by_side(rng, xp):
    policy = GaussianPolicy(4, 2, (5,), core="gru", core_size=CARRY, seed=0)
    if xp is not np:
        policy.to_device("@cupy:0")
    (part,) = parts(policy)
    lengths = rng.integers(1, 300, size=64)
    starts, n = np.cumsum([0, *lengths[:-1]]), int(lengths.sum())
    obs = xp.asarray(rng.standard_normal((n, 4)).astype("f"))
    carry = xp.asarray(rng.standard_normal((64, CARRY)).astype("f"))
    arrays = {k: x.array for k, x in named_params(policy).items()}
    some = Linearized(part, arrays, obs, memory=(carry, starts))
    assert len(some.shards) == (4 if xp is np else 1)
    theta = part.theta(arrays)
    found = outputs(part, theta, obs, carry, starts)
    one = part.network.forward(theta, obs, carry, starts)[0]
    close(found, one, 1e-5)


@pytest.mark.parametrize("length", [1, 4, 100])
def test_pieces_of_paths_say_what_whole_paths_said(made, length):
    """With the hidden state before each piece log π is what it was."""
    policy, batch = made()
    pieces = in_pieces(batch, length)
    expected = sum(-(-k // length) for k in LENGTHS)
    assert n_pieces(pieces) == expected
    old = said(policy, batch.obs, memory=batch.memory).log_prob(batch.action)
    new = said(policy, pieces.obs, memory=pieces.memory).log_prob(pieces.action)
    close(new, old, 1e-12)
    chosen = np.array([expected - 1, 0, 2])
    some = take(pieces, chosen)
    bounds = np.append(pieces.starts, N)
    rows = np.concatenate([np.arange(bounds[i], bounds[i + 1]) for i in chosen])
    assert (some.obs == pieces.obs[rows]).all()
    new = said(policy, some.obs, memory=some.memory).log_prob(some.action)
    close(new, old[rows], 1e-12)
    assert some.hidden.shape == (len(rows), CARRY)


@pytest.mark.parametrize("chosen", [slice(1, 4), slice(0, 5, 2), slice(None)])
def test_slices_are_of_pieces(made, chosen):
    policy, batch = made()
    found = take(batch, chosen)
    truth = take(batch, np.arange(5)[chosen])
    for name, a, b in zip(Batch._fields, found, truth):
        assert (a is None and b is None) or (a == b).all(), name


STEPS = {
    "trpo": NaturalStep(curvature=Curvature("gauss_newton")),
    "trpo-hessian": NaturalStep(),
    "strided": NaturalStep(curvature=Curvature("gauss_newton", stride=2)),
    "pieces": NaturalStep(curvature=Curvature("gauss_newton"), piece_length=3),
    "scores": NaturalStep(curvature=Curvature("scores"), search=None),
    "minibatches": NaturalStep(
        curvature=Curvature("scores", damping=0.1),
        solver=CG(20),
        region=TrustRegion(0.001),
        schedule=Minibatches(epochs=2, rows=10, target_kl=0.05),
        search=None,
        piece_length=4,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_natural_steps_improve(made, rng, name):
    policy, batch = made()
    log_prob = said(policy, batch.obs, memory=batch.memory).log_prob(batch.action)
    batch = batch._replace(log_prob=log_prob)
    before = flatten(policy)
    report = STEPS[name](policy, batch, rng=rng)
    assert report.accepted and report.gain > 0 and 0 < report.kl < 0.2
    assert not (flatten(policy) == before).all()


GRADIENT_STEPS = {
    "whole": GradientStep(epochs=3, batch_size=12, clip_eps=0.2),
    "pieces": GradientStep(epochs=2, batch_size=8, clip_eps=0.2, piece_length=4),
    "penalty": GradientStep(
        epochs=2, batch_size=8, beta=0.5, entropy_coef=0.1, piece_length=2
    ),
    "stops": GradientStep(
        epochs=4, batch_size=8, stop_kl=1e-3, stop_on="log_ratio", piece_length=2
    ),
}


@pytest.mark.parametrize("name", GRADIENT_STEPS)
def test_gradient_steps_are_those_through_graphs(made, name):
    """Adam on derivatives written out, and the same through Chainer's graph."""
    found = []
    for written_out in (True, False):
        policy, batch = made()
        if not written_out:
            policy.__class__ = type("Theirs", (GaussianPolicy,), {"parts": ()})
        optimizer = chainer.optimizers.Adam(1e-3).setup(policy)
        rng = np.random.default_rng(4)
        report = GRADIENT_STEPS[name](policy, batch, optimizer, rng)
        assert report.accepted and report.n_updates > 1
        found.append((flatten(policy), report))
        made_again = made
        del made_again
    assert found[0][1].n_updates == found[1][1].n_updates
    close(found[0][0], found[1][0], 1e-7)
    assert found[0][1].kl == pytest.approx(found[1][1].kl, rel=1e-6)


def test_values_see_the_hidden_state(made, rng):
    """Both fits; a target that is in the hidden state only is learned."""
    policy, batch = made()
    target = batch.hidden[:, 0] + 2 * batch.hidden[:, 1]
    batch = batch._replace(value_target=target).for_values()
    assert batch.obs.shape == (N, 4 + CARRY) and batch.memory == ()
    vf = ValueFunction(4 + CARRY, (16,), seed=0)
    vf.to_device(policy.device)
    optimizer = chainer.optimizers.Adam(0.01).setup(vf)
    ValueFit(200, 16)(vf, optimizer, batch, rng)
    error = ((vf(batch.obs).array[:, 0] - target) ** 2).mean()
    assert error < 0.05 * target.var()
    assert NaturalFit()(vf, None, batch, rng).n_updates == 1


def test_a_joint_model_of_ours_is_moved_by_ppo(made, rng):
    policy, batch = made()
    vf = ValueFunction(4 + CARRY, (6,), seed=0)
    vf.to_device(policy.device)
    model = ActorCritic(policy, vf)
    optimizer = chainer.optimizers.Adam(1e-3).setup(model)
    before = flatten(vf)
    step = GradientStep(epochs=2, batch_size=8, clip_eps=0.2, piece_length=4)
    report = step(model, batch, optimizer, rng)
    assert report.accepted and all(map(np.isfinite, report.value_losses))
    assert not (flatten(vf) == before).all()


def test_what_cannot_work_with_memory_is_named(made, rng):
    policy, batch = made()
    step = NaturalStep(curvature=Curvature("scores", damping=0.1), solver=Gram())
    with pytest.raises(ValueError, match="without memory for the solver Gram.*CG"):
        step(policy, batch, rng=rng)
    with pytest.raises(ValueError, match="piece_length"):
        NaturalStep(piece_length=0)
    with pytest.raises(ValueError, match="piece_length"):
        GradientStep(piece_length=0)
    model = ActorCritic(policy, ValueFunction(4 + CARRY, (6,)))
    optimizer = chainer.optimizers.SGD().setup(model)
    with pytest.raises(ValueError, match="joint model with memory.*Adam"):
        GradientStep()(model, batch, optimizer, rng)
