"""Pieces of paths against loops over rows."""

from chainertrpo.data import Batch
from chainertrpo.data.pieces import cut, rows_of, take

import numpy as np
import pytest


def some_paths(rng, count):
    lengths = rng.integers(1, 9, size=count)
    ends = np.cumsum(lengths)
    return ends - lengths, int(ends[-1])


def path_of(starts, row):
    return sum(row >= start for start in starts) - 1


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_pieces_are_rows_of_one_path_and_as_long_as_may_be(rng, count, length):
    starts, n = some_paths(rng, count)
    truth, within = [], 0
    for row in range(n):
        within = 0 if row in starts else within + 1
        if within % length == 0:
            truth.append(row)
    found = cut(starts, n, length)
    assert found.tolist() == truth
    for begin, end in zip(found, [*found[1:], n]):
        assert 1 <= end - begin <= length
        assert path_of(starts, begin) == path_of(starts, end - 1)


def test_pieces_of_one_row_are_rows(rng):
    starts, n = some_paths(rng, 5)
    pieces = cut(starts, n, 1)
    assert pieces.tolist() == list(range(n))
    chosen = rng.permutation(n)[: n // 2]
    rows, begin = rows_of(pieces, n, chosen)
    assert np.array_equal(rows, chosen)
    assert np.array_equal(begin, np.arange(len(chosen)))


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_rows_of_pieces_in_any_order_and_more_than_once(rng, length):
    starts, n = some_paths(rng, 7)
    pieces = cut(starts, n, length)
    ends = [*pieces[1:], n]
    orders = [rng.permutation(len(pieces)), rng.integers(len(pieces), size=4), [0]]
    for chosen in map(np.asarray, orders):
        rows, begins = [], []
        for i in chosen:
            begins.append(len(rows))
            rows.extend(range(pieces[i], ends[i]))
        found = rows_of(pieces, n, chosen)
        assert [x.tolist() for x in found] == [rows, begins]
        assert all(x.dtype.kind == "i" for x in found)


def test_all_pieces_in_order_are_all_rows(rng):
    starts, n = some_paths(rng, 6)
    pieces = cut(starts, n, 3)
    rows, begins = rows_of(pieces, n, np.arange(len(pieces)))
    assert np.array_equal(rows, np.arange(n)) and np.array_equal(begins, pieces)


@pytest.mark.parametrize("rows", [slice(2, 5), slice(None, None, 3), [4, 0, 4]])
def test_some_rows_of_a_batch(xp, rng, rows):
    obs, number = rng.standard_normal((9, 4)), np.arange(9)
    arrays = [xp.asarray(x) for x in (obs, number, number, number)]
    wanted = rows if isinstance(rows, slice) else xp.asarray(rows)
    part = take(Batch(*arrays, None), wanted)
    assert part.value_target is None and part.mask is None
    for found, whole in zip(part[:4], (obs, number, number, number)):
        assert (found == xp.asarray(whole[rows])).all()
