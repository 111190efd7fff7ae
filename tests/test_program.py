"""The program: its commands, a demo, the doctor; called in this process."""

import importlib
import importlib.util
import inspect
import math
import os
import struct
import sys
import types

import chainertrpo
from chainertrpo.agents import settings_of
from chainertrpo.comparison import Run, settings_of_run
from chainertrpo.comparison.runs import claim, folder_of
from chainertrpo.data import write_json
from chainertrpo.experiments import (
    TensorBoardLog,
    check_env,
    make_env,
    prepare_run_folder,
    read_table,
    train_agent_with_evaluation,
    watch,
)
from chainertrpo.experiments.hooks import told_of_episodes
from chainertrpo.experiments.packages import resolve
from chainertrpo.program import COMMANDS, doctor, main
from chainertrpo.program.commands import call
from chainertrpo.program.doctor import extra_for
from chainertrpo.program.making import space_line
from chainertrpo.program.training import how_to_watch

import numpy as np
import pytest
from worlds import ACTION_SPACES, Repeat

GYM = "gymnasium" if importlib.util.find_spec("gymnasium") else "gym"


def program(*args):
    """Run it; return what it exits with."""
    try:
        main([str(arg) for arg in args])
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(autouse=True)
def own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_every_command_has_its_help_and_its_script(capsys):
    assert program("--help") == 0
    listed = capsys.readouterr().out
    for name, (_, script) in COMMANDS.items():
        assert f"  {name} " in listed
        assert program(name, "--help") in (0, None)
        said = capsys.readouterr().out
        assert said.startswith(f"usage: chainertrpo {name} ") and len(said) > 300
        module = importlib.import_module(f"chainertrpo.program.{name}")
        if script is not None:
            root = importlib.import_module("pathlib").Path(__file__).parents[1]
            text = (root / "examples" / script).read_text("utf-8")
            assert f"from {module.__name__} import main" in text


def test_a_mistyped_command_or_flag_is_told_its_neighbour(capsys):
    assert program("tran") == 2
    assert "got 'tran'. Did you mean train?" in capsys.readouterr().err
    assert program("demo", ".", "--determinstic") == 2
    assert "Did you mean --deterministic?" in capsys.readouterr().err
    assert program("record", "inspct", "d.npz") == 2
    assert "Did you mean inspect?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv0, said",
    [
        ("examples/train_ppo_gym.py", f"{sys.executable} examples/train_ppo_gym.py"),
        ("/nowhere/bin/chainertrpo", "/nowhere/bin/chainertrpo ppo"),
        ("/x/chainertrpo/__main__.py", f"{sys.executable} -m chainertrpo ppo"),
        ("examples/train_trpo_gym.py", f"{sys.executable} -m chainertrpo ppo"),
    ],
)
def test_a_command_is_named_as_this_process_was_called(monkeypatch, argv0, said):
    monkeypatch.setattr(sys, "argv", [argv0])
    assert call("ppo") == said


@pytest.fixture
def run_folder(tmp_path):
    """A run whose best agent pushes right, whatever it sees, 3 times in 4."""
    env = make_env("CartPole-v1", 0)
    settings = settings_of("chainerrl-reproduction", policy={"hidden_sizes": [4]})
    spaces = env.observation_space, env.action_space
    agent = chainertrpo.make_agent(*spaces, settings, seed=0)
    for param in agent.policy.params():
        param.array[...] = 0
    name = "/mlp/1/b"
    dict(agent.policy.namedparams())[name].array[...] = [0, math.log(3)]
    agent.save(str(tmp_path / "run" / "best"))
    about = {"settings": settings, "env": "CartPole-v1", "agent": "TRPO"}
    write_json(str(tmp_path / "run" / "config.json"), about)
    return tmp_path / "run"


def test_a_demo_samples_or_takes_the_most_probable_actions(run_folder, capsys):
    flags = ["--eval-n-runs", 20, "--quiet"]
    assert program("demo", run_folder, *flags) == 0
    sampled = capsys.readouterr().out
    assert program("demo", run_folder / "best", *flags, "--deterministic") == 0
    always = capsys.readouterr().out
    mean = [float(said.split("mean: ")[1].split()[0]) for said in (sampled, always)]
    assert mean[0] > 12 and 8 <= mean[1] <= 10  # pushed to one side it falls at once
    assert always.startswith("n_runs: 20 ") and always.count("\n") == 1


def test_a_demo_leaves_a_film_and_says_where(run_folder, tmp_path, capsys, monkeypatch):
    pytest.importorskip("pygame")
    Image = pytest.importorskip("PIL.Image")
    path = tmp_path / "a.gif"
    flags = ["--deterministic", "--eval-n-runs", 2, "--film", path]
    assert program("demo", run_folder, *flags) == 0
    said = capsys.readouterr().out
    with Image.open(path) as film:
        assert f"{path}: the first episode, {film.n_frames} frames" in said
        assert 9 <= film.n_frames <= 11  # with the first observation
    assert program("demo", run_folder, "--film", "a.mp4") == 2
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        said = program("demo", run_folder, "--render")
        assert "expected a display" in said and "--film demo.gif" in said


IMITATION = {
    **{"study": "classic", "method": "gail", "reward": "gail", "expert": "trained"},
    **{"trajectories": 1, "every": 1, "demonstrations": "demos.npz"},
}


@pytest.mark.parametrize("preset, more", [("npg", {}), ("ho2016", IMITATION)])
def test_a_demo_of_a_run_that_a_comparison_made(preset, more, tmp_path, capsys):
    """Its config.json holds a preset and changes to it, not settings."""
    changes = {"policy": {"hidden_sizes": [4]}}
    if more:
        changes["discriminator"] = {"hidden_sizes": [3]}
    lengths = {"steps": 10, "eval_interval": 5, "eval_n_runs": 1, "final_n_runs": 1}
    run = Run(
        "small", "CartPole-v1", 0, preset=preset, changes=changes, **lengths, **more
    )
    folder = claim(folder_of(str(tmp_path), run), run)
    env = make_env(run.env, 0)
    spaces = env.observation_space, env.action_space
    made = chainertrpo.make_agent(*spaces, settings_of_run(run), seed=0)
    made.save(os.path.join(folder, "10_finish"))
    assert [p.shape for p in made.policy.params()][1] == (4,)
    flags = ["--eval-n-runs", 2]
    for shown in (folder, os.path.join(folder, "10_finish")):
        assert program("demo", shown, *flags) == 0
        assert f"{type(made).__name__}, preset {preset}\n" in capsys.readouterr().out
    demos = tmp_path / "demos.npz"
    assert program("record", "agent", "--load", folder, "--episodes", 2, demos) == 0
    said = program("demo", tmp_path)
    assert f"got {tmp_path} with 1. Give one of them, such as {folder}" in said


def test_a_demo_of_a_run_that_a_script_made(tmp_path, capsys):
    """As in the README: its config.json holds the environment and the settings."""
    env = make_env("CartPole-v1", 0)
    settings = settings_of("npg", policy={"hidden_sizes": [4]})
    config = {"env": env.id, "settings": settings}
    folders = [prepare_run_folder(str(tmp_path), config, env) for _ in range(2)]
    assert folders[0] != folders[1]
    spaces = env.observation_space, env.action_space
    made = chainertrpo.make_agent(*spaces, settings, seed=0)
    made.save(os.path.join(folders[0], "100_finish"))
    assert program("demo", folders[0], "--eval-n-runs", 2) == 0
    assert capsys.readouterr().out.startswith(f"agent   {folders[0]}/100_finish: NPG\n")
    made.save(str(tmp_path / "elsewhere"))
    assert "prepare_run_folder" in program("demo", tmp_path / "elsewhere")


def test_a_demo_of_what_is_not_there(tmp_path, run_folder):
    assert "got" in program("demo", tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    assert "expected config.json" in program("demo", tmp_path / "bare")
    (tmp_path / "run" / "best").rename(tmp_path / "run" / "other")
    assert "expected a saved agent" in program("demo", run_folder)


def test_a_space_is_one_line():
    spaces = importlib.import_module(GYM).spaces
    low, high = np.array([-4.8, -np.inf], "f"), np.array([4.8, 3.4028235e38], "f")
    said = "Box([-4.8, -inf], [4.8, 3.403e+38], (2,), float32)"
    assert space_line(spaces.Box(low, high)) == said
    wide = spaces.Box(-np.inf, np.inf, (376,), np.float64)
    assert space_line(wide) == "Box(-inf, inf, (376,), float64)"
    many = space_line(spaces.Box(-np.arange(1.0, 101), 1, dtype=np.float64))
    assert many == "Box([-1, -2, -3, -4, -5, -6, -7, -8, …], 1, (100,), float64)"
    assert space_line(spaces.Discrete(2)) == "Discrete(2)"
    nested = spaces.Dict({"a": spaces.Box(-np.arange(60.0) - 1, 1, dtype=np.float64)})
    assert "\n" in str(nested) and "\n" not in space_line(nested)


@pytest.mark.skipif(sys.platform != "linux", reason="a display is always seen there")
@pytest.mark.parametrize(
    "env_id, way, begins",
    [
        ("Hopper", None, "MUJOCO_GL=egl "),
        ("Hopper", "osmesa", ""),
        ("CartPole", None, ""),
    ],
)
def test_how_to_watch_says_all_that_is_needed(env_id, way, begins, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    if way:
        monkeypatch.setenv("MUJOCO_GL", way)
    env = types.SimpleNamespace(package=GYM, id=resolve(env_id, GYM)[1])
    monkeypatch.setattr(sys, "argv", ["/nowhere/chainertrpo"])
    line = how_to_watch(env, "my run", "my run/best")
    wanted = "/nowhere/chainertrpo demo 'my run/best' --film 'my run'.gif"
    assert line == begins + wanted
    monkeypatch.setenv("DISPLAY", ":0")
    assert how_to_watch(env, "run", "run/best").endswith(" demo run/best --render")


# The doctor


class Clinic:
    """An environment of one observation, with the ailments that are asked for."""

    def __init__(self, wide=False, random=False, endless=False, nan=False):
        spaces = importlib.import_module(GYM).spaces
        self.observation_space = spaces.Box(-1, 1, (2,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.wide, self.random, self.endless, self.nan = wide, random, endless, nan
        self.rng = np.random.default_rng()

    def reset(self, seed=None, options=None):
        self.t = 0
        if seed is not None and not self.random:
            self.rng = np.random.default_rng(seed)
        return self._obs(), {}

    def _obs(self):
        obs = self.rng.uniform(-1, 1, 2).astype(np.float32)
        if self.wide:
            obs[1] = 3
        if self.nan and self.t == 5:
            obs[0] = np.nan
        return obs

    def step(self, action):
        self.t += 1
        end = self.t == 10 and not self.endless
        return self._obs(), float(action), end, False, {}


@pytest.mark.parametrize(
    "ailment, said",
    [
        ({}, None),
        ({"wide": True}, "observation 1 came in [3, 3], but observation_space says"),
        ({"random": True}, "two episodes from one seed"),
        ({"endless": True}, "no episode ended within 200 steps"),
        ({"nan": True}, "observations are not finite"),
    ],
)
def test_what_is_wrong_with_an_environment(ailment, said):
    env = chainertrpo.experiments.Env(Clinic(**ailment))
    report = check_env(env, 200, seed=3)
    if said is None:
        assert report.problems == [] and report.episodes == 20
    else:
        (problem,) = report.problems
        assert said in problem
    assert report.steps == 200 and 0 < report.step_seconds < 1


@pytest.mark.parametrize(
    "chosen, works, said",
    [
        (None, "egl", "export MUJOCO_GL=egl\n"),
        ("osmesa", "egl", "export MUJOCO_GL=egl (MUJOCO_GL=osmesa)\n"),
        ("osmesa", "osmesa", "works (MUJOCO_GL=osmesa)\n"),
        ("osmesa", "", "not by osmesa, egl: install libegl1"),
    ],
)
def test_the_doctor_tries_every_way_of_drawing(
    chosen, works, said, monkeypatch, capsys
):
    monkeypatch.setattr(doctor, "has_display", lambda: False)
    monkeypatch.setattr(doctor, "version_of", lambda module: "3.0")
    monkeypatch.setattr(doctor, "draws", lambda way: way == works)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    if chosen:
        monkeypatch.setenv("MUJOCO_GL", chosen)
    doctor.drawing()
    assert f"MuJoCo draws  {said}" in capsys.readouterr().out


def test_the_doctor_looks_at_an_environment_of_the_users_own(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    lines = [f"import {GYM} as gym", "import numpy as np", "class Bare(gym.Env):"]
    lines += ["    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)"]
    lines += ["    action_space = gym.spaces.Discrete(2)"]
    lines += ["    def reset(self, seed=None, options=None):"]
    lines += ["        return np.full(1, 2, np.float32), {}"]
    lines += ["    def step(self, action):"]
    lines += ["        return np.full(1, 2, np.float32), 0.0, True, False, {}"]
    lines += ["gym.register('BareOwn-v0', entry_point=Bare)"]
    (tmp_path / "own_clinic.py").write_text("\n".join(lines))
    assert program("doctor", "--env", "own_clinic:BareOwn-v0", "--steps", 50) == 1
    said = capsys.readouterr().out
    assert "fix           observation 0 came in [2, 2]" in said
    assert "note          all rewards were 0" in said and "50 taken, 50 epi" in said
    assert "Did you mean CartPole-v1" in program("doctor", "--env", "CartPol")
    assert program("doctor", "--env", "CartPole", "--steps", 50) == 0


def test_the_doctor_names_what_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    doctor = importlib.import_module("chainertrpo.program.doctor")
    real = importlib.util.find_spec
    hidden = {"tensorboardX"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in hidden else real(name)
    )
    doctor.machine()
    doctor.packages()
    said = capsys.readouterr().out
    assert "tensorboardX  missing, for --tensorboard: pip install" in said
    assert f"numpy         {np.__version__}" in said and "BLAS" in said
    assert extra_for("535.104") == "cuda12" and extra_for("470.1") is None
    newest = "cuda13" if sys.version_info >= (3, 10) else "cuda12"
    assert extra_for("580.65.06") == newest


# Hooks of any loop


def small_run(folder, hooks):
    env = make_env("CartPole-v1", 0)
    spaces = env.observation_space, env.action_space
    changes = {"agent": {"update_interval": 100}, "policy": {"hidden_sizes": [4]}}
    settings = settings_of("chainerrl-reproduction", **changes)
    agent = chainertrpo.make_agent(*spaces, settings, seed=0)
    test = make_env("CartPole-v1", 1)
    evaluation = {"eval_n_steps": None, "eval_n_episodes": 2, "eval_interval": 100}
    train_agent_with_evaluation(
        agent,
        env,
        300,
        outdir=str(folder),
        eval_env=test,
        step_hooks=hooks,
        **evaluation,
    )


def test_watch_shows_a_run_and_draws_its_curve(tmp_path, capsys):
    hooks = watch(str(tmp_path), 300)
    small_run(tmp_path, hooks)
    assert "300/300 steps" in capsys.readouterr().err
    assert (tmp_path / "learning_curve.png").stat().st_size > 1000
    episodes = read_table(tmp_path / "episodes.txt")
    assert 200 < episodes["length"].sum() <= 300
    assert list(episodes["return"]) == list(episodes["length"])
    progress = hooks[0]
    assert told_of_episodes([progress], [progress.episode]) == [progress.episode]


def test_what_tensorboard_shows_is_what_the_tables_say(tmp_path):
    pytest.importorskip("tensorboardX")
    events = importlib.import_module("tensorboardX.proto.event_pb2")
    small_run(tmp_path, [TensorBoardLog(str(tmp_path))])
    (path,) = tmp_path.glob("events.out.tfevents.*")
    data, at, seen = path.read_bytes(), 0, {}
    while at < len(data):  # length, its checksum, an event, its checksum
        (size,) = struct.unpack_from("<Q", data, at)
        event = events.Event.FromString(data[at + 12 : at + 12 + size])
        for value in event.summary.value:
            seen.setdefault(value.tag, []).append((event.step, value.simple_value))
        at += 16 + size
    scores = read_table(tmp_path / "scores.txt")
    want = np.transpose([scores["steps"], scores["mean"]])
    assert np.allclose(seen["evaluation/mean"], want) and len(want) >= 2
    # An update follows the step that fills its batch, and is seen at the next.
    assert [t for t, _ in seen["update/kl"]] == [101, 201, 300]
    assert all(0 < kl < 0.02 for _, kl in seen["update/kl"])
    lengths = [n for _, n in seen["episode/length"]]
    assert lengths == [n for _, n in seen["episode/return"]]
    assert 200 < sum(lengths) <= 300


class Strict(Repeat):
    """Repeats; who chooses what the mask forbids is told by an error."""

    def step(self, action):
        result = super().step(action)
        assert result[1] != 9, "a forbidden action"
        return result


@pytest.mark.parametrize("name", sorted(ACTION_SPACES))
@pytest.mark.parametrize("masks", [None, "info", "observation"])
def test_the_check_knows_every_space_and_mask(name, masks):
    if masks and name not in ("from five", "choices"):
        pytest.skip("masks of other spaces are not drawn from by the check")
    env = chainertrpo.experiments.Env(Strict(ACTION_SPACES[name], masks))
    report = check_env(env, 100, seed=1)
    assert report.problems == [] and report.episodes == 5


# Types


def test_what_is_public_is_annotated():
    """What a type checker is told; `make lint` asks one whether it is true."""
    missing = [
        f"{name}: {arg}"
        for name, function in public_functions()
        for arg, p in inspect.signature(function).parameters.items()
        if p.annotation is p.empty and arg not in ("self", "cls")
    ]
    assert missing == []


def public_functions():
    """Functions and constructors that the package offers, and its loops."""
    loops = ["train_agent", "train_agent_parallel", "make_env", "eval_performance"]
    loops += ["train_agent_batch", "train_agent_with_evaluation", "watch", "check_env"]
    for module, names in (
        ("chainertrpo", chainertrpo.__all__),
        ("chainertrpo.experiments", loops),
        ("chainertrpo.numerics", ["hessian_vector_product", "conjugate_gradient"]),
    ):
        for name in names:
            x = getattr(importlib.import_module(module), name)
            if inspect.isfunction(x):
                yield name, inspect.unwrap(x)
            elif inspect.isclass(x) and "__init__" in vars(x):
                made = inspect.unwrap(vars(x)["__init__"])
                if made.__code__.co_filename.endswith(".py"):
                    yield name, made
