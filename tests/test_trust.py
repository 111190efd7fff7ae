"""Scripts in trouble: one line, a code, nothing lost, nothing broken."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from chainertrpo.data import BadFileError, read_demonstrations, read_json
from chainertrpo.experiments import read_table
from chainertrpo.program.recall import check_config

import pytest
from processes import HERE, Marked, linux, posix
from test_examples import TRAIN, run

ROOT = HERE.parent
ENDLESS = """
import numpy, sys, time

try:
    import gymnasium as gym
    from gymnasium import register
except ImportError:
    import gym
    from gym.envs.registration import register


class Endless(gym.Env):
    observation_space = gym.spaces.Box(-9, 9, (2,), numpy.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), numpy.float32)
    length, pause, after = None, 0.0, None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return numpy.zeros(2, "f"), {}

    def step(self, action):
        time.sleep(self.pause)
        self.t += 1
        if self.after is not None and self.t > self.after:
            sys.exit("the licence has run out")
        return numpy.zeros(2, "f"), 1.0, self.t == self.length, False, {}


class Leaving(Endless):
    after = 150


class Slow(Endless):
    length, pause = 20, 0.01


class SlowAndEndless(Endless):
    pause = 0.001


for name in ("Endless", "Leaving", "Slow", "SlowAndEndless"):
    register(f"Own/{name}-v0", entry_point=f"endless:{name}")
"""
QUICK = ["--trpo-update-interval", 100, "--hidden-sizes", 8, "--eval-n-runs", 1]


@pytest.fixture
def own(tmp_path):
    (tmp_path / "endless.py").write_text(ENDLESS)
    return tmp_path


# Whoever starts the tests in the background may have them ignore Ctrl-C.
AS_A_USER = """
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[2:]
sys.path[:0] = [PATH, os.path.dirname(sys.argv[0])]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def program(path, script, *flags):
    """A script as a user starts it, with a folder of modules of one's own."""
    code = AS_A_USER.replace("PATH", repr(str(path)))
    argv = [sys.executable, "-u", "-c", code, "-", ROOT / script, *flags]
    return list(map(str, argv))


def folder_in(parent):
    (folder,) = [path.parent for path in parent.glob("*/config.json")]
    return folder


def clean(done):
    assert "Traceback" not in done.stderr, done.stderr
    return done


# Resuming


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    flags = ["--env", "CartPole", "--steps", 200, "--workers", 1, *QUICK]
    done = run(TRAIN, *flags, "--outdir", out)
    folder = folder_in(out)
    assert f" demo {folder / 'best'}" in done.stdout and (folder / "best").is_dir()
    return folder


@pytest.fixture
def resumable(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def test_a_resumed_run_may_have_more_steps(resumable):
    same = ["--env", "CartPole", "--seed", 0, "--log-interval", 100]
    run(TRAIN, "--resume", resumable, "--steps", 400, *same)
    assert (resumable / "400_finish").exists()
    assert read_json(resumable / "config.json")["steps"] == 400
    before = (resumable / "episodes.txt").read_text()
    run(TRAIN, "--resume", resumable)
    assert (resumable / "episodes.txt").read_text() == before


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--seed", 3], "--seed 3 (it was 0)"),
        (["--preset", "npg", "--env", "Hopper"], "--env Hopper (it was CartPole-v1)"),
        (["--steps", 100], "expected --steps 200 or more"),
    ],
)
def test_flags_that_a_resume_cannot_follow_are_named(resumable, flags, message):
    done = clean(run(TRAIN, "--resume", resumable, *flags, code=1))
    assert message in done.stderr


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c["settings"].pop("algorithm"), "no agent can be built"),
        (lambda c: c.update(steps="many"), "expected the settings of a run, got steps"),
    ],
)
def test_an_edited_config(resumable, change, message):
    path = resumable / "config.json"
    config = read_json(path)
    change(config)
    path.write_text(json.dumps(config))
    assert message in clean(run(TRAIN, "--resume", resumable, code=1)).stderr


@pytest.mark.parametrize(
    "saved",
    [[], 3, {"settings": []}, {"env": None}, {"steps": 1.5}, {"preset": 3}],
)
def test_what_no_run_has_written(saved):
    with pytest.raises(BadFileError, match="c.json: expected the settings of a run"):
        check_config("c.json", saved)


def test_fewer_steps_than_a_batch(tmp_path):
    for workers in (0, 1):
        flags = ["--env", "CartPole", "--steps", 60, "--workers", workers, *QUICK]
        done = clean(run(TRAIN, *flags, "--outdir", tmp_path, code=1))
        assert "expected --steps 100 or more, which is one batch" in done.stderr
    assert list(tmp_path.iterdir()) == []


# One owner


@linux
def test_a_folder_in_use_names_its_owner(resumable):
    code = (
        "import time\nfrom chainertrpo.experiments import owned_folder\n"
        f"with owned_folder({str(resumable)!r}, goes_on=True):\n"
        "    print('mine', flush=True)\n    time.sleep(60)"
    )
    argv = [sys.executable, "-u", "-c", code]
    with Marked("test_collection_ends", argv=argv) as marked:
        marked.wait_for("mine")
        before = (resumable / "scores.txt").read_bytes()
        done = clean(run(TRAIN, "--resume", resumable, "--steps", 400, code=1))
        assert f"in use by process {marked.process.pid} on " in done.stderr
        assert (resumable / "scores.txt").read_bytes() == before
        marked.process.kill()
        marked.process.wait()
        run(TRAIN, "--resume", resumable, "--steps", 400)  # a killed one blocks nobody
    assert not (resumable / ".run.owner").exists()


# Ends


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_without_workers(own, name):
    flags = ["--env", "endless:Own/Slow-v0", "--steps", 100000, "--workers", 0, *QUICK]
    argv = program(own, TRAIN, *flags, "--outdir", own / "out")
    with Marked("test_collection_ends", argv=argv) as marked:
        marked.wait_for("folder")
        time.sleep(3)
        marked.process.send_signal(getattr(signal, name))
        status, output = marked.end()
    assert status == 128 + getattr(signal, name), output
    assert f"stopped by {name}" in output and "Traceback" not in output
    folder = folder_in(own / "out")
    assert list(folder.glob("*_except/agent.json"))
    assert len(read_table(folder / "episodes.txt")["return"]) > 5
    assert (folder / "learning_curve.png").stat().st_size > 1000


def test_sys_exit_in_an_environment(own):
    flags = ["--env", "endless:Own/Leaving-v0", "--steps", 1000, "--workers", 0]
    out = ["--outdir", own / "out"]
    done = run(TRAIN, *flags, *QUICK, *out, code=1, path=[own])
    assert "the licence has run out" in clean(done).stderr
    assert (folder_in(own / "out") / "150_except" / "agent.json").exists()


def test_an_endless_environment_is_evaluated_up_to_a_limit(own):
    flags = ["--env", "endless:Own/Endless-v0", "--steps", 200, "--workers", 1, *QUICK]
    flags += ["--eval-interval", 100, "--max-episode-steps", 30]
    run(TRAIN, *flags, "--outdir", own / "out", path=[own])
    folder = folder_in(own / "out")
    assert set(read_table(folder / "scores.txt")["mean"]) == {30.0}
    assert set(read_table(folder / "episodes.txt")["length"]) == {30.0}
    # Recorded, and shown, with the limit that the run had.
    record = "examples/record_demonstrations.py"
    out = own / "demos.npz"
    run(
        record,
        "agent",
        "--load",
        folder / "best",
        out,
        "--episodes",
        2,
        "--max-episode-steps",
        7,
        path=[own],
    )
    assert read_demonstrations(out).lengths == [7, 7]


def test_episodes_that_do_not_end_are_said(own):
    flags = ["--env", "endless:Own/Endless-v0", "--steps", 400, "--num-envs", 2, *QUICK]
    flags += ["--workers", 2, "--checkpoint-interval", 1, "--eval-interval", 1000]
    done = run(TRAIN, *flags, "--outdir", own / "out", path=[own])
    assert "no episode has ended in the last" in done.stderr
    assert "within 50000 steps and was cut" in done.stderr  # the evaluation at its end


@posix
def test_a_recording_that_is_stopped_keeps_its_episodes(own):
    flags = ["--env", "endless:Own/Slow-v0", "--steps", 100, "--workers", 1, *QUICK]
    run(TRAIN, *flags, "--outdir", own / "out", path=[own])
    folder, out = folder_in(own / "out"), own / "demos.npz"
    flags = ["agent", "--load", folder / "100_finish", out, "--episodes", 1000]
    argv = program(own, "examples/record_demonstrations.py", *flags)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        argv,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "recording\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said, said
    demos = read_demonstrations(out)
    assert f"{len(demos.episodes)} of 1000 episodes: {out}" in said
    assert set(demos.lengths) == {20}


# Where it cannot write, and nobody reads


@posix
def test_a_closed_pipe(tmp_path):
    flags = ["--env", "CartPole", "--steps", 200, "--workers", 1, *QUICK]
    argv = [sys.executable, ROOT / TRAIN, *flags, "--outdir", tmp_path]
    process = subprocess.Popen(
        list(map(str, argv)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    process.stdout.close()  # as `| head -0`
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0, said
    assert said.count("standard output was closed; going on without it") == 1
    assert "Traceback" not in said and "BrokenPipe" not in said
    assert (folder_in(tmp_path) / "200_finish").exists()


FULL = """
import errno, os, runpy, sys
real, left = os.fsync, [int(sys.argv[1])]


def full(handle):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.ENOSPC, "No space left on device")
    return real(handle)


os.fsync = full
sys.argv = sys.argv[2:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("writes", [0, 9, 25])
def test_a_full_disk(tmp_path, writes):
    """It fills up sooner or later."""
    (tmp_path / "full.py").write_text(FULL)
    flags = ["--env", "CartPole", "--steps", 400, "--workers", 1, *QUICK]
    flags += ["--checkpoint-interval", 1]
    argv = [sys.executable, tmp_path / "full.py", writes, ROOT / TRAIN, *flags]
    done = subprocess.run(
        [*map(str, argv), "--outdir", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1 and "The disk is full" in done.stderr
    for path in (tmp_path / "out").rglob("*"):
        assert "writing-" not in path.name, path
        assert path.suffix != ".png" or path.stat().st_size > 1000


@posix
@pytest.mark.skipif(os.name == "posix" and os.getuid() == 0, reason="root may write")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    flags = ["--env", "CartPole", "--steps", 200, "--workers", 1, *QUICK]
    done = clean(run(TRAIN, *flags, "--outdir", tmp_path / "out", code=1))
    assert "cannot be written" in done.stderr
    tmp_path.chmod(0o700)


def test_a_name_that_is_too_long(tmp_path):
    flags = ["--env", "CartPole", "--steps", 200, "--workers", 1, *QUICK]
    done = clean(run(TRAIN, *flags, "--outdir", tmp_path / ("x" * 300), code=1))
    assert "error: " in done.stderr and "too long" in done.stderr


# Misspelt


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--stepz", 10], "Did you mean --steps?"),
        (["--preset", "trpo-maxkl"], "Did you mean trpo-max-kl"),
    ],
)
def test_misspelt_flags(flags, message):
    done = clean(run(TRAIN, "--env", "CartPole", *flags, code=2))
    assert message in done.stderr


def test_a_learning_rate_of_infinity():
    done = run("examples/train_ppo_gym.py", "--lr", "inf", code=2)
    assert "expected a finite number above 0, got inf" in done.stderr


def test_ids_with_a_slash_are_names_of_files():
    from chainertrpo.data import file_name

    assert file_name("ALE/Pong-v5") == "ALE-Pong-v5"
    assert file_name("../../etc") == "--..-etc" and file_name("") == "-"
    assert "/" not in file_name("a/b:c\\d\0e") and len(file_name("x" * 999)) == 150
    assert pathlib.Path("a", file_name(".hidden")).name == "-hidden"


UNGUARDED = """
from chainertrpo.experiments import Collector, WorkerError, make_env
from chainertrpo import TRPO, GaussianPolicy, ValueFunction
import chainer, functools

policy, vf = GaussianPolicy(3, 1, (8,)), ValueFunction(3, (8,))
agent = TRPO(policy, vf, chainer.optimizers.Adam().setup(vf))
with Collector(functools.partial(make_env, "Pendulum-v1"), 1, 0) as collector:
    collector.collect(agent.actor(), 10)
"""


def test_a_script_without_a_guard_is_told_so(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(path)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("WorkerError") :]
    assert '`if __name__ == "__main__":`' in last and "notebook" in last
