"""What is known of spaces, against gymnasium's (or gym's) own flattening."""

import json
import types

from chainertrpo.data.spaces import KINDS, Space

import numpy as np
import pytest
from worlds import spaces

# gym's have no start.
STARTS = {} if "gym." in spaces.__name__ else {"start": [[0, 1], [-2, 0]]}
BOX = spaces.Box(np.float32([-1, -2]), np.float32([1, 3]))
CASES = {
    "box": BOX,
    "image": spaces.Box(0, 255, (2, 3, 1), np.uint8),
    "half": spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "discrete": spaces.Discrete(4),
    "from one": spaces.Discrete(3, start=1),
    "choices": spaces.MultiDiscrete([2, 4, 3]),
    "grid": spaces.MultiDiscrete([[2, 3], [4, 2]], **STARTS),
    "bits": spaces.MultiBinary(5),
    "matrix of bits": spaces.MultiBinary([2, 3]),
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
        image = space.is_image  # bytes, as they are
        assert found.dtype == (np.uint8 if image else np.float32)
        assert found.shape == (theirs.shape if image else (space.size,))
        back = space.from_features(found)
        assert equal(back, x) and (space.kind == "Tuple" or theirs.contains(back))
        found = found.ravel()
        np.testing.assert_array_equal(found, np.float32(spaces.flatten(theirs, x)))


@every_space
def test_columns_are_those_of_each_part(theirs):
    space = Space.of(theirs)
    theirs.seed(0)
    x = theirs.sample()
    whole, seen = space.features(x).ravel(), []
    for name, columns in space.columns.items():
        part, value = space, x
        if space.parts is not None:
            part = space.parts[name]
            value = x[name] if space.kind == "Dict" else x[int(name)]
        np.testing.assert_array_equal(whole[columns], part.features(value).ravel())
        seen += range(space.size)[columns]
    assert seen == list(range(space.size))


def test_what_is_kept_of_each_kind():
    box = Space.of(BOX)
    assert (box.kind, box.shape, box.choices, box.parts) == ("Box", (2,), (), None)
    assert box.low is BOX.low and box.high is BOX.high
    assert Space.of(CASES["from one"])[:4] == ("Discrete", (), (3,), (1,))
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
    assert Space.of(types.SimpleNamespace(n=3))[:4] == ("Discrete", (), (3,), (0,))
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


def equal(a, b):
    """Elements of a space; gymnasium's are nested."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return np.array_equal(a, np.float32(b) if np.asarray(b).dtype == "d" else b)


@every_space
def test_actions_go_to_the_environment_and_back(theirs):
    space = Space.of(theirs)
    theirs.seed(1)
    for _ in range(10):
        x = theirs.sample()
        action = space.encode(x)
        assert action.dtype == space.action_dtype
        wide = () if space.kind == "Discrete" else (space._width,)
        assert action.shape == wide
        back = space.decode(action)
        assert equal(back, x) and theirs.contains(
            back if space.kind != "Box" else back.astype(theirs.dtype)
        )
        rows = space.action_features(action[None])
        np.testing.assert_array_equal(rows, space.features(x).reshape(1, -1))


@every_space
def test_spaces_as_json(theirs):
    space = Space.of(theirs)
    about = json.loads(json.dumps(space.to_json()))
    again = Space.from_json(about)
    assert again.to_json() == about and again.size == space.size
    assert again.action_dtype == space.action_dtype


@pytest.mark.parametrize(
    "about",
    [
        None,
        {},
        {"type": "Box"},
        {"type": "Discrete", "n": 0},
        {"type": "Discrete", "n": 2.5},
        {"type": "MultiDiscrete", "shape": [2], "n": [3], "start": [0]},
        {"type": "Box", "shape": [2], "low": [0], "high": [1, 1]},
        {"type": "Dict", "parts": {"a": {"type": "Sphere"}}},
        {"type": "Tuple", "parts": [1]},
    ],
)
def test_what_is_no_space_in_json(about):
    with pytest.raises(ValueError, match="expected a space of Box, Discrete"):
        Space.from_json(about)


MASKS = {
    "discrete": ([0, 1, 1, 0], [0, 1, 1, 0]),
    "choices": (([1, 0], [1, 1, 1, 0], [0, 0, 1]), [1, 0, 1, 1, 1, 0, 0, 0, 1]),
    "flat choices": ([1, 0, 1, 1, 1, 0, 0, 0, 1], [1, 0, 1, 1, 1, 0, 0, 0, 1]),
    "bits": ([0] * 5, [0] * 5),
    "tuple": ((None, [1, 0, 0], [1, 0]), [1, 0, 0, 1, 0]),
    "flat tuple": ([1, 0, 0, 1, 0], [1, 0, 0, 1, 0]),
    "dict": ({"b": ([1, 0], None), "a": None}, [1, 0, 1, 1]),
    "nested": ({"z": ([1, 1], None), "y": [0, 1, 0]}, [0, 1, 0, 1, 1]),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_one_vector(name):
    space = Space.of(CASES[name.replace("flat ", "")])
    mask, flat = MASKS[name]
    found = space.flat_mask(mask)
    assert found.dtype == bool and found.tolist() == [bool(x) for x in flat]
    assert space.flat_mask(None).all() and len(flat) == space.mask_size
    with pytest.raises(ValueError, match="expected a mask of"):
        space.flat_mask(np.ones(17))


def test_a_mask_that_forbids_all():
    for name, mask in (
        ("discrete", [0] * 4),
        ("choices", ([1, 0], [0] * 4, [1, 1, 1])),
        ("tuple", [0, 0, 0, 1, 1]),
    ):
        with pytest.raises(ValueError, match="forbids all"):
            Space.of(CASES[name]).flat_mask(mask)


def test_a_mask_is_no_observation():
    theirs = spaces.Dict({"action_mask": spaces.MultiBinary(3), "observation": BOX})
    assert Space.observed(theirs).size == 2 and Space.of(theirs).size == 5
    found = Space.observed(theirs).features(theirs.sample())
    assert found.shape == (2,)


def test_choices_out_of_range_are_named():
    for index in ([4], [-1], [1, 1]):
        with pytest.raises(ValueError, match="expected choices in 0 … 3, got"):
            Space.of(CASES["discrete"]).one_hot(index)
