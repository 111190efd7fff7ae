"""Laws of the natural steps' choices, against plain NumPy in float64."""

import math

from chainertrpo import NaturalStep, ValueFunction
from chainertrpo.agents import Estimation
from chainertrpo.data import Path, standardize
from chainertrpo.numerics import at, conjugate_gradient, flatten
from chainertrpo.policies import ScaledValueFunction
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    FitReport,
    Likelihood,
    NaturalFit,
    Repeats,
    TrustRegion,
    compatible_weights,
)
from chainertrpo.updates.search import Trial

import chainer
import numpy as np
import pytest
from conftest import POLICY_KINDS
from plain import PlainPolicy, column_by_column
from test_agents import make_agent
from worlds import some_paths


@pytest.fixture(params=POLICY_KINDS)
def case(request, float64, make_policy, make_batch):
    """A policy, its plain twin and a batch, in float64."""
    policy = make_policy(request.param, hidden=(5,))
    return policy, PlainPolicy(policy), make_batch(policy)


def scores(plain, batch):
    """∇log π of every row: (N, P), by complex steps."""
    return column_by_column(
        lambda theta: plain.log_prob(theta, batch.obs, batch.action), plain.theta
    )


def step_of(policy, plain, batch, **values):
    report = NaturalStep(search=None, **values)(policy, batch)
    assert report.reason == "accepted"
    return plain.read(policy) - plain.theta


# Natural actor-critic


def test_the_compatible_critic_is_the_least_squares_fit(case):
    """w by regression of the advantages on ∇log π, in closed form."""
    policy, plain, batch = case
    phi, n = scores(plain, batch), len(batch.obs)
    size = phi.shape[1]
    rows = np.concatenate([phi / n**0.5, 0.1**0.5 * np.eye(size)])
    truth = np.linalg.lstsq(
        rows, np.concatenate([batch.advantage / n**0.5, np.zeros(size)]), rcond=None
    )[0]
    w = compatible_weights(policy, batch, damping=0.1, n_iter=300).x
    assert np.abs(w - truth).max() < 1e-9 * np.abs(truth).max()


@pytest.mark.parametrize("chunk_rows", [1000, 13])
def test_its_weights_are_the_natural_gradient(case, chunk_rows):
    """w = F⁻¹g, F = E[∇log π ∇log πᵀ] + λ and g = E[∇log π · A] dense; αw is the step."""
    policy, plain, batch = case
    phi, n = scores(plain, batch), len(batch.obs)
    g = batch.advantage @ phi / n
    truth = np.linalg.solve(phi.T @ phi / n + 0.1 * np.eye(len(g)), g)
    w = compatible_weights(policy, batch, damping=0.1, n_iter=300).x
    assert np.abs(w - truth).max() < 1e-9 * np.abs(truth).max()
    step = step_of(
        policy,
        plain,
        batch,
        curvature=Curvature("scores", 0.1),
        solver=CG(300),
        region=TrustRegion(step_size=0.3),
        chunk_rows=chunk_rows,
    )
    assert np.abs(step - 0.3 * truth).max() < 1e-9 * np.abs(truth).max()


def test_over_all_actions_it_is_the_npg(float64, make_policy, make_batch):
    """With every action of a softmax weighted by its probability, E[φφᵀ] is the Fisher."""
    policy = make_policy("categorical", hidden=(5,))
    plain, batch = PlainPolicy(policy), make_batch(policy)
    n_actions = policy(batch.obs).logits.shape[1]
    fisher = 0
    for action in range(n_actions):
        every = batch._replace(action=np.full(len(batch.obs), action, "i"))
        phi = scores(plain, every)
        p = np.exp(plain.log_prob(plain.theta, batch.obs, every.action))
        fisher = fisher + phi.T @ (p[:, None] * phi) / len(p)
    truth = plain.kl_hessian(plain.theta, batch.obs)
    np.testing.assert_allclose(fisher, truth, atol=1e-12)


# Lengths, sides, starts, repeats


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
def test_a_fixed_step_is_alpha_times_the_natural_gradient(case, curvature):
    policy, plain, batch = case
    g = plain.gain_gradient(plain.theta, batch)
    matrix = plain.kl_hessian(plain.theta, batch.obs) + 0.1 * np.eye(len(g))
    step = step_of(
        policy,
        plain,
        batch,
        curvature=Curvature(curvature, 0.1),
        solver=CG(300),
        region=TrustRegion(step_size=0.2),
    )
    truth = 0.2 * np.linalg.solve(matrix, g)
    assert np.abs(step - truth).max() < 1e-9 * np.abs(truth).max()


@pytest.mark.parametrize("side", ["old_new", "new_old"])
def test_the_divergence_has_the_side_that_is_asked_for(case, side):
    """The same step; the divergence that the search sees is the other one."""
    policy, plain, batch = case
    step = NaturalStep(
        region=TrustRegion(max_kl=0.5, side=side),
        curvature=Curvature(damping=0.1),
        search=None,
    )
    report = step(policy, batch)
    pair = [plain.theta, plain.read(policy)]
    truth = plain.kl(*(pair if side == "old_new" else pair[::-1]), batch.obs).mean()
    other = plain.kl(*(pair[::-1] if side == "old_new" else pair), batch.obs).mean()
    assert report.kl == pytest.approx(truth, rel=1e-9)
    if plain.kind != "fixed":
        assert abs(truth - other) > 1e-4 * truth


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
def test_several_updates_from_a_batch_have_importance_weights(case, curvature):
    """The second natural gradient is taken at θ₁ against the first's log π_old."""
    policy, plain, batch = case
    NaturalStep(
        curvature=Curvature(curvature, 0.1),
        solver=CG(300),
        region=TrustRegion(step_size=0.2),
        schedule=Repeats(n=2),
        search=None,
    )(policy, batch)
    theta = plain.theta
    for _ in range(2):
        ratio = np.exp(plain.log_prob(theta, batch.obs, batch.action) - batch.log_prob)
        g = plain.gain_gradient(theta, batch)
        matrix = plain.kl_hessian(theta, batch.obs) + 0.1 * np.eye(len(g))
        theta = theta + 0.2 * np.linalg.solve(matrix, g)
    assert np.abs(ratio - 1).max() > 0.01
    scale = np.abs(theta - plain.theta).max()
    assert np.abs(plain.read(policy) - theta).max() < 1e-8 * scale


def test_a_relative_tolerance_is_a_part_of_the_gradient(case):
    policy, plain, batch = case
    norm = np.linalg.norm(plain.gain_gradient(plain.theta, batch))
    found = {}
    for name, settings in {
        "none": {},
        "relative": {"rtol": 0.1},
        "absolute": {"tol": 0.1 * norm},
        "larger": {"rtol": 0.01, "tol": 0.1 * norm},
    }.items():
        step = NaturalStep(
            curvature=Curvature(damping=0.1),
            solver=CG(iterations=30, **settings),
            search=None,
        )
        report = step(policy, batch)
        found[name] = report.cg_iterations, plain.read(policy) - plain.theta
        with at(policy, plain.theta) as keep:
            keep()
        assert name == "none" or report.cg_residual < 0.1 * norm
    assert found["relative"][0] < found["none"][0]
    for name in ("absolute", "larger"):
        assert np.array_equal(found["relative"][1], found[name][1])


def test_a_random_start_is_drawn_and_used(case, rng):
    """Enough iterations come to the same end, two do not; a seed repeats them."""
    policy, plain, batch = case
    thetas = {}
    for n_iter, start, seed in [
        (300, 0.0, 0),
        (300, 0.01, 0),
        (2, 0.0, 0),
        (2, 0.01, 0),
        (2, 0.01, 0),
        (2, 0.01, 1),
    ]:
        step = NaturalStep(
            curvature=Curvature(damping=0.1),
            solver=CG(iterations=n_iter, start=start),
            search=None,
        )
        before = flatten(policy)
        assert step(policy, batch, rng=np.random.default_rng(seed)).accepted
        found = flatten(policy) - before
        with at(policy, before) as keep:
            keep()
        same = thetas.setdefault((n_iter, start, seed), found)
        assert np.array_equal(same, found)
    scale = np.abs(thetas[300, 0.0, 0]).max()
    apart = np.abs(thetas[300, 0.01, 0] - thetas[300, 0.0, 0]).max()
    assert apart < 1e-8 * scale
    for one, other in [((2, 0.01, 0), (2, 0.0, 0)), ((2, 0.01, 0), (2, 0.01, 1))]:
        assert np.abs(thetas[one] - thetas[other]).max() > 1e-5 * scale
    with pytest.raises(ValueError, match="expected rng"):
        step(policy, batch)


def test_conjugate_gradient_from_a_start_and_with_eps(rng):
    a = rng.standard_normal((6, 6))
    a, b, x0 = a @ a.T + np.eye(6), rng.standard_normal(6), rng.standard_normal(6)
    calls = []

    def product(v):
        calls.append(v)
        return a @ v

    solution = conjugate_gradient(product, b, 2, x0=x0)
    assert len(calls) == 3
    assert solution.residual == pytest.approx(np.linalg.norm(b - a @ solution.x))
    # The textbook's first step: along r, of length rr / (rAr + ε).
    r = b - a @ x0
    one = conjugate_gradient(product, b, 1, x0=x0, eps=0.5)
    np.testing.assert_allclose(one.x, x0 + r.dot(r) / (r @ a @ r + 0.5) * r)
    exact = conjugate_gradient(product, b, 1, x0=np.linalg.solve(a, b))
    np.testing.assert_allclose(exact.x, np.linalg.solve(a, b))


# Searches


@pytest.mark.parametrize(
    "settings, trial, reason",
    [
        ({}, Trial(0.0, 0.01), "accepted"),
        ({"strict": True}, Trial(0.0, 0.009), "no_gain"),
        ({"strict": True}, Trial(0.1, 0.01), "kl"),
        ({"kl_slack": 1.5}, Trial(0.1, 0.0149), "accepted"),
        ({"kl_slack": 1.5}, Trial(0.1, 0.0151), "kl"),
        ({"kl_slack": None}, Trial(0.1, 9.0), "accepted"),
        ({"kl_slack": None}, Trial(0.1, math.inf), "nonfinite"),
        ({"min_ratio": 0.5}, Trial(0.49, 0.0, 1.0), "no_gain"),
        ({"min_ratio": 0.5}, Trial(0.51, 0.0, 1.0), "accepted"),
    ],
)
def test_what_a_search_accepts(settings, trial, reason):
    assert Backtrack(**settings).accept(trial, 0.01) == reason


class Seen(Backtrack):
    """Refuses everything, and keeps what it saw."""

    def accept(self, trial, max_kl):
        TRIALS.append(trial)
        return "no_gain"


TRIALS = []


@pytest.mark.parametrize("compound", [False, True])
def test_the_expected_gain_of_a_try(case, compound):
    """Fraction times gᵀs; compounded it is 1, 1/2, 1/8, 1/64 of it."""
    policy, plain, batch = case
    TRIALS.clear()
    search = Seen(n_tries=4, compound_expected=compound)
    step = NaturalStep(
        region=TrustRegion(step_size=0.1),
        curvature=Curvature(damping=0.1),
        solver=CG(iterations=300),
        search=search,
    )
    assert step(policy, batch).reason == "no_gain"
    g = plain.gain_gradient(plain.theta, batch)
    matrix = plain.kl_hessian(plain.theta, batch.obs) + 0.1 * np.eye(len(g))
    slope = 0.1 * g @ np.linalg.solve(matrix, g)
    weights = [1, 1 / 2, 1 / 8, 1 / 64] if compound else [1, 1 / 2, 1 / 4, 1 / 8]
    expected = [trial.expected for trial in TRIALS]
    np.testing.assert_allclose(expected, slope * np.array(weights), rtol=1e-9)


def test_the_two_ways_of_failing(case):
    """Change nothing; or take what lies beyond the last try."""
    policy, plain, batch = case
    settings = {
        "curvature": Curvature(damping=0.1),
        "solver": CG(300),
        "region": TrustRegion(step_size=0.1),
    }
    step = NaturalStep(search=Seen(n_tries=3), **settings)
    assert not step(policy, batch).accepted
    assert np.array_equal(plain.read(policy), plain.theta)
    step = NaturalStep(search=Seen(n_tries=3, on_failure="smallest"), **settings)
    report = step(policy, batch)
    assert (report.reason, report.fraction, report.accepted) == (
        "smallest",
        1 / 8,
        True,
    )
    g = plain.gain_gradient(plain.theta, batch)
    matrix = plain.kl_hessian(plain.theta, batch.obs) + 0.1 * np.eye(len(g))
    truth = 0.1 / 8 * np.linalg.solve(matrix, g)
    found = plain.read(policy) - plain.theta
    assert np.abs(found - truth).max() < 1e-9 * np.abs(truth).max()
    kl = plain.kl(plain.theta, plain.read(policy), batch.obs).mean()
    assert report.kl == pytest.approx(kl, rel=1e-9)


# The value function by a natural step


def test_a_natural_fit_is_a_gauss_newton_step_in_units_of_the_error(float64, rng):
    """(JᵀJ/σ² + λ)x = Jᵀr/σ², scaled so that half of xᵀ(…)x is ε."""
    vf = ValueFunction(3, (4,), seed=0)
    obs, target = rng.standard_normal((30, 3)), rng.standard_normal(30)
    before, names = flatten(vf), sorted(dict(vf.namedparams()))
    residual = target - vf(obs).array[:, 0]
    sizes = np.cumsum([dict(vf.namedparams())[name].size for name in names])[:-1]

    def values(theta):
        w0, b0, w1, b1 = np.split(theta, sizes)
        return np.tanh(obs @ w0.reshape(4, 3).T + b0) @ w1 + b1

    assert [name[-3:] for name in names] == ["0/W", "0/b", "1/W", "1/b"]
    jacobian = column_by_column(values, before)
    variance = (residual**2).mean()
    g = jacobian.T @ residual / 30 / variance
    matrix = jacobian.T @ jacobian / 30 / variance + 0.1 * np.eye(len(g))
    x = np.linalg.solve(matrix, g)
    truth = (2 * 0.02 / g.dot(x)) ** 0.5 * x
    batch = make_batch_of(obs, target)
    step = NaturalStep(
        objective=Likelihood(),
        curvature=Curvature(damping=0.1),
        solver=CG(iterations=300),
        region=TrustRegion(max_kl=0.02),
        search=None,
    )
    report = NaturalFit(step)(vf, None, batch, rng)
    found = flatten(vf) - before
    assert np.abs(found - truth).max() < 1e-5 * np.abs(truth).max()
    assert report.loss == pytest.approx(variance)


def test_scaled_values_are_fitted_in_their_own_unit(float64, rng):
    """(2JᵀJ + λ)x = 2Jᵀr of the MLP and standardised targets; V = m + d·MLP."""
    vf = ScaledValueFunction(3, (4,), seed=0)
    obs, target = rng.standard_normal((30, 3)), 40 + 7 * rng.standard_normal(30)
    np.testing.assert_array_equal(vf(obs).array, vf.mlp(obs).array * (1 + 1e-6))
    vf.experience(target[:10])
    plain = ValueFunction(3, (4,), seed=0)  # the same MLP
    step = NaturalStep(
        objective=Likelihood(),
        curvature=Curvature(damping=0.1),
        solver=CG(iterations=300),
        region=TrustRegion(max_kl=0.02),
        search=None,
    )
    assert NaturalFit(step, 0.5)(vf, None, make_batch_of(obs, target), rng).n_updates
    seen = np.concatenate([target[:10], target])
    mean, unit = seen.mean(), seen.std() + 1e-6
    np.testing.assert_allclose((vf._mean, vf.scale), [[mean], [unit]], rtol=1e-12)
    NaturalFit(step, 0.5)(plain, None, make_batch_of(obs, (target - mean) / unit), rng)
    np.testing.assert_allclose(flatten(vf), flatten(plain), rtol=1e-6)
    np.testing.assert_allclose(vf(obs).array, mean + unit * plain(obs).array, rtol=1e-6)


def test_scaled_values_learn_after_a_natural_fit_if_asked(float64, rng):
    """The step is in the units of before, here 1 and 0 as those of a plain function."""
    vf, plain = ScaledValueFunction(3, (4,), learns="after_fit"), ValueFunction(3, (4,))
    plain.copyparams(vf)
    vf._var *= (1 - 1e-6) ** 2  # so that its unit is 1
    batch = make_batch_of(rng.standard_normal((30, 3)), 40 + rng.standard_normal(30))
    for one in (vf, plain):
        NaturalFit(variance=0.5)(one, None, batch, np.random.default_rng(0))
    np.testing.assert_allclose(flatten(vf), flatten(plain), rtol=1e-9)
    np.testing.assert_allclose(vf._mean, batch.value_target.mean())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_natural_fit_to_what_is_not_finite_is_an_error(rng, bad):
    vf = ScaledValueFunction(3, (4,))
    batch = make_batch_of(
        rng.standard_normal((30, 3)).astype("f"), rng.standard_normal(30).astype("f")
    )
    NaturalFit()(vf, None, batch, rng)
    before, theta = vf.moments, flatten(vf)
    batch.value_target[3] = bad
    with pytest.raises(FloatingPointError, match="finite loss"), np.errstate(
        all="ignore"
    ):
        NaturalFit()(vf, None, batch, rng)
    assert vf.moments == before and np.array_equal(flatten(vf), theta)


def test_scaled_values_are_float32_as_the_others_are(rng):
    vf = ScaledValueFunction(3, (4,), seed=0)
    vf.experience(1e6 + rng.standard_normal(9).astype("f"))
    assert vf(np.zeros((2, 3), "f")).dtype == np.float32
    assert vf.scale.dtype == np.float64


def make_batch_of(obs, target):
    from chainertrpo import Batch

    return Batch(obs, None, None, None, target)


# Advantages and targets


def estimates(**settings):
    """Advantages, targets and returns of the same paths under an `Estimation`."""
    agent = make_agent(
        normalize=False,
        gamma=0.9,
        lambd=0.8,
        estimation=Estimation(**settings),
    )
    paths = some_paths()
    batch, beliefs = agent.batch(paths)
    returns = []
    for path in paths:
        last = 0 if path.terminal else agent.vf(path.obs[-1:]).array.item()
        for reward in path.reward[::-1]:
            last = reward + 0.9 * last
            returns.append(last)
    order = np.concatenate(
        [np.arange(n)[::-1] + s for n, s in ((7, 0), (9, 7), (4, 16))]
    )
    return batch, beliefs.value, np.array(returns)[order]


def test_targets_are_what_they_are_called():
    batch, value, returns = estimates()
    raw = batch.value_target - value
    np.testing.assert_allclose(batch.advantage, standardize(raw), atol=1e-5)
    batch, _, _ = estimates(value_target="return")
    np.testing.assert_allclose(batch.value_target, returns, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(batch.advantage, standardize(raw), atol=1e-5)
    batch, _, _ = estimates(value_target="return_plus_advantage")
    np.testing.assert_allclose(
        batch.value_target, returns + standardize(raw), rtol=1e-4, atol=1e-5
    )
    batch, _, _ = estimates(advantage="return")
    np.testing.assert_allclose(batch.advantage, standardize(returns), atol=1e-5)


def test_advantages_are_divided_by_what_is_asked_for():
    x = np.array([1.0, 2.0, 6.0])
    c = x - 3
    np.testing.assert_allclose(standardize(x, 0.0), c / (14 / 3) ** 0.5)
    np.testing.assert_allclose(standardize(x, 0.0, "unbiased_std"), c / 7**0.5)
    np.testing.assert_allclose(standardize(x, 0.5, "unbiased_variance"), c / 7.5)
    variance, _, _ = estimates(standardize_by="unbiased_variance", standardize_eps=0.5)
    plain, value, _ = estimates()
    np.testing.assert_allclose(
        variance.advantage,
        standardize(plain.value_target - value, 0.5, "unbiased_variance"),
        atol=1e-5,
    )


def test_padding_is_seen_after_terminal_states_only():
    """garage's arrays: rewards and values of episodes × steps, observations of zero."""
    length, targets = 20, {}
    for pad_to in (None, length):
        for name in ("lambda", "return"):
            estimation = Estimation(pad_to=pad_to, value_target=name)
            agent = make_agent(
                normalize=False, gamma=0.9, lambd=0.8, estimation=estimation
            )
            agent.vf.mlp[-1].b.array[...] = 1  # V(0)
            batch, beliefs = agent.batch(some_paths())
            targets[pad_to, name] = batch.value_target
    truth, is_padded = [], []
    for path in some_paths():
        n, obs = len(path.reward), np.zeros((length, 2), "f")
        obs[:n], reward = path.obs[:-1], np.append(path.reward, np.zeros(length - n))
        value = np.append(agent.vf(obs).array[:, 0], 0)
        delta = reward + 0.9 * value[1:] - value[:-1]
        truth += [
            sum(0.72 ** (k - t) * delta[k] for k in range(t, length)) for t in range(n)
        ]
        is_padded += n * [path.terminal]
    is_padded, truth = np.array(is_padded), np.array(truth)
    found, plain = targets[length, "lambda"], targets[None, "lambda"]
    np.testing.assert_allclose(
        (found - beliefs.value)[is_padded], truth[is_padded], 1e-4
    )
    assert np.array_equal(found[~is_padded], plain[~is_padded])
    assert 0 < is_padded.sum() < len(truth) and (found > plain)[is_padded].all()
    assert np.array_equal(targets[length, "return"], targets[None, "return"])


@pytest.mark.parametrize("when", ["before_step", "before_log_prob", "after_step"])
def test_when_the_normalizer_learns(when):
    """Which statistics log π_old and the update's observations are of."""
    agent = make_agent(estimation=Estimation(normalizer_learns=when))
    paths = [Path(p.obs * 3 + 1, p.action, p.reward, p.terminal) for p in some_paths()]
    raw = np.concatenate([path.obs[:-1] for path in paths])
    action = np.concatenate([path.action for path in paths])
    old = agent.obs_normalizer(raw, update=False)
    batch, beliefs = agent.batch(paths)
    new = agent.obs_normalizer(raw, update=False)
    assert not np.allclose(old, new, atol=0.1)
    assert np.array_equal(batch.obs, old if when == "after_step" else new)
    with chainer.no_backprop_mode():
        dist = agent.policy(new if when == "before_log_prob" else old)
        np.testing.assert_allclose(
            batch.log_prob, dist.log_prob(action).array, rtol=1e-5
        )
        value = agent.vf(old).array[:, 0]
    np.testing.assert_allclose(beliefs.value, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("when", ["before_step", "before_log_prob", "after_step"])
def test_values_are_fitted_under_the_new_statistics(when):
    """Whatever the policy saw: they will be used under these."""
    seen = {}

    def improve(policy, batch, optimizer, rng):
        seen["policy"] = batch
        return NaturalStep()(policy, batch)

    def fit(vf, optimizer, batch, rng):
        seen["vf"] = batch
        return FitReport(0, 0.0)

    estimation = Estimation(normalizer_learns=when)
    agent = make_agent(estimation=estimation, policy_step=improve, value_step=fit)
    paths = some_paths()
    raw = np.concatenate([path.obs[:-1] for path in paths])
    agent.update(paths)
    new = agent.obs_normalizer(raw, update=False)
    assert np.array_equal(seen["vf"].obs, new)
    assert np.array_equal(seen["policy"].obs, new) == (when != "after_step")
    assert seen["vf"].value_target is seen["policy"].value_target


@pytest.mark.parametrize(
    "make, settings",
    [
        (Estimation, {"value_target": "returns"}),
        (Estimation, {"standardize_by": "sd"}),
        (Estimation, {"standardize_eps": -1}),
        (Estimation, {"pad_to": 0}),
        (Backtrack, {"on_failure": "keep"}),
        (Backtrack, {"kl_slack": 0.0}),
        (Backtrack, {"kl_slack": math.inf}),
        (Backtrack, {"kl_slack": "wide"}),
        (Backtrack, {"shrink": 1.0}),
        (Backtrack, {"shrink": math.nan}),
        (Backtrack, {"n_tries": 0}),
        (Backtrack, {"n_tries": 2.5}),
        (Backtrack, {"min_ratio": math.inf}),
        (Backtrack, {"strict": "false"}),
        (Backtrack, {"compound_expected": 1}),
        (Curvature, {"per_dimension": "no"}),
        (TrustRegion, {"side": "both"}),
        (Likelihood, {"entropy_coef": -0.1}),
        (Repeats, {"n": 0}),
        (TrustRegion, {"step_size": -0.1}),
        (TrustRegion, {"step_size": 0.0}),
        (CG, {"eps": -1.0}),
        (CG, {"tol": -1.0}),
        (CG, {"rtol": -1.0}),
        (CG, {"start": -1.0}),
    ],
)
def test_refuses_what_cannot_work(make, settings):
    (name,) = settings
    with pytest.raises(ValueError, match=name):
        make(**settings)
