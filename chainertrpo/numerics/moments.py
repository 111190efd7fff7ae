"""Means and variances: merged as data come in, and taken out of a sample."""

import math

from chainertrpo import ranks
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


class _OfAllRanks:
    """What an array of numbers says of itself, for the numbers of all ranks."""

    def __init__(self, x):
        n = len(x)
        here = [n, x.mean(), x.var(), x.min(), x.max()] if n else [0.0] * 5
        found = ranks.table(*map(float, here))
        found = found[found[:, 0] > 0]
        self._mean, self._var, self._n = found[0, 1], found[0, 2], found[0, 0]
        for more, mean, var in found[1:, :3]:
            self._mean, self._var, self._n = merge(
                self._mean, self._var, self._n, mean, var, more
            )
        self._low, self._high = found[:, 3].min(), found[:, 4].max()

    def __len__(self):
        return int(self._n)

    def mean(self):
        return float(self._mean)

    def var(self, ddof=0):
        return float(self._var * self._n / (self._n - ddof))

    def std(self, ddof=0):
        return math.sqrt(self.var(ddof))

    def min(self):
        return self._low

    def max(self):
        return self._high


def of_all_ranks(x):
    """An array of numbers, or with several ranks what has the moments of all of theirs.

    Parameters
    ----------
    x : array, shape (n,)
        Those of this rank; with several of them n may be 0.

    Returns
    -------
    object
        With ``mean``, ``var``, ``std``, ``min``, ``max`` and a length.
    """
    return x if ranks.size() == 1 else _OfAllRanks(x)


def standardize(x, eps=1e-8, by="std"):
    """(x − mean) / (scale + ε), with the population's standard deviation by default.

    Parameters
    ----------
    x : array, shape (N,)
        NumPy or CuPy; with several ranks the rows of this one, and the moments are of all.
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
    whole = of_all_ranks(x)
    centred = x - whole.mean()
    # The mean of equal numbers may be off by rounding; so may the deviation from it.
    equal = whole.max() == whole.min()
    if functions(x) is numpy:
        if equal:
            return numpy.zeros_like(centred)
        return centred / (SCALES[by](whole) + eps)
    xp = functions(x)
    scale = whole.std() if len(whole) == 1 else SCALES[by](whole)
    scale = xp.where(equal, 1, scale + eps)
    return xp.where(equal, 0, centred / scale).astype(x.dtype)
