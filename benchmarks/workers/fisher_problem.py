"""The same policy, observations and vector for every Fisher product, and the clock."""

import statistics
import time

import numpy


def problem(sizes, batch):
    """Return weights (out, in), log-deviations, observations and a vector.

    The vector runs over weights and biases layer by layer, then the log-deviations.
    """
    rng = numpy.random.default_rng(0)
    weights = [
        rng.standard_normal((n_out, n_in), dtype=numpy.float32) / n_in**0.5
        for n_in, n_out in zip(sizes, sizes[1:])
    ]
    log_std = numpy.full(sizes[-1], -0.5, numpy.float32)
    obs = rng.standard_normal((batch, sizes[0]), dtype=numpy.float32)
    n = sum(w.size + len(w) for w in weights) + sizes[-1]
    weights = [w.astype(numpy.float32) for w in weights]
    return weights, log_std, obs, rng.standard_normal(n, dtype=numpy.float32)


def milliseconds(function, seconds):
    """Median milliseconds of a call, over so many seconds and at least three calls."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)
