"""The natural step, by its laws, on small networks.

The slower truth is `plain`: Hessians by complex steps, solved directly, in float64.
"""

import collections

from chainertrpo import NaturalStep
from chainertrpo.numerics import at, flatten, gradient, named_params
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    Repeats,
    Surrogate,
    TrustRegion,
    surrogate,
)

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from conftest import POLICY_KINDS
from plain import PlainPolicy

every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)
every_curvature = pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])


def full_step(max_kl=0.01, **values):
    """The whole step, with nothing added to its length."""
    return NaturalStep(region=TrustRegion(max_kl, eps=0.0), search=None, **values)


def snapshot(policy):
    return [(p.array, p.array.tobytes()) for p in policy.params()]


def unchanged(policy, before):
    """Whether the arrays are the same objects with the same bits."""
    return all(
        p.array is array and p.array.tobytes() == bits
        for p, (array, bits) in zip(policy.params(), before)
    )


@pytest.fixture(params=POLICY_KINDS)
def case(request, float64, make_policy, make_batch):
    """A policy, its plain twin and a batch, in float64."""
    policy = make_policy(request.param, hidden=(5,))
    return policy, PlainPolicy(policy), make_batch(policy)


# The full step


@every_curvature
@pytest.mark.parametrize("damping, iterations", [(0.1, 10), (1e-3, 3), (0.0, 2)])
def test_the_quadratic_model_of_a_step_is_delta(case, curvature, damping, iterations):
    """½ sᵀ(F + λI)s = δ, however few the iterations: the length is measured."""
    policy, plain, batch = case
    step = full_step(
        0.02, curvature=Curvature(curvature, damping), solver=CG(iterations)
    )
    report = step(policy, batch)
    s = plain.read(policy) - plain.theta
    matrix = plain.kl_hessian(plain.theta, batch.obs) + damping * np.eye(len(s))
    assert (report.reason, report.fraction, report.n_tries) == ("accepted", 1.0, 1)
    assert s @ matrix @ s / 2 == pytest.approx(0.02, rel=1e-9)


@every_curvature
@pytest.mark.parametrize("entropy_coef", [0.0, 0.5])
def test_the_step_is_that_of_a_direct_solver(case, curvature, entropy_coef):
    """s = √(2δ / gᵀA⁻¹g) A⁻¹g with A = F + λI, g = ∇(L + cH)."""
    policy, plain, batch = case
    step = full_step(
        objective=Surrogate(entropy_coef),
        curvature=Curvature(curvature, 0.1),
        solver=CG(300),
    )
    report = step(policy, batch)
    g = plain.gain_gradient(plain.theta, batch, entropy_coef)
    matrix = plain.kl_hessian(plain.theta, batch.obs) + 0.1 * np.eye(len(g))
    x = np.linalg.solve(matrix, g)
    truth = (2 * step.region.max_kl / g.dot(x)) ** 0.5 * x
    found = plain.read(policy) - plain.theta
    assert report.cg_reason == "converged"
    assert report.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-10)
    # A residual of 1e-16 ‖g‖, times a condition number of about 100.
    assert np.abs(found - truth).max() < 1e-10 * np.abs(truth).max()


def test_eps_is_added_to_the_quadratic(float64, make_policy, make_batch):
    """β = √(2δ / (gᵀA⁻¹g + ε)): the step shrinks by √(q / (q + ε))."""
    policies = [make_policy("state_independent", hidden=(5,)) for _ in range(2)]
    plain, batch = PlainPolicy(policies[0]), make_batch(policies[0])
    steps = []
    for policy, eps in zip(policies, (0.0, 0.5)):
        improve = NaturalStep(
            region=TrustRegion(eps=eps),
            curvature=Curvature(damping=0.1),
            solver=CG(iterations=300),
            search=None,
        )
        improve(policy, batch)
        steps.append(plain.read(policy) - plain.theta)
    g = plain.gain_gradient(plain.theta, batch)
    matrix = plain.kl_hessian(plain.theta, batch.obs) + 0.1 * np.eye(len(g))
    q = g.dot(np.linalg.solve(matrix, g))
    np.testing.assert_allclose(steps[1], (q / (q + 0.5)) ** 0.5 * steps[0], rtol=1e-9)


@every_curvature
@every_kind
def test_rows_in_chunks_are_the_same_rows(
    float64, make_policy, make_batch, kind, curvature
):
    """Chunks that do not divide the batch: the same step, up to the order of sums."""
    thetas, reports = [], []
    for chunk_rows in (1000, 40, 13):
        policy = make_policy(kind, hidden=(5,))
        step = NaturalStep(
            curvature=Curvature(kind=curvature, damping=0.1),
            objective=Surrogate(entropy_coef=0.1),
            chunk_rows=chunk_rows,
        )
        reports.append(step(policy, make_batch(policy)))
        thetas.append(flatten(policy))
    for theta, report in zip(thetas[1:], reports[1:]):
        np.testing.assert_allclose(theta, thetas[0], rtol=0, atol=1e-12)
        assert report.gain == pytest.approx(reports[0].gain, rel=1e-10)
        assert report.kl == pytest.approx(reports[0].kl, rel=1e-10)


@every_curvature
@pytest.mark.parametrize("chunk_rows", [1000, 3])
def test_every_fifth_row_is_enough_for_the_curvature(case, curvature, chunk_rows):
    """The length is δ in the metric of those rows; the gradient is still of all."""
    policy, plain, batch = case
    report = full_step(
        curvature=Curvature(curvature, 0.1, stride=5), chunk_rows=chunk_rows
    )(policy, batch)
    s = plain.read(policy) - plain.theta
    matrix = plain.kl_hessian(plain.theta, batch.obs[::5]) + 0.1 * np.eye(len(s))
    assert s @ matrix @ s / 2 == pytest.approx(0.01, rel=1e-9)
    norm = np.linalg.norm(plain.gain_gradient(plain.theta, batch))
    assert report.gradient_norm == pytest.approx(norm, rel=1e-10)


# The search


@every_curvature
def test_a_report_says_what_was_done(case, curvature):
    policy, plain, batch = case
    search = Backtrack(shrink=0.6, n_tries=9)
    step = NaturalStep(
        region=TrustRegion(max_kl=0.3),
        curvature=Curvature(kind=curvature),
        search=search,
    )
    report = step(policy, batch)
    theta = plain.read(policy)
    assert report.accepted
    assert report.gain == pytest.approx(
        plain.gain(theta, batch) - plain.gain(plain.theta, batch), rel=1e-9
    )
    kl = plain.kl(plain.theta, theta, batch.obs).mean()
    assert report.kl == pytest.approx(kl, rel=1e-9)
    assert report.fraction == pytest.approx(0.6 ** (report.n_tries - 1), rel=1e-14)
    with at(policy, plain.theta) as keep:
        keep()
    full_step(0.3, curvature=Curvature(curvature))(policy, batch)
    full = plain.read(policy) - plain.theta
    # ε of 1e-8 beside a quadratic of about 1e-2.
    np.testing.assert_allclose(theta - plain.theta, report.fraction * full, rtol=1e-5)


def random_settings(rng):
    max_kl = float(rng.choice([1e-3, 0.5, 20.0, 1000.0]))
    damping = float(rng.choice([0, 1e-3, 0.1]))
    solver = CG(int(rng.integers(1, 6)))
    over = str(rng.choice(["mean", "max"]))
    objective = Surrogate(float(rng.choice([0, 0.01])))
    kind = "hessian" if rng.random() < 0.15 else "gauss_newton"
    return NaturalStep(
        objective=objective,
        curvature=Curvature(kind, damping),
        solver=solver,
        region=TrustRegion(max_kl, over),
        chunk_rows=int(rng.choice([3, 1000, 1000])),
        search=Backtrack(0.5, int(rng.choice([1, 1, 1, 1, 2, 11]))),
    )


def random_updates(make_policy, make_batch, n, seed):
    """n updates from random places: (step, report, plain, policy, batch, before)."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        policy = make_policy(
            str(rng.choice(POLICY_KINDS)),
            (3,),
            obs_size=2,
            seed=int(rng.integers(2**31)),
        )
        batch = make_batch(
            policy,
            n=int(rng.choice([1, 2, 5, 20])),
            obs_size=2,
            seed=int(rng.integers(2**31)),
            scale=10.0 ** rng.uniform(-4, 8),
        )
        before, plain, step = (
            snapshot(policy),
            PlainPolicy(policy),
            random_settings(rng),
        )
        yield step, step(policy, batch), plain, policy, batch, before


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_a_thousand_steps_none_leaves_the_trust_region(
    make_policy, make_batch, dtype
):
    """What is accepted has KL ≤ δ; what is not leaves every bit as it was."""
    seen = collections.Counter()
    with chainer.using_config("dtype", np.dtype(dtype)):
        updates = random_updates(make_policy, make_batch, 500, seed=1)
        for step, report, plain, policy, batch, before in updates:
            seen[report.reason] += 1
            assert {p.dtype for p in policy.params()} == {np.dtype(dtype)}
            if not report.accepted:
                assert unchanged(policy, before), report
                continue
            assert not unchanged(policy, before), report
            kl = plain.kl(plain.theta, plain.read(policy), np.float64(batch.obs))
            kl = kl.mean() if step.region.over == "mean" else kl.max()
            # A divergence is a difference of numbers of order one to twenty.
            rounding = 20 * np.finfo(dtype).eps * (1 + step.region.max_kl)
            assert kl <= step.region.max_kl + rounding, report
    rejected = sum(seen.values()) - seen["accepted"]
    assert seen["accepted"] >= 50, seen
    assert rejected >= 50, seen
    assert min(seen["kl"], seen["no_gain"]) >= 10, seen


@every_kind
def test_the_largest_divergence_can_be_bounded(float64, make_policy, make_batch, kind):
    policy = make_policy(kind)
    plain, batch = PlainPolicy(policy), make_batch(policy)
    report = NaturalStep(
        region=TrustRegion(over="max"), curvature=Curvature(damping=0.1)
    )(policy, batch)
    kl = plain.kl(plain.theta, plain.read(policy), batch.obs)
    assert report.accepted
    assert kl.max() <= 0.01
    assert report.kl == pytest.approx(kl.max(), rel=1e-9)
    assert kl.mean() < 0.9 * kl.max()


def test_a_step_repeats_bit_for_bit(make_policy, make_batch):
    thetas = []
    for _ in range(2):
        policy = make_policy("state_independent")
        NaturalStep()(policy, make_batch(policy))
        thetas.append(flatten(policy).tobytes())
    assert thetas[0] == thetas[1]


@every_kind
@every_curvature
def test_float32_steps_are_those_of_float64(
    make_policy, make_batch, xp, kind, curvature
):
    """Direction and length to 1e-3: ten iterations of CG magnify rounding (6e-8)."""
    step = full_step(curvature=Curvature(curvature, 0.1))
    single = make_policy(kind)
    before = flatten(single)
    batch = make_batch(single)
    with chainer.using_config("dtype", np.float64):
        double = make_policy(kind)
        with at(double, np.float64(before)) as keep:
            keep()
        wide = [x if x is None or x.dtype.kind == "i" else np.float64(x) for x in batch]
        step(double, batch._make(wide))
    if xp is not np:
        single.to_device("@cupy:0")
    step(single, batch._make(x if x is None else xp.asarray(x) for x in batch))
    truth = flatten(double) - before
    found = to_cpu(flatten(single)) - before
    assert np.linalg.norm(found - truth) < 1e-3 * np.linalg.norm(truth)


# Failures are reported, and change nothing


@every_curvature
def test_no_advantage_no_step(make_policy, make_batch, curvature):
    policy = make_policy("state_independent")
    batch, before = make_batch(policy, scale=0.0), snapshot(policy)
    report = NaturalStep(curvature=Curvature(kind=curvature))(policy, batch)
    assert (report.reason, report.gradient_norm) == ("zero_gradient", 0.0)
    assert not report.accepted
    assert unchanged(policy, before)


@every_kind
@every_curvature
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_advantages_are_reported(
    make_policy, make_batch, kind, curvature, bad
):
    policy = make_policy(kind)
    batch, before = make_batch(policy), snapshot(policy)
    batch.advantage[7] = bad
    report = NaturalStep(curvature=Curvature(kind=curvature))(policy, batch)
    assert report.reason == "nonfinite"
    assert (report.fraction, report.n_tries) == (0.0, 0)
    assert unchanged(policy, before)


@every_curvature
@pytest.mark.parametrize("search", [Backtrack(n_tries=2), None])
def test_a_nonfinite_trial_is_reported(make_policy, make_batch, curvature, search):
    """Only means are rewarded: log σ falls by thousands, and exp(−log σ) overflows."""
    policy = make_policy("state_independent")
    batch = make_batch(policy)
    dist = policy(batch.obs)
    batch = batch._replace(
        action=dist.mean.array,
        log_prob=dist.log_prob(dist.mean.array).array,
        advantage=np.ones_like(batch.advantage),
    )
    before = snapshot(policy)
    report = NaturalStep(
        region=TrustRegion(max_kl=1e8),
        curvature=Curvature(kind=curvature),
        search=search,
    )(policy, batch)
    assert report.reason == "nonfinite"
    assert report.n_tries == (1 if search is None else 2)
    assert unchanged(policy, before)


@every_curvature
def test_an_overflow_in_the_solver_is_reported(make_policy, make_batch, curvature):
    """‖g‖² is finite in float32; gᵀAg, with a damping of 1e5, is not."""
    policy = make_policy("state_independent")
    batch, before = make_batch(policy, scale=1e18), snapshot(policy)
    report = NaturalStep(curvature=Curvature(damping=1e5, kind=curvature))(
        policy, batch
    )
    assert (report.reason, report.cg_reason) == ("nonfinite", "nonfinite")
    assert unchanged(policy, before)


class Wrapped(chainer.Chain):
    """A policy with something between the observations and it."""

    def __init__(self, policy, before):
        super().__init__()
        with self.init_scope():
            self.inner = policy
            self.spare = None
        self.before = before

    def forward(self, obs):
        return self.inner(self.before(obs))


def wrapped(policy, before=lambda obs: obs):
    return Wrapped(policy, before)


@every_curvature
def test_an_unused_parameter_is_named(make_policy, make_batch, curvature):
    policy = wrapped(make_policy("state_independent"))
    batch = make_batch(policy)
    with policy.init_scope():
        policy.spare = chainer.Parameter(np.zeros(3, "f"))
    before = snapshot(policy)
    with pytest.raises(ValueError, match="does not depend on /spare"):
        NaturalStep(curvature=Curvature(kind=curvature))(policy, batch)
    assert unchanged(policy, before)


class OldTanh(chainer.Function):
    """In the style before Chainer v3: its gradient has no graph."""

    def forward_cpu(self, inputs):
        return (np.tanh(inputs[0]),)

    def backward_cpu(self, inputs, grads):
        return (grads[0] * (1 - np.tanh(inputs[0]) ** 2),)


class OldPolicy(chainer.Chain):
    def __init__(self, policy):
        super().__init__()
        with self.init_scope():
            self.layer = chainer.links.Linear(4, 4)
            self.inner = policy

    def forward(self, obs):
        return self.inner(OldTanh()(self.layer(obs)))


@every_curvature
def test_an_old_style_function_is_named(make_policy, make_batch, curvature):
    policy = OldPolicy(make_policy("categorical"))
    batch, before = make_batch(policy), snapshot(policy)
    with pytest.raises(TypeError, match="old-style chainer.Function OldTanh"):
        NaturalStep(curvature=Curvature(kind=curvature))(policy, batch)
    assert unchanged(policy, before)


@every_curvature
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_search_restores(make_policy, make_batch, curvature, error):
    calls = []

    def before_policy(obs):
        calls.append(chainer.config.enable_backprop)
        if calls.count(False) == 2:  # the second try
            raise error
        return obs

    inner = make_policy("state_independent")
    batch = make_batch(inner)
    policy = wrapped(inner, before_policy)
    before = snapshot(policy)
    step = NaturalStep(
        region=TrustRegion(max_kl=1e3), curvature=Curvature(kind=curvature, damping=0.1)
    )
    with pytest.raises(error):
        step(policy, batch)
    assert unchanged(policy, before)
    assert chainer.config.enable_backprop


class SaddleDistribution:
    """log p = w·x and a "divergence" of negative curvature, or of none."""

    def __init__(self, w, factor):
        self.w, self.factor = w, factor

    def log_prob(self, x):
        return F.sum(x * F.broadcast_to(self.w, x.shape), axis=1)

    def kl(self, other):
        return F.sum(self.factor * (other.w - self.w) ** 2, axis=1, keepdims=True)[:, 0]

    def copy(self):
        return SaddleDistribution(chainer.Variable(self.w.array.copy()), self.factor)


class Saddle(chainer.Chain):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        with self.init_scope():
            self.w = chainer.Parameter(np.zeros((1, 2), "f"))

    def forward(self, obs):
        return SaddleDistribution(self.w, self.factor)


@pytest.mark.parametrize("factor", [-1.0, 0.0])
def test_nonpositive_curvature_is_reported(make_policy, make_batch, factor):
    batch = make_batch(make_policy("fixed"))
    policy = Saddle(factor)
    before = snapshot(policy)
    report = NaturalStep(curvature=Curvature(damping=0.0))(policy, batch)
    assert (report.reason, report.cg_reason) == ("nonpositive_curvature",) * 2
    assert unchanged(policy, before)
    assert (
        NaturalStep(curvature=Curvature(damping=3.0))(policy, batch).cg_reason
        == "converged"
    )


# Reparametrisation


def rescaled(policy, scale):
    """The same policy with its first layer's columns divided by `scale`."""
    twin = policy.copy(mode="copy")
    twin.mlp[0].W.array[...] = policy.mlp[0].W.array / scale
    return wrapped(twin, lambda obs: obs * scale)


def moved(policy, batch, improve):
    """The change by `improve` of what tells the distributions on the batch apart."""

    def identity():
        dist = policy(batch.obs)
        parts = [dist.all_log_prob] if hasattr(dist, "logits") else dist.params
        return np.concatenate([p.array.ravel() for p in parts])

    old = identity()
    improve(policy)
    return identity() - old


def plain_gradient_step(batch):
    def improve(policy):
        g = flatten(gradient(surrogate(policy(batch.obs), batch), named_params(policy)))
        with at(policy, flatten(policy) + 0.05 * g) as keep:
            keep()

    return improve


@every_curvature
@pytest.mark.parametrize(
    "kind", ["state_independent", "state_dependent", "categorical"]
)
def test_the_natural_step_does_not_see_the_parametrisation(
    float64, make_policy, make_batch, kind, curvature
):
    """Columns of a layer rescaled by up to 5: the same change of the distribution.

    F is nearly singular, and solved without damping: hence 1e-5 and not 1e-12.
    """
    policy = make_policy(kind, hidden=(3,))
    batch = make_batch(policy, n=200)
    scale = np.array([5.0, 0.3, 1.0, 2.0])
    step = full_step(1e-3, curvature=Curvature(curvature, 0.0), solver=CG(500))
    changes = {}
    for name, improve in (
        ("natural", lambda p: step(p, batch)),
        ("gradient", plain_gradient_step(batch)),
    ):
        twins = [policy.copy(mode="copy"), rescaled(policy, scale)]
        changes[name] = [moved(twin, batch, improve) for twin in twins]

    def difference(one, two):
        return np.linalg.norm(one - two) / np.linalg.norm(one)

    assert difference(*changes["natural"]) < 1e-5
    assert difference(*changes["gradient"]) > 0.05


# Settings


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (Curvature, {"kind": "fisher"}, "curvature to be one of .* got 'fisher'"),
        (TrustRegion, {"over": "kl"}, "over to be one of mean, max, got 'kl'"),
        (TrustRegion, {"over": "maxi"}, "Did you mean max?"),
        (TrustRegion, {"max_kl": 0}, "max_kl to be a finite number > 0, got 0"),
        (TrustRegion, {"max_kl": np.nan}, "max_kl to be a finite number > 0, got nan"),
        (TrustRegion, {"max_kl": True}, "max_kl to be a finite number > 0, got True"),
        (Curvature, {"damping": -0.1}, "damping to be a finite number >= 0, got -0.1"),
        (Curvature, {"damping": np.inf}, "damping to be a finite number >= 0, got inf"),
        (Curvature, {"damping": "0.1"}, "damping to be a finite number >= 0"),
        (TrustRegion, {"eps": -1}, "eps to be a finite number >= 0, got -1"),
        (CG, {"iterations": 0}, "iterations to be a whole number >= 1, got 0"),
        (CG, {"iterations": 2.5}, "iterations to be a whole number >= 1, got 2.5"),
        (Curvature, {"stride": 0}, "stride to be a whole number >= 1, got 0"),
        (Repeats, {"n": 0}, "n to be a whole number >= 1, got 0"),
        (NaturalStep, {"chunk_rows": 0}, "chunk_rows to be a whole number >= 1"),
        (NaturalStep, {"region": "x"}, r"region to be TrustRegion\(\.\.\.\), got 'x'"),
        (NaturalStep, {"solver": TrustRegion()}, r"solver to be CG\(\.\.\.\) or Gram"),
        (NaturalStep, {"search": 3}, r"search to be Backtrack\(\.\.\.\), got 3"),
        (NaturalStep, {"schedule": None}, r"schedule to be Repeats\(\.\.\.\) or Mini"),
    ],
)
def test_refuses_what_cannot_work(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_settings_are_values():
    assert (
        NaturalStep(curvature=Curvature(damping=0.1))
        == NaturalStep(curvature=Curvature(damping=0.1))
        != NaturalStep()
    )
    for value, name in (
        (NaturalStep(), "chunk_rows"),
        (NaturalStep().curvature, "damping"),
        (NaturalStep().region, "max_kl"),
        (NaturalStep().solver, "iterations"),
        (NaturalStep().schedule, "n"),
    ):
        with pytest.raises(AttributeError):
            setattr(value, name, 1)
