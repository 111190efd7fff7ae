"""Comparisons: statistics against laws, tables, plans, and runs that are killed."""

import functools
import os
import signal
import subprocess
import sys
import time

from chainertrpo.comparison import (
    COLUMNS,
    TASK,
    TASKS,
    Row,
    Task,
    bootstrap,
    curves,
    draw_curves,
    interquartile_mean,
    make_plan,
    markdown_report,
    mean,
    published,
    read_rows,
    rows_of,
    run_all,
    standard_error,
    training,
    write_rows,
)
from chainertrpo.comparison.curves import curve
from chainertrpo.comparison.runs import is_finished, read_run, step_of
from chainertrpo.data import BadFileError, read_json
from chainertrpo.experiments import BadEnvironmentError, read_table

import numpy as np
import pytest


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 10, 37])
def test_interquartile_mean_is_scipys_trimmed_mean(n, rng):
    stats = pytest.importorskip("scipy.stats")
    values = rng.standard_normal((n, 3)) * 10
    np.testing.assert_allclose(
        interquartile_mean(values), stats.trim_mean(values, 0.25, axis=0), rtol=1e-12
    )
    np.testing.assert_allclose(
        interquartile_mean(values.T, axis=1), interquartile_mean(values), rtol=1e-12
    )


def test_interquartile_mean_ignores_what_is_far_out():
    assert interquartile_mean([1e9, 1.0, 2.0, -1e9]) == 1.5


def test_bootstrap_of_a_mean_is_the_normal_interval(rng):
    """For many runs the interval is x̄ ± 1.96 s / √n."""
    values = rng.standard_normal(400) * 3 + 7
    low, high = bootstrap(values, mean, rng, n_samples=20_000)
    half = 1.96 * standard_error(values)
    np.testing.assert_allclose(
        [low, high], values.mean() + np.array([-half, half]), atol=0.03 * half
    )


def test_bootstrap_covers_what_is_true(rng):
    """Of 300 experiments, the interval contains the mean as often as it should."""
    hits = 0
    for _ in range(300):
        low, high = bootstrap(rng.standard_normal(40), mean, rng, n_samples=400)
        hits += low <= 0 <= high
    assert 0.90 < hits / 300 < 0.98  # 0.95 less what 40 values cost


def test_bootstrap_draws_whole_curves(rng):
    """Two points that move together have bands that move together."""
    values = rng.standard_normal((6, 1)) + np.array([[0.0, 10.0]])
    low, high = bootstrap(values, interquartile_mean, rng)
    np.testing.assert_allclose([low[1] - low[0], high[1] - high[0]], 10, atol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [{"level": 1.0}, {"level": 0}, {"n_samples": 0}, {"strata": ["a", "b"]}],
)
def test_bootstrap_refuses(settings, rng):
    with pytest.raises(ValueError, match="expected 0 < level < 1"):
        bootstrap([1.0, 2.0], mean, rng, **settings)


def test_standard_error():
    assert standard_error([1.0, 3.0]) == 1.0
    assert np.isnan(standard_error([1.0]))


def test_published_numbers():
    rows = published("HalfCheetah-v4", ["TRPO"])
    assert {row.env for row in rows} == {"HalfCheetah"}
    chainerrl = [row for row in rows if row.source.startswith("ChainerRL 0.8")]
    assert [(r.version, r.steps, r.mean, r.spread) for r in chainerrl] == [
        ("v2", 2_000_000, 1474, 112)
    ]
    assert published("Hopper") == published("Hopper-v4") != published("Walker2d")
    assert published("NoSuchThing-v1") == []
    kinds = {row.spread_kind for row in published() if row.spread is not None}
    assert kinds <= {
        "standard error",
        "standard deviation over seeds",
        "standard deviation over episodes",
        "not stated",
    }
    assert all(row.source and np.isfinite(row.mean) for row in published())
    assert all(row.spread is None or row.spread_kind for row in published())
    # openai/imitation's log is a learning curve
    log = [row for row in rows if "expert_policies" in row.source]
    assert len(log) == 10 and np.all(np.diff([row.steps for row in log]) > 0)


def row(seed=0, steps=100, kind="evaluation", mean=1.0, elapsed=2.0, preset="a"):
    head = ("pfrl", "pfrl 0.4", preset, "CartPole-v1", seed, kind)
    return Row(*head, steps, elapsed, 10, mean, 0.5)


def test_table_comes_back(tmp_path):
    rows = [row(), row(seed=3, elapsed=None)._replace(median=1 / 3, max=2.0, min=-1.0)]
    write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("runner,", "runer,", "expected the columns runner,.*Did you mean runner"),
        (",evaluation,", ",training,", "line 2: expected a kind"),
        (",100,", ",1e2,", "line 2: expected a number as steps, got '1e2'"),
        ("CartPole-v1,", "", "line 2: expected 14 cells, got 13"),
    ],
)
def test_table_that_is_not_one(tmp_path, old, new, message):
    path = tmp_path / "rows.csv"
    write_rows(path, [row()])
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadFileError, match=message):
        read_rows(path)


def test_curve_at_the_same_places_is_the_scores_themselves():
    runs = [[row(s, 100, mean=s), row(s, 200, mean=5.0)] for s in (0, 2)]
    grid, scores = curve(runs)
    np.testing.assert_array_equal(grid, [100, 200])
    np.testing.assert_array_equal(scores, [[0, 5], [2, 5]])


def test_curve_at_other_places_is_interpolated_where_all_runs_are():
    runs = [
        [row(0, 100, mean=0.0), row(0, 300, mean=2.0)],
        [row(1, 200, mean=5.0), row(1, 400, mean=7.0)],
    ]
    grid, scores = curve(runs)
    assert (grid[0], grid[-1]) == (200, 300)
    np.testing.assert_allclose(scores, [grid / 100 - 1, grid / 100 + 3])


def test_report_and_curves(tmp_path):
    rows = [row(s, t, mean=t + s) for s in range(4) for t in (1000, 100_000)]
    rows += [row(s, 100_000, "final", mean=400.0 + s) for s in range(4)]
    text = markdown_report(rows, {"CartPole-v1": "CartPole-v1.png"})
    assert "| **pfrl a** | v1 | 100,000 | 4 | 401.5 ± 0.6 | 401.5 [400." in text
    assert "| TRPO: rl-baselines3-zoo, benchmark.md | v1 | 100,000 | 1 | 500.0" in text
    # of a published curve, the point nearest to our steps
    assert text.count("CartPole-v0.h5 | v0 | 105,000 |") == 1
    assert text.count("CartPole-v0.h5") == 1
    assert markdown_report(rows, {"CartPole-v1": "CartPole-v1.png"}) == text
    path = draw_curves(rows, "CartPole-v1", str(tmp_path / "curves.png"))
    assert os.path.getsize(path) > 10_000
    with pytest.raises(ValueError, match="evaluations of Hopper-v4"):
        draw_curves(rows, "Hopper-v4", path)


def published_in(tmp_path, monkeypatch, presets):
    """Which algorithms' published scores a picture of runs with these presets asks for."""
    asked = []
    monkeypatch.setattr(
        curves, "published_scores", lambda _, steps, names: asked.extend(names) or []
    )
    rows = [row(0, t, preset=name) for t in (1, 2) for name in presets]
    draw_curves(rows, "CartPole-v1", str(tmp_path / "curves.png"))
    return asked


def test_curves_stand_beside_the_same_algorithm(tmp_path, monkeypatch):
    place = tmp_path, monkeypatch
    for name in ("cleanrl-ppo", "spinningup-ppo"):
        assert published_in(*place, [name]) == ["PPO"]
    for name in ("npg", TASK, "somebody's"):
        assert published_in(*place, [name]) == ["TRPO", "NPG"]
    assert published_in(*place, ["cleanrl-ppo, other"]) == ["PPO"]
    assert published_in(*place, ["nac", "cleanrl-ppo"]) == ["TRPO", "NPG", "PPO"]


def test_plan(tmp_path):
    arguments = (tmp_path, ["chainerrl-class", TASK], ["CartPole-v1"], [0, 1])
    folders = make_plan(*arguments)
    assert [f.split(os.sep)[-2:] for f in folders] == [
        ["chainerrl-class", "seed0"],
        [TASK, "seed0"],
        ["chainerrl-class", "seed1"],
        [TASK, "seed1"],
    ]
    assert make_plan(*arguments) == folders
    twice = make_plan(tmp_path, [TASK] * 2, ["CartPole", "CartPole-v1"], [0, 1, 0])
    assert twice == [folders[1], folders[3]]  # two processes would share a folder
    config = read_json(os.path.join(folders[1], "config.json"))
    assert config["steps"] == TASKS["CartPole-v1"].steps
    assert config["preset"] == TASKS["CartPole-v1"].preset
    with pytest.raises(
        ValueError, match=r"holds a run with steps=100000 \(asked for: 7"
    ):
        make_plan(*arguments, steps=7)
    with pytest.raises(ValueError, match="expected a preset of"):
        make_plan(tmp_path, ["chainer"], ["CartPole-v1"], [0])
    with pytest.raises(ValueError, match="expected an environment of"):
        make_plan(tmp_path, [TASK], ["MountainCar-v0"], [0])
    with pytest.raises(BadEnvironmentError):
        make_plan(tmp_path, ["chainerrl-class"], ["CartPoel-v1"], [0])


def test_plan_of_variants(tmp_path):
    changes = {"step": {"max_kl": 0.5}, "env": {"bootstrap_time_limits": False}}
    plan = functools.partial(make_plan, envs=["CartPole-v1"], seeds=[3], steps=1000)
    folders = plan(tmp_path, ["npg"], variants={"longer": ("npg", changes)})
    assert [f.split(os.sep)[-2] for f in folders] == ["npg", "npg, longer"]
    run = read_run(folders[1])
    assert (run.label, run.preset, run.changes) == ("npg, longer", "npg", changes)
    with pytest.raises(ValueError, match="holds a run with changes="):
        plan(tmp_path, [], variants={"longer": ("npg", {})})
    for name, preset, changes, message in (
        ("../x", "npg", {}, "a variant's name"),
        ("x", "gpn", {}, "expected a preset of"),
        ("x", "npg", {"polcy": {}}, "Did you mean policy"),
        ("x", "npg", {"step": {"maxkl": 1}}, "Did you mean max_kl"),
    ):
        with pytest.raises(ValueError, match=message):
            plan(tmp_path, [], variants={name: (preset, changes)})


def test_every_task_has_settings_that_build_an_agent():
    from chainertrpo import make_agent, settings_of
    from chainertrpo.experiments import make_env

    for name, task in TASKS.items():
        env = make_env(name, 0)
        settings = settings_of(task.preset, **task.changes)
        make_agent(env.observation_space, env.action_space, settings, seed=0)
        env.close()


@pytest.fixture
def short_task(monkeypatch):
    """CartPole in 25 small batches, with a checkpoint after ten and after twenty."""
    small = {"hidden_sizes": [8]}
    agent = {"update_interval": 200}
    changes = {"agent": agent, "fit": {"epochs": 1}, "policy": small, "vf": small}
    changes["schedules"] = {"max_kl": [1e-6, 1e-7]}  # from the second batch on
    task = Task(5000, 495.0, "chainerrl-class", changes)
    monkeypatch.setitem(TASKS, "CartPole-v1", task)
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(__file__)))


def plan(outdir, seeds=(0,)):
    return make_plan(
        outdir, [TASK], ["CartPole-v1"], seeds, eval_n_runs=2, final_n_runs=3
    )


def without_time(folder):
    scores = read_table(os.path.join(folder, "scores.txt"))
    scores.pop("elapsed")
    final = read_json(os.path.join(folder, "final.json"))
    final.pop("elapsed")
    return {name: column.tobytes() for name, column in scores.items()}, final


@pytest.mark.long
def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(tmp_path, short_task):
    (whole,) = plan(tmp_path / "whole")
    assert run_all([whole], 1) == {}
    (killed,) = plan(tmp_path / "killed")
    process = subprocess.Popen(
        [sys.executable, "-m", "chainertrpo.comparison.training", killed],
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while step_of(killed, read_run(killed)) < 2600 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not is_finished(killed) and step_of(killed, read_run(killed)) >= 2600
    assert run_all([killed], 1) == {}
    assert without_time(killed) == without_time(whole)
    kl = read_table(os.path.join(whole, "scores.txt"))["average_kl"]
    assert np.diff(kl).max() < 0 < kl[-1] < 0.01 / 20  # only the first had δ = 0.01
    with open(os.path.join(killed, "log.txt")) as log:
        assert "resumed at step " in log.read()
    before = os.stat(os.path.join(killed, "log.txt")).st_mtime_ns
    assert run_all([killed], 1) == {}  # nothing left to do
    assert os.stat(os.path.join(killed, "log.txt")).st_mtime_ns == before


@pytest.mark.parametrize(
    "preset, env, clips",
    [
        ("chainerrl-reproduction", "Pendulum-v1", False),
        ("sb3-contrib", "Pendulum-v1", True),
        ("task", "Pendulum-v1", False),
        ("task", "MountainCarContinuous-v0", True),
    ],
)
def test_environments_are_what_the_settings_say(
    tmp_path, monkeypatch, preset, env, clips
):
    made = []
    monkeypatch.setattr(
        training, "learn", lambda folder, run, agent, make, hooks: made.append(make(0))
    )
    (folder,) = make_plan(str(tmp_path), [preset], [env], [0], 1000)
    training.train(folder)
    assert made[0].clip_actions is clips


@pytest.mark.long
def test_a_failing_run_does_not_stop_the_others(tmp_path, short_task, capsys):
    bad, good = plan(tmp_path, seeds=(0, 1))
    os.makedirs(os.path.join(bad, "checkpoints", "200"))  # one without its files
    failed = run_all([bad, good], 1, seconds=0.5)
    assert list(failed) == [bad] and "no checkpoint can be read" in failed[bad]
    assert is_finished(good)
    shown = capsys.readouterr().err.splitlines()
    assert any(line.startswith("failed: ") for line in shown)
    assert shown[-1].startswith("1/2 runs, 1 failed, ")
    assert any(" left" in line for line in shown)
    kinds = [row.kind for row in rows_of(good)]
    assert kinds == ["evaluation"] * (len(kinds) - 2) + ["final", "final-deterministic"]
    assert rows_of(bad) == []
    with pytest.raises(ValueError, match="jobs >= 1"):
        run_all([good], 0)


def test_the_table_of_another_library_has_our_columns():
    root = os.path.dirname(os.path.dirname(__file__))
    with open(os.path.join(root, "benchmarks", "compare_pfrl.py")) as file:
        assert f'"{",".join(COLUMNS)}"' in file.read()
