"""Conjugate gradient for Ax = b with A known by its products only."""

from __future__ import annotations

import typing

import numpy
from chainer import backend

RUNNING, CONVERGED, CURVATURE, NONFINITE = range(4)
REASONS = ("max_iter", "converged", "nonpositive_curvature", "nonfinite")


class Solution(typing.NamedTuple):
    """The result of `conjugate_gradient`.

    Attributes
    ----------
    x : array, shape (P,)
        The best solution so far; always finite.
    n_iter : int
        Iterations that changed `x`.
    residual : float
        ‖b − Ax‖₂, from the recurrence.
    reason : str
        Why it ended: ``max_iter``; ``converged`` (to `tol`, to the floor that the dtype
        sets, or b was 0); ``nonpositive_curvature`` (pᵀAp ≤ 0 for a search direction p,
        so A is not positive definite); ``nonfinite`` (b or a product was).
    r : array, shape (P,)
        b − Ax itself, from the recurrence; so Ax is b − r without another product.
    """

    x: typing.Any
    n_iter: int
    residual: float
    reason: str
    r: typing.Any


def conjugate_gradient(
    product: typing.Callable,
    b: typing.Any,
    n_iter: int = 10,
    tol: float | None = None,
    *,
    x0: typing.Any = None,
    eps: float = 0.0,
) -> Solution:
    """Approximate A⁻¹b for a symmetric positive definite A, by default from x = 0.

    Hestenes and Stiefel 1952; the notation of Nocedal and Wright 2006, algorithm 5.2.
    Each iteration costs exactly one product.  The scalars stay on the device and the
    decisions are arithmetic (`where`), so that with `tol` None nothing waits for a GPU
    before the end: a solver that has stopped early goes through the remaining iterations
    without changing x.  On NumPy waiting is free and the loop is left at once.

    Parameters
    ----------
    product : callable
        v of shape (P,) -> Av of shape (P,).
    b : array, shape (P,)
        The right-hand side, float32 or float64, NumPy or CuPy.
    n_iter : int
        The most iterations; 10 are enough for a TRPO step (Schulman et al. 2015, C.1).
    tol : float, optional
        Stop once ‖b − Ax‖₂ < tol, an absolute norm.  On a GPU each iteration then waits.
    x0 : array, shape (P,), optional
        Where to start; it costs one more product.
    eps : float
        Added to the curvature pᵀAp that divides the step length (Spinning Up's 1e-8).

    Returns
    -------
    Solution
        x, the iterations, the residual norm and the reason of the end.

    Raises
    ------
    ValueError
        `n_iter` is negative, or `b` is not a vector of float32 or float64.
    """
    if n_iter < 0:
        raise ValueError(f"expected n_iter >= 0, got {n_iter}. 10 to 25 are usual.")
    if b.ndim != 1 or b.dtype not in (numpy.float32, numpy.float64):
        raise ValueError(
            f"expected b to be a vector of float32 or float64, got shape {b.shape} of "
            f"{b.dtype}. Flatten it; half precision cannot hold the residual."
        )
    xp = backend.get_array_module(b)
    # Below this squared residual the recurrence holds rounding only.
    floor = float(numpy.finfo(b.dtype).eps) ** 2
    x = xp.zeros_like(b) if x0 is None else x0.copy()
    with numpy.errstate(over="ignore", invalid="ignore"):
        r = b if x0 is None else b - product(x0)
        rr0 = rr = r.dot(r)
    usable, zero = xp.isfinite(rr), xp.zeros_like(b)
    # Of whole vectors: on a GPU a kernel decides, on the host nothing need be copied.
    pick = _pick if xp is numpy else xp.where
    r = p = pick(usable, r, zero)
    rr = xp.where(usable, rr, xp.zeros_like(rr))
    state = xp.where(usable, RUNNING, NONFINITE)
    state = xp.where((rr == 0) & usable, CONVERGED, state)
    count = xp.zeros_like(state)
    for _ in range(n_iter):
        if (xp is numpy or tol is not None) and int(state) != RUNNING:
            break
        z = product(p)
        with numpy.errstate(over="ignore", invalid="ignore"):
            curvature = p.dot(z)
            running = state == RUNNING
            finite = xp.isfinite(curvature)
            good = running & finite & (curvature > 0)
            steepness = xp.where(good, curvature + eps, 1)
            alpha = xp.where(good, rr / steepness, 0).astype(b.dtype)
            x_new = x + pick(good, alpha * p, zero)
            r_new = r - alpha * pick(good, z, zero)
            rr_new = r_new.dot(r_new)
            # An overflow in this step leaves x as it was.
            held = good & xp.isfinite(rr_new) & xp.isfinite(x_new.dot(x_new))
            x, r = pick(held, x_new, x), pick(held, r_new, r)
            beta = xp.where(held, rr_new / xp.where(rr > 0, rr, 1), 0).astype(b.dtype)
            rr = xp.where(held, rr_new, rr)
            p = pick(held, r + beta * p, zero)
            count = count + held
            limit = rr0 * floor if tol is None else xp.maximum(rr0 * floor, tol * tol)
            state = xp.where(held & (rr <= limit), CONVERGED, state)
            state = xp.where(running & (~finite | (good & ~held)), NONFINITE, state)
            state = xp.where(running & finite & ~(curvature > 0), CURVATURE, state)
    return Solution(x, int(count), float(xp.sqrt(rr)), REASONS[int(state)], r)


def _pick(condition, one, other):
    return one if condition else other
