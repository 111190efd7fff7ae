"""From a list of observations to one array."""

import chainer
import numpy


def batch_states(states, xp, phi):
    """Features of observations in one array, on the device of `xp`.

    Parameters
    ----------
    states : sequence
        Observations.
    xp : module
        NumPy or CuPy.
    phi : callable
        Observation -> array, or a tuple of arrays.

    Returns
    -------
    array or tuple of array
        The rows are the observations.
    """
    device = None if xp is numpy else chainer.cuda.Device().id
    return chainer.dataset.concat_examples([phi(s) for s in states], device)
