"""Imitation studies: plans, runs that are killed, tables from synthetic rows."""

import itertools
import os
import signal
import subprocess
import sys
import time

from chainertrpo.comparison import (
    COLUMNS,
    STUDIES,
    Row,
    Task,
    grid,
    imitation,
    markdown_report,
    read_rows,
    read_run,
    rows_of,
    run_all,
    studies,
    training,
    write_report,
    write_rows,
)
from chainertrpo.comparison.builders import build_imitator, episodes_of_seed
from chainertrpo.comparison.imitation import (
    plan_experts,
    plan_study,
    push_with_velocity,
    record,
    record_for,
)
from chainertrpo.comparison.published import paper
from chainertrpo.comparison.runs import is_finished, step_of
from chainertrpo.comparison.studies import EXPERT_TASKS, reached, study_of
from chainertrpo.comparison.study_curves import draw_profiles, draw_scores, draw_study
from chainertrpo.data import read_json
from chainertrpo.experiments import make_env, read_table
from chainertrpo.experiments.recording import record_episodes

import numpy as np
import pytest
from test_examples import run

pytestmark = pytest.mark.filterwarnings(
    "ignore::chainertrpo.updates.TerminationBiasWarning"
)
TRAIN = "chainertrpo.comparison.training"
SMALL = {"hidden_sizes": [8]}


@pytest.fixture
def tiny(monkeypatch):
    """The classic study in CartPole alone, with few and small batches."""
    agent = {"update_interval": 200}
    changes = {"agent": agent, "policy": SMALL, "vf": SMALL, "discriminator": SMALL}
    task = Task(600, 0.0, "chainerrl-class", {"agent": agent, "fit": {"epochs": 1}})
    classic = STUDIES["classic"]
    (setting, *_) = classic.tasks
    setting = setting._replace(steps=5000, settings={"ho2016": ("ho2016", changes)})
    study = classic._replace(
        tasks=(setting,),
        algorithms=classic.algorithms[:2],
        conditions={"trajectories": (2,), "expert": ("trained",)},
        seeds=(0,),
        episodes=(2, 3),
    )
    monkeypatch.setitem(EXPERT_TASKS, "CartPole-v0", task)
    monkeypatch.setitem(STUDIES, "classic", study)
    monkeypatch.setattr(grid, "CLONE_EPOCHS", 3)
    monkeypatch.setattr(imitation, "EPISODES", 4)
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(__file__)))


def without_time(folder):
    scores = read_table(os.path.join(folder, "scores.txt"))
    scores.pop("elapsed")
    final = read_json(os.path.join(folder, "final.json"))
    final.pop("elapsed")
    return {name: column.tobytes() for name, column in scores.items()}, final


@pytest.mark.long
def test_a_study_from_its_expert_to_its_table(tmp_path, tiny):
    """One expert, a clone, and an imitator that is killed and ends as if it had not."""
    trained = plan_experts(tmp_path / "experts", ["CartPole-v0"])
    assert run_all(trained, 1) == {}
    record_for("classic", tmp_path / "experts")
    clone, whole = plan_study(tmp_path / "a", "classic", tmp_path / "experts")
    assert run_all([clone, whole], 1) == {}
    _, killed = plan_study(tmp_path / "b", "classic", tmp_path / "experts")
    run_there = read_run(killed)
    process = subprocess.Popen(
        [sys.executable, "-m", TRAIN, killed], start_new_session=True
    )
    deadline = time.monotonic() + 60
    while step_of(killed, run_there) < 2600 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not is_finished(killed) and step_of(killed, run_there) >= 2600
    assert run_all([killed], 1) == {}
    assert without_time(killed) == without_time(whole)
    with open(os.path.join(killed, "log.txt")) as log:
        assert "resumed at step " in log.read()

    rows = [row for folder in (clone, whole) for row in rows_of(folder)]
    assert {(row.method, row.kind) for row in rows} == {
        ("bc", "final"),
        ("bc", "final-deterministic"),
        ("gail", "evaluation"),
        ("gail", "final"),
        ("gail", "final-deterministic"),
    }
    assert {row.steps for row in rows if row.kind == "final"} == {0, 5000}
    scores = read_json(tmp_path / "experts" / "CartPole-v0" / "scores.json")
    assert rows[0].expert_mean == scores["trained"]["mean"]
    assert "| GAIL, TRPO | 1 |" in markdown_report(rows)
    assert rows_of(plan_study(tmp_path / "c", "classic", tmp_path)[1]) == []


def test_plan(tmp_path):
    folders = plan_study(tmp_path, "classic", tmp_path / "experts")
    assert len(folders) == len(set(folders)) == 3 * 4 * 3 * 5
    assert plan_study(tmp_path, "classic", tmp_path / "experts") == folders
    runs = [read_run(folder) for folder in folders]
    assert {(r.env, r.every, r.reward) for r in runs} == {
        ("CartPole-v0", 10, "gail"),
        ("Acrobot-v1", 5, "logd"),
        ("MountainCar-v0", 5, "logd"),
    }
    assert all((run.steps == 0) == (run.method == "bc") for run in runs)
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    with pytest.raises(ValueError, match=r"holds a run with steps=\d+ \(asked for: 7"):
        plan_study(tmp_path, "classic", tmp_path / "experts", steps=7)


def test_plan_of_the_reward_forms(tmp_path):
    folders = plan_study(tmp_path, "reward-forms", tmp_path / "experts", seeds=[0])
    assert len(folders) == len(set(folders)) == 2 * 4 * 3 * 2
    for folder in folders:
        run = read_run(folder)
        file = os.path.basename(run.demonstrations)
        assert file.startswith("always-0" if run.expert == "always-0" else "trained")
        assert ("fixed" in file) == (run.fixed_horizon is not None)


def test_absorbing_states_are_a_condition(tmp_path):
    folders = plan_study(tmp_path, "absorbing", tmp_path / "experts", seeds=[0])
    runs = [read_run(folder) for folder in folders]
    assert len(set(folders)) == 12 and {r.absorbing for r in runs} == {None, 500}
    demos = record_episodes(make_env("CartPole-v1"), lambda obs: 0, 10)
    for one in (runs[0], runs[-1]):
        agent, _ = build_imitator(one, make_env("CartPole-v1"), demos)
        assert agent.rewards.absorbing_horizon == one.absorbing
    rows = [
        r._replace(absorbing=n, study="absorbing", env="CartPole-v1")
        for r in synthetic()
        for n in (None, 500)
        if (r.method, r.preset) == ("gail", "ho2016")
    ]
    write_rows(tmp_path / "rows.csv", rows)
    assert read_rows(tmp_path / "rows.csv") == rows
    text = markdown_report(rows, {})
    assert "| natural |" in text and "| absorbing to 500 steps |" in text


def test_every_study_has_an_expert():
    envs = {task.env for study in STUDIES.values() for task in study.tasks}
    assert envs <= set(EXPERT_TASKS)


def test_seeds_have_episodes_of_their_own():
    demos = record_episodes(make_env("CartPole-v1"), lambda obs: 0, 6)
    taken = [[e.seed for e in episodes_of_seed(demos, 2, s).episodes] for s in range(4)]
    assert taken == [[0, 1], [2, 3], [4, 5], [0, 1]]
    with pytest.raises(ValueError, match="at least 7 episodes, got 6"):
        episodes_of_seed(demos, 7, 0)


def test_without_an_expert_the_reward_is_a_constant(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), lambda obs: 0, 2)
    (folder, *_) = plan_study(tmp_path, "reward-forms", tmp_path, seeds=[0])
    run = read_run(folder)._replace(expert="none", trajectories=2)
    run = run._replace(reward="logd")
    agent, _ = build_imitator(run, make_env("CartPole-v1"), demos)
    for _ in range(3):
        (path, _) = agent.rewards(demos.paths())
        np.testing.assert_allclose(path.reward, -np.log(2), rtol=1e-6)


@pytest.mark.parametrize("clips", [False, True])
def test_environments_are_what_the_settings_say(tmp_path, monkeypatch, clips):
    """Of an expert, of his recording and of his imitators; Pendulum for Hopper."""
    changes = {"env": {"clip_actions": clips}}
    task = Task(1000, 0.0, "chainerrl-reproduction", changes)
    monkeypatch.setitem(EXPERT_TASKS, "Pendulum-v1", task)
    made = []

    def note(folder, run, agent, make, hooks):
        made.append(make(0).clip_actions)
        agent.save(os.path.join(folder, f"{run.steps}_finish"))

    monkeypatch.setattr(training, "learn", note)
    monkeypatch.setattr(imitation, "EPISODES", 1)
    (folder,) = plan_experts(tmp_path, ["Pendulum-v1"])
    training.train(folder)
    played = imitation.record_episodes

    def watched(env, *args, **more):
        made.append(env.clip_actions)
        return played(env, *args, **more)

    monkeypatch.setattr(imitation, "record_episodes", watched)
    record(folder, "trained")
    hopper = STUDIES["hopper"]
    settings = {"ho2016": ("ho2016", changes)}
    (setting,) = (
        x._replace(env="Pendulum-v1", settings=settings) for x in hopper.tasks
    )
    shown = {"trajectories": (1,), "expert": ("trained",)}
    study = hopper._replace(tasks=(setting,), conditions=shown, seeds=(0,))
    monkeypatch.setitem(STUDIES, "hopper", study)
    _, imitator = plan_study(tmp_path / "runs", "hopper", tmp_path)
    training.train(imitator)
    assert made == 3 * [clips]


def test_the_scripted_player_of_mountain_car():
    played = record_episodes(make_env("MountainCar-v0"), push_with_velocity, 10)
    assert -130 < np.mean(played.returns) < -110


def test_the_lazy_expert_under_a_fixed_horizon(tmp_path, tiny):
    (folder,) = plan_experts(tmp_path, ["CartPole-v0"])
    played = record(folder, "always-0", 30)
    assert played.lengths == [30] * 4 and max(played.returns) < 15
    np.testing.assert_array_equal(
        record(folder, "always-0", 30).returns, played.returns
    )
    random = record(folder, "random")
    assert len(set(np.concatenate([e.action for e in random.episodes]))) == 2


def row(method="gail", preset="ho2016", n=1, seed=0, kind="final", steps=100, mean=1.0):
    head = ("chainertrpo", "chainertrpo 0", preset, "CartPole-v0", seed, kind, steps)
    stats = (2.0, 50, mean, 2.0, mean, mean, mean)
    condition = ("classic", method, "gail", "trained", None, n, 10)
    return Row(*head, *stats, *condition, 200.0, 20.0)


def synthetic():
    methods = [
        ("bc", "ho2016", 65),
        ("gail", "ho2016", 200),
        ("gail", "ho2016-ppo", 182),
    ]
    cells = itertools.product(methods, (1, 4), range(3))
    return [
        row(method, preset, n, seed, kind, steps, mean + seed - 1)
        for (method, preset, mean), n, seed in cells
        for kind, steps in (
            *((("evaluation", t) for t in (50, 100)) if method == "gail" else ()),
            ("final", 100),
            ("final-deterministic", 100),
        )
    ]


def test_published_scores_of_the_paper():
    scores, ends, version = paper("CartPole-v0")
    assert (ends, version) == ((22.0, 200.0), "v0")
    assert scores["gail", 1] == 200.0 and scores["bc", 1] == 72.02
    assert paper("Acrobot-v1") == paper("Acrobot-v0")
    assert paper("Pendulum-v1") == ({}, None, "")


def test_report(tmp_path):
    text = markdown_report(synthetic(), {"scores.png": "scores.png"})
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0].startswith(
        "| trajectories | method | seeds | return | normalised |"
    )
    bc = "| 1 | BC | 3 | 65.0 ± 0.6 | 0.25 ± 0.00 | 0.25 [0.24, 0.26] | 65.0 ± 0.6 |"
    assert lines[2] == f"{bc} 72.0 | 0.28 |"
    ppo = "| 1 | GAIL, PPO | 3 | 182.0 ± 0.6 | 0.90 ± 0.00 | 0.90 [0.89, 0.91] |"
    assert lines[4] == f"{ppo} 182.0 ± 0.6 | 200.0 | 1.00 |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 1"] * 3 + ["| 4"] * 3
    assert markdown_report(synthetic(), {"scores.png": "scores.png"}) == text
    write_rows(tmp_path / "rows.csv", synthetic())
    assert read_rows(tmp_path / "rows.csv") == synthetic()
    header = (tmp_path / "rows.csv").read_text().splitlines()[0].split(",")
    assert set(Row._fields) - set(header) == {"fixed_horizon", "absorbing"}  # not known
    assert tuple(header[:14]) == COLUMNS


def test_pictures(tmp_path):
    rows = synthetic()
    forms = [
        r._replace(reward=form, expert=expert)
        for r in rows
        for form in studies.FORMS
        for expert in ("trained", "always-0", "none")
    ]
    for draw in (
        lambda path: draw_scores(rows, path),
        lambda path: draw_profiles(rows, path),
        lambda path: draw_study(rows, path),
        lambda path: draw_study(forms, path, x="elapsed"),
    ):
        assert os.path.getsize(draw(str(tmp_path / "picture.png"))) > 10_000


def test_scores_over_all_tasks():
    """Runs are drawn within each task: with equal runs in each there is no interval."""
    rows = [
        row(seed=seed, mean=mean)._replace(env=env)
        for env, mean in (("CartPole-v0", 20.0), ("Acrobot-v1", 200.0))
        for seed in range(2)
    ]
    assert "| GAIL, TRPO | 4 | 0.50 | 0.50 [0.50, 0.50] |" in markdown_report(rows)
    other = [row(seed=5)._replace(reward="logd")]
    assert "All tasks" not in markdown_report(rows + other)  # forms are compared


def test_rows_of_no_study_are_refused(tmp_path):
    for changes in (
        {"study": "clasic"},
        {"study": None},
        {"method": "dagger"},
        {"reward": "d2"},
    ):
        rows = [row(), row(seed=1)._replace(**changes)]
        with pytest.raises(
            ValueError, match="expected (the rows of one study|rewards)"
        ):
            study_of(rows)
    with pytest.raises(ValueError, match="no evaluation yet"):
        write_report(tmp_path, [])


def test_the_moment_a_level_is_reached():
    curve = [row(kind="evaluation", steps=t, mean=m) for t, m in ((1, 5.0), (2, 9.0))]
    assert reached(curve[::-1], 6).steps == 2
    assert reached(curve, 10) is None
    means = {0: (20.0, 182.0), 1: (20.0, 20.0)}  # 182 is 0.9 of the way
    rows = [row(seed=s, mean=182.0) for s in means]
    rows += [row(seed=s, kind="final-deterministic") for s in means]
    for s, (first, last) in means.items():
        rows.append(row(seed=s, kind="evaluation", steps=1000, mean=first))
        rows.append(row(seed=s, kind="evaluation", steps=2000, mean=last))
    text = markdown_report([r._replace(study="hopper") for r in rows])
    assert "mean of 182.0" in text
    assert "| 0 | 2,000 | 2 |" in text and "| 1 | never |  |" in text


def test_the_command_with_nothing_to_report(tmp_path):
    flags = ["--study", "hopper", "--only-report", "--outdir", tmp_path]
    done = run("examples/compare_gail.py", *flags, code=1, cold=True)
    assert "error: there is no evaluation yet" in done.stderr
    done = run("examples/compare_gail.py", *flags, "--steps", 0, code=2)
    assert "--steps 0: expected a number of 1 or more" in done.stderr
