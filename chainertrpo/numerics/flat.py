"""Parameters as one flat vector, and the only place where they are written."""

from __future__ import annotations

import contextlib
import typing

import numpy
from chainer import Variable, backend


def named_params(link):
    """Return the parameters of a link that have a gradient, sorted by name.

    The order is lexicographic in ``link.namedparams()`` names, as in ChainerRL, so that
    flat vectors of the two can be compared entry by entry.

    Parameters
    ----------
    link : chainer.Link
        Any link.

    Returns
    -------
    dict of str to chainer.Parameter
        Names such as ``/mlp/0/W``, in sorted order.

    Raises
    ------
    ValueError
        A parameter has no array yet (``L.Linear(None, n)`` before its first call).
    """
    params = dict(sorted(link.namedparams()))
    lazy = [name for name, param in params.items() if param.array is None]
    if lazy:
        raise ValueError(
            f"expected initialised parameters, got uninitialised {', '.join(lazy)}. "
            "Call the link once on an observation, or give its input size."
        )
    return params


def _array(x):
    return x.array if isinstance(x, Variable) else x


def flatten(arrays: typing.Any) -> typing.Any:
    """Concatenate arrays into one vector.

    Parameters
    ----------
    arrays : sequence of array or Variable, or chainer.Link
        All of one dtype and on one device; a link stands for its `named_params`.

    Returns
    -------
    array, shape (P,)
        A copy, NumPy or CuPy as the input.
    """
    if hasattr(arrays, "namedparams"):
        arrays = named_params(arrays).values()
    arrays = [_array(a) for a in arrays]
    xp = backend.get_array_module(arrays[0])
    return xp.concatenate([a.ravel() for a in arrays])


def unflatten(vector: typing.Any, like: typing.Any) -> typing.Any:
    """Cut a vector into arrays; the inverse of `flatten`.

    Parameters
    ----------
    vector : array, shape (P,)
        The vector.
    like : sequence of array or Variable, or chainer.Link
        Objects whose shapes the parts take, in order.

    Returns
    -------
    list of array
        Views of `vector`, not copies.

    Raises
    ------
    ValueError
        `vector` is not one-dimensional of the right length.
    """
    if hasattr(like, "namedparams"):
        like = named_params(like).values()
    shapes = [x.shape for x in like]
    sizes = [int(numpy.prod(shape)) for shape in shapes]
    if vector.shape != (sum(sizes),):
        raise ValueError(
            f"expected a vector of shape ({sum(sizes)},), got {vector.shape}. "
            "Flatten the same parameters, in the same order."
        )
    parts, start = [], 0
    for shape, size in zip(shapes, sizes):
        parts.append(vector[start : start + size].reshape(shape))
        start += size
    return parts


@contextlib.contextmanager
def at(link, theta):
    """Evaluate a link at other parameters: a context that always gives the old ones back.

    The old arrays themselves are put back, also when the body raises, so what was there
    is there again bit for bit.  To keep the new parameters call the value of the context:

    >>> with at(policy, theta + step) as keep:          # doctest: +SKIP
    ...     if improves(policy):
    ...         keep()

    Parameters
    ----------
    link : chainer.Link
        The link whose parameters are replaced.
    theta : array, shape (P,)
        The parameters to use inside; a copy is used, so it is never modified.

    Yields
    ------
    callable
        ``keep()``: on leaving, copy the parameters of that moment into the link's own
        arrays.  The copy is made after the body has ended without an exception.
    """
    params = list(named_params(link).values())
    parts = unflatten(theta.copy(), params)
    old = [param.array for param in params]
    kept = []
    completed = False
    try:
        for param, part in zip(params, parts):
            param.array = part
        yield lambda: kept.append(True)
        completed = True
    finally:
        for param, array in zip(params, old):
            param.array = array
        if kept and completed:
            for array, part in zip(old, parts):
                array[...] = part
