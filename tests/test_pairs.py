"""State-action pairs as rows: what the discriminator sees."""

from chainertrpo.data import subsample
from chainertrpo.data.demonstrations import without_actions
from chainertrpo.updates.pairs import PairEncoder

import numpy as np
import pytest
from test_demonstrations import demonstrations


def test_discrete_actions_are_one_hot():
    demos = demonstrations(True)
    obs, action = demos.pairs()
    rows = PairEncoder(demos)(obs, action)
    n = demos.environment["action_space"]["n"]
    assert rows.dtype == np.float32 and rows.shape == (len(obs), obs.shape[1] + n)
    assert np.array_equal(rows[:, : obs.shape[1]], obs)
    assert np.array_equal(rows[:, obs.shape[1] :].argmax(1), action)
    assert np.array_equal(rows[:, obs.shape[1] :].sum(1), np.ones(len(obs)))


def test_continuous_actions_stand_as_they_are():
    demos = demonstrations(False)
    obs, action = demos.pairs()
    assert np.array_equal(PairEncoder(demos)(obs, action), np.hstack([obs, action]))


def test_of_observations_only_what_follows_stands_for_the_action():
    demos = subsample(without_actions(demonstrations(False)), 2)
    encode = PairEncoder(demos)
    rows = encode.expert_rows(demos)
    want = [
        np.hstack([e.obs[:-1], e.obs[1:]])[e.kept].astype("f") for e in demos.episodes
    ]
    assert np.array_equal(rows, np.concatenate(want))
    there = subsample(demonstrations(False), 2)
    told = PairEncoder(there, sees="next_observations").expert_rows(there)
    assert np.array_equal(told, rows)
    with pytest.raises(ValueError, match="with actions, got observations only"):
        PairEncoder(demos, sees="actions")


def test_actions_beside_normalised_observations_stand_as_they_are():
    demos = demonstrations(False, (200, 200))
    encode = PairEncoder(demos, "observations")
    rows = encode(*demos.pairs())
    rows[:, 0] *= 1e-3  # a variance below 0.01
    encode.learn(rows)
    seen = np.concatenate([encode(*demos.pairs()), rows]).astype("d")
    std = np.sqrt(np.maximum(seen.var(0), 1e-2))
    want = np.hstack([((rows - seen.mean(0)) / std)[:, :3], rows[:, 3:]])
    np.testing.assert_allclose(encode.normalized(rows), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normalize", ["running", "demonstrations", "none"])
def test_normalisation(normalize):
    demos = demonstrations(False, (200, 200))
    encode = PairEncoder(demos, normalize)
    rows = encode(*demos.pairs())
    moments = rows.mean(0), rows.std(0)
    if normalize == "none":
        assert np.array_equal(encode.normalized(rows), rows)
        return
    want = (rows - moments[0]) / moments[1]
    np.testing.assert_allclose(encode.normalized(rows), want, rtol=1e-3, atol=1e-4)
    encode.learn(rows + 5)
    both = np.concatenate([rows, rows + 5]) if normalize == "running" else rows
    want = (rows - both.mean(0)) / both.std(0)
    np.testing.assert_allclose(encode.normalized(rows), want, rtol=1e-3, atol=1e-4)


def test_absorbing_states_are_told_by_the_last_column_alone():
    demos = demonstrations(False)
    encode = PairEncoder(demos, absorbing=True)
    rows = encode(*demos.pairs())
    assert np.array_equal(encode.normalized(rows)[:, -1], np.zeros(len(rows)))
    (row,) = encode.normalized(encode.absorbing_row())
    assert row[-1] == 1 and not row[:-1].any()


def test_an_unknown_normalisation():
    with pytest.raises(
        ValueError, match="expected normalize to be one of .*got 'batch'"
    ):
        PairEncoder(demonstrations(), "batch")
