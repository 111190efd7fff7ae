"""Averages over runs and intervals around them, by ``scipy.stats``."""

import numpy


def scipy_stats():
    """Import ``scipy.stats``, without which nothing is reported, or name the remedy."""
    try:
        import scipy.stats
    except ImportError as error:
        raise ImportError(
            f"tables and curves of comparisons need SciPy: {error}. pip install scipy"
        ) from error
    return scipy.stats


def mean(values, axis=0):
    """Σᵢ xᵢ / n along an axis.

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

    Agarwal et al. 2021 (arXiv:2108.13264), section 4.3; of fewer than four values nothing
    is left out.

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
    return scipy_stats().trim_mean(numpy.asarray(values, float), 0.25, axis=axis)


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
    return float(scipy_stats().sem(values)) if len(values) > 1 else float("nan")


def bootstrap(values, statistic, rng, *, strata=None, level=0.95, n_samples=2000):
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
    strata : sequence, length n_runs, optional
        The task of each run: as many are drawn of each task as it has.
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
        `level` is not in (0, 1), a task has fewer than two runs, or there is no draw.
    """
    values = numpy.asarray(values, float)
    strata = numpy.zeros(len(values)) if strata is None else numpy.asarray(strata)
    samples = [values[strata == stratum] for stratum in numpy.unique(strata)]
    sizes = [len(sample) for sample in samples]
    if not 0 < level < 1 or min(sizes, default=0) < 2 or n_samples < 1:
        raise ValueError(
            "expected 0 < level < 1, two runs or more and n_samples >= 1, got "
            f"level={level}, {sizes} runs, n_samples={n_samples}."
        )

    def of_all(*drawn, axis):
        return statistic(numpy.concatenate(drawn, axis=axis), axis=axis)

    interval = (
        scipy_stats()
        .bootstrap(
            samples,
            of_all,
            axis=0,
            vectorized=True,
            n_resamples=n_samples,
            confidence_level=level,
            method="percentile",
            random_state=rng,
        )
        .confidence_interval
    )
    return interval.low, interval.high


def performance_profile(scores, thresholds):
    """Of each run, which thresholds its score exceeds: 1(x > τ).

    Its `mean` over runs is the performance profile, the fraction of runs scoring above τ
    (Agarwal et al. 2021, section 4.2), and `bootstrap` gives the band around it.

    Parameters
    ----------
    scores : array, shape (n_runs,)
        One a run.
    thresholds : array, shape (n,)
        The τ.

    Returns
    -------
    array, shape (n_runs, n)
        0 or 1.
    """
    return numpy.greater.outer(scores, thresholds).astype(float)
