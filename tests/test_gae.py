"""Advantages against their definitions, summed term by term."""

from chainertrpo.data import (
    discounted_sum,
    generalized_advantages,
    run_on,
    standardize,
)
from chainertrpo.numerics import moments
from chainertrpo.numerics.moments import SCALES

import numpy as np
import pytest
from chainer.backends.cuda import to_cpu

GAMMAS = LAMBDAS = (0.0, 0.5, 0.97, 1.0)
ends = pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "cut"])


def some_path(rng, n=25):
    return rng.standard_normal(n).astype("f"), rng.standard_normal(n + 1).astype("f")


def bootstrapped(value, terminal):
    value = np.float64(value)
    if terminal:
        value[-1] = 0
    return value


def by_definition(reward, value, terminal, gamma, lambd):
    """Âₜ = Σₖ (γλ)ᵏ δₜ₊ₖ, in n²/2 terms."""
    n, v = len(reward), bootstrapped(value, terminal)
    delta = [reward[t] + gamma * v[t + 1] - v[t] for t in range(n)]
    return np.array(
        [
            sum((gamma * lambd) ** (k - t) * delta[k] for k in range(t, n))
            for t in range(n)
        ]
    )


def lambda_return(reward, value, terminal, gamma, lambd, t):
    """(1 − λ) Σ λᵏ⁻¹ G⁽ᵏ⁾, the rest of the weight on the longest k-step return."""
    n, v = len(reward), bootstrapped(value, terminal)
    returns = [
        sum(gamma**i * float(reward[t + i]) for i in range(k)) + gamma**k * v[t + k]
        for k in range(1, n - t + 1)
    ]
    weights = [(1 - lambd) * lambd**k for k in range(len(returns) - 1)]
    return (
        sum(w * g for w, g in zip(weights, returns)) + (1 - sum(weights)) * returns[-1]
    )


@ends
@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("lambd", LAMBDAS)
@pytest.mark.parametrize("n", [1, 2, 25])
def test_advantages_are_the_sum_of_their_definition(rng, terminal, gamma, lambd, n):
    path = some_path(rng, n)
    found = generalized_advantages(*path, terminal, gamma, lambd)
    truth = by_definition(*path, terminal, gamma, lambd)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-12)


@ends
@pytest.mark.parametrize("lambd", LAMBDAS)
def test_advantage_plus_value_is_the_lambda_return(rng, terminal, lambd):
    reward, value = some_path(rng, 12)
    found = generalized_advantages(reward, value, terminal, 0.9, lambd) + value[:-1]
    truth = [lambda_return(reward, value, terminal, 0.9, lambd, t) for t in range(12)]
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-12)


@ends
def test_lambda_0_is_one_step(rng, terminal):
    reward, value = some_path(rng)
    v = bootstrapped(value, terminal)
    found = generalized_advantages(reward, value, terminal, 0.9, 0)
    np.testing.assert_allclose(found, reward + 0.9 * v[1:] - v[:-1], atol=1e-14)


@ends
def test_lambda_1_is_the_return_less_the_value(rng, terminal):
    reward, value = some_path(rng)
    v = bootstrapped(value, terminal)
    found = generalized_advantages(reward, value, terminal, 0.9, 1)
    to_come = [
        sum(0.9 ** (k - t) * float(reward[k]) for k in range(t, 25))
        + 0.9 ** (25 - t) * v[-1]
        for t in range(25)
    ]
    np.testing.assert_allclose(found, to_come - v[:-1], atol=1e-13)


def test_the_last_value_counts_only_at_a_cut(rng):
    reward, value = some_path(rng)
    other = value.copy()
    other[-1] += 1
    for terminal in (True, False):
        one, two = (
            generalized_advantages(reward, v, terminal, 0.9, 0.5)
            for v in (value, other)
        )
        # Â_t changes by (γλ)ⁿ⁻¹⁻ᵗ γ; at a terminal state by nothing, bit for bit.
        change = 0.0 if terminal else 0.9 * 0.45 ** np.arange(24, -1, -1)
        np.testing.assert_allclose(two - one, change, atol=0 if terminal else 1e-6)


def test_a_value_of_nan_at_a_terminal_state_is_not_read(rng):
    reward, value = some_path(rng)
    value[-1] = np.nan
    assert np.isfinite(generalized_advantages(reward, value, True, 0.9, 0.5)).all()


def test_perfect_values_leave_no_advantage(rng):
    """V = the discounted sum of rewards: every δ is zero, so every Â is."""
    reward = rng.standard_normal(50)
    value = np.append(discounted_sum(reward, 0.9), 0)
    found = generalized_advantages(reward, value, True, 0.9, 0.7)
    np.testing.assert_allclose(found, 0, atol=1e-14)


# Episodes that run on


@pytest.mark.parametrize("length", [26, 27, 60])
@pytest.mark.parametrize("lambd", LAMBDAS)
def test_an_episode_that_runs_on_is_bootstrapped_from_a_part_of_a_value(
    rng, length, lambd
):
    """Summed by hand: w·V with w = γ − (1 − γ) Σ (γλ)ᵏ − (γλ)ᴸ⁻ⁿ, 0 < k < L − n."""
    (reward, value), gamma, beyond = some_path(rng), 0.9, 1.7
    rest, c = length - 25, gamma * lambd
    weight = gamma - (1 - gamma) * sum(c**k for k in range(1, rest)) - c**rest
    value[-1] = weight * beyond / gamma
    truth = generalized_advantages(reward, value, False, gamma, lambd)
    longer = run_on(reward, value, length, beyond)
    assert list(map(len, longer)) == [length, length + 1]
    found = generalized_advantages(*longer, True, gamma, lambd)[:25]
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-6)
    if lambd == 1:  # the values of what follows cancel
        over = generalized_advantages(reward, value, True, gamma, lambd)
        np.testing.assert_allclose(found, over, rtol=0, atol=1e-6)


@pytest.mark.parametrize("length", [1, 24, 25])
def test_an_episode_that_is_long_enough_does_not_run_on(rng, length):
    reward, value = some_path(rng)
    rewards, values = run_on(reward, value, length, 1.7)
    assert np.array_equal(rewards, reward)
    assert np.array_equal(values, [*value[:-1], 0])


def test_arguments_are_not_modified(rng):
    path = some_path(rng)
    before = [x.copy() for x in path]
    generalized_advantages(*path, True, 0.9, 0.5)
    run_on(*path, 30, 1.0)
    assert all(np.array_equal(a, b) for a, b in zip(path, before))


@pytest.mark.parametrize("discount", GAMMAS)
def test_discounted_sum_is_its_definition(rng, discount):
    x = rng.standard_normal(30)
    truth = [sum(discount ** (k - t) * x[k] for k in range(t, 30)) for t in range(30)]
    np.testing.assert_allclose(discounted_sum(x, discount), truth, atol=1e-12)
    assert discounted_sum([], discount).shape == (0,)


def test_standardised_numbers_have_mean_0_and_deviation_1(rng):
    x = 5 + 3 * rng.standard_normal(100)
    y = standardize(x)
    assert standardize(x.astype("f")).dtype == y.dtype == np.float64
    assert abs(y.mean()) < 1e-14
    assert y.std() == pytest.approx(1, abs=1e-8)  # less by ε / 3
    np.testing.assert_allclose(y * (x.std() + 1e-8), x - x.mean(), rtol=1e-12)


def test_standardised_constants_are_zero():
    for value in (0.1, -7.0, 1e30, 0.0):
        assert not standardize(np.full(99, value)).any()
    assert not standardize(np.ones(1)).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("by", sorted(SCALES))
def test_in_any_scale(xp, rng, dtype, by):
    """In place of the deviation; equal numbers and a single one are zeros, without ε."""
    x = (5 + 3 * rng.standard_normal(100)).astype(dtype)
    ddof = by != "std"
    scale = np.std(x, ddof=ddof) ** (2 if by == "unbiased_variance" else 1)
    found = moments.standardize(xp.asarray(x), 0.5, by)
    assert found.dtype == dtype
    truth = (x - x.mean(dtype="d")) / (scale + 0.5)
    np.testing.assert_allclose(
        to_cpu(found), truth, atol=1e-5 if dtype[-1] == "2" else 1e-12
    )
    for n in (1, 2, 99):
        for value in (0.1, -7.0, 1e15, 0.0):
            zeros = to_cpu(moments.standardize(xp.full(n, value, dtype), 0.0, by))
            assert zeros.dtype == dtype and zeros.shape == (n,) and not zeros.any()


def test_eps_is_added_to_the_deviation():
    np.testing.assert_allclose(standardize([1.0, 3.0], eps=1.0), [-0.5, 0.5])


@pytest.mark.parametrize("n", [0, 2, 3, 5])
def test_one_value_more_than_rewards_is_required(n):
    with pytest.raises(ValueError, match="expected 4 values for 3 rewards"):
        generalized_advantages(np.zeros(3), np.zeros(n), False, 0.9, 0.9)


@pytest.mark.parametrize("gamma, lambd", [(1.1, 0.5), (0.5, -0.1), (float("nan"), 0.5)])
def test_discounts_outside_0_1_are_refused(gamma, lambd):
    with pytest.raises(ValueError, match=r"to be a finite number in \[0, 1\]"):
        generalized_advantages(np.zeros(3), np.zeros(4), False, gamma, lambd)
