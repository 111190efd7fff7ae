"""Means and variances: merged as data come in, and taken out of a sample."""

from chainertrpo.numerics.functions import functions

import numpy

SCALES = {
    "std": lambda x: x.std(),
    "unbiased_std": lambda x: x.std(ddof=1),
    "unbiased_variance": lambda x: x.var(ddof=1),
}


def merge(mean, var, count, more_mean, more_var, more):
    """Mean, population variance and number of two samples together (Chan et al. 1979)."""
    count = count + more
    rate = more / count
    delta = more_mean - mean
    var = var + rate * (more_var - var) + rate * (1 - rate) * delta**2
    return mean + rate * delta, var, count


def standardize(x, eps=1e-8, by="std"):
    """(x − mean) / (scale + ε), with the population's standard deviation by default.

    Parameters
    ----------
    x : array, shape (N,)
        NumPy or CuPy.
    eps : float
        ε.
    by : str
        ``std``; ``unbiased_std`` divides by n − 1 in it; ``unbiased_variance`` is its
        square, garage's way.

    Returns
    -------
    array, shape (N,), dtype of `x`
        Mean 0, standard deviation 1; zeros if all of `x` are equal, whatever ε.
    """
    centred = x - x.mean()
    # The mean of equal numbers may be off by rounding; so may the deviation from it.
    equal = x.max() == x.min()
    if functions(x) is numpy:
        return numpy.zeros_like(centred) if equal else centred / (SCALES[by](x) + eps)
    xp = functions(x)
    scale = xp.where(equal, 1, (x.std() if len(x) == 1 else SCALES[by](x)) + eps)
    return xp.where(equal, 0, centred / scale).astype(x.dtype)
