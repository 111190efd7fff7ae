"""Demonstration files: round trips, laws of subsampling, and files that are wrong."""

import io
import json
import os
import types
import zipfile

from chainertrpo.data import BadFileError, read_npz, write_npz
from chainertrpo.data.demonstrations import (
    Demonstrations,
    Episode,
    describe,
    environment_header,
    merge,
    read_demonstrations,
    select,
    subsample,
    without_actions,
    write_demonstrations,
)
from chainertrpo.data.demonstrations.files import _digest

import numpy as np
import pytest


def header(discrete=True, env_id="CartPole-v1"):
    box = types.SimpleNamespace(shape=(3,), low=[-1, -1, -np.inf], high=[1, 1, 9])
    action = types.SimpleNamespace(n=2) if discrete else box
    env = types.SimpleNamespace(observation_space=box, action_space=action, id=env_id)
    return environment_header(env)


def demonstrations(discrete=True, lengths=(5, 9, 1), seed=0):
    rng = np.random.default_rng(seed)
    episodes = [
        Episode(
            rng.standard_normal((n + 1, 3)),
            rng.integers(2, size=n) if discrete else rng.standard_normal((n, 3)),
            rng.standard_normal(n),
            terminated=i == 0,
            truncated=i == 1,
            seed=i,
        )
        for i, n in enumerate(lengths)
    ]
    return Demonstrations(episodes, header(discrete), {"kind": "agent"}, {"numpy": "x"})


@pytest.mark.parametrize("discrete", [True, False])
def test_round_trip(tmp_path, discrete):
    first = subsample(demonstrations(discrete), 3)
    write_demonstrations(tmp_path / "d.npz", first)
    second = read_demonstrations(tmp_path / "d.npz", header(discrete))
    for one, two in zip(first.episodes, second.episodes):
        for x, y in zip(one, two):
            assert np.array_equal(x, y) and np.asarray(x).dtype == np.asarray(y).dtype
    for name in ("environment", "made_by", "versions"):
        assert getattr(first, name) == getattr(second, name)
    data = (tmp_path / "d.npz").read_bytes()
    write_demonstrations(tmp_path / "d.npz", second)
    assert data == (tmp_path / "d.npz").read_bytes()


def test_weights(tmp_path):
    one, two = demonstrations(lengths=(4, 6)), demonstrations(lengths=(10,), seed=1)
    assert merge([one, two]).weights() is None
    both = subsample(merge([one, two], [1, 3]), 2)
    weights = both.weights()
    assert np.allclose(weights[5:] / weights[:5], 3) and weights.mean() == 1
    write_demonstrations(tmp_path / "d.npz", both)
    read = read_demonstrations(tmp_path / "d.npz")
    assert np.array_equal(read.weights(), weights)
    assert read.digest() == both.digest() != subsample(merge([one, two]), 2).digest()
    assert "1, 1, 3: how much a pair" in describe(read)
    write_demonstrations(tmp_path / "e.npz", one)
    assert "weight" not in read_npz(tmp_path / "e.npz")
    for wrong, message in (
        ([1], "a weight for each of 2"),
        ([1, 0], "the weight of episode 2 .*> 0, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            merge([one, two], wrong)


def test_a_file_of_observations_only(tmp_path):
    whole = subsample(demonstrations(), 2)
    seen = without_actions(whole)
    write_demonstrations(tmp_path / "d.npz", seen)
    read = read_demonstrations(tmp_path / "d.npz", header())
    assert not read.has_actions and "action" not in read_npz(tmp_path / "d.npz")
    assert read.n_kept == whole.n_kept == len(whole.pairs()[0])
    assert read.digest() == seen.digest() != whole.digest()
    assert "none recorded" in describe(read)
    with pytest.raises(ValueError, match=r"got observations only.*GAIL"):
        read.pairs()
    with pytest.raises(ValueError, match="actions in all episodes or in none"):
        Demonstrations(whole.episodes[:1] + seen.episodes[1:], header())
    with pytest.raises(ValueError, match="no masks without actions"):
        masked = seen.episodes[0]._replace(mask=np.ones((5, 2), bool))
        Demonstrations([masked], header())
    write_demonstrations(tmp_path / "w.npz", whole)
    arrays = read_npz(tmp_path / "w.npz")
    del arrays["action"]  # lost, not left out
    write_npz(tmp_path / "w.npz", arrays)
    with pytest.raises(BadFileError, match="expected the array action, whose SHA"):
        read_demonstrations(tmp_path / "w.npz")


def test_paths_and_pairs():
    demos = demonstrations()
    obs, action = demos.pairs()
    assert len(obs) == len(action) == sum(demos.lengths) == 15
    assert np.array_equal(obs, np.concatenate([p.obs[:-1] for p in demos.paths()]))
    assert [p.terminal for p in demos.paths()] == [True, False, False]


@pytest.mark.parametrize("every", [1, 2, 4, 20])
def test_subsampling_keeps_every_kth_pair_from_a_random_offset(every):
    demos = demonstrations(lengths=(40, 41, 1))
    offsets = set()
    for seed in range(30):
        for episode in subsample(demos, every, seed).episodes:
            (at,) = np.nonzero(episode.kept)
            assert (np.diff(at) == every).all() and at[0] < every
            assert len(at) == len(range(at[0], len(episode.kept), every))
            offsets.add(at[0])
    assert offsets == set(range(every)) or every == 20
    again = [subsample(demos, every, 3).pairs()[0] for _ in range(2)]
    assert np.array_equal(*again)


def test_select_and_merge():
    demos = demonstrations()
    assert select(demos, [2, 0]).lengths == [1, 5]
    assert merge([demos, select(demos, [1])]).lengths == [5, 9, 1, 9]
    with pytest.raises(ValueError, match=r"expected episodes in 0 … 2, got \[3\]"):
        select(demos, [3])
    with pytest.raises(ValueError, match="another environment"):
        merge([demos, demonstrations(discrete=False)])


class Payload:
    """Its pickle makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("payload-ran",)


def rewritten(path, change, *, honest=True):
    """Change arrays and header of a file; `honest`: with sums that fit."""
    arrays = read_npz(path)
    head = json.loads(arrays["header"].item())
    change(arrays, head)
    if honest:
        sums = {k: _digest(v) for k, v in arrays.items() if k != "header"}
        head["sha256"] = sums
    arrays["header"] = np.array(json.dumps(head))
    write_npz(path, arrays)


def put(name, value):
    def change(arrays, head):
        arrays[name] = value(arrays[name])

    return change


def poke(name, value, index=0):
    def change(array):
        array = array.copy()
        array[index] = value
        return array

    return put(name, change)


BAD = {
    "observations of another width": (put("obs", lambda x: x[:, :2]), "shape"),
    "a row too few": (put("obs", lambda x: x[:-1]), "expected 18 rows in obs"),
    "lengths that do not add up": (poke("length", 6), "rows in obs"),
    "an episode without steps": (poke("length", 0), "at least one step"),
    "NaN": (poke("obs", np.nan), "episode 0: expected finite obs"),
    "infinite reward": (poke("reward", np.inf, 6), "episode 1: expected finite reward"),
    "float actions": (put("action", lambda x: x.astype("f")), "integer actions"),
    "an action too high": (
        poke("action", 2, 5),
        "episode 1: .*expected choices in 0 … 1",
    ),
    "reward of two dimensions": (put("reward", lambda x: x[:, None]), "dimensions"),
    "a missing array": (lambda a, h: a.pop("kept"), "expected the arrays header"),
    "a newer version": (lambda a, h: h.update(version=2), "expected version 1, got 2"),
    "another format": (lambda a, h: h.update(format="x"), "expected the format"),
    "no spaces": (lambda a, h: h.update(environment={}), "observation_space"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_the_cause(tmp_path, name):
    change, message = BAD[name]
    path = tmp_path / "d.npz"
    write_demonstrations(path, demonstrations())
    rewritten(path, change)
    with pytest.raises(BadFileError, match=message) as caught:
        read_demonstrations(path)
    assert str(path) in str(caught.value)


def test_an_edited_array_differs_from_its_sum(tmp_path):
    write_demonstrations(tmp_path / "d.npz", demonstrations())
    rewritten(tmp_path / "d.npz", poke("reward", 7.0), honest=False)
    with pytest.raises(BadFileError, match="reward differs from its SHA-256"):
        read_demonstrations(tmp_path / "d.npz")


def test_damage(tmp_path):
    path = tmp_path / "d.npz"
    write_demonstrations(path, demonstrations())
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"NUMPY") + 150] ^= 4
    for data in (whole[: len(whole) // 2], bytes(flipped), b"", b"no zip"):
        path.write_bytes(data)
        with pytest.raises(BadFileError):
            read_demonstrations(path)


def test_a_pickle_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_demonstrations("d.npz", demonstrations())
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload()], object), allow_pickle=True)
    with zipfile.ZipFile("d.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["obs.npy"] = buffer.getvalue()
    with zipfile.ZipFile("d.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(BadFileError, match="plain arrays"):
        read_demonstrations("d.npz")
    assert not os.path.exists("payload-ran")


def test_demonstrations_of_another_environment(tmp_path):
    write_demonstrations(tmp_path / "d.npz", demonstrations())
    with pytest.raises(BadFileError, match="of Hopper-v4, got some of CartPole-v1"):
        read_demonstrations(tmp_path / "d.npz", header(env_id="Hopper-v4"))
    with pytest.raises(BadFileError, match="action_space"):
        read_demonstrations(tmp_path / "d.npz", header(discrete=False))


def test_no_episodes():
    with pytest.raises(ValueError, match="at least one episode"):
        Demonstrations([], header())


def test_subsampling_again_keeps_some_of_the_kept():
    demos = subsample(demonstrations(lengths=(40, 41, 1)), 4, 1)
    again = subsample(demos, 3, 2)
    for one, two in zip(demos.episodes, again.episodes):
        (at,) = np.nonzero(two.kept)
        assert one.kept[at].all() and (np.diff(at) == 12).all()
    same = subsample(demos, 1, 5)
    for one, two in zip(demos.episodes, same.episodes):
        assert np.array_equal(one.kept, two.kept)


@pytest.mark.parametrize("discrete", [True, False])
def test_a_description_counts(discrete):
    demos = subsample(demonstrations(discrete), 2)
    demos = merge([demos, select(demos, [1])])
    obs, action = demos.pairs()
    text = describe(demos)
    kept = sum(int(e.kept.sum()) for e in demos.episodes)
    assert f"4 episodes, 24 steps, {kept} pairs kept" in text
    assert "Episode 3 is the same as episode 1." in text
    lines = text.splitlines()[4:8]
    for line, e in zip(lines, demos.episodes):
        length, pairs, total, seed = map(float, line.split()[1:5])
        assert (length, pairs, seed) == (len(e.reward), e.kept.sum(), e.seed)
        assert abs(total - e.reward.astype(float).sum()) <= 0.005 + 1e-9
    if discrete:
        assert f"1: {100 * np.mean(action == 1):.1f}%" in text
    else:
        outside = np.mean([(a[:2] ** 2 > 1).any() or a[2] > 9 for a in action])
        assert f"{100 * outside:.1f}% of the pairs outside" in text
