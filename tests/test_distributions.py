"""Distributions against integrals, SciPy, moments of samples, and by law.

Float64 unless said; integrals by Gauss-Hermite quadrature, which is exact for the
polynomials that log densities of Gaussians are, up to rounding.
"""

from chainertrpo.policies import Categorical, DiagonalGaussian

import chainer
import chainer.functions as F
import numpy as np
import pytest
import scipy.stats
from chainer.backends.cuda import to_cpu
from scipy import integrate, special

N, A = 6, 3


def gaussian(rng, shared=False, xp=np, n=N, dtype="float64"):
    mean = rng.standard_normal((n, A))
    log_std = 0.5 * rng.standard_normal(A if shared else (n, A))
    return DiagonalGaussian(xp.asarray(mean, dtype), xp.asarray(log_std, dtype))


def categorical(rng, xp=np, n=N, n_actions=4, dtype="float64"):
    return Categorical(xp.asarray(2 * rng.standard_normal((n, n_actions)), dtype))


FAMILIES = {
    "per state": lambda rng, **kw: gaussian(rng, **kw),
    "shared": lambda rng, **kw: gaussian(rng, shared=True, **kw),
    "categorical": lambda rng, **kw: categorical(rng, **kw),
}
every_family = pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
gaussians = pytest.mark.parametrize(
    "shared", [False, True], ids=["per state", "shared"]
)


def numbers(x):
    return to_cpu(chainer.as_array(x))


def mean_and_std(dist):
    mean, log_std = (numbers(p) for p in dist.params)
    return mean, np.exp(np.broadcast_to(log_std, mean.shape))


def expectation(f, mean, std, n=20):
    """E f(x) for independent normals x, elementwise, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    x = mean[..., None] + std[..., None] * nodes
    return (f(x) * weights).sum(axis=-1) / weights.sum()


# Against integrals and SciPy


@gaussians
def test_gaussian_density_is_scipys(rng, xp, shared):
    dist = gaussian(rng, shared, xp)
    mean, std = mean_and_std(dist)
    x = rng.standard_normal((N, A))
    truth = scipy.stats.norm.logpdf(x, mean, std).sum(axis=1)
    found = dist.log_prob(xp.asarray(x))
    assert found.shape == (N,)
    np.testing.assert_allclose(numbers(found), truth, rtol=1e-13)


@gaussians
def test_gaussian_entropy_is_its_integral(rng, xp, shared):
    dist = gaussian(rng, shared, xp)
    mean, std = mean_and_std(dist)

    def information(x):
        return -scipy.stats.norm.logpdf(x, mean[..., None], std[..., None])

    truth = expectation(information, mean, std).sum(axis=1)
    assert dist.entropy.shape == (N,)
    np.testing.assert_allclose(numbers(dist.entropy), truth, rtol=1e-12)


@pytest.mark.parametrize("shared", [(False, False), (True, True), (True, False)])
def test_gaussian_kl_is_its_integral(rng, xp, shared):
    p, q = (gaussian(rng, one, xp) for one in shared)
    (mean_p, std_p), (mean_q, std_q) = mean_and_std(p), mean_and_std(q)

    def log_ratio(x):
        return scipy.stats.norm.logpdf(
            x, mean_p[..., None], std_p[..., None]
        ) - scipy.stats.norm.logpdf(x, mean_q[..., None], std_q[..., None])

    truth = expectation(log_ratio, mean_p, std_p).sum(axis=1)
    assert p.kl(q).shape == (N,)
    np.testing.assert_allclose(numbers(p.kl(q)), truth, rtol=1e-11)


def test_gaussian_kl_by_adaptive_integration(rng):
    """The same by a rule that knows nothing of Gaussians, in one dimension."""
    p, q = (
        DiagonalGaussian(np.full((1, 1), m), np.full(1, s))
        for m, s in ((0.3, -0.5), (-0.4, 0.2))
    )

    def density(dist, x):
        return np.exp(dist.log_prob(np.full((1, 1), x)).array.item())

    def integrand(x):
        return density(p, x) * np.log(density(p, x) / density(q, x))

    truth, _ = integrate.quad(integrand, -6, 6, epsabs=1e-12)
    assert p.kl(q).array.item() == pytest.approx(truth, abs=1e-10)
    total, _ = integrate.quad(lambda x: density(q, x), -15, 15)
    assert total == pytest.approx(1, abs=1e-8)


def test_categorical_is_the_sum_over_actions(rng, xp):
    p, q = categorical(rng, xp), categorical(rng, xp)
    prob_p, prob_q = (special.softmax(numbers(d.logits), axis=1) for d in (p, q))
    np.testing.assert_allclose(
        numbers(p.entropy), scipy.stats.entropy(prob_p, axis=1), rtol=1e-13
    )
    np.testing.assert_allclose(
        numbers(p.kl(q)), scipy.stats.entropy(prob_p, prob_q, axis=1), rtol=1e-12
    )
    for action in range(4):
        x = xp.full(N, action, "i")
        np.testing.assert_allclose(
            numbers(p.log_prob(x)), np.log(prob_p[:, action]), rtol=1e-13, atol=1e-15
        )


@every_family
def test_fisher_is_the_covariance_of_the_score(rng, build):
    """F t = E[s (sᵀt)] / N a state, with s = ∂ log p(x) / ∂params."""
    dist = build(rng)
    tangents = [rng.standard_normal(p.shape) for p in dist.params]
    if hasattr(dist, "logits"):
        p = np.exp(dist.all_log_prob.array)
        (t,) = tangents
        truth = [np.zeros_like(t)]
        for action in range(p.shape[1]):
            score = np.eye(p.shape[1])[action] - p
            along = (score * t).sum(axis=1, keepdims=True)
            truth[0] += p[:, [action]] * score * along / N
    else:
        mean, std = mean_and_std(dist)
        # Of N(μ, σ²): the scores are z/σ and z² − 1, and independent over actions.
        var_mean = expectation(lambda z: z**2, 0 * mean, 1 + 0 * std) / std**2
        var_log_std = expectation(lambda z: (z**2 - 1) ** 2, 0 * mean, 1 + 0 * std)
        per_state = var_log_std * tangents[1] / N
        shared = tangents[1].ndim == 1
        truth = [
            var_mean * tangents[0] / N,
            per_state.sum(axis=0) if shared else per_state,
        ]
    for found, want in zip(dist.fisher(tangents), truth):
        assert found.shape == want.shape
        np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-14)


# Laws


@every_family
def test_no_divergence_from_itself_and_no_gradient_there(rng, xp, build):
    dist = build(rng, xp=xp)
    variables = [chainer.Variable(p.array) for p in dist.params]
    new = type(dist)(*variables)
    for kl in (dist.kl(new), new.copy().kl(new)):
        np.testing.assert_allclose(numbers(kl), 0, atol=1e-15)
        for grad in chainer.grad([F.sum(kl)], variables):
            np.testing.assert_allclose(numbers(grad), 0, atol=1e-14)


@every_family
def test_divergences_are_positive_and_have_a_side(rng, build):
    p, q = build(rng), build(rng)
    there, back = numbers(p.kl(q)), numbers(q.kl(p))
    assert (there > 1e-3).all()
    assert (back > 1e-3).all()
    assert not np.allclose(there, back, rtol=0.01)


@every_family
def test_cross_entropy_is_least_at_itself(rng, build):
    """H(p) + KL(p ‖ q), as a function of q, is stationary at q = p and is H(p) there."""
    dist = build(rng)
    variables = [chainer.Variable(p.array) for p in dist.params]
    new = type(dist)(*variables)
    cross = F.sum(dist.kl(new)) + F.sum(dist.entropy)
    assert numbers(cross) == pytest.approx(numbers(F.sum(new.entropy)), rel=1e-14)
    for grad in chainer.grad([cross], variables):
        np.testing.assert_allclose(numbers(grad), 0, atol=1e-14)


@every_family
def test_copies_have_no_graph_and_share_nothing(rng, build):
    p = build(rng)
    variables = [chainer.Variable(x.array) for x in p.params]
    dist = type(p)(*[2 * v for v in variables])
    copy = dist.copy()
    before = [x.array.copy() for x in copy.params]
    for x in dist.params:
        x.array[...] = 9
    assert all((a == b.array).all() for a, b in zip(before, copy.params))
    assert chainer.grad([F.sum(copy.entropy)], variables) == [None] * len(variables)


@every_family
def test_most_probable_has_the_highest_density(rng, xp, build):
    dist = build(rng, xp=xp)
    best = numbers(dist.log_prob(dist.most_probable))
    for _ in range(20):
        assert (numbers(dist.log_prob(dist.sample())) <= best).all()


# Samples: seeded, and within five standard errors of their law


def test_gaussian_samples_have_the_moments(xp):
    xp.random.seed(0)
    n = 40000
    mean, log_std = np.array([0.5, -2.0, 3.0]), np.array([-1.0, 0.0, 0.7])
    dist = DiagonalGaussian(
        xp.asarray(np.tile(mean, (n, 1)), "f"), xp.asarray(log_std, "f")
    )
    for rng in (None, xp.random.default_rng(0)):
        sample = dist.sample(rng)
        assert sample.dtype == np.float32
        z = (np.float64(numbers(sample)) - mean) / np.exp(log_std)
        assert np.abs(z.mean(axis=0)).max() < 5 / n**0.5
        assert np.abs(z.var(axis=0) - 1).max() < 5 * (2 / n) ** 0.5
        assert np.abs(np.corrcoef(z.T) - np.eye(3)).max() < 5 / n**0.5
        assert (scipy.stats.kstest(z[:, 0], "norm").pvalue) > 1e-5


def test_categorical_samples_have_the_frequencies(xp):
    xp.random.seed(0)
    n, p = 40000, np.array([0.5, 0.3, 0.15, 0.05])
    dist = Categorical(xp.asarray(np.tile(np.log(p) + 7, (n, 1)), "f"))
    for rng in (None, xp.random.default_rng(0)):
        sample = dist.sample(rng)
        assert sample.dtype == np.int32
        counts = np.bincount(numbers(sample), minlength=4)
        assert scipy.stats.chisquare(counts, n * p).pvalue > 1e-5


@every_family
def test_a_seed_repeats_a_sample_and_samples_have_no_graph(rng, xp, build):
    dist = build(rng, xp=xp)
    draws = []
    for seed in (3, 3, 4):
        xp.random.seed(seed)
        sample = dist.sample()
        assert sample.creator is None
        draws.append(numbers(sample))
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_an_impossible_action_is_never_drawn(xp):
    dist = Categorical(xp.asarray(np.tile([-1e4, 0.0, -1e4], (1000, 1)), "f"))
    assert (numbers(dist.sample()) == 1).all()


# Extremes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_logits_give_finite_numbers_and_gradients(xp, dtype):
    rows = [[1e4, -1e4, 0.0], [-1e4, -1e4, 1e4], [1e4, 1e4, 1e4], [0.0, 1.0, 2.0]]
    logits = chainer.Variable(xp.asarray(rows, dtype))
    dist, other = Categorical(logits), Categorical(xp.asarray(rows[::-1], dtype))
    x = xp.asarray([1, 0, 2, 0], "i")
    for y in (dist.entropy, dist.log_prob(x), dist.kl(other), other.kl(dist)):
        assert np.isfinite(numbers(y)).all()
        (grad,) = chainer.grad([F.sum(y)], [logits], enable_double_backprop=True)
        assert np.isfinite(numbers(grad)).all()
        (second,) = chainer.grad([F.sum(grad * grad)], [logits])
        assert np.isfinite(numbers(second)).all()
    assert numbers(dist.log_prob(x)).tolist()[:2] == [-2e4, -2e4]
    assert numbers(dist.entropy)[0] == 0


@pytest.mark.parametrize("log_std", [-15.0, 15.0])
def test_narrow_and_wide_gaussians_are_finite(log_std):
    dist = DiagonalGaussian(np.ones((2, A), "f"), np.full(A, log_std, "f"))
    x = np.full((2, A), 1.5, "f")
    for y in (dist.entropy, dist.log_prob(x), dist.kl(dist.copy())):
        assert np.isfinite(y.array).all()


def test_float32_kl_of_near_policies_has_the_accuracy_of_its_terms(rng):
    """Near p the KL is a difference of numbers of order one: absolute rounding."""
    p64 = gaussian(rng, n=200)
    shift = 1e-3 * rng.standard_normal((200, A))
    q64 = DiagonalGaussian(p64.mean.array + shift, p64.log_std.array + shift)
    p, q = (
        DiagonalGaussian(*(x.array.astype("f") for x in dist.params))
        for dist in (p64, q64)
    )
    inputs = [
        DiagonalGaussian(*(np.float64(x.array) for x in d.params)) for d in (p, q)
    ]
    truth = inputs[0].kl(inputs[1]).array
    # Three actions, a handful of roundings of numbers up to one each.
    assert np.abs(p.kl(q).array - truth).max() < A * 5 * np.finfo("f").eps


# Double backprop


def directional(f, arrays, directions, h):
    """Central difference of a list-valued f along directions."""
    moved = [f([a + s * h * d for a, d in zip(arrays, directions)]) for s in (1, -1)]
    return [(up - down) / (2 * h) for up, down in zip(*moved)]


@every_family
@pytest.mark.parametrize("quantity", ["log_prob", "entropy", "kl", "kl_reverse"])
def test_second_derivatives_are_differences_of_first(rng, build, quantity):
    dist, other = build(rng), build(rng)
    family, x = type(dist), dist.sample()
    scalars = {
        "log_prob": lambda d: F.sum(F.exp(d.log_prob(x.array))),
        "entropy": lambda d: F.sum(F.exp(d.entropy)),
        "kl": lambda d: F.sum(F.sqrt(1 + other.kl(d))),
        "kl_reverse": lambda d: F.sum(F.sqrt(1 + d.kl(other))),
    }

    def gradient(arrays, graph=False):
        variables = [chainer.Variable(a) for a in arrays]
        y = scalars[quantity](family(*variables))
        grads = chainer.grad([y], variables, enable_double_backprop=graph)
        return [
            chainer.Variable(np.zeros_like(a)) if g is None else g
            for a, g in zip(arrays, grads)
        ], variables

    arrays = [p.array for p in dist.params]
    directions = [rng.standard_normal(a.shape) for a in arrays]
    grads, variables = gradient(arrays, graph=True)
    along = sum(F.sum(g * d) for g, d in zip(grads, directions))
    found = chainer.grad([along], variables)
    # Richardson: two central differences cancel the error in h², leaving h⁴ ~ 1e-12.
    coarse, fine = (
        directional(lambda a: [g.array for g in gradient(a)[0]], arrays, directions, h)
        for h in (2e-3, 1e-3)
    )
    for one, two, have in zip(coarse, fine, found):
        truth = (4 * two - one) / 3
        have = np.zeros_like(truth) if have is None else have.array
        scale = max(1, np.abs(truth).max())
        assert np.abs(have - truth).max() < 1e-9 * scale


def test_shapes_that_would_broadcast_are_refused():
    for shape in [(1, A), (N, 1), (A, 1), (1,), ()]:
        with pytest.raises(ValueError, match="log_std of shape"):
            DiagonalGaussian(np.zeros((N, A)), np.zeros(shape))
