"""Demonstrations of other projects, written here as those projects write them."""

from chainertrpo.data import BadFileError
from chainertrpo.data.foreign import (
    read_baselines,
    read_imitation,
    read_stable_baselines,
)
from chainertrpo.data.minari_sets import minari_environment, read_minari, write_minari

import numpy as np
import pytest
from test_demonstrations import demonstrations, header


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
