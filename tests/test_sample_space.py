"""Natural steps solved among the rows of minibatches, against dense and iterated solves."""

import dataclasses
import warnings

from chainertrpo import TRPO, ValueFunction, make_agent, settings_of
from chainertrpo.numerics import flatten
from chainertrpo.numerics.sample_space import gram_matrix, solve_shifted
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    Gram,
    Likelihood,
    Minibatches,
    NaturalStep,
    Repeats,
    Surrogate,
    TrustRegion,
    local_model,
)

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from conftest import POLICY_KINDS
from plain import PlainPolicy
from protocol import drive
from worlds import Point, some_paths

SCORES = Curvature("scores", damping=0.1)
every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)


@pytest.fixture
def build(float64, xp, make_policy, make_batch):
    def make(kind, n=40, **settings):
        policy = make_policy(kind, xp=xp, **settings)
        return policy, make_batch(make_policy(kind, seed=1, xp=xp, **settings), n=n)

    return make


def direction(policy, batch, solver, objective=Surrogate()):  # noqa: B008
    model = local_model(policy, batch, objective, SCORES, TrustRegion())
    return solver.direction(model, SCORES.damping, 1, None)


@every_kind
@pytest.mark.parametrize("objective", [Surrogate(), Likelihood()])
def test_it_is_conjugate_gradient_run_to_the_end(build, kind, objective):
    policy, batch = build(kind)
    ours = direction(policy, batch, Gram(), objective)
    truth = direction(policy, batch, CG(iterations=300), objective)
    scale = float(abs(truth.x).max())
    assert float(abs(ours.x - truth.x).max()) < 1e-9 * scale
    assert ours.quadratic == pytest.approx(truth.quadratic, rel=1e-10)
    assert ours.slope == pytest.approx(truth.slope, rel=1e-10)


def scores_of(policy, batch):
    """J, one row a sample, by Chainer's graph."""
    rows = []
    for i in range(len(batch.obs)):
        policy.cleargrads()
        F.sum(policy(batch.obs[i : i + 1]).log_prob(batch.action[i : i + 1])).backward()
        grads = [
            np.zeros_like(to_cpu(p.array)) if p.grad is None else to_cpu(p.grad)
            for _, p in sorted(policy.namedparams())
        ]
        rows.append(np.concatenate([g.ravel() for g in grads]))
    return np.stack(rows)


@every_kind
def test_it_is_woodburys_identity_and_the_dense_solution(build, kind):
    policy, batch = build(kind)
    j, n = scores_of(policy, batch), len(batch.obs)
    host = batch._make(x if x is None else to_cpu(x) for x in batch)
    ratio = np.exp(
        to_cpu(policy(batch.obs).log_prob(batch.action).array) - host.log_prob
    )
    w = ratio * host.advantage
    dense = np.linalg.solve(j.T @ j / n + 0.1 * np.eye(j.shape[1]), j.T @ w / n)
    ours = to_cpu(direction(policy, batch, Gram()).x)
    assert np.abs(ours - dense).max() < 1e-10 * np.abs(dense).max()
    model = local_model(policy, batch, Surrogate(), SCORES, TrustRegion())
    samples = model.samples()
    k = to_cpu(gram_matrix(samples.pairs, samples.others))
    assert np.abs(k - j @ j.T).max() < 1e-12 * np.abs(k).max()


def test_twice_the_advantages_make_the_same_step(build):
    """The length does not depend on the scale of rewards."""
    moves = []
    for scale in (1.0, 2.0):
        policy, batch = build("state_independent")
        before = flatten(policy)
        step = NaturalStep(
            curvature=SCORES,
            solver=Gram(),
            region=TrustRegion(1e-3, eps=0),
            search=None,
        )
        assert step(policy, batch._replace(advantage=scale * batch.advantage)).accepted
        moves.append(to_cpu(flatten(policy) - before))
    np.testing.assert_allclose(*moves, rtol=1e-9, atol=1e-15)


def test_a_matrix_that_rounding_has_spoilt_gets_more_damping():
    k = np.ones((3, 3), np.float32)
    k[0, 0] = -1e-3
    with pytest.warns(RuntimeWarning, match="not positive definite in float32"):
        y, shift = solve_shifted(k, np.ones(3, np.float32), 1e-6)
    assert shift > 1e-6 and np.isfinite(y).all()
    truth = np.linalg.solve(k + shift * np.eye(3), np.ones(3))
    np.testing.assert_allclose(y, truth, rtol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bad = solve_shifted(np.full((3, 3), np.nan), np.ones(3), 1.0)
    assert np.isnan(bad.y).all()


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_substitution_block_by_block(rng, n):
    a = rng.standard_normal((n, n + 3))
    k, w = a @ a.T, rng.standard_normal(n)
    truth = np.linalg.solve(k + 0.5 * np.eye(n), w)
    np.testing.assert_allclose(solve_shifted(k, w, 0.5).y, truth, rtol=1e-8, atol=1e-10)


MANY = NaturalStep(
    objective=Surrogate(max_ratio=10.0),
    curvature=SCORES,
    solver=Gram(),
    region=TrustRegion(1e-4),
    search=None,
    schedule=Minibatches(epochs=2, rows=16, target_kl=0.01),
)


@every_kind
def test_minibatches_take_their_steps_in_order(build, make_policy, kind):
    """One minibatch after the other is the same as steps on those rows by hand."""
    policy, batch = build(kind, n=48)
    twin, _ = build(kind, n=48)
    rng = np.random.default_rng(4)
    schedule = dataclasses.replace(MANY.schedule, standardize_by=None)
    report = dataclasses.replace(MANY, schedule=schedule)(policy, batch, rng=rng)
    assert report.accepted and report.n_tries == 6 and report.kl > 0
    by_hand = dataclasses.replace(MANY, schedule=Repeats())
    rng = np.random.default_rng(4)
    for _ in range(2):
        order = rng.permutation(48)
        for i in range(0, 48, 16):
            rows = twin.device.send(order[i : i + 16])
            part = batch._make(None if x is None else x[rows] for x in batch)
            assert by_hand(twin, part).accepted
    np.testing.assert_allclose(
        to_cpu(flatten(policy)), to_cpu(flatten(twin)), rtol=0, atol=1e-11
    )
    plain, there = PlainPolicy(make_policy(kind)), to_cpu(flatten(policy))
    want = plain.kl(plain.theta, there, to_cpu(batch.obs)).mean()
    assert report.kl == pytest.approx(want, rel=1e-8)


def test_the_length_follows_the_target(build, rng):
    policy, batch = build("state_independent", n=64)
    step, kls = MANY, []
    for _ in range(12):
        report = step(policy, batch, rng=rng)
        kls.append(report.kl)
        following = step.after(report)
        ratio = following.region.max_kl / step.region.max_kl
        want = 1 / 1.5 if report.kl > 0.015 else 1.5 if report.kl < 0.01 / 1.5 else 1
        assert ratio == pytest.approx(want)
        step = following
    assert 0.01 / 3 < np.mean(kls[-4:]) < 0.03


@pytest.mark.parametrize("case", ["refused", "nonfinite", "error"])
def test_what_is_not_accepted_leaves_everything(build, rng, monkeypatch, case):
    policy, batch = build("state_independent", n=64)
    before, step = flatten(policy), MANY
    if case == "refused":
        step = dataclasses.replace(
            step, search=Backtrack(kl_slack=1e-9), region=TrustRegion(1e-2)
        )
        report = step(policy, batch, rng=rng)
        assert report.reason == "kl" and report.fraction == 0
    elif case == "nonfinite":
        batch.advantage[5] = np.nan
        report = step(policy, batch, rng=rng)
        assert report.reason == "nonfinite" and not report.accepted
    else:
        rng.permutation(3)

        class Broken(Gram):
            calls = 0

            def direction(self, *args):
                Broken.calls += 1
                if Broken.calls == 3:
                    raise KeyboardInterrupt
                return super().direction(*args)

        with pytest.raises(KeyboardInterrupt):
            dataclasses.replace(step, solver=Broken())(policy, batch, rng=rng)
    assert np.array_equal(to_cpu(flatten(policy)), to_cpu(before))


@every_kind
@pytest.mark.parametrize("side", ["old_new", "new_old"])
@pytest.mark.parametrize("over", ["mean", "max"])
def test_the_divergence_is_the_regions(build, make_policy, kind, side, over):
    policy, batch = build(kind, n=48)
    region = TrustRegion(1e-3, over=over, side=side)
    step = dataclasses.replace(MANY, region=region)
    report = step(policy, batch, rng=np.random.default_rng(4))
    plain, there = PlainPolicy(make_policy(kind)), to_cpu(flatten(policy))
    ends = (plain.theta, there) if side == "old_new" else (there, plain.theta)
    rows = plain.kl(*ends, to_cpu(batch.obs))
    assert report.kl == pytest.approx(getattr(rows, over)(), rel=1e-8)


def test_what_it_needs_is_said():
    with pytest.raises(ValueError, match="of every row and entropy_coef=0"):
        NaturalStep(solver=Gram())
    with pytest.raises(ValueError, match="of every row and entropy_coef=0"):
        NaturalStep(Surrogate(0.1), SCORES, Gram())
    with pytest.raises(ValueError, match="stride 5"):
        NaturalStep(curvature=Curvature("scores", stride=5), solver=Gram())
    with pytest.raises(ValueError, match="per_dimension=False with Minibatches"):
        NaturalStep(curvature=Curvature(per_dimension=True), schedule=Minibatches())
    with pytest.raises(ValueError, match="rows .* >= 2"):
        Minibatches(rows=1)
    with pytest.raises(ValueError, match="target_kl .* > 0"):
        Minibatches(target_kl=0.0)
    with pytest.raises(ValueError, match="max_ratio .* > 1"):
        Surrogate(max_ratio=1.0)


def test_other_policies_are_refused_by_name(make_policy, make_batch):
    policy = make_policy("fixed")
    policy.forward = type(policy).forward.__get__(policy)
    step = NaturalStep(curvature=SCORES, solver=Gram())
    with pytest.raises(ValueError, match="a policy of ours for the solver Gram"):
        step(policy, make_batch(policy))


def small(**changes):
    sizes = {"hidden_sizes": [6]}
    schedule = {"schedule": {"kind": "minibatches", "rows": 32}}
    return settings_of(
        "minibatch-trpo",
        policy=sizes,
        vf=sizes,
        agent={"update_interval": 128},
        policy_step=schedule,
        **changes,
    )


def test_the_preset_learns_and_its_length_is_saved(tmp_path):
    import types

    box = types.SimpleNamespace(shape=(1,), low=[-3.0], high=[3.0])
    agents = [
        make_agent(types.SimpleNamespace(shape=(2,)), box, small(), seed=s)
        for s in (0, 1)
    ]
    log = drive(agents[0], Point(), 6000)
    rewards = np.array([reward for _, _, reward, _ in log])
    assert rewards[-500:].mean() > 0.5 * rewards[:500].mean()
    max_kl = agents[0].policy_step.region.max_kl
    assert max_kl != small()["policy_step"]["region"]["max_kl"]
    agents[0].save(tmp_path / "agent")
    agents[1].load(tmp_path / "agent")
    assert agents[1].policy_step == agents[0].policy_step
    for agent in agents:
        agent._streams["fit"] = np.random.default_rng(2)
        agent.update(some_paths())
    assert np.array_equal(*(flatten(agent.policy) for agent in agents))


def test_by_conjugate_gradient_too(build, rng):
    """Minibatches are a schedule of any solver."""
    policy, batch = build("categorical", n=64)
    twin, _ = build("categorical", n=64)
    one = dataclasses.replace(MANY, solver=CG(iterations=150))
    for step, link in ((one, policy), (MANY, twin)):
        assert step(link, batch, rng=np.random.default_rng(0)).accepted
    np.testing.assert_allclose(
        to_cpu(flatten(policy)), to_cpu(flatten(twin)), rtol=0, atol=1e-9
    )


def test_trpo_takes_it_by_its_class():
    from chainertrpo import GaussianPolicy

    policy, vf = GaussianPolicy(2, 1, (6,), seed=0), ValueFunction(2, (6,), seed=1)
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(policy, vf, optimizer, update_interval=64, policy_step=MANY, seed=0)
    drive(agent, Point(), 65)
    assert agent.last_step.accepted and agent.last_step.n_tries == 8
