"""Rows of a batch: in which order, and which of them."""

import math

from chainertrpo.data import SCALES

import numpy


def minibatches(n, batch_size, epochs, rng):
    """Indices of shuffled minibatches, running over the ends of epochs.

    Like Chainer's ``SerialIterator``: each epoch is a new permutation, a batch may take
    its last rows from the next epoch, and all batches are full.  There are
    ⌈epochs · n / batch_size⌉ of them.

    Parameters
    ----------
    n : int
        Rows.
    batch_size : int
        Rows a batch.
    epochs : int
        Passes over the rows.
    rng : numpy.random.Generator
        Of the permutations.

    Returns
    -------
    list of array, shape (batch_size,)
        Row indices.
    """
    count = math.ceil(epochs * n / batch_size)
    if count == 0:
        return []
    rounds = math.ceil(count * batch_size / n)
    order = numpy.concatenate([rng.permutation(n) for _ in range(rounds)])
    return list(order[: count * batch_size].reshape(count, batch_size))


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
    return batch._make(None if x is None else x[rows] for x in batch)


def minibatch(step, batch, rows):
    """Some rows of a batch as a step wants them.

    Parameters
    ----------
    step : GradientStep
        With or without standardisation in every minibatch.
    batch : Batch
        On the device.
    rows : array of int
        Which rows, on the batch's device.

    Returns
    -------
    Batch
        Of these rows.
    """
    part = take(batch, rows)
    if step.standardize_by is None:
        return part
    centred = part.advantage - part.advantage.mean()
    scale = SCALES[step.standardize_by](centred) + step.standardize_eps
    return part._replace(advantage=centred / scale)
