"""Discounted sums and generalised advantages, over one path at a time."""

from __future__ import annotations

import typing

from chainertrpo._checks import in_range
from chainertrpo.numerics import moments
from chainertrpo.numerics.moments import SCALES

import numpy

__all__ = [
    "SCALES",
    "discounted_sum",
    "generalized_advantages",
    "run_on",
    "standardize",
]


def discounted_sum(x, discount):
    """yₜ = Σₖ discountᵏ xₜ₊ₖ to the end of the path.

    Parameters
    ----------
    x : array, shape (n,)
        For example rewards.
    discount : float
        In [0, 1].

    Returns
    -------
    array, shape (n,), float64
        The sums.
    """
    y = numpy.empty(len(x))
    total = 0.0
    values = numpy.asarray(x, numpy.float64).tolist()  # Python floats: 10 x faster
    for t in range(len(values) - 1, -1, -1):
        total = values[t] + discount * total
        y[t] = total
    return y


def generalized_advantages(
    reward: typing.Any, value: typing.Any, terminal: bool, gamma: float, lambd: float
) -> numpy.ndarray:
    """Âₜ = Σₖ (γλ)ᵏ δₜ₊ₖ with δₜ = rₜ + γV(sₜ₊₁) − V(sₜ)  (Schulman et al. 2016, eq. 16).

    Parameters
    ----------
    reward : array, shape (n,)
        r₀ … rₙ₋₁.
    value : array, shape (n + 1,)
        V(s₀) … V(sₙ).
    terminal : bool
        sₙ is terminal, and its value is 0 whatever `value` says; otherwise the path was
        cut, and V(sₙ) stands for the rewards to come.
    gamma, lambd : float
        Discount γ and trace λ, in [0, 1].

    Returns
    -------
    array, shape (n,), float64
        Advantages.  ``advantage + value[:-1]`` is the TD(λ) target of the values.

    Raises
    ------
    ValueError
        `value` is not one longer than `reward`, or γ or λ is outside [0, 1].
    """
    if len(value) != len(reward) + 1:
        raise ValueError(
            f"expected {len(reward) + 1} values for {len(reward)} rewards, got "
            f"{len(value)}. Give V of the observation after the last action too."
        )
    in_range("gamma", gamma, 0, 1)
    in_range("lambd", lambd, 0, 1)
    value = numpy.array(value, numpy.float64)
    if terminal:
        value[-1] = 0
    delta = reward + gamma * value[1:] - value[:-1]
    return discounted_sum(delta, gamma * lambd)


def run_on(reward, value, length, value_beyond):
    """An episode that is over as if it went on, without rewards, in one state.

    Parameters
    ----------
    reward : array, shape (n,)
        r₀ … rₙ₋₁.
    value : array, shape (n + 1,)
        V(s₀) … V(sₙ); the last is not read.
    length : int
        L, to which it goes on.
    value_beyond : float
        V of that state.

    Returns
    -------
    reward : array, shape (max(n, L),)
        Zeros from n on.
    value : array, shape (max(n, L) + 1,)
        `value_beyond` from n on, and 0 at last.
    """
    n = len(reward)
    rewards = numpy.zeros(max(n, length))
    values = numpy.full(len(rewards) + 1, value_beyond, numpy.float64)
    rewards[:n], values[:n], values[-1] = reward, value[:n], 0
    return rewards, values


def standardize(x, eps=1e-8, by="std"):
    """(x − mean) / (std + ε), with the population's standard deviation.

    Parameters
    ----------
    x : array, shape (N,)
        For example advantages.
    eps : float
        ε; keeps a constant `x` at 0 instead of NaN.
    by : str
        ``std``; ``unbiased_std`` divides by n − 1 in it; ``unbiased_variance`` is its
        square, garage's way.

    Returns
    -------
    array, shape (N,), float64
        Mean 0, standard deviation 1 (0 if `x` is constant).
    """
    return moments.standardize(numpy.asarray(x, numpy.float64), eps, by)
