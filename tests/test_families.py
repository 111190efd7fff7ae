"""Families of distributions: densities against sums, derivatives against complex steps.

The formulas are written for arrays and for Chainer's Variables alike, so complex arrays
go through them too: that gives derivatives exact to rounding (Squire and Trapp 1998).
"""

import itertools

from chainertrpo.numerics import functions
from chainertrpo.policies import families
from chainertrpo.policies.families import (
    Bernoulli,
    Bounded,
    Free,
    Gaussian,
    Product,
    Scaled,
    Softmax,
    Squared,
)
from chainertrpo.policies.graph import Distribution

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from scipy import integrate, stats

STEP, N = 1e-30, 6
PLACEMENTS = {"free": Free(), "scaled": Scaled(), "bounded": Bounded()}
KINDS = ("state_independent", "state_dependent", "shared", "fixed")
CASES = {
    **{
        f"{kind} {name}": (lambda kind=kind, p=p: Gaussian(2, kind, p))
        for kind in KINDS
        for name, p in PLACEMENTS.items()
    },
    "squared": Squared,
    "softmax": lambda: Softmax(4),
    "bits": lambda: Bernoulli(3),
    "product": lambda: Product([Gaussian(2), Softmax(3), Bernoulli(2)]),
    "masked": lambda: Softmax(4),
    "masked bits": lambda: Bernoulli(3),
    "masked product": lambda: Product([Softmax(3), Softmax(2)]),
    "masked mixture": lambda: Product([Bernoulli(2), Softmax(3)]),
    "product of masked": lambda: Product([Softmax(3), Gaussian(1)]),
}
every_case = pytest.mark.parametrize("name", CASES)
has_entropy = pytest.mark.parametrize("name", [n for n in CASES if n != "squared"])


class Case:
    """A family at random outputs and parameters, with actions; NumPy, float64."""

    def __init__(self, name, rng):
        self.family = CASES[name]()
        self.out = rng.standard_normal((N, self.family.width))
        prefix = {"product": "/0", "product of masked": "/1"}.get(name, "")
        self.theta = {
            k: 0.3 * rng.standard_normal(shape)
            for k, shape in self.family.shapes.items()
        }
        if name.startswith("fixed"):
            self.theta["/log_std"] = np.array([-0.4, 0.3])
        if "scaled" in name or "bounded" in name:
            self.theta["/loc"] = np.array([0.5, -1.0])
            self.theta["/half_range"] = np.array([0.4, 2.0])
        assert all(k.startswith(prefix) for k in self.family.shapes)
        self.mask = None
        if "masked" in name:
            self.mask = rng.random((N, self.family.mask_size)) < 0.6
            self.mask[:, 0] = True
            if name == "masked product":
                self.mask[:, 3] = True
            if name == "masked mixture":  # bits may all be masked, indices not
                self.mask[:, 2], self.mask[0, :2] = True, False
        self.m = self.at(self.out, self.theta)
        if name == "squared":
            self.action = rng.standard_normal((N, 1))
        else:
            self.action = self.family.sample(self.m, np.random.default_rng(1))
        moved = self.out + 0.4 * rng.standard_normal(self.out.shape)
        self.other = self.at(moved, self.theta)

    def at(self, out, theta):
        return self.family.at(out, theta, self.mask)

    def slopes(self, value):
        """∂value(m)/∂out (of each row's value) and ∂Σ value/∂θ by complex steps."""
        by_out = np.empty_like(self.out)
        for j in range(self.out.shape[1]):
            there = self.out + 1j * STEP * np.eye(self.out.shape[1])[j]
            by_out[:, j] = value(self.at(there, self.theta)).imag / STEP
        by_own = {}
        for name in self.family.shapes:
            x = self.theta[name]
            grad = np.empty(x.shape)
            for at in np.ndindex(*x.shape):
                moved = x.astype(complex)
                moved[at] += 1j * STEP
                theta = {**self.theta, name: moved}
                m = self.at(self.out.astype(complex), theta)
                grad[at] = np.sum(value(m).imag) / STEP
            by_own[name] = grad
        return by_out, by_own


@pytest.fixture
def case(name, rng, monkeypatch):
    # Of complex numbers too, which NumPy's logaddexp does not take.
    usual = functions.softplus

    def softplus(x):
        holomorphic = isinstance(x, np.ndarray) and np.iscomplexobj(x)
        return np.log(1 + np.exp(x)) if holomorphic else usual(x)

    monkeypatch.setattr(families, "softplus", softplus)
    return Case(name, rng)


def close(found, truth, tolerance=1e-12):
    scale = max(np.abs(truth).max(), 1.0)
    assert np.abs(found - truth).max() <= tolerance * scale


@every_case
def test_scores_are_derivatives_of_log_densities(case):
    family = case.family
    dout, own = family.score(case.m, case.action)
    by_out, by_own = case.slopes(lambda m: family.log_prob(m, case.action))
    close(dout, by_out)
    for name, truth in by_own.items():
        close(own[name].sum(axis=0), truth)


@has_entropy
@pytest.mark.parametrize("as_arrays", [False, True])
def test_what_is_pulled_is_the_derivative_of_the_sum(case, rng, as_arrays):
    family = case.family
    weights = rng.standard_normal((3, N) if as_arrays else 3)
    found, own = family.pull(case.m, case.action, *weights, old=case.other)

    def value(m):
        a, b, c = weights
        first = a * family.log_prob(m, case.action) + b * family.entropy(m)
        return first + c * family.kl(case.other, m)

    by_out, by_own = case.slopes(value)
    close(found, by_out)
    assert own.keys() == by_own.keys()
    for name, truth in by_own.items():
        close(own[name], truth)


@every_case
def test_fisher_is_the_curvature_of_the_divergence(case, rng):
    """By complex steps of its gradient, and so of itself twice."""
    family = case.family
    dout = rng.standard_normal(case.out.shape)
    dtheta = {k: rng.standard_normal(s) for k, s in family.shapes.items()}
    out, own = family.fisher(case.m, dout, dtheta, 0.7)
    at = case.at(
        case.out + 1j * STEP * dout,
        {k: x + 1j * STEP * dtheta.get(k, 0) for k, x in case.theta.items()},
    )
    if family.width == 1 and not hasattr(family, "kl_slope"):  # Squared
        close(out, 0.7 * 2 * dout)
        return
    by_out, by_own = family.kl_slope(at, case.m)
    by_out = np.zeros_like(case.out) if by_out is None else by_out
    close(out, 0.7 * by_out.imag / STEP)
    for name, rows in by_own.items():
        close(own[name], 0.7 * rows.imag.sum(axis=0) / STEP)


@every_case
def test_chainers_graph_says_the_same(case, rng, xp):
    """Values and gradients through `chainer.functions`, on either device."""
    family, name = case.family, list(case.family.shapes)
    send = xp.asarray
    theta = {k: send(x) for k, x in case.theta.items()}
    own = {k: chainer.Variable(theta[k]) for k in name}
    out = chainer.Variable(send(case.out))
    mask = None if case.mask is None else send(case.mask)
    dist = Distribution(family, out, {**theta, **own}, mask)
    action, u = send(case.action), send(rng.standard_normal(N))
    m = family.at(send(case.out), theta, mask)
    log_prob = dist.log_prob(action)
    close(to_cpu(log_prob.array), family.log_prob(case.m, case.action))
    terms = log_prob * u
    by_entropy = 0
    if not isinstance(family, Squared):
        close(to_cpu(dist.entropy.array), family.entropy(case.m))
        terms, by_entropy = terms + 0.3 * dist.entropy * u, 0.3 * u
    old = family.at(send(case.out) + 0.1, theta, mask)
    if not isinstance(family, Squared):
        terms = terms + 0.2 * family.kl(old, dist._m)
    grads = chainer.grad([F.sum(terms)], [out, *own.values()])
    by_kl = 0 if isinstance(family, Squared) else 0.2
    found, found_own = family.pull(m, action, u, by_entropy, by_kl, old)
    close(to_cpu(found), to_cpu(grads[0].array))
    for key, grad in zip(own, grads[1:]):
        close(to_cpu(found_own[key]), to_cpu(grad.array))


@every_case
def test_divergences_are_zero_where_nothing_differs(case):
    family = case.family
    assert np.abs(family.kl(case.m, case.m)).max() < 1e-15
    assert (family.kl(case.m, case.other) >= 0).all()


CHOICES = {
    "softmax": [(i,) for i in range(4)],
    "masked": [(i,) for i in range(4)],
    "bits": list(itertools.product((0, 1), repeat=3)),
    "masked bits": list(itertools.product((0, 1), repeat=3)),
    "masked product": list(itertools.product(range(3), range(2))),
    "masked mixture": list(itertools.product((0, 1), (0, 1), range(3))),
}


@pytest.mark.parametrize("name", CHOICES)
def test_choices_against_all_of_them(case, name):
    """Probabilities sum to 1; entropy, divergence and frequencies are the definitions."""
    family, actions = case.family, np.array(CHOICES[name])
    single = family.size is None
    rows = [np.repeat(a[None], N, axis=0) for a in actions]
    rows = [x[:, 0] if single else x for x in rows]
    logs = np.stack([family.log_prob(case.m, x) for x in rows])
    p = np.exp(logs)
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-12)
    other = np.stack([family.log_prob(case.other, x) for x in rows])
    terms = np.where(p > 0, p, 0)
    np.testing.assert_allclose(
        family.entropy(case.m),
        -(terms * np.where(p > 0, logs, 0)).sum(axis=0),
        atol=1e-12,
    )
    gap = np.where(p > 0, logs - other, 0)
    np.testing.assert_allclose(
        family.kl(case.m, case.other), (terms * gap).sum(axis=0), atol=1e-12
    )
    rng, seen = np.random.default_rng(0), np.zeros_like(p)
    for _ in range(4000):
        drawn = family.sample(case.m, rng)
        drawn = drawn[:, None] if single else drawn
        seen += (drawn == actions[:, None]).all(axis=2)
    error = np.abs(seen / 4000 - p) / np.sqrt(np.maximum(p * (1 - p), 1e-4) / 4000)
    assert error.max() < 5
    assert (seen[p == 0] == 0).all()
    best = family.mode(case.m)
    best = best[:, None] if single else best
    mode = np.stack([(best == a).all(axis=1) for a in actions])
    np.testing.assert_allclose(p[mode.argmax(axis=0), np.arange(N)], p.max(axis=0))


@pytest.mark.parametrize("name", [n for n in CASES if "masked" in n])
def test_what_is_masked_has_probability_zero_and_no_gradient(case, name):
    family, masked = case.family, np.zeros(case.out.shape, bool)
    masked[:, : family.mask_size] = ~case.mask  # a Gaussian's column has no mask
    m, u = case.m, np.ones(N)
    pieces = m if isinstance(m, list) else [m]
    p = [x.p if hasattr(x, "p") else functions.sigmoid(x) for x in pieces[:1]]
    assert (p[0][masked[:, : p[0].shape[1]]] == 0).all()
    dout, _ = family.pull(m, case.action, u, 0.5 * u, 0.5 * u, case.other)
    assert np.isfinite(dout).all() and (dout[masked] == 0).all()
    out, _ = family.fisher(m, np.ones_like(case.out), family_tangent(family), 1.0)
    assert np.isfinite(out).all() and (out[masked] == 0).all()
    for value in (
        family.entropy(m),
        family.kl(m, case.other),
        family.kl(case.other, m),
    ):
        assert np.isfinite(value).all()
    for seed in range(50):
        drawn = family.sample(m, np.random.default_rng(seed))
        assert np.isfinite(family.log_prob(m, drawn)).all()
        assert (family.log_prob(m, drawn) > -1e6).all()


def family_tangent(family):
    return {k: np.ones(s) for k, s in family.shapes.items()}


def test_a_zero_of_the_exponential_draws_nothing_that_is_masked():
    class Zeros:
        def standard_exponential(self, shape):
            return np.zeros(shape)

    family, mask = Softmax(3), np.array([[False, True, False]] * 2)
    m = family.at(np.array([[9.0, -3.0, 0.0]] * 2), {}, mask)
    assert family.sample(m, Zeros()).tolist() == [1, 1]


every_gaussian = pytest.mark.parametrize(
    "name", [f"{kind} {place}" for kind in KINDS for place in PLACEMENTS]
)


def moments_of(m):
    return m.mean, np.exp(np.broadcast_to(m.log_std, m.mean.shape))


@every_gaussian
def test_gaussians_against_integrals(case):
    """Of log densities, which are polynomials: quadrature is exact for them."""
    family, m, other = case.family, case.m, case.other
    (mean, sigma), (q_mean, q_sigma) = moments_of(m), moments_of(other)
    truth = stats.norm(mean, sigma).logpdf(case.action).sum(axis=1)
    np.testing.assert_allclose(family.log_prob(m, case.action), truth, rtol=1e-12)
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    x, weights = mean[..., None] + sigma[..., None] * nodes, weights / weights.sum()
    log_p = stats.norm.logpdf(x, mean[..., None], sigma[..., None])
    log_q = stats.norm.logpdf(x, q_mean[..., None], q_sigma[..., None])
    entropy = -(log_p * weights).sum(axis=(1, 2))
    np.testing.assert_allclose(family.entropy(m), entropy, rtol=1e-11)
    kl = ((log_p - log_q) * weights).sum(axis=(1, 2))
    np.testing.assert_allclose(family.kl(m, other), kl, rtol=1e-11)


def test_a_divergence_by_adaptive_integration(rng):
    """The same by a rule that knows nothing of Gaussians."""
    case = Case("state_dependent bounded", rng)
    (mean, sigma), (q_mean, q_sigma) = moments_of(case.m), moments_of(case.other)
    row, total = 2, 0.0
    for j in range(2):
        p = stats.norm(mean[row, j], sigma[row, j])
        q = stats.norm(q_mean[row, j], q_sigma[row, j])
        total += integrate.quad(
            lambda x, p=p, q=q: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)),
            p.mean() - 12 * p.std(),
            p.mean() + 12 * p.std(),
        )[0]
    assert case.family.kl(case.m, case.other)[row] == pytest.approx(total, rel=1e-7)


@every_gaussian
def test_gaussian_samples_have_the_moments(case):
    """Within five standard errors; their mode is the mean."""
    rng, n = np.random.default_rng(0), 4000
    mean, sigma = moments_of(case.m)
    drawn = np.stack([case.family.sample(case.m, rng) for _ in range(n)])
    z = (drawn - mean) / sigma
    assert np.abs(z.mean(axis=0)).max() < 5 / n**0.5
    assert np.abs(z.var(axis=0) - 1).max() < 5 * (2 / n) ** 0.5
    assert np.abs((z[..., 0] * z[..., 1]).mean(axis=0)).max() < 5 / n**0.5
    assert np.array_equal(case.family.mode(case.m), mean)


def test_squared_is_a_gaussian_of_variance_one_half(rng):
    """Up to a constant of the density: likelihood, divergence and Fisher matrix."""
    case = Case("squared", rng)
    gaussian, theta = Gaussian(1, "fixed"), {"/log_std": np.full(1, 0.5 * np.log(0.5))}
    m, other = gaussian.at(case.m, theta), gaussian.at(case.other, theta)
    gap = gaussian.log_prob(m, case.action) - case.family.log_prob(case.m, case.action)
    np.testing.assert_allclose(gap, -0.5 * np.log(np.pi), rtol=1e-12)
    kl = gaussian.kl(m, other)
    np.testing.assert_allclose(case.family.kl(case.m, case.other), kl, rtol=1e-12)
    dout = rng.standard_normal((N, 1))
    found = case.family.fisher(case.m, dout, {}, 0.7)[0]
    np.testing.assert_allclose(found, gaussian.fisher(m, dout, {}, 0.7)[0], rtol=1e-12)
    assert np.array_equal(case.family.mode(case.m), case.out)


def test_a_product_is_its_parts_side_by_side(rng):
    """A Gaussian, a softmax and bits: sums of theirs, and their samples' columns."""
    case = Case("product", rng)
    family, m = case.family, case.m
    assert (family.width, family.size) == (2 + 3 + 2, 2 + 1 + 2)
    assert family.shapes == {"/0/log_std": (2,)}
    gaussian, index, bits = family.parts
    own = {"/log_std": case.theta["/0/log_std"]}
    outs = case.out[:, :2], case.out[:, 2:5], case.out[:, 5:]
    parts = [
        (gaussian, gaussian.at(outs[0], own), case.action[:, :2]),
        (index, index.at(outs[1]), case.action[:, 2].astype(int)),
        (bits, bits.at(outs[2]), case.action[:, 3:]),
    ]
    found = family.log_prob(m, case.action)
    truth = sum(part.log_prob(x, a) for part, x, a in parts)
    np.testing.assert_allclose(found, truth, rtol=1e-14)
    truth = sum(part.entropy(x) for part, x, _ in parts)
    np.testing.assert_allclose(family.entropy(m), truth, rtol=1e-14)
    truth = np.concatenate([part.score(x, a)[0] for part, x, a in parts], axis=1)
    np.testing.assert_allclose(family.score(m, case.action)[0], truth, rtol=1e-14)
    assert case.action.dtype.kind == "f"  # an index and bits beside real numbers
    modes = [part.mode(x).reshape(N, -1) for part, x, _ in parts]
    np.testing.assert_array_equal(family.mode(m), np.concatenate(modes, axis=1))
    draws, n = np.random.default_rng(0), 4000
    drawn = np.stack([family.sample(m, draws) for _ in range(n)])
    (mean, sigma), p = moments_of(parts[0][1]), parts[1][1].p
    ones = 1 / (1 + np.exp(-outs[2]))
    z = (drawn[..., :2] - mean) / sigma
    assert np.abs(z.mean(axis=0)).max() < 5 / n**0.5
    for i in range(3):
        seen = (drawn[..., 2] == i).mean(axis=0)
        assert (np.abs(seen - p[:, i]) < 5 * np.sqrt(p[:, i] / n)).all()
    seen = drawn[..., 3:].mean(axis=0)
    assert (np.abs(seen - ones) < 5 * np.sqrt(ones * (1 - ones) / n)).all()


@every_case
def test_fisher_is_the_hessian_of_the_mean_divergence_in_chainer(case, rng, xp):
    """By double backprop, whose products the written-out ones stand for."""
    family, send = case.family, xp.asarray
    theta = {k: send(x) for k, x in case.theta.items()}
    own = {k: chainer.Variable(theta[k]) for k in family.shapes}
    out = chainer.Variable(send(case.out))
    mask = None if case.mask is None else send(case.mask)
    dist = Distribution(family, out, {**theta, **own}, mask)
    variables = [out, *own.values()]
    kl = F.mean(dist.copy().kl(dist))
    grads = chainer.grad([kl], variables, enable_double_backprop=True)
    tangents = [send(rng.standard_normal(x.shape)) for x in variables]
    along = sum(F.sum(g * t) for g, t in zip(grads, tangents))
    truth = chainer.grad([along], variables)
    dtheta = dict(zip(own, tangents[1:]))
    m = family.at(send(case.out), theta, mask)
    found, found_own = family.fisher(m, tangents[0], dtheta, 1 / N)
    close(to_cpu(found), to_cpu(truth[0].array))
    for name, want in zip(own, truth[1:]):
        close(to_cpu(found_own[name]), to_cpu(want.array))


@pytest.mark.parametrize("name", [n for n in CASES if "masked" not in n])
def test_a_row_without_a_batch_is_a_batch_of_one(case, name):
    """As policies act: the same formulas, an axis less."""
    rows = case.family.at(case.out[3:4], case.theta)
    one = case.family.at(case.out[3], case.theta)
    np.testing.assert_allclose(case.family.mode(one), case.family.mode(rows)[0])
    if name != "squared":
        drawn, alone = (
            case.family.sample(x, np.random.default_rng(5)) for x in (rows, one)
        )
        np.testing.assert_allclose(alone, drawn[0])
        assert np.asarray(alone).dtype == drawn.dtype


@pytest.mark.parametrize("log_std", ["none", None])
def test_unknown_kinds_are_named(log_std):
    with pytest.raises(ValueError, match="expected log_std to be one of"):
        Gaussian(2, log_std)


def test_bounded_means_stay_within_and_units_scale(rng):
    bounded, scaled = Case("fixed bounded", rng), Case("fixed scaled", rng)
    m = bounded.at(100 * bounded.out, bounded.theta)
    low, high = np.array([0.1, -3.0]), np.array([0.9, 1.0])
    assert (m.mean >= low - 1e-15).all() and (m.mean <= high + 1e-15).all()
    expected = scaled.theta["/loc"] + scaled.theta["/half_range"] * scaled.out
    np.testing.assert_allclose(scaled.m.mean, expected, rtol=1e-15)
    sigma = np.exp(scaled.m.log_std)
    want = scaled.theta["/half_range"] * np.exp(scaled.theta["/log_std"])
    np.testing.assert_allclose(sigma, want, rtol=1e-14)


def test_float32_stays(rng):
    for name in CASES:
        case = Case(name, rng)
        theta = {k: x.astype("f") for k, x in case.theta.items()}
        m = case.family.at(case.out.astype("f"), theta, case.mask)
        action = case.action.astype("f") if case.action.dtype == "d" else case.action
        dout, own = case.family.pull(m, action, 0.5)
        tangent = {k: x.astype("f") for k, x in family_tangent(case.family).items()}
        out, by_own = case.family.fisher(m, np.ones_like(dout), tangent, 0.5)
        arrays = [dout, out, *own.values(), *by_own.values()]
        arrays.append(case.family.log_prob(m, action))
        assert {x.dtype for x in arrays} == {np.dtype("float32")}, name
