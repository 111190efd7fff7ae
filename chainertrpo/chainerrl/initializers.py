"""Initialisers of weights."""

from chainertrpo.chainerrl._gone import refusals

import numpy
from chainer import initializer
from chainer.initializers import LeCunNormal, Orthogonal

__getattr__ = refusals(__name__)


class VarianceScalingConstant(initializer.Initializer):
    """scale/√fan_in everywhere.

    Parameters
    ----------
    scale : float
        A factor.
    dtype : dtype, optional
        Of the array.
    """

    def __init__(self, scale=1.0, dtype=None):
        super().__init__(dtype)
        self.scale = scale

    def __call__(self, array):
        """Fill an array."""
        fan_in = numpy.prod(array.shape[1:] or array.shape)
        array[...] = self.scale / fan_in**0.5


__all__ = ["LeCunNormal", "Orthogonal", "VarianceScalingConstant"]
