"""Demonstrations of other projects, written here as those projects write them."""

from chainertrpo.data import BadFileError, Space, environment_header
from chainertrpo.data.demonstrations.foreign import (
    PaddingWarning,
    read_baselines,
    read_imitation,
    read_stable_baselines,
)
from chainertrpo.data.demonstrations.minari import (
    minari_environment,
    read_minari,
    write_minari,
)
from chainertrpo.data.spaces import element
from chainertrpo.experiments.envs import Env
from chainertrpo.experiments.recording import record_episodes

import numpy as np
import pytest
from test_demonstrations import demonstrations, header
from worlds import spaces as gym_spaces


def same(converted, lengths, demos):
    """Each episode lost its last pair and nothing else."""
    assert converted.lengths == [n - 1 for n in lengths]
    for one, two in zip(converted.episodes, demos.episodes):
        n = len(one.reward)
        assert np.array_equal(one.obs, two.obs[: n + 1])
        assert np.array_equal(one.action, two.action[:n])
        assert np.array_equal(one.reward, two.reward[:n])
        assert not one.terminated and not one.truncated


@pytest.mark.parametrize("discrete", [True, False])
def test_baselines(tmp_path, discrete):
    demos = demonstrations(discrete, (6, 6))
    obs, action, reward = (
        np.stack([getattr(e, k)[:6] for e in demos.episodes])
        for k in ("obs", "action", "reward")
    )
    path = tmp_path / "b.npz"
    np.savez(path, obs=obs, acs=action, rews=reward, ep_rets=reward.sum(1))
    same(read_baselines(path, header(discrete)), [6, 6], demos)
    np.savez(path, obs=obs[0], acs=action, rews=reward)
    with pytest.raises(BadFileError, match="episodes, steps, size"):
        read_baselines(path, header(discrete))
    ragged = np.empty(2, object)
    ragged[:] = [obs[0], obs[1][:3]]
    np.savez(path, obs=ragged, acs=action, rews=reward)
    with pytest.raises(BadFileError, match="plain arrays"):
        read_baselines(path, header(discrete))


@pytest.mark.parametrize("discrete", [True, False])
def test_stable_baselines(tmp_path, discrete):
    demos = demonstrations(discrete, (6, 9))
    obs, action = demos.pairs()
    reward = np.concatenate([e.reward for e in demos.episodes])
    starts = np.zeros(15, bool)
    starts[[0, 6]] = True
    arrays = {"obs": obs, "rewards": reward, "episode_starts": starts}
    arrays["actions"] = action[:, None] if discrete else action
    np.savez(tmp_path / "s.npz", **arrays, episode_returns=np.zeros(2))
    same(read_stable_baselines(tmp_path / "s.npz", header(discrete)), [6, 9], demos)
    np.savez(tmp_path / "s.npz", **{**arrays, "rewards": reward[:-1]})
    with pytest.raises(BadFileError, match="one length"):
        read_stable_baselines(tmp_path / "s.npz", header(discrete))
    with pytest.raises(BadFileError, match="obs, acs, rews"):
        read_baselines(tmp_path / "s.npz", header(discrete))


@pytest.mark.parametrize("discrete", [True, False])
def test_imitation(tmp_path, discrete):
    h5py = pytest.importorskip("h5py")
    demos = demonstrations(discrete, (6, 9))
    with h5py.File(tmp_path / "i.h5", "w") as file:
        width = 1 if discrete else 3
        obs, action = np.full((2, 12, 3), 7.0), np.zeros((2, 12, width))
        reward = np.zeros((2, 12))
        for i, e in enumerate(demos.episodes):
            n = len(e.reward)
            obs[i, :n], reward[i, :n] = e.obs[:-1], e.reward
            action[i, :n] = e.action.reshape(n, width)
        file["obs_B_T_Do"], file["a_B_T_Da"] = obs, action
        file["r_B_T"], file["len_B"] = reward, np.array([6, 9])
    same(read_imitation(tmp_path / "i.h5", header(discrete)), [6, 9], demos)
    (tmp_path / "i.h5").write_bytes(b"no")
    with pytest.raises(BadFileError, match="HDF5"):
        read_imitation(tmp_path / "i.h5", header(discrete))


@pytest.mark.filterwarnings("ignore")
def test_minari(tmp_path, monkeypatch):
    pytest.importorskip("minari")
    from chainertrpo.data import environment_header
    from chainertrpo.experiments import make_env
    from chainertrpo.experiments.recording import record_episodes

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = make_env("CartPole-v1", package="gymnasium")
    demos = record_episodes(env, lambda obs: int(obs[2] > 0), 2)
    write_minari("cartpole/test-v0", demos, env.env)
    again = read_minari("cartpole/test-v0", environment_header(env))
    for one, two in zip(demos.episodes, again.episodes):
        assert all(np.array_equal(x, y) for x, y in zip(one, two))
    assert minari_environment("cartpole/test-v0") == "CartPole-v1"
    other = make_env("MountainCar-v0", package="gymnasium")
    with pytest.raises(ValueError, match="of MountainCar-v0, got some of"):
        write_minari("car/test-v0", demos, other.env)


OBSERVED = {
    "image": gym_spaces.Box(0, 255, (4, 3, 1), np.uint8),
    "double": gym_spaces.Box(-1, 1, (2,), np.float64),
    "one": gym_spaces.Discrete(5),
    "choices": gym_spaces.MultiDiscrete([[2, 3], [4, 2]]),
    "bits": gym_spaces.MultiBinary(3),
    "dict": gym_spaces.Dict(
        {
            "a": gym_spaces.Tuple(
                [gym_spaces.Discrete(3), gym_spaces.Box(-1, 1, (2,), np.float32)]
            ),
            "b": gym_spaces.MultiBinary([2, 2]),
        }
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OBSERVED)
def test_minari_holds_every_space(name, tmp_path, monkeypatch):
    """What it gives back is what was recorded; its elements are of the space."""
    minari = pytest.importorskip("minari")
    import gymnasium

    space = OBSERVED[name]

    class Drawn(gymnasium.Env):
        observation_space, action_space = space, space
        if name in ("image", "double"):
            action_space = gym_spaces.Discrete(3)

        def reset(self, seed=None, options=None):
            self.observation_space.seed(seed)
            return self.observation_space.sample(), {}

        def step(self, action):
            return self.observation_space.sample(), 1.0, False, False, {}

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = Env(Drawn(), seed=0)
    acted = Space.of(env.action_space)
    env.action_space.seed(0)

    def act(obs):
        return acted.encode(env.action_space.sample())

    shown = record_episodes(env, act, 2, max_episode_len=6)
    write_minari("drawn/all-v0", shown, Drawn())
    again = read_minari("drawn/all-v0", environment_header(env))
    assert len(again.episodes) == 2 and again.lengths == shown.lengths
    for one, two in zip(shown.episodes, again.episodes):
        assert one.obs.dtype == two.obs.dtype
        assert all(map(np.array_equal, one[:3], two[:3]))
    theirs = minari.load_dataset("drawn/all-v0")
    assert theirs.observation_space == space
    first = element(next(theirs.iterate_episodes()).observations, 0)
    assert name == "dict" or space.contains(first)


# Nothing is guessed


def arrays(lengths=(6, 9), padded=12, discrete=True, seed=0):
    """Padded arrays as many projects write them, and the demonstrations in them."""
    demos = demonstrations(discrete, lengths, seed)
    width = () if discrete else (3,)
    obs = np.zeros((len(lengths), padded, 3), "f")
    action = np.zeros((len(lengths), padded, *width), "i" if discrete else "f")
    reward = np.zeros((len(lengths), padded), "f")
    for i, e in enumerate(demos.episodes):
        n = len(e.reward)
        obs[i, :n], action[i, :n], reward[i, :n] = e.obs[:-1], e.action, e.reward
    return demos, {"obs": obs, "acs": action, "rews": reward, "lens": np.array(lengths)}


def read(path, content, discrete=True, reader=read_baselines):
    np.savez(path / "x.npz", **content)
    return reader(path / "x.npz", header(discrete))


def test_one_hot_actions_are_decoded(tmp_path):
    demos, content = arrays()
    content["acs"] = np.eye(2)[content["acs"]]
    same(read(tmp_path, content), [6, 9], demos)
    content["acs"] = content["acs"].astype(bool)
    same(read(tmp_path, content), [6, 9], demos)


@pytest.mark.parametrize(
    "action, match",
    [
        (np.full((2, 12, 2), 0.5), r"episode 0, acs: expected one-hot.*at step 0"),
        (np.ones((2, 12, 2)), r"one-hot actions, 2 numbers"),
        (np.zeros((2, 12, 2)), r"one-hot actions"),
        (np.eye(3)[np.zeros((2, 12), int)], r"or 2 of which one is 1.*got 3 numbers"),
        (np.full((2, 12), 0.5), "episode 0, acs: expected whole numbers"),
        (np.full((2, 12), 7), r"episode 0.*expected choices in 0 … 1"),
    ],
)
def test_other_widths_and_values_are_refused(tmp_path, action, match):
    _, content = arrays()
    with pytest.raises(BadFileError, match=match):
        read(tmp_path, {**content, "acs": action})


@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize("name", ["lens", "ep_lens", "lengths"])
def test_padding_is_cut_at_the_lengths_of_the_file(tmp_path, discrete, name):
    demos, content = arrays(discrete=discrete)
    content[name] = content.pop("lens")
    same(read(tmp_path, content, discrete), [6, 9], demos)
    # Episodes one after the other, and observations with the last of each.
    joined = {
        k: np.concatenate([x[0, :6], x[1, :9]]) for k, x in content.items() if k != name
    }
    same(read(tmp_path, {**joined, name: content[name]}, discrete), [6, 9], demos)
    obs = np.zeros((2, 13, 3), "f")
    for i, e in enumerate(demos.episodes):
        obs[i, : len(e.obs)] = e.obs
    whole = read(tmp_path, {**content, "obs": obs}, discrete)
    assert whole.lengths == [6, 9]
    assert all(
        np.array_equal(a.obs, b.obs) for a, b in zip(whole.episodes, demos.episodes)
    )


def test_obs_acs_lens_rets(tmp_path):
    """Returns without rewards are kept as returns."""
    demos, content = arrays()
    del content["rews"]
    content["rets"] = np.array([3.5, -1.0])
    joined = {
        k: np.concatenate([content[k][0, :6], content[k][1, :9]])
        for k in ("obs", "acs")
    }
    for given in (content, {**content, **joined}):
        got = read(tmp_path, given)
        assert got.returns == [3.5, -1.0] and got.lengths == [5, 8]
        assert np.array_equal(got.episodes[1].action, demos.episodes[1].action[:8])
    with pytest.raises(BadFileError, match="obs, acs, rews"):
        read(tmp_path, {k: content[k] for k in ("obs", "acs", "lens")})


def test_padding_without_lengths_is_warned_of(tmp_path):
    _, content = arrays()
    del content["lens"]
    with pytest.warns(PaddingWarning, match="last 6 of 12 steps of episode 0"):
        assert read(tmp_path, content).lengths == [11, 11]
    content["rews"] += 1
    assert read(tmp_path, content).lengths == [11, 11]  # and no warning: an error here
    _, content = arrays((12, 12))
    content["acs"][:, -3:] = 0  # real zero actions at an end stay
    del content["lens"]
    assert read(tmp_path, content).lengths == [11, 11]


@pytest.mark.parametrize(
    "lens", [[6, 13], [-1, 9], [6.5, 9], [6], [[6, 9, 1]], "ab", []]
)
def test_lengths_that_do_not_fit(tmp_path, lens):
    _, content = arrays()
    with pytest.raises(BadFileError, match="lens"):
        read(tmp_path, {**content, "lens": np.array(lens)})


@pytest.mark.parametrize("name", ["obs", "acs", "rews"])
@pytest.mark.parametrize("dtype", [complex, "U8", "M8[s]"])
def test_dtypes_that_are_no_numbers(tmp_path, name, dtype):
    _, content = arrays(discrete=False)
    content[name] = content[name].astype(int).astype(dtype)
    with pytest.raises(BadFileError, match=f"numbers in {name}"):
        read(tmp_path, content, False)


@pytest.mark.parametrize("name", ["obs", "acs", "rews"])
def test_what_a_float32_cannot_hold(tmp_path, name):
    _, content = arrays(discrete=False)
    content[name] = content[name].astype(float)
    content[name][1, 3] = 1e39
    with pytest.raises(BadFileError, match=r"episode 1 .*1e\+39 at \[3"):
        read(tmp_path, content, False)


def test_sizes_are_compared_before_anything_is_expanded(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, obs=np.zeros((1, 2**25 + 1), "f8"), acs=0, rews=0)
    with pytest.raises(BadFileError, match="at most 268435456 bytes.*--max-load-bytes"):
        read_baselines(path, header())
    np.savez_compressed(path, obs=np.zeros((1, 100), "f8"), acs=0, rews=0)
    with pytest.raises(BadFileError, match="at most 500 bytes"):
        read_baselines(path, header(), max_bytes=500)
    with pytest.raises(BadFileError, match="rows of numbers"):
        read_baselines(path, header(), max_bytes=5000)


def hdf5(path, change):
    h5py = pytest.importorskip("h5py")
    _, content = arrays()
    names = dict(zip(("obs_B_T_Do", "a_B_T_Da", "r_B_T", "len_B"), content.values()))
    with h5py.File(path, "w") as file:
        for name, array in names.items():
            file[name] = array
        change(h5py, file)
    return path


def declares_much(h5py, file):
    del file["obs_B_T_Do"]
    file.create_dataset("obs_B_T_Do", (2, 2**34, 3), "f8", chunks=(1, 2**10, 3))


def replaced_by(make):
    def change(h5py, file):
        del file["obs_B_T_Do"]
        make(h5py, file)

    return change


HOSTILE = {
    "declares 768 GiB": (declares_much, "at most 268435456 bytes"),
    "an external link": (
        replaced_by(
            lambda h, f: f.__setitem__("obs_B_T_Do", h.ExternalLink("/x", "a"))
        ),
        "ExternalLink",
    ),
    "a soft link": (
        replaced_by(lambda h, f: f.__setitem__("obs_B_T_Do", h.SoftLink("/r_B_T"))),
        "SoftLink",
    ),
    "raw storage": (
        replaced_by(
            lambda h, f: f.create_dataset(
                "obs_B_T_Do", (2, 12, 3), "f4", external=[("/etc/passwd", 0, 288)]
            )
        ),
        "reference to another",
    ),
    "a folder": (replaced_by(lambda h, f: f.create_group("obs_B_T_Do")), "an array in"),
    "strings": (
        replaced_by(lambda h, f: f.__setitem__("obs_B_T_Do", [b"a", b"b"])),
        "numbers in obs_B_T_Do",
    ),
    "objects": (
        replaced_by(
            lambda h, f: f.create_dataset("obs_B_T_Do", (2,), h.string_dtype())
        ),
        "numbers in obs_B_T_Do",
    ),
    "missing": (replaced_by(lambda h, f: None), "expected the arrays obs_B_T_Do"),
    "nothing in it": (
        replaced_by(lambda h, f: f.__setitem__("obs_B_T_Do", h.Empty("f"))),
        "x.h5",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hdf5_that_is_hostile(tmp_path, name):
    change, match = HOSTILE[name]
    path = hdf5(tmp_path / "x.h5", change)
    with pytest.raises(BadFileError, match=match):
        read_imitation(path, header())


def test_hdf5_is_read(tmp_path):
    path = hdf5(tmp_path / "x.h5", lambda h, f: None)
    same(read_imitation(path, header()), [6, 9], arrays()[0])
