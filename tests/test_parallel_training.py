"""Training with worker processes: a run, its interruptions, and what it goes on with."""

import copy
import functools
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import sys
import threading
import time

from chainertrpo import TRPO, EmpiricalNormalization
from chainertrpo.agents.storage import NotFiniteError, arrays_of
from chainertrpo.data import BadFileError, Path, read_json, read_npz
from chainertrpo.experiments import (
    EpisodeLog,
    FolderHoldsRunError,
    Interrupted,
    LinearInterpolationHook,
    owned_folder,
    parallel_training,
    read_table,
    train_agent_parallel,
)
from chainertrpo.experiments.evaluator import COLUMNS
from chainertrpo.experiments.signals import deferred_signals

import numpy as np
import pytest
from collecting import (
    ENVIRONMENTS,
    LONG,
    ForeignPolicy,
    SeededPoint,
    error_of,
    no_process_is_left,
    point,
    raw_cartpole,
    streams,
    troubled,
    truth,
)
from processes import HERE, Marked, linux, posix
from protocol import STATISTICS
from test_agents import make_agent, parts
from test_training import _agent as agent_for

pytestmark = pytest.mark.usefixtures("quick_workers")

STEPS, LONGER, BATCH, SEED = 1060, 2060, 100, 3


def build(**settings):
    return make_agent(update_interval=BATCH, **settings)


def train(folder, resume=False, make=point, agent=None, steps=STEPS, **settings):
    """A small run, put together as the example does it; return its agent."""
    os.makedirs(folder, exist_ok=True)
    agent = agent or build()
    if not settings.pop("log", True):
        return train_agent_parallel(
            agent, make, steps, str(folder), resume=resume, **{**SETTINGS, **settings}
        )
    with owned_folder(folder, goes_on=resume):
        return logged(folder, resume, make, agent, steps, settings)


SETTINGS = {
    "num_envs": 2,
    "workers": 2,
    "seed": SEED,
    "eval_env": SeededPoint(seed=9),
    "eval_n_episodes": 2,
    "eval_interval": 250,
    "checkpoint_interval": 2,
}


def logged(folder, resume, make, agent, steps, settings):
    log = EpisodeLog(folder, resume=resume)
    settings = {
        **SETTINGS,
        **settings,
        "episode_hooks": [log, *settings.get("episode_hooks", ())],
    }
    try:
        train_agent_parallel(agent, make, steps, str(folder), resume=resume, **settings)
    finally:
        log.close()
    return agent


def outcome(folder, steps=STEPS):
    """What has to be equal, bit for bit: files, states, tables without `elapsed`."""
    found = {
        f"{name}/{path.name}": path.read_bytes()
        for name in ("best", f"{steps}_finish", f"checkpoints/{steps}")
        for path in (folder / name).glob("*.npz")
    }
    state = read_json(folder / "checkpoints" / str(steps) / "state.json")
    state["state"]["evaluator"].pop("elapsed")
    found["state"] = json.dumps([state["state"], state["agent"]], sort_keys=True)
    rows = (folder / "scores.txt").read_text().splitlines()
    elapsed = rows[0].split("\t").index("elapsed")
    cells = [row.split("\t") for row in rows]
    found["scores"] = [row[:elapsed] + row[elapsed + 1 :] for row in cells]
    found["episodes"] = (folder / "episodes.txt").read_text()
    assert len(found) == 3 * 4 + 1 + 3
    return found


def assert_as_if_never_stopped(folder, never, steps=STEPS):
    found, expected = outcome(folder, steps), outcome(never, steps)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert no_process_is_left()


def checkpoints(folder):
    names = os.listdir(folder / "checkpoints")
    return sorted(int(name) for name in names if name.isdigit())


class Break(Exception):  # noqa: N818 (breaks a run off)
    pass


def break_at(step):
    def hook(env, agent, t):
        if t >= step:
            raise Break

    return hook


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    """The folder of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("never")
    train(folder)
    return folder


# A run


def test_what_a_run_does_and_leaves(tmp_path, never):
    steps, episodes = [], []
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    agent = train(
        tmp_path,
        step_hooks=[lambda env, agent, t: steps.append((env, agent, t))],
        episode_hooks=[lambda *episode: episodes.append(episode)],
    )
    assert_as_if_never_stopped(tmp_path, never)  # again, and nothing depends on hooks
    assert sorted(os.listdir(tmp_path)) == [
        ".run.lock",
        "1060_finish",
        "best",
        "checkpoints",
        "episodes.txt",
        "scores.txt",
    ]
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["1000", "1060"]
    # The last 60 steps do not fill a batch: they are taken and not learned from.
    assert agent.n_updates == 10
    times = [*range(100, 1001, 100), 1060]
    assert steps == [(None, agent, t) for t in times]
    lengths = {length for _, _, length in episodes}
    assert len(episodes) == 100 + 6 and lengths == {10}
    assert [t for t, _, _ in episodes] == sorted(t for t, _, _ in episodes)
    table = read_table(tmp_path / "episodes.txt")
    assert [*zip(*table.values())] == episodes
    scores = read_table(tmp_path / "scores.txt")
    assert tuple(scores) == (*COLUMNS, *STATISTICS)
    assert scores["steps"].tolist() == [300, 500, 800, 1000]
    assert scores["episodes"].tolist() == [30, 50, 80, 100]
    assert (scores["max"] >= scores["mean"]).all()
    after = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    assert after == handlers


@pytest.mark.parametrize("interval", [1, 3, 1000])
def test_checkpoints_change_nothing(tmp_path, never, interval):
    train(tmp_path, checkpoint_interval=interval)
    assert_as_if_never_stopped(tmp_path, never)


def test_an_episode_longer_than_an_interval_ends(tmp_path, caplog):
    """50 steps of each environment between checkpoints, 200 steps an episode."""
    make = functools.partial(point, length=200)
    episodes, hooks = [], [lambda *episode: episodes.append(episode)]
    train(tmp_path / "a", make=make, checkpoint_interval=1, episode_hooks=hooks)
    assert [length for _, _, length in episodes] == [200] * 4
    assert "no episode has ended in the last" in caplog.text
    with pytest.raises(Break):
        settings = {"checkpoint_interval": 1, "step_hooks": [break_at(700)]}
        train(tmp_path / "b", make=make, **settings)
    train(tmp_path / "b", make=make, checkpoint_interval=1, resume=True)
    assert_as_if_never_stopped(tmp_path / "b", tmp_path / "a")


class Forgetful(SeededPoint):
    """A point that is not where its seed says."""

    def seed(self, seed):
        self.rng = np.random.RandomState(time.time_ns() % 2**32)


def forget(folder):
    make = functools.partial(point, cls=Forgetful, length=60)
    train(pathlib.Path(folder), make=make, steps=300)
    train(pathlib.Path(folder), make=make, steps=500, resume=True)


@linux
def test_an_environment_that_does_not_repeat_itself_is_said(tmp_path):
    with Marked(f"test_parallel_training.forget({str(tmp_path)!r})") as marked:
        code, output = marked.end()
    assert code == 0, output
    assert "seeded and led as before, is not where it was" in output


def test_a_run_can_be_made_longer(tmp_path):
    train(tmp_path / "whole", steps=1400)
    train(tmp_path / "longer", steps=800)
    train(tmp_path / "longer", steps=1400, resume=True)
    assert_as_if_never_stopped(tmp_path / "longer", tmp_path / "whole", 1400)


def test_what_a_resume_cannot_follow(tmp_path):
    train(tmp_path, steps=400)
    with pytest.raises(ValueError, match="expected num_envs=2, as before, got 3"):
        train(tmp_path, steps=600, resume=True, num_envs=3)
    settings = {"num_envs": None, "workers": None}
    assert train(tmp_path, steps=600, resume=True, **settings).n_updates == 6


def test_nothing_depends_on_the_number_of_workers(tmp_path, never, caplog):
    """Three for two environments, one of which is not started; then one."""
    with pytest.raises(Break):
        train(tmp_path, workers=3, step_hooks=[break_at(700)])
    assert "3 workers for num_envs=2" in caplog.text
    assert "2 environments share the 100 steps of a batch" in caplog.text
    train(tmp_path, resume=True, workers=1)
    assert_as_if_never_stopped(tmp_path, never)


def test_fewer_steps_than_a_batch(tmp_path):
    with pytest.raises(ValueError, match="expected steps >= 100.*one batch.*got 60"):
        train(tmp_path, steps=60)
    assert sorted(os.listdir(tmp_path)) == [".run.lock", "episodes.txt"]


def test_the_slower_truth(never):
    """One environment after the other in this process, an update a batch: the same."""
    agent = build()
    calls = []
    for _ in range(10):
        calls.append((copy.deepcopy(agent.actor()), BATCH))
        paths, _ = truth(point, 2, SEED, calls)[-1]
        agent.update([Path(*path) for path in paths])
    for name, x in agent._saved().items():
        saved = read_npz(never / "1060_finish" / f"{name}.npz")
        for key, array in arrays_of(x).items():
            assert array.tobytes() == saved[key].tobytes(), (name, key)


def test_evaluating_changes_nothing(tmp_path, never):
    train(tmp_path, eval_env=None)
    assert not (tmp_path / "scores.txt").exists()
    for name in ("policy.npz", "vf.npz", "vf_optimizer.npz", "obs_normalizer.npz"):
        path = pathlib.Path("1060_finish", name)
        assert (tmp_path / path).read_bytes() == (never / path).read_bytes()


def test_an_evaluation_environment_as_its_package_makes_it(tmp_path):
    agent = agent_for(4, True, {"update_interval": 100})
    settings = {"eval_env": raw_cartpole(0), "eval_interval": 100}
    make = ENVIRONMENTS["CartPole"][0]
    train(tmp_path, make=make, agent=agent, steps=100, **settings)
    assert read_table(tmp_path / "scores.txt")["steps"].tolist() == [100]


# Going on


def test_resuming_where_nothing_was_saved_is_beginning(tmp_path, never):
    train(tmp_path, resume=True)
    assert_as_if_never_stopped(tmp_path, never)


def test_resuming_a_finished_run_changes_nothing(tmp_path, never):
    folder = pathlib.Path(shutil.copytree(never, tmp_path / "copy"))
    steps = []
    # `seed`, the agent's: all of it comes from the checkpoint.
    hook = lambda env, agent, t: steps.append(t)  # noqa: E731
    agent = train(folder, resume=True, agent=build(seed=8), step_hooks=[hook])
    assert_as_if_never_stopped(folder, never)
    assert (folder / "scores.txt").read_bytes() == (never / "scores.txt").read_bytes()
    assert agent.n_updates == 10 and set(steps) <= {STEPS}
    assert sorted(os.listdir(folder)) == sorted(os.listdir(never))


def test_an_exception_in_an_update(tmp_path, never):
    agent = build()
    update = agent.update

    def sometimes(paths, *ahead):
        if agent.n_updates == 4:
            raise Break
        update(paths, *ahead)

    agent.update = sometimes
    with pytest.raises(Break):
        train(tmp_path, agent=agent)
    assert no_process_is_left()
    assert checkpoints(tmp_path) == [200, 400]
    other = build(seed=1)
    other.load(tmp_path / "400_except")
    train(tmp_path, resume=True)
    assert_as_if_never_stopped(tmp_path, never)


def test_a_policy_that_becomes_nan(tmp_path, caplog):
    """Both checkpoints stay what they were, and the newest is named."""
    caplog.set_level("INFO")
    agent = build()

    def improve(policy, batch, optimizer, rng):
        step = agent.POLICY_STEP(policy, batch, optimizer, rng)
        if agent.n_updates == 5:
            policy.log_std.array[...] = np.nan
        return step

    agent.policy_step = improve
    with pytest.raises(NotFiniteError, match="finite parameters, got NaN.*log_std"):
        train(tmp_path, agent=agent)
    newest = str(tmp_path / "checkpoints" / "400")
    assert f"the run can be resumed from {newest}" in caplog.text
    assert checkpoints(tmp_path) == [200, 400] and no_process_is_left()
    assert not (tmp_path / "500_except").exists()
    build().load(newest)


def test_a_worker_that_raises(tmp_path, never):
    make = functools.partial(troubled, trouble="raise")
    message = error_of(train, tmp_path, False, make)
    assert "RuntimeError: the spring broke" in message
    assert no_process_is_left()
    assert checkpoints(tmp_path) == [0]
    assert (tmp_path / "0_except" / "agent.json").exists()
    # The environment was repaired.
    train(tmp_path, resume=True)
    assert_as_if_never_stopped(tmp_path, never)


@pytest.mark.parametrize("lost, newest", [(50_000, 1000), (350, 900), (50, 1000)])
def test_large_batches_have_checkpoints_sooner(tmp_path, monkeypatch, lost, newest):
    monkeypatch.setattr(parallel_training, "LOST", lost)
    train(tmp_path, checkpoint_interval=None)
    assert checkpoints(tmp_path)[-2:] == [newest, STEPS]


def test_a_checkpoint_that_cannot_be_read_is_not_ignored(tmp_path):
    with pytest.raises(Break):
        train(tmp_path, step_hooks=[break_at(100)])
    (tmp_path / "checkpoints" / "0" / "state.json").write_text("{")
    with pytest.raises(BadFileError, match="no checkpoint can be read"):
        train(tmp_path, resume=True)
    assert no_process_is_left()


def test_a_new_run_in_an_old_folder(tmp_path, never):
    """It is refused, and nothing changes; overwritten, there is only the new one."""
    folder = pathlib.Path(shutil.copytree(never, tmp_path / "copy"))
    (folder / "notes.md").write_text("mine")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    settings = {"agent": build(seed=5), "step_hooks": [break_at(500)], "log": False}
    with pytest.raises(FolderHoldsRunError, match=r"best, checkpoints.*overwrite=True"):
        train(folder, **settings)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    with pytest.raises(Break):
        train(folder, overwrite=True, **settings)
    assert checkpoints(folder) == [200, 400]
    assert (folder / "notes.md").exists() and not (folder / "1060_finish").exists()
    assert read_table(folder / "scores.txt")["steps"].tolist() == [300]


def test_what_a_hook_sets_goes_on_too(tmp_path):
    def set_alpha(env, agent, value):
        agent.vf_optimizer.alpha = value

    hook = LinearInterpolationHook(400, 1e-2, 1e-4, set_alpha)
    whole = train(tmp_path / "whole", steps=400, step_hooks=[hook])
    with pytest.raises(Break):
        hooks = [hook, break_at(300)]
        train(tmp_path / "broken", steps=400, step_hooks=hooks)
    resumed = train(tmp_path / "broken", resume=True, steps=400, step_hooks=[hook])
    assert resumed.vf_optimizer.alpha == whole.vf_optimizer.alpha
    assert_as_if_never_stopped(tmp_path / "broken", tmp_path / "whole", 400)


def test_a_foreign_policy_is_evaluated_as_if_never_stopped(tmp_path):
    """Such a policy draws from the global generator, whose state is not saved."""

    def foreign():
        policy = ForeignPolicy(2, 1, (8,), last_scale=1.0, seed=0)
        normalizer = EmpiricalNormalization(2)
        return TRPO(policy, *parts()[1:], normalizer, seed=0, update_interval=BATCH)

    train(tmp_path / "whole", agent=foreign(), steps=400)
    with pytest.raises(Break):
        hooks = [break_at(300)]
        train(tmp_path / "broken", agent=foreign(), steps=400, step_hooks=hooks)
    train(tmp_path / "broken", resume=True, agent=foreign(), steps=400)
    assert_as_if_never_stopped(tmp_path / "broken", tmp_path / "whole", 400)


def test_a_log_that_was_killed_before_its_header(tmp_path):
    (tmp_path / "episodes.txt").write_text("")
    log = EpisodeLog(str(tmp_path), resume=True)
    log(10, 1.5, 10)
    log.close()
    assert read_table(tmp_path / "episodes.txt")["return"].tolist() == [1.5]


# Signals


class Signalling(SeededPoint):
    """At its 270th step it sends a signal to the parent, and to itself if it is to."""

    def __init__(self, number, itself, **settings):
        super().__init__(**settings)
        self.number, self.itself, self.steps = number, itself, 0

    def step(self, action):
        self.steps += 1
        if self.steps == 270:
            time.sleep(0.5)  # the other worker has finished
            os.kill(multiprocessing.parent_process().pid, self.number)
            if self.itself:
                os.kill(os.getpid(), self.number)
            while True:
                time.sleep(1)
        return super().step(action)


def signalling(seed, number, itself=False):
    """The second environment signals, the other does not."""
    if seed == streams(SEED, 1)[1]:
        return Signalling(number, itself, seed=seed)
    return point(seed)


def interrupted(folder, number, **settings):
    with pytest.raises(Interrupted) as caught:
        train(folder, **settings)
    assert caught.value.signal_number == number
    assert str(caught.value) == f"stopped by {signal.Signals(number).name}"
    assert no_process_is_left()


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_during_collection(tmp_path, never, name):
    number = getattr(signal, name)
    make = functools.partial(signalling, number=number)
    interrupted(tmp_path, number, make=make)
    assert checkpoints(tmp_path) == [200, 400]
    assert (tmp_path / "500_except").exists()
    if name == "SIGTERM":
        train(tmp_path, resume=True)
        assert_as_if_never_stopped(tmp_path, never)


@posix
def test_a_signal_to_all_processes_at_once(tmp_path):
    """As batch systems and service managers send SIGTERM."""
    make = functools.partial(signalling, number=signal.SIGTERM, itself=True)
    interrupted(tmp_path, signal.SIGTERM, make=make)
    assert checkpoints(tmp_path) == [200, 400]


@posix
def test_a_signal_to_all_processes_during_an_update(tmp_path):
    agent = build()
    update = agent.update

    def signalled(paths, *ahead):
        update(paths, *ahead)
        if agent.n_updates == 2:  # a checkpoint follows
            for process in multiprocessing.active_children():
                process.terminate()
                process.join(1)
            os.kill(os.getpid(), signal.SIGTERM)

    agent.update = signalled
    interrupted(tmp_path, signal.SIGTERM, agent=agent)
    assert checkpoints(tmp_path) == [0, 200]


@posix
def test_signals_are_deferred_once():
    with deferred_signals() as came:
        os.kill(os.getpid(), signal.SIGINT)
        assert came == [signal.SIGINT]
        # A second one of any kind ends at once.
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        assert came == [signal.SIGINT]
    came = None

    def elsewhere():  # only the main thread can have handlers
        nonlocal came
        with deferred_signals() as came:
            pass

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert came == []


class Endless(SeededPoint):
    """It does not end, and sends a signal at its 50th step."""

    steps = 0

    def step(self, action):
        self.steps += 1
        if self.steps == 50:
            os.kill(os.getpid(), signal.SIGTERM)
        obs, reward, _, _ = super().step(action)
        return obs, reward, False, {}


@posix
def test_a_signal_during_an_evaluation_that_does_not_end(tmp_path):
    interrupted(tmp_path, signal.SIGTERM, eval_env=Endless(seed=9))
    assert checkpoints(tmp_path) == [0, 200]


# Kills, and the example as it is used


def run(folder, resume):
    """A run that says where it is."""
    folder = pathlib.Path(folder)
    say = lambda env, agent, t: print(f"step {t}.", flush=True)  # noqa: E731
    train(folder, resume=resume, steps=LONGER, step_hooks=[say])


@pytest.mark.long
@linux
def test_a_run_killed_again_and_again_ends_as_if_it_never_was(tmp_path):
    """At random moments: while it starts, early and late."""
    never, killed = tmp_path / "never", tmp_path / "killed"
    train(never, steps=LONGER)
    # The first kill may come late already: then the second is at whatever comes next.
    for moment in (None, "step ", "step 1"):
        call = f"test_parallel_training.run({str(killed)!r}, {killed.exists()})"
        with Marked(call) as marked:
            if moment:
                marked.wait_for(moment)
            time.sleep(random.uniform(0, 0.1 if moment else 1.0))
            marked.process.kill()
            marked.process.wait()
            assert marked.nothing_is_left()
    train(killed, resume=True, steps=LONGER)
    assert_as_if_never_stopped(killed, never, LONGER)


def folder_of(parent):
    """The one run's folder, when it is there."""
    return next(iter(parent.glob("*/config.json"))).parent


def wait_until(condition, what):
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


@linux
def test_signals_to_the_example(tmp_path):
    """SIGTERM to it, and when it was resumed Ctrl-C to all of its processes."""
    script = str(HERE.parent / "examples" / "train_trpo_gym.py")
    flags = "--env CartPole --steps 1000000 --num-envs 2 --workers 2"
    flags += (
        " --checkpoint-interval 1 --trpo-update-interval 200 --hidden-sizes 8 --outdir"
    )
    first = [sys.executable, "-W", "error", script, *flags.split(), str(tmp_path)]
    reached = 200
    with Marked("test_collection_ends", argv=first) as marked:
        wait_until(lambda: list(tmp_path.glob("*/checkpoints/*00")), "a checkpoint")
        folder = folder_of(tmp_path)
        marked.process.terminate()
        code, output = marked.end()
        assert code == 128 + signal.SIGTERM == 143, output
        again = f"go on with: {sys.executable} {script} --resume {folder}"
        assert f"stopped by SIGTERM; {again}" in output
        assert marked.nothing_is_left()
    assert "Traceback" not in output
    reached = checkpoints(folder)[-1]
    again = [sys.executable, "-W", "error", script, "--resume", str(folder)]
    with Marked("test_collection_ends", argv=again) as marked:
        wait_until(lambda: checkpoints(folder)[-1] > reached, "another checkpoint")
        os.killpg(marked.process.pid, signal.SIGINT)
        code, output = marked.end()
        assert code == 128 + signal.SIGINT == 130, output
        assert f"resumed at step {reached}" in output
        again = f"go on with: {sys.executable} {script} --resume {folder}"
        assert f"stopped by SIGINT; {again}" in output
        assert marked.nothing_is_left()
    assert "Traceback" not in output
    assert (folder / "learning_curve.png").exists()
    episodes = read_table(folder / "episodes.txt")
    assert (episodes["steps"][1:] >= episodes["steps"][:-1]).all()


@pytest.mark.parametrize(
    "make", [lambda seed: point(seed), SeededPoint(seed=1), "Hopper"]
)
def test_what_no_worker_can_be_sent_leaves_nothing_in_the_folder(make, tmp_path):
    """So that whoever corrects the mistake may take the same folder."""
    for _ in range(2):
        with pytest.raises(ValueError, match="expected make_env to be a function of a"):
            train(tmp_path / "run", make=make, log=False)
        assert list((tmp_path / "run").iterdir()) == []
