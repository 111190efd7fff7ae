"""Pieces of paths: what minibatches, shards, chunks and every k-th row are choices of.

A piece is up to `length` rows of one path, with the hidden state before its first row.  A
policy without memory has pieces of one row: then choosing pieces is choosing rows.
"""

import math
import typing

from chainertrpo import ranks
from chainertrpo.numerics.functions import functions
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
    found = [numpy.arange(a, b, length) for a, b in pieces]
    return numpy.concatenate([numpy.zeros(0, int), *found])


def first_rows(lengths):
    """Where paths of these lengths begin, one after the other."""
    lengths = numpy.fromiter(lengths, int)
    return numpy.cumsum(lengths) - lengths


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


def runs(batch, size, epochs, rng):
    """Minibatches of pieces in shuffled order, cut where so many rows are full.

    Each epoch is a new permutation of the pieces; its last minibatch has what is left.

    Parameters
    ----------
    batch : Batch
        With memory.
    size : int
        Rows a minibatch.
    epochs : int
        Passes over the pieces.
    rng : numpy.random.Generator
        Of the permutations.

    Yields
    ------
    Batch
        Its pieces begin with the hidden states that `batch` has of these rows.
    """
    n, xp = len(batch.obs), functions(batch.obs)
    bare = batch._replace(starts=None, carry=None)
    for _ in range(epochs):
        rows, starts = rows_of(batch.starts, n, rng.permutation(len(batch.starts)))
        for first in range(0, n, size):
            here = rows[first : first + size]
            inside = starts[(starts > first) & (starts < first + size)]
            begins = numpy.append(first, inside) - first
            part = take(bare, xp.asarray(here))
            carry = part.hidden.take(xp.asarray(begins), axis=0)
            yield part._replace(starts=begins, carry=carry)


def spans(n, most, starts=None):
    """Consecutive blocks of n rows: pairs of slices, of rows and of pieces.

    Parameters
    ----------
    n : int
        Rows.
    most : float
        The most rows of a block; of pieces about so many, because these are not cut.
    starts : numpy.ndarray, shape (M,), optional
        Where pieces begin; None without memory: rows are the pieces.

    Returns
    -------
    list of (slice, slice)
        Of all rows, in order.
    """
    if starts is None:
        rows = [slice(i, i + most) for i in range(0, n, most)]
        return list(zip(rows, rows))
    bounds = numpy.append(starts, n)
    wanted = numpy.linspace(0, n, math.ceil(n / most) + 1)
    cuts = numpy.unique(numpy.searchsorted(bounds, wanted)).tolist()
    ends = bounds.tolist()
    return [(slice(ends[a], ends[b]), slice(a, b)) for a, b in zip(cuts, cuts[1:])]


class Minibatch(typing.NamedTuple):
    """What this rank has of a minibatch.

    Attributes
    ----------
    index : array of int
        Which pieces, as `take` wants them; with several ranks perhaps none.
    rows : int
        Of all ranks.
    """

    index: typing.Any
    rows: int


def shared_out(order, batch, send):
    """Share minibatches out among the ranks that have their pieces.

    Parameters
    ----------
    order : array of int, shape (count, size)
        Pieces of all ranks, numbered in the order of ranks, one minibatch a row.
    batch : Batch
        What this rank has.
    send : callable
        Array of the host -> array of the batch's device.

    Returns
    -------
    list of Minibatch
        As many on each rank.
    """
    count, size = order.shape
    if batch.starts is None:
        lengths, rows = None, [size] * count
    else:
        lengths = numpy.diff(numpy.append(batch.starts, len(batch.obs)))
    if ranks.size() == 1:
        if lengths is not None:
            rows = lengths[order].sum(axis=1).tolist()
        return list(map(Minibatch, index_for(batch, order, send), rows))
    n = _own_pieces(batch)
    first, _ = ranks.place(n)
    ours = (order >= first) & (order < first + n)
    index = order[ours] - first
    ends = numpy.cumsum(ours.sum(axis=1)).tolist()
    own = list(zip([0, *ends], ends))
    if lengths is not None:
        rows = numpy.array([lengths[index[a:b]].sum() for a, b in own], float)
        rows = ranks.sum(rows).astype(int).tolist()
    index = index_for(batch, index, send)
    return [Minibatch(index[a:b], n) for (a, b), n in zip(own, rows)]


def every_kth(batch, k):
    """Every k-th piece of those of all ranks, as far as this rank has them."""
    first, _ = ranks.place(_own_pieces(batch))
    return take(batch, slice(-first % k, None, k))


def _own_pieces(batch):
    return len(batch.obs if batch.starts is None else batch.starts)


def n_pieces(batch):
    """Pieces of a batch, over all ranks: without memory its rows."""
    return ranks.sum(_own_pieces(batch))


def pieces_for(batch, rows):
    """How many pieces have about so many rows; all of them for None."""
    count = n_pieces(batch)
    if rows is None or batch.starts is None:
        return rows or count
    n = ranks.sum(len(batch.obs))
    return min(max(round(rows * count / n), 1), count)


def in_pieces(batch, length):
    """The batch with its paths cut to pieces of at most so many rows.

    Parameters
    ----------
    batch : Batch
        Of whole paths.
    length : int or None
        Rows; None leaves the paths whole.

    Returns
    -------
    Batch
        The same rows; without memory the same batch.
    """
    if batch.starts is None or length is None:
        return batch
    starts = cut(batch.starts, len(batch.obs), length)
    carry = batch.hidden.take(functions(batch.hidden).asarray(starts), axis=0)
    return batch._replace(starts=starts, carry=carry)


def index_for(batch, chosen, send):
    """Numbers of pieces where `take` wants them: with memory on the host."""
    return send(chosen) if batch.starts is None else chosen


def row_index(batch, chosen):
    """The rows of some pieces, on the batch's device."""
    if batch.starts is None:
        return chosen
    rows, _ = rows_of(batch.starts, len(batch.obs), chosen)
    return functions(batch.obs).asarray(rows)


def take(batch, rows):
    """Some rows of a batch, or with memory some pieces.

    Parameters
    ----------
    batch : Batch
        A batch; its fields may be None.
    rows : array of int, or slice
        Which rows, on the batch's device; which pieces, on the host.

    Returns
    -------
    Batch
        Of these rows.
    """
    if batch.starts is not None:
        return _take_pieces(batch, rows)
    if isinstance(rows, slice):
        return batch._make(None if x is None else x[rows] for x in batch)
    return batch._make(gather(batch, rows))


def _take_pieces(batch, chosen):
    n, count, xp = len(batch.obs), len(batch.starts), functions(batch.obs)
    if isinstance(chosen, slice):
        first, end, step = chosen.indices(count)
        if step == 1:  # rows that lie together are not copied
            ends = numpy.append(batch.starts, n)[[first, end]].tolist()
            rest = take(batch._replace(starts=None, carry=None), slice(*ends))
            starts = batch.starts[chosen] - ends[0]
            return rest._replace(starts=starts, carry=batch.carry[chosen])
        chosen = numpy.arange(first, end, step)
    rows, starts = rows_of(batch.starts, n, chosen)
    rest = take(batch._replace(starts=None, carry=None), xp.asarray(rows))
    carry = batch.carry.take(xp.asarray(chosen), axis=0)
    return rest._replace(starts=starts, carry=carry)
