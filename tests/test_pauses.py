"""Pauses: found where nothing moves, trimmed, and nothing else with them."""

from chainertrpo.data import Demonstrations, Episode
from chainertrpo.data.demonstrations import describe, pauses, subsample, trim_pauses

import numpy as np
import pytest
from test_demonstrations import header


def played(*moving, noise=0.0, seed=0):
    """A person that moves by 1 in some steps and waits in others, and holds one key."""
    rng, episodes = np.random.default_rng(seed), []
    for flags in moving:
        step = np.array(flags, float)[:, None] * [1.0, 0.5, 0.0]
        obs = np.concatenate([np.zeros((1, 3)), np.cumsum(step, axis=0)])
        obs += noise * rng.standard_normal(obs.shape) * [1, 1, 0]
        n = len(flags)
        episodes.append(Episode(obs, np.ones(n, int), np.ones(n), True, False))
    return Demonstrations(episodes, header())


MOVES = [0] * 7 + [1] * 20 + [0] * 4 + [1] * 3 + [0] * 6


@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_pauses_are_where_nothing_moves(noise):
    demos = played(MOVES, [1] * 9, noise=noise)
    assert pauses(demos) == [[(0, 7), (34, 40)], []]
    assert pauses(demos, 4) == [[(0, 7), (27, 31), (34, 40)], []]


def test_the_first_pair_of_a_pause_and_all_that_moves_stay():
    demos = played(MOVES, [1] * 9)
    short = trim_pauses(demos)
    assert short.lengths == demos.lengths  # whole, to be replayed
    assert short.n_kept == demos.n_kept - 6 - 5
    for e in short.episodes:
        moved = np.diff(e.obs[:, 0]) > 0
        assert e.kept[moved].all()  # however often the key is repeated
    assert short.episodes[0].kept[[0, 34]].all()
    again = trim_pauses(short)
    assert all(
        np.array_equal(x.kept, y.kept) for x, y in zip(short.episodes, again.episodes)
    )
    few = subsample(demos, 3)
    fewer = trim_pauses(few)
    for x, y in zip(few.episodes, fewer.episodes):
        assert not (y.kept & ~x.kept).any()
    with pytest.raises(ValueError, match="at_least"):
        pauses(demos, 0)


def test_one_who_only_waits():
    demos = played([0] * 8)
    assert pauses(demos) == [[(0, 8)]]
    assert trim_pauses(demos).n_kept == 1


def test_what_is_said():
    text = describe(played(MOVES, [1] * 9))
    assert "the same action for 24.5 steps on average, 40 at most" in text
    assert "2 of 5 steps or more in which nothing moves, 13 steps in all" in text
    assert "in episodes 0: --trim-pauses" in text
    assert "25 of 49 pairs were there before" in text
    text = describe(played([1] * 9))
    assert "pauses" not in text and "repeats" not in text
