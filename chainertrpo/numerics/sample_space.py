"""Least squares with more parameters than rows: solved among the rows.

With J the n × P matrix of one gradient a row, Woodbury's identity gives

    (JᵀJ/n + λI)⁻¹ Jᵀw/n  =  Jᵀy,   y = (JJᵀ + nλI)⁻¹ w,

an n × n system instead of one in P unknowns (Ren and Goldfarb 2019, arXiv:1906.02353; the
minSR of Chen and Heyl 2024, doi:10.1038/s41567-024-02566-1).  Where a row's gradient is a
sum over layers of outer products āhᵀ, and ā for the biases, JJᵀ = Σ (āāᵀ)∘(hhᵀ + 1), and J
is never formed.
"""

import typing
import warnings

from chainertrpo._threads import parallel_map

import numpy
from chainer import backend

MORE, TRIES = 10.0, 6  # how damping grows where rounding has made JJᵀ indefinite


def gram_matrix(pairs, others=()):
    """JJᵀ of rows whose gradients are outer products layer by layer.

    Parameters
    ----------
    pairs : list of (array, array)
        ā, (n, out), and h, (n, in), of each layer with a bias.
    others : sequence of array, shape (n, …)
        Gradients by any other parameters, as they are.

    Returns
    -------
    array, shape (n, n)
        JJᵀ, symmetric.
    """
    xp = backend.get_array_module(pairs[0][0])

    def layer(pair):
        delta, h = pair
        product = xp.dot(h, h.T)  # of x and xᵀ NumPy computes one half only
        product += 1
        product *= xp.dot(delta, delta.T)
        return product

    # The largest first, so that threads end together.
    order = sorted(range(len(pairs)), key=lambda i: -sum(x.shape[1] for x in pairs[i]))
    found = dict(zip(order, parallel_map(layer, [pairs[i] for i in order])))
    k = found[0]
    for i in range(1, len(pairs)):
        k += found[i]
    for x in others:
        rows = x.reshape(len(x), -1)
        k += xp.dot(rows, rows.T)
    return k


class SampleSolution(typing.NamedTuple):
    """The result of `solve_shifted`.

    Attributes
    ----------
    y : array, shape (n,)
        (K + shift·I)⁻¹ w.
    shift : float
        The shift it was found with.
    """

    y: typing.Any
    shift: float


def solve_shifted(k, w, shift):
    """(K + shift·I)⁻¹ w for a positive semi-definite K, by Cholesky's decomposition.

    Parameters
    ----------
    k : array, shape (n, n)
        K; not modified.
    w : array, shape (n,)
        The right-hand side.
    shift : float
        > 0.  Where rounding leaves K + shift·I indefinite it is raised tenfold, at most six
        times, with a warning.

    Returns
    -------
    SampleSolution
        y, not finite if K or w are not, and the shift.
    """
    xp = backend.get_array_module(k)
    diagonal = xp.arange(len(k))
    a = k.copy()
    for attempt in range(TRIES + 1):
        a[diagonal, diagonal] = k[diagonal, diagonal] + shift
        try:
            y = _substituted(xp, xp.linalg.cholesky(a), w)
        except numpy.linalg.LinAlgError:
            y = None
        # CuPy's decomposition does not raise.
        if y is not None and (xp is numpy or bool(xp.isfinite(y).all())):
            return SampleSolution(y, shift)
        if attempt == TRIES or not all(bool(xp.isfinite(x).all()) for x in (k, w)):
            break
        shift *= MORE
        warnings.warn(
            f"the Gram matrix is not positive definite in {k.dtype}; its damping is "
            f"raised to {shift / len(k):.2g}. A larger damping avoids this.",
            RuntimeWarning,
            stacklevel=2,
        )
    return SampleSolution(xp.full_like(w, numpy.nan), shift)


def _substituted(xp, lower, w, block=64):
    """(LLᵀ)⁻¹w, block by block: NumPy has no triangular solver."""
    y, n = w.copy(), len(w)
    starts = range(0, n, block)
    for i in starts:
        rows = slice(i, i + block)
        y[rows] -= lower[rows, :i].dot(y[:i])
        y[rows] = xp.linalg.solve(lower[rows, rows], y[rows])
    for i in starts[::-1]:
        rows, below = slice(i, i + block), slice(i + block, None)
        y[rows] -= lower[below, rows].T.dot(y[below])
        y[rows] = xp.linalg.solve(lower[rows, rows].T, y[rows])
    return y
