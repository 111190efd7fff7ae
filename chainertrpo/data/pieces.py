"""Pieces of paths: what minibatches, shards, chunks and every k-th row are choices of.

A piece is up to `length` rows of one path, with the hidden state before its first row.  A
policy without memory has pieces of one row: then choosing pieces is choosing rows.
"""

import math

from chainertrpo.numerics.kernels import gather

import numpy


def cut(starts, n, length):
    """Where pieces begin, in order.

    Parameters
    ----------
    starts : array, shape (K,)
        Where the paths begin in n rows.
    n : int
        Rows.
    length : int
        The most rows of a piece.

    Returns
    -------
    array, shape (M,)
        Rows.
    """
    ends = numpy.append(starts[1:], n)
    pieces = zip(starts.tolist(), ends.tolist())
    return numpy.concatenate([numpy.arange(a, b, length) for a, b in pieces])


def rows_of(starts, n, chosen):
    """The rows of some pieces, and where these begin among them.

    Parameters
    ----------
    starts : array, shape (M,)
        Where the pieces begin in n rows.
    n : int
        Rows.
    chosen : array of int
        Which pieces, in which order.

    Returns
    -------
    rows : array of int
        All their rows, piece after piece.
    starts : array of int
        Where each begins in `rows`.
    """
    lengths = numpy.append(starts[1:], n)[chosen] - starts[chosen]
    first = numpy.cumsum(lengths) - lengths
    shift = numpy.repeat(starts[chosen] - first, lengths)
    return numpy.arange(lengths.sum()) + shift, first


def minibatches(n, batch_size, epochs, rng):
    """Indices of shuffled minibatches, running over the ends of epochs.

    Like Chainer's ``SerialIterator``: each epoch is a new permutation, a batch may take
    its last rows from the next epoch, and all batches are full.  There are
    ⌈epochs · n / batch_size⌉ of them.

    Parameters
    ----------
    n : int
        Rows, or pieces.
    batch_size : int
        Rows a batch.
    epochs : int
        Passes over the rows.
    rng : numpy.random.Generator
        Of the permutations.

    Returns
    -------
    array of int, shape (count, batch_size)
        Row indices, one batch a row.
    """
    count = math.ceil(epochs * n / batch_size)
    rounds = math.ceil(count * batch_size / n)
    order = [numpy.zeros(0, int), *(rng.permutation(n) for _ in range(rounds))]
    order = numpy.concatenate(order)
    return order[: count * batch_size].reshape(count, batch_size)


def take(batch, rows):
    """Some rows of a batch.

    Parameters
    ----------
    batch : Batch
        A batch; its fields may be None.
    rows : array of int, or slice
        Which rows, on the batch's device.

    Returns
    -------
    Batch
        Of these rows.
    """
    if isinstance(rows, slice):
        return batch._make(None if x is None else x[rows] for x in batch)
    return batch._make(gather(batch, rows))
