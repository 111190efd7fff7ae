"""A formula written once for NumPy, CuPy and Chainer's Variables.

Arithmetic is the same for all three; what is not has a name here.
"""

import itertools

import chainer.functions as F
import numpy
from chainer import Variable, backend


def functions(x):
    """Where exp, log, tanh, maximum, where … are: numpy, cupy or `chainer.functions`."""
    if type(x) is numpy.ndarray:
        return numpy
    return F if isinstance(x, Variable) else backend.get_array_module(x)


def data(x):
    """The array of a Variable; anything else as it is."""
    return x.array if isinstance(x, Variable) else x


def total(x, axis=-1, keepdims=False):
    """Σ over an axis, by default the last."""
    if isinstance(x, Variable):
        return F.sum(x, axis=axis, keepdims=keepdims)
    return x.sum(axis=axis, keepdims=keepdims)


def join(parts):
    """Columns side by side."""
    xp = functions(parts[0])
    return F.concat(parts, axis=-1) if xp is F else xp.concatenate(parts, axis=-1)


def split(x, sizes):
    """So many columns each, the inverse of `join`."""
    ends = list(itertools.accumulate(sizes))
    if isinstance(x, Variable):
        # The backward of a slice takes CuPy's deprecated scatter_add.
        return F.split_axis(x, ends[:-1], x.ndim - 1)
    return [x[..., end - n : end] for n, end in zip(sizes, ends)]


def choose(x, index):
    """x[i, index[i]] of each row i."""
    if isinstance(x, Variable):
        return F.select_item(x, index)
    return x[backend.get_array_module(x).arange(len(x)), index]


def softplus(x):
    """log(1 + exp(x)), without overflow."""
    return F.softplus(x) if isinstance(x, Variable) else functions(x).logaddexp(0, x)


def sigmoid(x):
    """1/(1 + exp(−x)), without overflow."""
    xp = functions(x)
    return F.sigmoid(x) if xp is F else 0.5 * (1 + xp.tanh(0.5 * x))
