"""Parameters as one vector, and the one place where they are written."""

from chainertrpo.numerics import at, flatten, named_params, unflatten

import chainer
import chainer.links as L
import numpy as np
import pytest


class Pair(chainer.Chain):
    """Two layers and a scalar, named so that registration is not the sorted order."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.z = L.Linear(3, 2)
            self.a = L.Linear(2, 4)
            self.m = chainer.Parameter(np.array(1.5, "f"))


@pytest.fixture
def pair():
    return Pair()


def snapshot(link):
    """The array objects, and copies of what they hold."""
    params = list(link.params())
    return [p.array for p in params], [p.array.copy() for p in params]


def is_as_it_was(link, before):
    arrays, values = before
    now = [p.array for p in link.params()]
    same_objects = all(a is b for a, b in zip(now, arrays))
    return same_objects and all(a.tobytes() == b.tobytes() for a, b in zip(now, values))


def test_names_are_sorted_whatever_the_order_of_registration(pair):
    names = list(named_params(pair))
    assert names == ["/a/W", "/a/b", "/m", "/z/W", "/z/b"]


def test_an_uninitialised_parameter_is_named():
    with pytest.raises(ValueError, match="/W"):
        named_params(L.Linear(None, 3))


def test_flatten_concatenates_in_order_of_name(pair, xp):
    if xp is not np:
        pair.to_device("@cupy:0")
    vector = flatten(pair)
    assert isinstance(vector, xp.ndarray)
    assert vector.dtype == np.float32
    parts = [pair.a.W, pair.a.b, pair.m, pair.z.W, pair.z.b]
    expected = np.concatenate(
        [chainer.backends.cuda.to_cpu(p.array).ravel() for p in parts]
    )
    assert np.array_equal(chainer.backends.cuda.to_cpu(vector), expected)


def test_flatten_copies(pair):
    vector = flatten(pair)
    vector[...] = 7
    assert not (flatten(pair) == 7).any()
    only = flatten([pair.a.W])
    only[...] = 7
    assert not (pair.a.W.array == 7).any()


def test_unflatten_undoes_flatten_and_gives_views(xp, rng):
    shapes = [(2, 3), (), (4,), (1, 1, 2)]
    arrays = [xp.asarray(rng.standard_normal(shape)) for shape in shapes]
    vector = flatten(arrays)
    parts = unflatten(vector, arrays)
    assert [p.shape for p in parts] == shapes
    assert all((p == a).all() for p, a in zip(parts, arrays))
    vector[...] = 5
    assert all((p == 5).all() for p in parts)


@pytest.mark.parametrize("shape", [(22,), (24,), (23, 1), ()])
def test_unflatten_refuses_other_lengths(pair, shape):
    with pytest.raises(ValueError, match=r"expected a vector of shape \(21,\)"):
        unflatten(np.zeros(shape, "f"), pair)


def test_at_shows_the_new_parameters_inside_and_the_old_after(pair, rng):
    theta = rng.standard_normal(21).astype("f")
    given, before = theta.copy(), snapshot(pair)
    with at(pair, theta):
        assert np.array_equal(flatten(pair), given)
    assert is_as_it_was(pair, before)
    assert np.array_equal(theta, given)


def test_at_restores_bits_also_of_nan(pair):
    pair.z.b.array[0] = np.array(0x7FC12345, "uint32").view("f")  # a NaN with a payload
    pair.z.b.array[1] = -0.0
    before = snapshot(pair)
    with at(pair, np.zeros(21, "f")):
        pass
    assert is_as_it_was(pair, before)


@pytest.mark.parametrize("keeping", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_at_restores_on_any_exception_even_after_keep(pair, error, keeping):
    before = snapshot(pair)
    with pytest.raises(error), at(pair, np.ones(21, "f")) as keep:
        if keeping:
            keep()
        raise error
    assert is_as_it_was(pair, before)


def test_keep_writes_into_the_arrays_that_were_there(pair, rng):
    theta = rng.standard_normal(21).astype("f")
    arrays, _ = snapshot(pair)
    with at(pair, theta) as keep:
        keep()
    assert all(p.array is a for p, a in zip(pair.params(), arrays))
    assert np.array_equal(flatten(pair), theta)
    theta[...] = 0  # not referred to afterwards
    assert flatten(pair).all()


def test_at_nests(pair):
    before = snapshot(pair)
    with at(pair, np.ones(21, "f")):
        with at(pair, np.zeros(21, "f")):
            assert not flatten(pair).any()
        assert (flatten(pair) == 1).all()
    assert is_as_it_was(pair, before)


def test_a_vector_of_the_wrong_length_changes_nothing(pair):
    before = snapshot(pair)
    with pytest.raises(ValueError), at(pair, np.ones(20, "f")):
        pass
    assert is_as_it_was(pair, before)
