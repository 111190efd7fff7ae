"""Lean steps of MuJoCo's tasks: gymnasium's, bit for bit."""

import copy
import functools
import importlib.util
import logging
import warnings

from chainertrpo import make_agent, settings_of
from chainertrpo.data import read_json
from chainertrpo.experiments import (
    Collector,
    Env,
    make_env,
    prepare_run_folder,
    train_agent_parallel,
)
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.lean import check, lean_steps, sources, steps
from chainertrpo.experiments.packages import import_package
from chainertrpo.program import flags
from chainertrpo.program.making import environment

import numpy as np
import pytest
from collecting import actor_of, same, truth

pytest.importorskip("mujoco")
# gym has physics where gymnasium is not to be had: on Python 3.8.
PACKAGE = "gymnasium" if importlib.util.find_spec("gymnasium") else "gym"
gym = import_package(PACKAGE)
NAMES = ["Hopper", "Walker2d", "HalfCheetah", "Swimmer", "Ant", "Humanoid"]
VERSIONS = [4] if PACKAGE == "gym" else [4, 5]
TASKS = [f"{name}-v{version}" for name in NAMES for version in VERSIONS]
UNHEALTHY = {"terminate_when_unhealthy": False}
EVERYTHING = {"exclude_current_positions_from_observation": False}
# Constructor arguments that are not the default, by task.
VARIED = {
    "Hopper-v4": [
        {"healthy_state_range": (-3.0, 4.0), "healthy_angle_range": (-0.05, 0.1)},
        {**UNHEALTHY, "healthy_reward": 0.7, "healthy_z_range": (1.1, 1.3)},
        {**EVERYTHING, "ctrl_cost_weight": 0.3, "reset_noise_scale": 0.1},
    ],
    "Hopper-v5": [
        {**UNHEALTHY, "frame_skip": 2, "healthy_reward": 2, "ctrl_cost_weight": 1},
        {**EVERYTHING, "forward_reward_weight": np.float32(0.3)},
    ],
    "Walker2d-v4": [
        {"healthy_z_range": (1.2, 1.3), "healthy_angle_range": (-0.1, 0.05)},
        {**UNHEALTHY, **EVERYTHING, "forward_reward_weight": 0.1},
    ],
    "Walker2d-v5": [
        {"xml_file": "walker2d.xml", "healthy_z_range": (1.2, 1.3), "frame_skip": 3},
        {**UNHEALTHY, **EVERYTHING, "reset_noise_scale": 0.3},
    ],
    "HalfCheetah-v4": [
        {**EVERYTHING, "ctrl_cost_weight": np.float32(0.2), "reset_noise_scale": 1.0}
    ],
    "HalfCheetah-v5": [{**EVERYTHING, "frame_skip": 1, "forward_reward_weight": 3}],
    "Swimmer-v4": [{**EVERYTHING, "ctrl_cost_weight": 0.1}],
    "Swimmer-v5": [{**EVERYTHING, "frame_skip": 2, "forward_reward_weight": -1.0}],
    "Ant-v4": [
        {"use_contact_forces": True, "contact_force_range": (-0.3, 2.0)},
        {"use_contact_forces": True, **EVERYTHING, "contact_cost_weight": 0.1},
        {**UNHEALTHY, "healthy_z_range": (0.5, 0.8), "healthy_reward": 0.5},
    ],
    "Ant-v5": [
        {"include_cfrc_ext_in_observation": False, "main_body": "front_left_leg"},
        {**EVERYTHING, "contact_force_range": (-5, 0.5), "contact_cost_weight": 0.2},
        {**UNHEALTHY, "frame_skip": 2, "healthy_z_range": (0.5, 0.8), "main_body": 3},
    ],
    "Humanoid-v4": [
        {**UNHEALTHY, **EVERYTHING, "healthy_z_range": (1.3, 1.5)},
        {"forward_reward_weight": 3, "ctrl_cost_weight": 1.0, "healthy_reward": 0.1},
    ],
    "Humanoid-v5": [
        {"contact_cost_weight": 1e-4, "contact_cost_range": (0.5, 3.0)},
        {"include_cinert_in_observation": False, "frame_skip": 2, **EVERYTHING},
        {"include_cvel_in_observation": False, **UNHEALTHY},
        {
            "include_qfrc_actuator_in_observation": False,
            "include_cfrc_ext_in_observation": False,
        },
    ],
}
CASES = [(task, kwargs) for task in TASKS for kwargs in VARIED[task]]


def made(task, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # v4 is "out of date"
        return gym.make(task, disable_env_checker=True, **kwargs)


def log_of(env, n, seed=3):
    """Everything that `n` steps and the resets between them give, as bytes."""
    rng, space = np.random.default_rng(seed), env.action_space
    env.seed(seed)
    found, obs = [], None
    for _ in range(n):
        if obs is None:
            found.append(env.reset().tobytes())
        action = rng.uniform(1.3 * space.low, 1.3 * space.high).astype(np.float32)
        obs, reward, done, info = env.step(action)
        assert obs.dtype == np.float32 and type(reward) is float and type(done) is bool
        cut = info.get("needs_reset", False)
        found.append((obs.tobytes(), reward.hex(), done, cut))
        if done or cut:
            obs = None
    return found


@pytest.mark.parametrize("task", TASKS)
def test_long_runs(task):
    logs = []
    for lean in (True, False):
        env = make_env(task, package=PACKAGE, clip_actions=False, lean=lean)
        assert (env.steps == "lean") is lean
        env.env._max_episode_steps = 150  # HalfCheetah and Swimmer end by it alone
        logs.append(log_of(env, 400))
    assert logs[0] == logs[1]
    assert any(x[2] or x[3] for x in logs[0] if isinstance(x, tuple))


@pytest.mark.parametrize("task, kwargs", CASES)
def test_arguments_of_constructors(task, kwargs):
    envs = [made(task, **kwargs) for _ in range(2)]
    lean, why_not = lean_steps(envs[0])
    assert why_not is None
    own = log_of(Env(envs[1]), 60)
    assert log_of(Env(envs[0], lean=lean), 60) == own


# Wrong on purpose: each of them has to be noticed by the check.


def with_attribute(name, change):
    """A task that reads `name` of its environment with a change."""

    def mutate(task):
        class Changed:
            def __getattr__(self, asked):
                value = getattr(task_env, asked)
                return change(value) if asked == name else value

        task_env, task.env = task.env, Changed()

    return mutate


def scaled(index, factor):
    def change(bounds):
        bounds = list(bounds)
        bounds[index] *= factor
        return bounds

    return change


def replaced(**methods):
    def mutate(task):
        for name, method in methods.items():
            original = getattr(task, name)
            setattr(task, name, functools.partial(method, task, original))

    return mutate


def reset_without_forward(task, reset):
    real, task._mujoco = task._mujoco, FakeMujoco(task._mujoco, "mj_forward")
    try:
        return reset()
    finally:
        task._mujoco = real


class FakeMujoco:
    """mujoco without some functions."""

    def __init__(self, module, *without):
        self.module, self.without = module, without

    def __getattr__(self, name):
        if name in self.without:
            return lambda *_: None
        return getattr(self.module, name)


def cold_start(task, step, action):
    task.data.qacc_warmstart[:] = 0
    return step(action)


def one_frame_less(task, _, action):
    task.ctrl[:] = action
    task._mujoco.mj_step(task.model, task.data, task.env.frame_skip - 1)


def without_contact_forces(task):
    task._mujoco = FakeMujoco(task._mujoco, "mj_rnePostConstraint")


def observe_qpos(task, observe):
    obs = observe()
    obs[0] = np.nextafter(obs[0], np.inf)
    return obs


def alive_of_other_version(task, alive, healthy):
    task.version = 9 - task.version
    try:
        return alive(healthy)
    finally:
        task.version = 9 - task.version


BOUNDED = ("Hopper", "Walker2d", "Ant", "Humanoid")
PLANAR = ("Hopper", "Walker2d")
Z, ANGLE, NUMBERS = [f"_healthy_{x}_range" for x in ("z", "angle", "state")]
SHARP = 1 + 1e-13
MUTANTS = {
    "z bound below, 1 % up": (BOUNDED, with_attribute(Z, scaled(0, 1.01))),
    "z bound below, 1 % down": (BOUNDED, with_attribute(Z, scaled(0, 0.99))),
    "z bound below, bits up": (BOUNDED, with_attribute(Z, scaled(0, SHARP))),
    "z bound below, bits down": (BOUNDED, with_attribute(Z, scaled(0, 2 - SHARP))),
    "z bound above, bits up": (BOUNDED[1:], with_attribute(Z, scaled(1, SHARP))),
    "z bound above, bits down": (BOUNDED[1:], with_attribute(Z, scaled(1, 2 - SHARP))),
    "least angle": (PLANAR, with_attribute(ANGLE, scaled(0, SHARP))),
    "greatest angle": (PLANAR, with_attribute(ANGLE, scaled(1, SHARP))),
    "least number": (PLANAR[:1], with_attribute(NUMBERS, scaled(0, SHARP))),
    "greatest number": (PLANAR[:1], with_attribute(NUMBERS, scaled(1, SHARP))),
    "numbers ignored": (PLANAR[:1], with_attribute(NUMBERS, scaled(1, 1e3))),
    "no clip of velocities": (
        PLANAR,
        replaced(_clipped=lambda task, _, qvel: np.concatenate(task._parts)),
    ),
    "the other version's alive": (BOUNDED, replaced(alive=alive_of_other_version)),
    "cost in float64": (
        ("Hopper", "Walker2d", "HalfCheetah", "Swimmer", "Ant"),
        replaced(control_cost=lambda _, cost, action: cost(action.astype(float))),
    ),
    "cost of clipped actions": (
        NAMES,
        replaced(control_cost=lambda _, cost, action: cost(np.clip(action, -0.4, 0.4))),
    ),
    "cold start": (NAMES, replaced(step=cold_start)),
    "no mj_forward at a reset": (NAMES, replaced(reset=reset_without_forward)),
    "other draws at a reset": (
        NAMES,
        lambda task: setattr(task, "normal_velocities", not task.normal_velocities),
    ),
    "another dt": (NAMES, replaced(dt=lambda _, dt: dt() * (1 + 1e-12))),
    "one frame less": (NAMES, replaced(simulate=one_frame_less)),
    "never ends": (BOUNDED, replaced(ends=lambda *_: False)),
    "an observation by its last bit": (NAMES, replaced(observe=observe_qpos)),
    "no contact forces": (("Ant-v5", "Humanoid"), without_contact_forces),
    "torso where the root is": (
        ("Ant",),
        lambda task: setattr(task, "_torso", task.qpos[:3]),
    ),
    "contact forces clipped elsewhere": (
        ("Ant-v5",),
        with_attribute("_contact_force_range", scaled(1, 1 + 1e-9)),
    ),
    "contact costs clipped elsewhere": (
        ("Humanoid-v5",),
        with_attribute("_contact_cost_range", scaled(1, 1 + 1e-9)),
    ),
    "weight of contacts": (
        ("Ant-v5", "Humanoid-v5"),
        with_attribute("_contact_cost_weight", lambda x: x * (1 + 1e-9)),
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_the_check_notices_what_is_wrong(task):
    env = made(task).unwrapped
    _, make_task = steps._task_of(env)
    state = env.data.qpos.tobytes(), env._np_random
    checked = check.Check(env)
    assert checked.difference(make_task) is None

    def mutant(env, dtype, mutate):
        made = make_task(env, dtype=dtype)
        mutate(made)
        return made

    missed, tried = [], 0
    for name, (tasks, mutate) in MUTANTS.items():
        if task.startswith(tuple(tasks)):
            tried += 1
            if not checked.difference(functools.partial(mutant, mutate=mutate)):
                missed.append(name)
    assert missed == [] and tried >= 7
    assert checked.difference(make_task) is None
    assert (env.data.qpos.tobytes(), env._np_random) == state


# Who is stepped by itself, and what is said


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.fixture
def hopper():
    return made("Hopper-v4")


def why_not(env):
    lean, reason = lean_steps(env)
    assert lean is None
    return reason


def test_wrappers(hopper):
    base, wrappers = hopper.unwrapped, gym.wrappers
    assert "ClipAction" in why_not(wrappers.ClipAction(hopper))
    assert "none" in why_not(base)
    assert "OrderEnforcing" in why_not(wrappers.OrderEnforcing(base))
    assert "TimeLimit" in why_not(wrappers.TimeLimit(hopper, 5))
    assert lean_steps(hopper)[0] is not None


def test_what_is_replaced(hopper, monkeypatch):
    base, cls = hopper.unwrapped, type(hopper.unwrapped)
    base.set_state = base.set_state
    assert "set_state" in why_not(hopper)
    del base.set_state
    hopper.step = hopper.step
    assert "TimeLimit has step replaced" in why_not(hopper)
    del hopper.step

    def set_state(self, qpos, qvel):  # without mj_forward
        self.data.qpos[:], self.data.qvel[:] = qpos, qvel

    for where, name in ((cls, "set_state"), (cls.__mro__[1], "set_state")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, set_state, raising=False)
            assert "set_state is not the one" in why_not(hopper)
    with monkeypatch.context() as patch:
        patch.setattr(cls, "control_cost", lambda self, action: 0.0)
        assert "control_cost is not the one" in why_not(hopper)
    assert lean_steps(hopper)[0] is not None


def test_classes_of_others(hopper):
    class MyHopper(type(hopper.unwrapped)):
        pass

    wrappers = gym.wrappers
    mine = wrappers.TimeLimit(wrappers.OrderEnforcing(MyHopper()), 100)
    assert lean_steps(mine) == (None, None)
    assert make_env("CartPole-v1", package=PACKAGE).steps == f"{PACKAGE}'s"


def test_another_source(hopper, monkeypatch):
    names = [x for x in steps.READ if x.startswith("hopper")]
    for name in names:
        monkeypatch.setitem(steps.READ, name, set())
    assert "source" in why_not(hopper)


def test_a_fingerprint_is_of_what_is_done(tmp_path):
    def of(text):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        functions, helpers = sources._functions(str(path), "A")
        return [sources._text(x) for x in functions.values()], list(helpers)

    text = "class A:\n    def f(self, x):\n        return x[0] + 1\n"
    same = (
        'class A:\n    """Doc."""\n\n    def f(self, x: "int") -> None:\n'
        '        """Doc."""\n        return x[0] + 1  # a comment\n'
    )
    assert of(text) == of(same)
    assert of(text) != of(text.replace("+ 1", "+ 2"))
    assert of(text) != of(text.replace("x[0]", "x[1]"))


def test_one_line_says_why(monkeypatch, caplog):
    """A check that fails leaves the environment to itself."""
    monkeypatch.setattr(steps, "_CHECKED", {})

    def step(self, action):
        obs, reward, terminated = original(self, action)
        return obs, reward + 1e-9, terminated

    task = steps.TASKS["swimmer"][1]
    original = task.step
    monkeypatch.setattr(task, "step", step)
    for _ in range(2):
        env = make_env("Swimmer-v4", 0, package=PACKAGE)
        assert env.lean is None and "its reward differs" in env.steps
    (line,) = warnings_of(caplog)
    assert "Swimmer-v4" in line and "its reward differs" in line
    own = make_env("Swimmer-v4", 0, package=PACKAGE, lean=False)
    assert log_of(env, 20) == log_of(own, 20)
    assert warnings_of(caplog) == [line]


def test_what_renders_is_not_lean(monkeypatch, caplog):
    monkeypatch.setenv("MUJOCO_GL", "osmesa")  # nothing is drawn here
    env = make_env("Hopper-v4", 0, package=PACKAGE, render_mode="rgb_array")
    assert env.lean is None and env.steps == f"{PACKAGE}'s: not asked for"
    assert "renders" in why_not(env.env)
    env.close()
    assert warnings_of(caplog) == []


def test_a_check_that_breaks(monkeypatch, hopper):
    monkeypatch.setattr(steps, "_CHECKED", {})
    monkeypatch.delattr("mujoco.mjtDisableBit")
    assert "the check failed" in why_not(hopper)


# In use


def test_own_steps_in_between():
    env, own = [
        make_env("Hopper-v4", 5, package=PACKAGE, lean=lean) for lean in (True, False)
    ]
    rng = np.random.default_rng(0)
    for t in range(60):
        if t % 20 == 0:
            assert np.array_equal(env.reset(), own.reset())
        action = rng.uniform(-0.2, 0.2, 3).astype(np.float32)
        if t % 3 == 0:
            obs, reward = env.env.step(action)[:2]
        else:
            obs, reward = env.step(action)[:2]
        expected, paid = own.step(action)[:2]
        assert np.array_equal(np.float32(obs), expected) and reward == paid
    limit = gym.wrappers.TimeLimit
    assert isinstance(env.env, limit) and env.env._elapsed_steps == 20


def test_observations_are_not_reused():
    env = make_env("Ant-v4", 5, package=PACKAGE)
    first = env.reset()
    kept = first.copy()
    second, *_ = env.step(np.zeros(8, np.float32))
    assert np.array_equal(first, kept) and not np.array_equal(second, kept)


def test_who_wraps_it_afterwards_is_stepped():
    env = make_env("Hopper-v4", 5, package=PACKAGE)

    class Twice(gym.RewardWrapper):
        def reward(self, reward):
            return 2 * reward

    env.env = Twice(env.env)
    own = make_env("Hopper-v4", 5, package=PACKAGE, lean=False)
    env.reset(), own.reset()
    action = np.zeros(3, np.float32)
    assert env.step(action)[1] == 2 * own.step(action)[1]


def test_a_step_before_a_reset():
    env = make_env("Hopper-v4", 5, package=PACKAGE)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(3, np.float32))


def test_actions_of_another_shape():
    env = make_env("Hopper-v4", 5, package=PACKAGE, clip_actions=False)
    env.reset()
    with pytest.raises(
        ValueError, match=r"expected actions of shape \(3,\), got \(1,\)"
    ):
        env.step(np.zeros(1, np.float32))


def test_weights_that_change():
    """Looked up at every step, as the environment does, and physics too."""
    logs = []
    for lean in (True, False):
        env = make_env("Walker2d-v4", 5, package=PACKAGE, lean=lean)
        task = env.env.unwrapped
        found = log_of(env, 20)
        task._ctrl_cost_weight, task._healthy_z_range = 0.5, (1.0, 1.3)
        task.model.opt.timestep *= 0.5
        task.model.opt.gravity[2] = -5.0
        logs.append(found + log_of(env, 50))
    assert logs[0] == logs[1]


def test_copies():
    env = make_env("Hopper-v4", 5, package=PACKAGE)
    env.reset()
    twin = copy.deepcopy(env)
    assert twin.lean.env is twin.env and twin.lean.task.env is twin.env.unwrapped
    assert twin.env.unwrapped is not env.env.unwrapped
    assert log_of(twin, 50) == log_of(env, 50)


def test_a_run_says_whose_steps_it_took(tmp_path):
    env = FixedHorizon(make_env("Hopper-v4", 5, package=PACKAGE), 10)
    folder = prepare_run_folder(str(tmp_path), {}, env)
    assert read_json(f"{folder}/environment.json")["steps"] == "lean"
    env = make_env("Hopper-v4", 5, package=PACKAGE, lean=False)
    folder = prepare_run_folder(str(tmp_path), {}, env)
    found = read_json(f"{folder}/environment.json")["steps"]
    assert found == f"{PACKAGE}'s: not asked for"


def test_flags_of_the_training_commands():
    parser = flags.make_parser(
        "train", "", "chainerrl-example", steps=9, eval_interval=9, eval_n_runs=1
    )
    for line, used in (([], "lean"), (["--no-lean"], "own"), (["--demo"], "own")):
        args = parser.parse_args(["--env", "Hopper-v4", *line])
        args.env_package, args.env_settings = PACKAGE, {}
        env = environment(args, 0, test=bool(args.demo))
        assert (env.steps == "lean") is (used == "lean")


# In workers, and in runs that go on


def hoppers(seed, lean=True):
    return make_env("Hopper-v4", seed, package=PACKAGE, lean=lean)


def test_workers_collect_what_gymnasium_gives():
    make = functools.partial(make_env, "Hopper-v4", package=PACKAGE)
    calls = [(actor_of(11, n_out=3, seed=i), n) for i, n in enumerate((150, 61))]
    own = functools.partial(hoppers, lean=False)
    expected = truth(own, 2, 3, calls)
    with Collector(make, 2, 3) as collector:
        for call, (paths, _) in zip(calls, expected):
            assert same(collector.collect(*call).paths, paths)
        collector.restart(9)
        restarted = collector.collect(*calls[0])
    ((paths, _),) = truth(own, 2, 3, calls[:1], generation=9)
    assert same(restarted.paths, paths)


def run_of(folder, steps, **settings):
    env = hoppers(0)
    agent = make_agent(
        env.observation_space,
        env.action_space,
        settings_of(
            "chainerrl-example", policy={"hidden_sizes": [8]}, vf={"hidden_sizes": [8]}
        ),
        seed=2,
    )
    agent.update_interval = 100
    common = {"workers": 1, "seed": 3, "checkpoint_interval": 1, **settings}
    make = functools.partial(hoppers, lean=common.pop("lean", True))
    train_agent_parallel(agent, make, steps, str(folder), **common)
    return [
        (folder / f"{steps}_finish" / f"{name}.npz").read_bytes()
        for name in ("policy", "vf", "obs_normalizer")
    ]


class Killed(Exception):  # noqa: N818 (breaks a run off)
    pass


def killed_at_100(env, agent, t):
    if t == 100:
        raise Killed


def test_a_run_that_was_killed_ends_as_one_by_gymnasium(tmp_path):
    own = run_of(tmp_path / "own", 200, lean=False)
    with pytest.raises(Killed):
        run_of(tmp_path / "killed", 200, step_hooks=[killed_at_100])
    assert run_of(tmp_path / "killed", 200, resume=True) == own
