"""gym and gymnasium, old and new, with one interface."""

import importlib.util
import os
import pathlib
import subprocess
import sys

from chainertrpo import _extras
from chainertrpo.experiments import (
    BadEnvironmentError,
    Env,
    SerialVectorEnv,
    adapt,
    make_env,
    packages,
    resolve,
)
from chainertrpo.experiments.packages import import_package

import numpy as np
import pytest
from worlds import Point

gym = import_package("gym")
HAS_GYMNASIUM = importlib.util.find_spec("gymnasium") is not None
HAS_MUJOCO = importlib.util.find_spec("mujoco") is not None
PACKAGES = ["gym"] + ["gymnasium"] * HAS_GYMNASIUM
mujoco = pytest.mark.skipif(not HAS_MUJOCO, reason="needs mujoco")


@pytest.mark.parametrize("package", PACKAGES)
class TestPackages:
    def test_a_seed_repeats_an_episode(self, package):
        rows = []
        for seed in (1, 1, 2):
            env = make_env("CartPole-v1", seed, package=package)
            obs, log = env.reset(), []
            for _ in range(100):
                obs, reward, done, info = env.step(env.action_space.sample())
                log.append(obs)
                if done:
                    obs = env.reset()
            rows.append(np.array(log))
        assert rows[0].dtype == np.float32
        assert np.array_equal(rows[0], rows[1])
        assert not np.array_equal(rows[0], rows[2])

    def test_a_time_limit_is_a_cut(self, package):
        for bootstrap in (True, False):
            env = make_env(
                "Pendulum-v1", 0, package=package, bootstrap_time_limits=bootstrap
            )
            env.reset()
            for t in range(200):
                _, reward, done, info = env.step(np.zeros(1, np.float32))
                assert isinstance(reward, float)
                assert done is (t == 199 and not bootstrap)
                assert info.get("needs_reset", False) is (t == 199)
        assert env.max_episode_steps == 200

    def test_a_failure_is_terminal(self, package):
        env = make_env("CartPole-v1", 0, package=package)
        env.reset()
        for _ in range(100):
            _, _, done, info = env.step(1)
            if done:
                break
        assert done and not info.get("needs_reset", False)

    def test_actions_are_clipped_at_the_edge(self, package):
        def reward(action):
            env = make_env("Pendulum-v1", 0, package=package)
            env.reset()
            obs, reward, _, _ = env.step(np.array([action], np.float32))
            return (*obs, reward)

        assert reward(50.0) == reward(2.0) != reward(1.0)

    def test_actions_can_go_on_as_they_are(self, package):
        """MountainCarContinuous charges 0.1·a² of what it is given."""
        for clip, charged in ((True, 1.0), (False, 9.0)):
            name = "MountainCarContinuous-v0"
            env = make_env(name, 0, package=package, clip_actions=clip)
            env.reset()
            _, reward, _, _ = env.step(np.array([-3.0], np.float32))
            assert reward == pytest.approx(-0.1 * charged)
        env = make_env("CartPole-v1", 0, package=package, clip_actions=False)
        env.reset()
        assert env.step(1)[0].shape == (4,)

    def test_names_are_resolved(self, package):
        module, env_id = resolve("CartPole", package)
        assert (module.__name__, env_id) == (package, "CartPole-v1")
        assert resolve("Humanoid", package)[1] == "Humanoid-v4"
        assert resolve("Hopper-v4", package)[1] == "Hopper-v4"

    def test_typing_errors_get_suggestions(self, package):
        for typed, meant in (
            ("Humanod", "Humanoid"),
            ("cartpole-v1", "CartPole-v1"),
            ("CartPole-v7", "CartPole-v1"),
            ("mountain", "MountainCar"),
        ):
            with pytest.raises(BadEnvironmentError, match=f"Did you mean.*{meant}"):
                resolve(typed, package)
        with pytest.raises(BadEnvironmentError, match="got 'zzzz'"):
            resolve("zzzz", package)

    @mujoco
    @pytest.mark.parametrize(
        "name, size, n", [("Humanoid", 376, 17), ("Hopper", 11, 3)]
    )
    def test_real_physics(self, package, name, size, n):
        if package == "gym" and name == "Hopper" and not _old_mujoco():
            pytest.skip("gym 0.26's Hopper needs mujoco < 2.3.5")
        env = make_env(name, 0, package=package)
        obs = env.reset()
        assert obs.shape == (size,)
        for _ in range(20):
            obs, reward, done, info = env.step(np.full(n, 9.0, np.float32))
            assert np.isfinite(obs).all() and np.isfinite(reward)
            if done:
                env.reset()

    def test_spaces_that_are_not_supported(self, package):
        module = import_package(package)
        spaces = module.spaces
        box, discrete = spaces.Box(-1, 1, (2,)), spaces.Discrete(2)
        for obs, action, match in (
            (spaces.Sequence(box), discrete, "Wrap the environment"),
            (spaces.Box(0, 1, (8, 8, 3), np.float32), discrete, "Images"),
            (spaces.Dict({"a": spaces.Box(0, 1, (2, 2, 3))}), discrete, "Images"),
            (box, spaces.Tuple([discrete, spaces.Text(3)]), "Wrap the environment"),
            (box, spaces.Dict({"a": spaces.Box(-1, 1, (0,))}), "not empty"),
        ):
            env = module.Env()
            env.observation_space, env.action_space = obs, action
            with pytest.raises(BadEnvironmentError, match=match):
                Env(env)


def _old_mujoco():
    import mujoco

    return tuple(map(int, mujoco.__version__.split(".")[:3])) < (2, 3, 5)


def test_an_unknown_package():
    with pytest.raises(BadEnvironmentError, match="auto, gym or gymnasium"):
        resolve("CartPole", "jym")


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for package in ("gym", "gymnasium", "auto"):
        with pytest.raises(BadEnvironmentError, match="pip install gym"):
            resolve("CartPole", package)


def test_a_missing_dependency_names_the_command(monkeypatch):
    package = import_package(PACKAGES[-1])

    def make(*args, **kwargs):
        raise package.error.DependencyNotInstalled("MuJoCo is not installed")

    monkeypatch.setattr(package, "make", make)
    found = packages.importlib.util.find_spec
    absent = lambda name: None if name == "mujoco" else found(name)  # noqa: E731
    monkeypatch.setattr(packages.importlib.util, "find_spec", absent)
    with pytest.raises(BadEnvironmentError, match=r"chainertrpo\[mujoco\]"):
        make_env("Hopper-v4", package=PACKAGES[-1])


class OldAPI(gym.Env):
    """Four values, ``env.seed``, and one observation array that is used again."""

    observation_space = gym.spaces.Box(-1, 1, (2, 2), np.float64)
    action_space = gym.spaces.Discrete(2, start=5)

    def seed(self, seed):
        self.seeded = seed

    def reset(self):
        self.t, self.obs = 0, np.zeros((2, 2))
        return self.obs

    def step(self, action):
        self.t += 1
        self.obs += 0.1
        self.action = action
        limit = self.t == 3
        return self.obs, np.float64(1), limit, {"TimeLimit.truncated": limit}


def test_the_old_api():
    inner = OldAPI()
    env = adapt(inner)
    env.action_space.seed(0)
    env = Env(inner, seed=11)
    assert env.reset().shape == (4,)
    assert inner.seeded == 11
    results = [env.step(1) for _ in range(3)]
    assert inner.action == 6  # Discrete(start=5)
    assert [done for _, _, done, _ in results] == [False] * 3
    assert results[2][3]["needs_reset"]


def test_an_environment_that_does_not_keep_to_its_space():
    inner = OldAPI()
    env = Env(inner)
    env.reset()
    inner.obs = np.zeros(3)
    with pytest.raises(BadEnvironmentError, match=r"\(2, 2\), got float64 \(3,\)"):
        env.step(0)


def test_adapt_leaves_alone_what_it_has_adapted():
    for thing in (OldAPI(), Point()):
        adapted = adapt(thing)
        assert adapt(adapted) is adapted and adapted.env is thing


def test_serial_vector_env_resets_where_the_mask_says():
    env = SerialVectorEnv([make_env("CartPole-v1", seed) for seed in (0, 1)])
    first = env.reset()
    obs, rewards, dones, infos = env.step([0, 1])
    assert len(obs) == env.num_envs == len(rewards) == len(dones) == len(infos)
    kept = env.reset([True, False])
    assert np.array_equal(kept[0], obs[0])
    assert not np.array_equal(kept[1], obs[1])
    assert not np.array_equal(kept[1], first[1])
    env.close()


def refusal(package, monkeypatch, env_id, text, **settings):
    def make(*args, **kwargs):
        raise package.error.DependencyNotInstalled(text)

    monkeypatch.setattr(package, "make", make)
    with pytest.raises(BadEnvironmentError) as caught:
        make_env(env_id, package=package.__name__, **settings)
    return str(caught.value)


def test_remedies_that_work(monkeypatch):
    package = import_package(PACKAGES[-1])
    # mujoco-py is what v2 asks for, and no version of it runs today.
    text = "MuJoCo v2 environments need mujoco_py, pip install gymnasium[mujoco-py]"
    said = refusal(package, monkeypatch, "Hopper-v2", text)
    assert "Use Hopper-v4" in said and "Try" not in said
    said = refusal(package, monkeypatch, "CartPole-v1", "gym needs something else")
    assert "pip install gym" not in said  # it is installed
    said = refusal(package, monkeypatch, "CartPole-v1", "cannot connect to display")
    assert "MUJOCO_GL=egl" in said and "MUJOCO_GL=osmesa" in said


def test_a_module_that_cannot_be_found_is_looked_for_where_it_lies():
    with pytest.raises(BadEnvironmentError, match="in the folder of nowhere_own.py"):
        make_env("nowhere_own:Robot-v0", 0)


@mujoco
@pytest.mark.parametrize("of", PACKAGES)
def test_a_way_of_drawing_that_cannot_be_imported_is_named(of, monkeypatch):
    def without_library(name):
        raise AttributeError("'NoneType' object has no attribute 'glGetError'")

    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    package = import_package(of)
    monkeypatch.setattr(packages.importlib, "import_module", without_library)
    packages.check_mujoco(package, "CartPole-v1")  # needs none of it
    with pytest.raises(BadEnvironmentError, match="got osmesa.*glGetError.*unset"):
        packages.check_mujoco(package, "Hopper-v4")


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
@pytest.mark.parametrize("of", PACKAGES)
def test_pygame_draws_in_silence_where_there_is_no_display(of):
    """Neither SDL nor pygame prints; and a window is still refused afterwards."""
    pytest.importorskip("pygame")
    lines = ["from chainertrpo.experiments import make_env"]
    lines += [
        f"env = make_env('CartPole-v1', 0, package={of!r}, render_mode='rgb_array')"
    ]
    lines += ["env.reset(); print(env.render().shape)"]
    lines += [f"make_env('CartPole-v1', 0, package={of!r}, render_mode='human')"]
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR")
    environ = {name: x for name, x in os.environ.items() if name not in hidden}
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert done.stdout == "(400, 600, 3)\n"
    assert done.stderr.startswith("Traceback") and "in a window" in done.stderr


@pytest.mark.skipif(not HAS_GYMNASIUM or sys.platform != "linux", reason="of Linux")
@mujoco
def test_a_missing_display_is_said_before_the_library_ends_the_process(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadEnvironmentError, match="MUJOCO_GL=egl.*osmesa"):
        make_env("Hopper-v4", package="gymnasium", render_mode="rgb_array")
    with pytest.raises(BadEnvironmentError, match="in a window.*--video"):
        make_env("Hopper-v4", package="gymnasium", render_mode="human")
    make_env("CartPole-v1", package="gymnasium", render_mode="rgb_array").close()


def test_installing_extras(monkeypatch):
    assert _extras.pip_install("demos").startswith("pip install ")

    def missing(name):
        raise _extras.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(_extras.importlib.metadata, "distribution", missing)
    assert _extras.pip_install("demos") == "pip install h5py minari"
    setup = (pathlib.Path(__file__).parents[1] / "setup.py").read_text()
    for extra in _extras.EXTRAS:
        assert f'"{extra}":' in setup
