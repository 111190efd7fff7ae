"""Imitation studies: plans, runs that are killed, tables from synthetic rows."""

import itertools
import os
import signal
import subprocess
import sys
import time

from chainertrpo.comparison import (
    experts,
    imitation,
    imitation_plan,
    imitation_studies,
    run_all,
    write_rows,
)
from chainertrpo.comparison.experts import plan_experts, push_with_velocity, record
from chainertrpo.comparison.folders import is_finished, read_as, step_of
from chainertrpo.comparison.imitation import ImitationRun, build, own_episodes
from chainertrpo.comparison.imitation_curves import (
    across_by_expert,
    across_by_trajectories,
    down_by_env,
    draw_grid,
    draw_scores,
)
from chainertrpo.comparison.imitation_plan import (
    ImitationRow,
    environments,
    imitation_rows,
    plan_study,
    record_for,
)
from chainertrpo.comparison.imitation_report import imitation_report, paper, reached
from chainertrpo.comparison.imitation_studies import EXPERT_TASKS, STUDIES, Setting
from chainertrpo.comparison.tasks import Task
from chainertrpo.data import read_json
from chainertrpo.experiments import make_env, read_table
from chainertrpo.experiments.recording import record_episodes

import numpy as np
import pytest
from test_examples import run

pytestmark = pytest.mark.filterwarnings(
    "ignore::chainertrpo.updates.TerminationBiasWarning"
)
TRAIN = "chainertrpo.comparison.imitation"
SMALL = {"hidden_sizes": [8]}


@pytest.fixture
def tiny(monkeypatch):
    """The classic study in CartPole alone, with few and small batches."""
    agent = {"update_interval": 200}
    changes = {"agent": agent, "policy": SMALL, "vf": SMALL, "discriminator": SMALL}
    task = Task(600, 0.0, "chainerrl-class", {"agent": agent, "fit": {"epochs": 1}})
    setting = Setting("CartPole-v0", 10, ("gail",), 5000, {"ho2016": changes})
    study = STUDIES["classic"]._replace(
        settings=(setting,),
        methods=(("bc", "ho2016"), ("gail", "ho2016")),
        trajectories=(2,),
        seeds=(0,),
        episodes=(2, 3),
    )
    monkeypatch.setitem(EXPERT_TASKS, "CartPole-v0", task)
    monkeypatch.setitem(STUDIES, "classic", study)
    monkeypatch.setattr(imitation_plan, "CLONE_EPOCHS", 3)
    monkeypatch.setattr(experts, "EPISODES", 4)
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(__file__)))


def without_time(folder):
    scores = read_table(os.path.join(folder, "scores.txt"))
    scores.pop("elapsed")
    final = read_json(os.path.join(folder, "final.json"))
    final.pop("elapsed")
    return {name: column.tobytes() for name, column in scores.items()}, final


def test_a_study_from_its_expert_to_its_table(tmp_path, tiny):
    """One expert, a clone, and an imitator that is killed and ends as if it had not."""
    trained = plan_experts(tmp_path / "experts", environments("classic"))
    assert run_all(trained, 1, program="chainertrpo.comparison.experts") == {}
    record_for("classic", tmp_path / "experts")
    clone, whole = plan_study(tmp_path / "a", "classic", tmp_path / "experts")
    assert run_all([clone, whole], 1, program=TRAIN) == {}
    _, killed = plan_study(tmp_path / "b", "classic", tmp_path / "experts")
    process = subprocess.Popen(
        [sys.executable, "-m", TRAIN, killed], start_new_session=True
    )
    deadline = time.monotonic() + 60
    while step_of(killed) < 2600 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not is_finished(killed) and step_of(killed) >= 2600
    assert run_all([killed], 1, program=TRAIN) == {}
    assert without_time(killed) == without_time(whole)
    with open(os.path.join(killed, "log.txt")) as log:
        assert "resumed at step " in log.read()

    rows = [row for folder in (clone, whole) for row in imitation_rows(folder)]
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
    assert "| GAIL, TRPO | 1 |" in imitation_report(rows, "classic")
    assert imitation_rows(plan_study(tmp_path / "c", "classic", tmp_path)[1]) == []


def test_plan(tmp_path):
    folders = plan_study(tmp_path, "classic", tmp_path / "experts")
    assert len(folders) == len(set(folders)) == 3 * 4 * 3 * 5
    assert plan_study(tmp_path, "classic", tmp_path / "experts") == folders
    runs = [read_as(ImitationRun, folder) for folder in folders]
    assert {(r.env, r.every, r.reward) for r in runs} == {
        ("CartPole-v0", 10, "gail"),
        ("Acrobot-v1", 5, "logd"),
        ("MountainCar-v0", 5, "logd"),
    }
    assert all((run.steps == 0) == (run.method == "bc") for run in runs)
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    with pytest.raises(ValueError, match=r"holds a run with steps=\d+ \(asked for: 7"):
        plan_study(tmp_path, "classic", tmp_path / "experts", steps=7)
    with pytest.raises(ValueError, match="expected a study of"):
        environments("classics")


def test_plan_of_the_reward_forms(tmp_path):
    folders = plan_study(tmp_path, "reward-forms", tmp_path / "experts", seeds=[0])
    assert len(folders) == len(set(folders)) == 2 * 4 * 3 * 2
    for folder in folders:
        run = read_as(ImitationRun, folder)
        file = os.path.basename(run.demonstrations)
        assert file.startswith("always-0" if run.expert == "always-0" else "trained")
        assert ("fixed" in file) == (run.fixed_horizon is not None)


def test_every_study_has_an_expert():
    assert {env for name in STUDIES for env in environments(name)} <= set(EXPERT_TASKS)


def test_seeds_have_episodes_of_their_own():
    demos = record_episodes(make_env("CartPole-v1"), lambda obs: 0, 6)
    taken = [[e.seed for e in own_episodes(demos, 2, s).episodes] for s in range(4)]
    assert taken == [[0, 1], [2, 3], [4, 5], [0, 1]]
    with pytest.raises(ValueError, match="at least 7 episodes, got 6"):
        own_episodes(demos, 7, 0)


def test_without_an_expert_the_reward_is_a_constant(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), lambda obs: 0, 2)
    (folder, *_) = plan_study(tmp_path, "reward-forms", tmp_path, seeds=[0])
    run = read_as(ImitationRun, folder)._replace(expert="none", trajectories=2)
    agent, _ = build(run._replace(reward="logd"), make_env("CartPole-v1"), demos)
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

    monkeypatch.setattr(experts, "learn", note)
    monkeypatch.setattr(imitation, "learn", note)
    monkeypatch.setattr(experts, "EPISODES", 1)
    (folder,) = plan_experts(tmp_path, ["Pendulum-v1"])
    experts.train(folder)
    played = experts.record_episodes

    def watched(env, *args, **more):
        made.append(env.clip_actions)
        return played(env, *args, **more)

    monkeypatch.setattr(experts, "record_episodes", watched)
    record(folder, "trained")
    hopper = STUDIES["hopper"]
    (setting,) = (x._replace(env="Pendulum-v1") for x in hopper.settings)
    setting = setting._replace(changes={"ho2016": changes})
    study = hopper._replace(settings=(setting,), trajectories=(1,), seeds=(0,))
    monkeypatch.setitem(STUDIES, "hopper", study)
    _, imitator = plan_study(tmp_path / "runs", "hopper", tmp_path)
    imitation.train(imitator)
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
    head = ("classic", "chainertrpo", "CartPole-v0", method, preset, "gail", "trained")
    stats = (mean, 2.0, mean, mean, mean)
    return ImitationRow(
        *head, None, n, 10, seed, kind, steps, 2.0, 50, *stats, 200.0, 20.0
    )


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
    text = imitation_report(synthetic(), "classic", ["scores.png"])
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0].startswith(
        "| trajectories | method | seeds | return | normalised |"
    )
    bc = "| 1 | BC | 3 | 65.0 ± 0.6 | 0.25 ± 0.00 | 65.0 ± 0.6 | 72.0 | 0.28 |"
    assert lines[2] == bc
    ppo = (
        "| 1 | GAIL, PPO | 3 | 182.0 ± 0.6 | 0.90 ± 0.00 | 182.0 ± 0.6 | 200.0 | 1.00 |"
    )
    assert lines[4] == ppo
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 1"] * 3 + ["| 4"] * 3
    assert imitation_report(synthetic(), "classic", ["scores.png"]) == text
    write_rows(tmp_path / "rows.csv", synthetic(), ImitationRow)
    header = (tmp_path / "rows.csv").read_text().splitlines()[0]
    assert header == ",".join(ImitationRow._fields)


def test_pictures(tmp_path):
    rows = synthetic()
    for draw in (
        lambda path: draw_scores(rows, path),
        lambda path: draw_grid(
            rows, path, down=down_by_env, across=across_by_trajectories
        ),
        lambda path: draw_grid(
            [
                r._replace(reward=f, expert=e)
                for r in rows
                for f in imitation_studies.FORMS
                for e in ("trained", "always-0", "none")
            ],
            path,
            down=down_by_env,
            across=across_by_expert,
            x="elapsed",
        ),
    ):
        assert os.path.getsize(draw(str(tmp_path / "picture.png"))) > 10_000


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
    text = imitation_report([r._replace(study="hopper") for r in rows], "hopper")
    assert "mean of 182.0" in text
    assert "| 0 | 2,000 | 2 |" in text and "| 1 | never | |" in text


def test_the_command_with_nothing_to_report(tmp_path):
    flags = ["--study", "hopper", "--only-report", "--outdir", tmp_path]
    done = run("examples/compare_gail.py", *flags, code=1)
    assert "error: there is no evaluation yet" in done.stderr
    done = run("examples/compare_gail.py", *flags, "--steps", 0, code=2)
    assert "--steps 0: expected a number of 1 or more" in done.stderr
