"""Replays and their videos, beside what was recorded and what PIL reads."""

import os
import weakref

from chainertrpo.experiments import make_env
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.experiments.replay import replay
from chainertrpo.experiments.video import timing, write_gif

import numpy as np
import pytest


def squares(n, height=40, width=60):
    """Yield frames in which a square moves, now and then not, over few colours."""
    for i in range(n):
        frame = np.full((height, width, 3), (10, 200, 30), np.uint8)
        at = 2 * (i - i % 4)
        frame[at % 30 : at % 30 + 9, at % 50 : at % 50 + 9] = (250, i % 3, 90)
        yield frame


def read(path):
    """Read a GIF: its frames, and for how long each is shown in ms."""
    Image = pytest.importorskip("PIL.Image")
    frames, durations = [], []
    with Image.open(path) as gif:
        for i in range(gif.n_frames):
            gif.seek(i)
            frames.append(np.array(gif.convert("RGB")))
            durations.append(gif.info["duration"])
        assert gif.info["loop"] == 0
    return frames, durations


def test_a_gif_holds_the_frames(tmp_path):
    assert write_gif(tmp_path / "a.gif", squares(25), 25) == 25
    frames, durations = read(tmp_path / "a.gif")
    assert len(frames) == 25 and durations == [40] * 25
    for one, two in zip(frames, squares(25)):
        assert np.array_equal(one, two)


def test_a_gif_of_many_colours_is_near(tmp_path):
    ramp = np.arange(64, dtype=np.uint8)
    frame = np.stack(np.broadcast_arrays(ramp[:, None], 2 * ramp, 90), 2)
    frame = frame.astype(np.uint8)
    write_gif(tmp_path / "a.gif", [frame, frame[::-1]], 10)
    for one, two in zip(read(tmp_path / "a.gif")[0], [frame, frame[::-1]]):
        # 4096 colours became 256, so a cell of the palette is 16 colours wide.
        assert abs(one.astype(int) - two).max() <= 16


def test_a_gif_is_written_while_the_frames_come(tmp_path):
    path, alive, sizes = tmp_path / "a.gif", weakref.WeakSet(), []

    class Frame(np.ndarray):  # numpy's own can be referred to, but not hashed
        __hash__ = object.__hash__

    def frames():
        rng = np.random.default_rng(0)
        for _ in range(30):
            frame = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8).view(Frame)
            alive.add(frame)
            assert len(alive) <= 2
            yield frame
            sizes.append(os.path.getsize(f"{path}.writing"))

    write_gif(path, frames(), 50)
    # Noise is not compressed: half of the frames are half of the file.
    assert sizes[15] > 0.4 * os.path.getsize(path)


@pytest.mark.parametrize("fps", [1, 15, 30, 50, 60, 67, 100, 125, 500])
def test_a_gif_is_as_fast_as_its_environment(tmp_path, fps):
    every, delay = timing(fps)
    total = 0
    for k in range(200):
        assert delay(k) >= 2
        total += delay(k)
        assert abs(total - 100 * (k + 1) * every / fps) <= 0.5 + 1e-9
    write_gif(tmp_path / "a.gif", squares(61), fps)
    frames, durations = read(tmp_path / "a.gif")
    assert len(frames) == len(range(0, 61, every))
    assert durations == [10 * delay(k) for k in range(len(frames))]


def test_what_is_no_video(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        write_gif(tmp_path / "a.gif", [], 50)
    with pytest.raises(ValueError, match=r"\(40, 60, 3\), got \(9, 9, 3\)"):
        write_gif(tmp_path / "a.gif", [*squares(1), *squares(1, 9, 9)], 50)
    with pytest.raises(ValueError, match="fps > 0"):
        timing(0)


def demonstrations(n=3):
    return record_episodes(make_env("CartPole-v1"), lambda obs: int(obs[3] < 0), n, 4)


def test_a_replay_compares_every_observation():
    demos, told = demonstrations(), []
    assert all(f is None for f in replay(make_env("CartPole-v1"), demos))
    demos.episodes[1].obs[2, 3] += 1e-3
    count = sum(
        1 for _ in replay(make_env("CartPole-v1"), demos, lambda *x: told.append(x))
    )
    assert told == [(0, True), (1, False), (2, True)]
    assert count == sum(n + 1 for n in demos.lengths)
    unknown = [e._replace(seed=-1) for e in demos.episodes]
    with pytest.raises(ValueError, match=r"seeds, got none for \[0, 1, 2\]"):
        next(replay(None, type(demos)(unknown, demos.environment)))


def test_fixed_horizons_replay_beside_others():
    whole = demonstrations(1)
    fixed = FixedHorizon(make_env("CartPole-v1"), 30)
    fixed = record_episodes(fixed, lambda obs: 0, 2)
    both = type(whole)([*whole.episodes, *fixed.episodes], whole.environment)
    told = []
    list(replay(make_env("CartPole-v1"), both, lambda *x: told.append(x)))
    assert told == [(0, True), (1, True), (2, True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["gymnasium", "gym"])
def test_a_window_shows_what_was_recorded(monkeypatch, package):
    pygame = pytest.importorskip("pygame")
    pytest.importorskip(package)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    ticks = []

    class Clock:
        def tick(self, fps):
            ticks.append(fps)

    monkeypatch.setattr(pygame.time, "Clock", Clock)
    demos = demonstrations(1)
    (episode,) = demos.episodes
    env = make_env("CartPole-v1", package=package, render_mode="human")
    shown = []
    for _ in replay(env, demos):
        shown.append(pygame.surfarray.array3d(pygame.display.get_surface()))
    # Once a step, at the environment's own speed.
    assert ticks == [50] * (len(episode.reward) + 1)
    env.close()
    env = make_env("CartPole-v1", package=package, render_mode="rgb_array")
    filmed = list(replay(env, demos, film=True))
    env.close()
    assert len(filmed) == len(episode.reward) + 1 == len(shown)
    for one, two in zip(shown, filmed):
        assert np.array_equal(one.swapaxes(0, 1), two)
    # The cart stands where it was recorded: 600 pixels are 4.8 m.
    for frame, obs in zip(filmed, episode.obs):
        dark = np.nonzero((frame[310] == 0).all(1))[0]
        assert abs(dark.mean() - (300 + obs[0] * 125)) < 2
