"""Conjugate gradient for Ax = b with A known by its products only."""

from __future__ import annotations

import typing

from chainertrpo import ranks
from chainertrpo.numerics.kernels import kernel

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
    r = p = (_pick if xp is numpy else xp.where)(usable, r, zero)
    rr = xp.where(usable, rr, xp.zeros_like(rr))
    state = xp.where(usable, RUNNING, NONFINITE)
    state = xp.where((rr == 0) & usable, CONVERGED, state)
    count = xp.zeros_like(state)
    advance = _advance if xp is numpy else _advance_on_device
    now = _Iterate(x, r, p, rr, state, count)
    for _ in range(n_iter):
        looks = xp is numpy or tol is not None
        if looks and ranks.agreed(int(now.state)) != RUNNING:
            break
        z = product(now.p)
        with numpy.errstate(over="ignore", invalid="ignore"):
            now = advance(now, z, rr0, floor, tol or 0.0, eps)
    residual = float(xp.sqrt(now.rr))
    return Solution(now.x, int(now.count), residual, REASONS[int(now.state)], now.r)


class _Iterate(typing.NamedTuple):
    """Between two products; rr, state and count are scalars where b is."""

    x: typing.Any
    r: typing.Any
    p: typing.Any
    rr: typing.Any
    state: typing.Any
    count: typing.Any


def _advance(now, z, rr0, floor, tol, eps):
    """One iteration with z = Ap, step by step: on the host."""
    x, r, p, rr, state, count = now
    zero, dtype = numpy.zeros_like(p), p.dtype
    curvature = p.dot(z)
    running = state == RUNNING
    finite = numpy.isfinite(curvature)
    good = running & finite & (curvature > 0)
    steepness = numpy.where(good, curvature + eps, 1)
    alpha = numpy.where(good, rr / steepness, 0).astype(dtype)
    x_new = x + _pick(good, alpha * p, zero)
    r_new = r - alpha * _pick(good, z, zero)
    rr_new = r_new.dot(r_new)
    # An overflow in this step leaves x as it was.
    held = good & numpy.isfinite(rr_new) & numpy.isfinite(x_new.dot(x_new))
    x, r = _pick(held, x_new, x), _pick(held, r_new, r)
    beta = numpy.where(held, rr_new / numpy.where(rr > 0, rr, 1), 0).astype(dtype)
    rr = numpy.where(held, rr_new, rr)
    p = _pick(held, r + beta * p, zero)
    limit = numpy.maximum(rr0 * floor, tol * tol)
    state = numpy.where(held & (rr <= limit), CONVERGED, state)
    state = numpy.where(running & (~finite | (good & ~held)), NONFINITE, state)
    state = numpy.where(running & finite & ~(curvature > 0), CURVATURE, state)
    return _Iterate(x, r, p, rr, state, count + held)


def _advance_on_device(now, z, rr0, floor, tol, eps):
    """The same by six launches: three products and the three kernels below."""
    x, r, p, rr, state, count = now
    xp = backend.get_array_module(p)
    curvature = p.dot(z)
    x_new, r_new = kernel(xp, *_TRY)(x, r, p, z, rr, curvature, state, eps)
    rr_new, xx = r_new.dot(r_new), x_new.dot(x_new)
    settled = kernel(xp, *_SETTLE)(
        rr, rr_new, xx, curvature, rr0, floor, tol, state, count
    )
    rr, beta, state, count, held = settled
    x, r, p = kernel(xp, *_TURN)(x, x_new, r, r_new, p, beta, held)
    return _Iterate(x, r, p, rr, state, count)


_GOOD = (
    f"const bool running = state == {RUNNING}, finite = isfinite(curvature);"
    "const bool good = running && finite && curvature > 0;"
)
_TRY = (
    "T x, T r, T p, T z, T rr, T curvature, S state, T eps",
    "T x_new, T r_new",
    _GOOD + "const T alpha = good ? rr / (curvature + eps) : (T)0;"
    "x_new = good ? x + alpha * p : x; r_new = good ? r - alpha * z : r;",
    "cg_try",
)
_SETTLE = (
    "T rr, T rr_new, T xx, T curvature, T rr0, T floor, T tol, S state, S count",
    "T rr_next, T beta, S state_next, S count_next, bool held",
    _GOOD + "held = good && isfinite(rr_new) && isfinite(xx);"
    "beta = held ? rr_new / (rr > 0 ? rr : (T)1) : (T)0;"
    "rr_next = held ? rr_new : rr; count_next = count + (held ? 1 : 0);"
    "const T limit = max(rr0 * floor, tol * tol);"
    f"state_next = !running ? state : !finite || (good && !held) ? {NONFINITE}"
    f" : !good ? {CURVATURE} : rr_next <= limit ? {CONVERGED} : {RUNNING};",
    "cg_settle",
)
_TURN = (
    "T x, T x_new, T r, T r_new, T p, T beta, bool held",
    "T x_next, T r_next, T p_next",
    "x_next = held ? x_new : x; r_next = held ? r_new : r;"
    "p_next = held ? r_new + beta * p : (T)0;",
    "cg_turn",
)


def _pick(condition, one, other):
    return one if condition else other
