"""Formulas that CuPy computes in one launch, as C++ text; NumPy's are where they are used.

A step on a GPU waits for its launches, not for its arithmetic: these are where many small
array operations follow each other.  ``xp`` is cupy.
"""

import functools

import numpy
from chainer import backend


@functools.lru_cache(maxsize=None)
def kernel(xp, ins, outs, text, name):
    """A ``cupy.ElementwiseKernel``, made once.

    Parameters
    ----------
    xp : module
        cupy.
    ins, outs : str
        Its parameters, such as ``'T x, T y'``.
    text : str
        What it computes of each element.
    name : str
        Of the kernel.

    Returns
    -------
    callable
        Arrays and scalars -> arrays.
    """
    return xp.ElementwiseKernel(ins, outs, text, f"chainertrpo_{name}")


def gather(arrays, rows):
    """The same rows of several arrays, by one launch.

    Parameters
    ----------
    arrays : sequence of array or None
        (N, ...) each.
    rows : array of int, shape (n,)
        Which; counted from 0.

    Returns
    -------
    list of array or None
        (n, ...) each.
    """
    if type(rows) is numpy.ndarray:
        # Half the time of x[rows].
        return [None if x is None else x.take(rows, axis=0) for x in arrays]
    made = iter(_gather([x for x in arrays if x is not None], rows))
    return [None if x is None else next(made) for x in arrays]


def _gather(arrays, rows):
    xp, n = backend.get_array_module(rows), len(rows)
    found = [xp.empty((n, *x.shape[1:]), x.dtype) for x in arrays]
    widths = [x.size // max(n, 1) for x in found]
    if not sum(widths):
        return found
    numbers = range(len(arrays))
    types = [chr(ord("A") + k) for k in numbers]
    ins = [f"raw {t} from{k}" for k, t in zip(numbers, types)]
    ins += ["raw R rows", "int64 total", *(f"int64 width{k}" for k in numbers)]
    outs = [f"raw {t} to{k}" for k, t in zip(numbers, types)]
    text = "const long long to = i / total, at = rows[to]; long long k = i % total;"
    for k in numbers:
        text += (
            f"if (k >= 0 && k < width{k})"
            f" to{k}[to * width{k} + k] = from{k}[at * width{k} + k];"
            f" k -= width{k};"
        )
    run = kernel(xp, ", ".join(ins), ", ".join(outs), text, f"gather_{len(arrays)}")
    run(*arrays, rows, sum(widths), *widths, *found, size=n * sum(widths))
    return found


def adam(xp, theta, m, v, g, alpha, beta1, beta2, eps, eta):
    """Write Adam's step to θ and its moments (Kingma and Ba 2015, algorithm 1).

    Parameters
    ----------
    xp : module
        cupy.
    theta, m, v : array, shape (P,)
        Parameters and moments, written in place.
    g : array, shape (P,)
        The gradient.
    alpha, beta1, beta2, eps, eta : float
        α with both corrections, and the optimiser's settings.
    """
    kernel(
        xp,
        "T g, T alpha, T rest1, T rest2, T eps, T eta",
        "T theta, T m, T v",
        "m += rest1 * (g - m); v += rest2 * (g * g - v);"
        "theta -= eta * (alpha / (sqrt(v) + eps) * m);",
        "adam",
    )(g, alpha, 1 - beta1, 1 - beta2, eps, eta, theta, m, v)


def activate(xp, text, a, bias):
    """φ(a + b) and φ'(a + b) of a hidden layer.

    Parameters
    ----------
    xp : module
        cupy.
    text : str
        From ``a``: sets ``h`` and ``slope``.
    a : array, shape (N, H)
        Overwritten by h.
    bias : array, shape (H,)
        b.

    Returns
    -------
    h, slope : array, shape (N, H)
        Both.
    """
    slope = xp.empty_like(a)
    run = kernel(xp, "T b", "T h, T slope", "const T a = h + b;" + text, "layer")
    run(bias, a, slope)
    return a, slope
