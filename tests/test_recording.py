"""Recording: by an agent, by real key events without a screen, and at a fixed horizon."""

import importlib

from chainertrpo.data import read_demonstrations, write_demonstrations
from chainertrpo.experiments import Env, make_env, resolve
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.keyboard import (
    KEYS,
    MissingKeysError,
    keys_of,
    record_keyboard,
    under,
    wrap,
)
from chainertrpo.experiments.recording import record_episodes

import numpy as np
import pytest

ARROWS = {"left": 1073741904, "right": 1073741903, "up": 1073741906}


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
    with pytest.raises(ValueError, match="horizon to be a whole number >= 1"):
        FixedHorizon(env, 0)


@pytest.fixture
def pygame(monkeypatch):
    module = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("MPLBACKEND", "agg")
    return module


def short(name, steps, package="auto"):
    """Make an environment whose episodes are cut soon."""
    module, env_id = resolve(name, package)
    env = module.make(
        env_id,
        max_episode_steps=steps,
        render_mode="rgb_array",
        disable_env_checker=True,
    )
    env = Env(env)
    env.id, env.package = env_id, module.__name__
    return env


def presses(pygame, events):
    """Make an on_step that presses (+) and releases (-) keys: {step: ["+a", "-d"]}."""

    def on_step(n):
        for event in events.get(n, []):
            kind = pygame.KEYDOWN if event[0] == "+" else pygame.KEYUP
            key = ARROWS.get(event[1:]) or ord(event[1:])
            pygame.event.post(pygame.event.Event(kind, key=key))

    return on_step


def replayed(env, episode):
    env.seed(episode.seed)
    return [env.reset()] + [env.step(action)[0] for action in episode.action]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["gymnasium", "gym"])
def test_keys_become_actions(pygame, package):
    pytest.importorskip(package)
    env = make_env("CartPole-v1", package=package, render_mode="rgb_array")
    press = presses(pygame, {2: ["+d"], 5: ["-d"]})
    demos = record_keyboard(env, 2, seed=3, fps=1000, on_step=press, ask=False)
    assert len(demos.episodes) == 2 and demos.made_by == {"kind": "person"}
    action = demos.episodes[0].action.tolist()
    assert action[:6] == [0, 0, 1, 1, 1, 0] and not any(action[6:])
    assert [e.seed for e in demos.episodes] == [3, 4]
    again = make_env("CartPole-v1", package=package)
    for episode in demos.episodes:
        assert np.array_equal(replayed(again, episode), episode.obs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["gymnasium", "gym"])
def test_a_continuous_action_by_key(pygame, package):
    pytest.importorskip(package)
    env = short("MountainCarContinuous-v0", 12, package)
    events = {2: ["+right"], 4: ["-right"], 5: ["+a"], 8: ["+d"], 9: ["-a", "-d"]}
    demos = record_keyboard(
        env, 1, fps=1000, on_step=presses(pygame, events), ask=False
    )
    (episode,) = demos.episodes
    # Left and right at once are no action.
    want = [0, 0, 1, 1, 0, -1, -1, -1, 0, 0, 0, 0]
    assert np.array_equal(episode.action, np.array(want, "f")[:, None])
    assert episode.truncated and not episode.terminated
    again = make_env("MountainCarContinuous-v0", package=package)
    assert np.array_equal(replayed(again, episode), episode.obs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["MountainCar-v0", "Acrobot-v1"])
def test_three_actions_by_key(pygame, name):
    env = short(name, 10)
    old = importlib.import_module(env.package).__version__.startswith("0.")
    if name == "Acrobot-v1" and old and np.__version__ >= "2":
        pytest.skip("the Acrobot of gym and gymnasium < 1 needs NumPy < 2")
    events = {
        2: ["+left"],
        4: ["-left", "+d"],
        6: ["-d"],
        7: ["+a"],
        8: ["-a", "+right"],
    }
    demos = record_keyboard(
        env, 1, fps=1000, on_step=presses(pygame, events), ask=False
    )
    (episode,) = demos.episodes
    assert episode.action.tolist() == [1, 1, 0, 0, 2, 2, 1, 0, 2, 2]
    assert np.array_equal(replayed(make_env(name), episode), episode.obs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["gymnasium", "gym"])
def test_lunar_lander_by_keys(pygame, package):
    pytest.importorskip("Box2D")
    pytest.importorskip(package)
    env = short("LunarLander", 40, package)
    events = {
        2: ["+up"],
        5: ["+left"],  # both: who fires the main engine can steer
        8: ["-left"],
        10: ["-up", "+d"],
        12: ["+w"],
        14: ["-d"],
        16: ["-w", "+left"],
        30: ["-left"],
    }
    demos = record_keyboard(
        env, 1, seed=2, fps=1000, on_step=presses(pygame, events), ask=False
    )
    (episode,) = demos.episodes
    want = [0] * 2 + [2] * 3 + [1] * 3 + [2] * 2 + [3] * 4 + [2] * 2 + [1] * 14
    assert episode.action.tolist() == want + [0] * 10
    again = make_env("LunarLander", package=package)
    assert np.array_equal(replayed(again, episode), episode.obs)
    # Turning left is counterclockwise: the angle's velocity grows at every step.
    assert (np.diff(episode.obs[16:31, 5]) > 0).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["gymnasium", "gym"])
def test_the_screen_says_the_keys_and_how_it_goes(pygame, package, monkeypatch):
    pytest.importorskip(package)
    said, seen = [], []

    class Font(pygame.font.Font):
        def render(self, text, *args):
            said.append(text)
            return super().render(text, *args)

    def look(n):
        seen.append(pygame.surfarray.array3d(pygame.display.get_surface()))

    monkeypatch.setattr(pygame.font, "Font", Font)
    env = make_env("CartPole-v1", package=package, render_mode="rgb_array")
    demos = record_keyboard(env, 2, seed=1, fps=1000, on_step=look, ask=False)
    keys = [s for s in said if not s.startswith("episode")]
    for text in ("left or a: push left", "right or d: push right", "no key: push left"):
        assert any(text in line for line in keys)
    first, second = demos.lengths  # one status a frame
    want = [(1, n) for n in range(first + 1)] + [(2, n) for n in range(second + 1)]
    assert [s for s in said if s.startswith("episode")] == [
        f"episode {i} of 2    steps {n}    return {n:.1f}" for i, n in want
    ]
    # What stood in the window before step n + 1, beside what was rendered elsewhere.
    other = make_env("CartPole-v1", package=package, render_mode="rgb_array")
    other.seed(1)
    other.reset()
    for n, action in enumerate(demos.episodes[0].action):
        window = seen[n].swapaxes(0, 1).astype(int)
        assert window.shape[1] == 600 and 430 < window.shape[0] < 500
        assert np.array_equal(window[:400], other.render())
        other.step(action)
    strips = np.array(seen)[1:first, :, 400:]
    lit = strips.max(axis=(0, 3))
    assert strips.max() >= 254 and not lit[-6:].any() and not lit[:6].any()
    changing = (strips != strips[0]).any(axis=(0, 1, 3))
    assert changing.any() and not changing[: strips.shape[2] // 2].any()
    other.close()


def test_a_strip_leaves_the_frame_as_it_is(pygame):
    frame = np.random.default_rng(0).integers(0, 256, (40, 300, 3)).astype(np.uint8)
    before = frame.copy()
    phrases = keys_of("LunarLander-v3")[2]
    heights = set()
    for n in (1, 10, 1000):
        both = under(frame, phrases, f"steps {n}")
        assert both.dtype == np.uint8 and np.array_equal(both[:40], before)
        heights.add(both.shape)
    assert np.array_equal(frame, before) and len(heights) == 1


def test_lines_hold_all_phrases_and_fit():
    rng = np.random.default_rng(0)
    for _ in range(50):
        phrases = ["x" * n for n in rng.integers(1, 30, size=rng.integers(1, 9))]
        lines = wrap(phrases, 24, len)
        assert " ".join(lines).split() == phrases
        assert all(len(line) <= 24 or line in phrases for line in lines)


@pytest.mark.filterwarnings("ignore")
def test_escape_leaves_out_what_has_not_ended(pygame):
    env = make_env("MountainCarContinuous-v0", render_mode="rgb_array")

    def press(n):
        if n == 3:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE))

    with pytest.raises(ValueError, match="played to its end, got none"):
        record_keyboard(env, 1, fps=1000, on_step=press, ask=False)


@pytest.mark.filterwarnings("ignore")
def test_a_person_begins_and_chooses_what_is_kept(pygame, monkeypatch):
    """Enter keeps, Backspace does not; nothing moves before the first key."""
    enter, back = pygame.K_RETURN, pygame.K_BACKSPACE
    said, typed = (
        [],
        iter([pygame.K_x, pygame.K_d, enter, pygame.K_a, back, pygame.K_d]),
    )

    def person(timeout):
        return pygame.event.Event(pygame.KEYDOWN, key=next(typed, enter))

    env = short("MountainCar-v0", 10)
    monkeypatch.setattr(pygame.event, "wait", person)
    demos = record_keyboard(env, 2, seed=3, fps=1000, on_step=said.append)
    assert said == list(range(1, 31))
    assert [e.seed for e in demos.episodes] == [3, 5]
    assert [e.action.tolist()[0] for e in demos.episodes] == [2, 2]


def test_nobody_is_recorded_without_a_display(monkeypatch):
    pytest.importorskip("pygame")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    env = make_env("CartPole-v1", render_mode="rgb_array")
    with pytest.raises(ValueError, match="expected a display.*record agent"):
        record_keyboard(env, 1)


@pytest.mark.filterwarnings("ignore")
def test_an_interrupt_keeps_the_whole_episodes(pygame):
    def interrupt(n):
        if n == 15:
            raise KeyboardInterrupt

    demos = record_keyboard(
        short("MountainCar-v0", 10), 3, fps=1000, on_step=interrupt, ask=False
    )
    assert demos.lengths == [10]


def test_keys():
    for name in KEYS:
        codes, noop, phrases = keys_of(f"{name}-v0")
        assert all(isinstance(c, int) for code in codes for c in code)
        assert any(phrase.startswith("no key: ") for phrase in phrases)
        actions = [noop, *codes.values()]
        assert len({np.shape(action) for action in actions}) == 1
    with pytest.raises(MissingKeysError, match="known keys.*got Hopper-v4"):
        keys_of("Hopper-v4")
