"""Recording: by an agent, by real key events without a screen, and at a fixed horizon."""

from chainertrpo.data import read_demonstrations, write_demonstrations
from chainertrpo.experiments import make_env
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.recording import (
    KEYS,
    MissingKeysError,
    keys_of,
    record_episodes,
    record_keyboard,
)

import numpy as np
import pytest


def test_an_agent_is_recorded_and_replays(tmp_path):
    env = make_env("CartPole-v1")
    demos = record_episodes(env, lambda obs: int(obs[2] > 0), 3, seed=5)
    write_demonstrations(tmp_path / "d.npz", demos)
    demos = read_demonstrations(tmp_path / "d.npz")
    assert demos.environment["id"] == "CartPole-v1"
    assert [e.seed for e in demos.episodes] == [5, 6, 7]
    assert all(e.terminated and not e.truncated for e in demos.episodes)
    assert demos.lengths == demos.returns
    episode = demos.episodes[1]
    env.seed(episode.seed)
    obs = [env.reset()] + [env.step(action)[0] for action in episode.action]
    assert np.array_equal(obs, episode.obs)


def test_a_fixed_horizon_repeats_the_end():
    env = FixedHorizon(make_env("CartPole-v1"), 60)
    demos = record_episodes(env, lambda obs: 0, 2)
    whole = record_episodes(make_env("CartPole-v1"), lambda obs: 0, 2)
    assert demos.lengths == [60, 60] and demos.returns == whole.returns
    for one, two in zip(demos.episodes, whole.episodes):
        n = len(two.reward)
        assert np.array_equal(one.obs[: n + 1], two.obs)
        assert (one.obs[n:] == two.obs[-1]).all()
        assert one.truncated and not one.terminated
    with pytest.raises(ValueError, match="horizon >= 1"):
        FixedHorizon(env, 0)


@pytest.fixture
def pygame(monkeypatch):
    module = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("MPLBACKEND", "agg")
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["gymnasium", "gym"])
def test_keys_become_actions(pygame, package):
    pytest.importorskip(package)
    env = make_env("CartPole-v1", package=package, render_mode="rgb_array")

    def press(n):
        for at, kind in ((2, pygame.KEYDOWN), (5, pygame.KEYUP)):
            if n == at:
                pygame.event.post(pygame.event.Event(kind, key=ord("d")))

    demos = record_keyboard(env, 2, seed=3, fps=1000, on_step=press)
    assert len(demos.episodes) == 2 and demos.made_by == {"kind": "person"}
    action = demos.episodes[0].action.tolist()
    assert action[:6] == [0, 0, 1, 1, 1, 0] and not any(action[6:])
    assert [e.seed for e in demos.episodes] == [3, 4]
    again = make_env("CartPole-v1", 3, package=package)
    obs = [again.reset()] + [again.step(a)[0] for a in action]
    assert np.array_equal(obs, demos.episodes[0].obs)


@pytest.mark.filterwarnings("ignore")
def test_escape_leaves_out_what_has_not_ended(pygame):
    env = make_env("MountainCarContinuous-v0", render_mode="rgb_array")

    def press(n):
        if n == 3:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE))

    with pytest.raises(ValueError, match="played to its end, got none"):
        record_keyboard(env, 1, fps=1000, on_step=press)


def test_keys():
    for name in KEYS:
        codes, _, text = keys_of(f"{name}-v0")
        assert all(isinstance(c, int) for code in codes for c in code)
        assert "no key" in text
    with pytest.raises(MissingKeysError, match="known keys.*got Hopper-v4"):
        keys_of("Hopper-v4")
