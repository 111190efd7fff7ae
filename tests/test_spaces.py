"""What is known of spaces, against gymnasium's own flattening."""

import types

from chainertrpo.data.spaces import KINDS, Space, one_hot

import numpy as np
import pytest

spaces = pytest.importorskip("gymnasium.spaces")

BOX = spaces.Box(np.float32([-1, -2]), np.float32([1, 3]))
CASES = {
    "box": BOX,
    "image": spaces.Box(0, 255, (2, 3, 1), np.uint8),
    "half": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "discrete": spaces.Discrete(4),
    "from one": spaces.Discrete(3, start=1),
    "choices": spaces.MultiDiscrete([2, 4, 3]),
    "bits": spaces.MultiBinary(5),
    "tuple": spaces.Tuple([BOX, spaces.Discrete(3), spaces.MultiBinary(2)]),
    "dict": spaces.Dict({"b": spaces.MultiDiscrete([2, 2]), "a": BOX}),
    "nested": spaces.Dict(
        {"z": spaces.Tuple([spaces.Discrete(2), BOX]), "y": spaces.MultiBinary(3)}
    ),
}
every_space = pytest.mark.parametrize("theirs", CASES.values(), ids=CASES)


@every_space
def test_features_are_gymnasiums_flattened_elements(theirs):
    space = Space.of(theirs)
    assert space.kind == type(theirs).__name__ and space.kind in KINDS
    assert space.size == spaces.flatdim(theirs)
    theirs.seed(0)
    for _ in range(10):
        x = theirs.sample()
        found = space.features(x)
        assert found.shape == (space.size,) and found.dtype == np.float32
        np.testing.assert_array_equal(found, np.float32(spaces.flatten(theirs, x)))


@every_space
def test_columns_are_those_of_each_part(theirs):
    space = Space.of(theirs)
    theirs.seed(0)
    x = theirs.sample()
    whole, seen = space.features(x), []
    for name, columns in space.columns.items():
        part, value = space, x
        if space.parts is not None:
            part = space.parts[name]
            value = x[name] if space.kind == "Dict" else x[int(name)]
        np.testing.assert_array_equal(whole[columns], part.features(value))
        seen += range(space.size)[columns]
    assert seen == list(range(space.size))


def test_what_is_kept_of_each_kind():
    box = Space.of(BOX)
    assert (box.kind, box.shape, box.n, box.parts) == ("Box", (2,), None, None)
    assert box.low is BOX.low and box.high is BOX.high
    assert Space.of(CASES["from one"])[:4] == ("Discrete", (), 3, 1)
    assert Space.of(CASES["choices"]).choices == (2, 4, 3)
    assert Space.of(CASES["choices"]).shape == (3,)
    assert Space.of(CASES["bits"]).shape == (5,)
    assert list(Space.of(CASES["dict"]).parts) == ["a", "b"]  # as gymnasium sorts them
    assert list(Space.of(CASES["tuple"]).parts) == ["0", "1", "2"]
    assert Space.of(box) is box


def test_a_grid_of_choices_is_flattened_row_by_row():
    space = Space.of(spaces.MultiDiscrete([[2, 3], [4, 2]]))
    assert (space.shape, space.choices, space.size) == ((2, 2), (2, 3, 4, 2), 11)
    found = space.features(np.array([[1, 0], [3, 1]]))
    assert np.flatnonzero(found).tolist() == [1, 2, 8, 10]


def test_attributes_are_enough():
    """Of old gym, of tests, of anybody: no class is asked for."""
    assert Space.of(types.SimpleNamespace(n=3))[:4] == ("Discrete", (), 3, 0)
    box = Space.of(types.SimpleNamespace(shape=(4,)))
    assert (box.kind, box.shape, box.low, box.high) == ("Box", (4,), None, None)
    old = types.SimpleNamespace(spaces=[types.SimpleNamespace(n=2)], shape=None)
    assert Space.of(old).kind == "Tuple"


@pytest.mark.parametrize("space", [object(), None, types.SimpleNamespace(shape=None)])
def test_other_spaces_are_refused(space):
    with pytest.raises(ValueError, match="expected a space of Box, Discrete"):
        Space.of(space)
    if hasattr(spaces, "Text"):
        with pytest.raises(ValueError, match="Wrap the environment"):
            Space.of(spaces.Text(5))


def test_one_hot_rows():
    assert one_hot(2, 4).tolist() == [0, 0, 1, 0]
    found = one_hot(np.array([1, 0]), 2)
    assert found.tolist() == [[0, 1], [1, 0]] and found.dtype == np.float32
