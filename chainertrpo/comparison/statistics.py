"""Averages over runs, and how sure one may be of them."""

import numpy


def mean(values, axis=0):
    """Σᵢ xᵢ / n.

    Parameters
    ----------
    values : array
        Scores, runs along `axis`.
    axis : int
        That axis.

    Returns
    -------
    array
        Without that axis.
    """
    return numpy.mean(values, axis=axis)


def interquartile_mean(values, axis=0):
    """The mean of the middle half: ⌊n/4⌋ values are left out at either end.

    Agarwal et al. 2021 (arXiv:2108.13264), section 4.3; what remains of fewer than four
    values is their mean.

    Parameters
    ----------
    values : array
        Scores, runs along `axis`.
    axis : int
        That axis.

    Returns
    -------
    array
        Without that axis.
    """
    values = numpy.sort(numpy.asarray(values, float), axis=axis)
    n = values.shape[axis]
    middle = numpy.arange(n // 4, n - n // 4)
    return numpy.take(values, middle, axis=axis).mean(axis=axis)


def standard_error(values):
    """The standard error of a mean, s / √n with s² = Σᵢ (xᵢ − x̄)² / (n − 1).

    Parameters
    ----------
    values : array, shape (n,)
        Scores, one a run.

    Returns
    -------
    float
        nan for one run.
    """
    values = numpy.asarray(values, float)
    if len(values) < 2:
        return float("nan")
    return float(values.std(ddof=1) / numpy.sqrt(len(values)))


def bootstrap(values, statistic, rng, *, level=0.95, n_samples=2000):
    """A percentile interval of a statistic over runs.

    Runs are drawn with replacement, whole: a curve stays a curve (Efron 1979; Agarwal et
    al. 2021, section 4.1).  With three to five runs, as are usual, the interval is too
    narrow rather than too wide.

    Parameters
    ----------
    values : array, shape (n_runs, ...)
        Scores.
    statistic : callable
        ``statistic(values, axis)``, such as `mean` or `interquartile_mean`.
    rng : numpy.random.Generator
        What draws.
    level : float
        In (0, 1).
    n_samples : int
        Draws.

    Returns
    -------
    low, high : array, shape (...)
        The quantiles (1 − level) / 2 and (1 + level) / 2.

    Raises
    ------
    ValueError
        `level` is not in (0, 1), or there is no run or no draw.
    """
    values = numpy.asarray(values, float)
    if not 0 < level < 1 or not len(values) or n_samples < 1:
        raise ValueError(
            f"expected 0 < level < 1, at least one run and n_samples >= 1, got "
            f"level={level}, {len(values)} runs, n_samples={n_samples}."
        )
    drawn = rng.integers(len(values), size=(n_samples, len(values)))
    samples = statistic(values[drawn], axis=1)
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = numpy.quantile(samples, tails, axis=0)
    return low, high
