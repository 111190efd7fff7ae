"""Microseconds a call of an agent's `act_and_train`, and of any other function."""

import time

import numpy

OBSERVATIONS = 1000


def observations(obs_size):
    """Observations in float64, as MuJoCo gives them."""
    return numpy.random.RandomState(0).standard_normal((OBSERVATIONS, obs_size))


def microseconds(function, obs):
    """Mean over the observations."""
    start = time.perf_counter()
    for x in obs:
        function(x)
    return 1e6 * (time.perf_counter() - start) / len(obs)
