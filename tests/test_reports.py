"""Reports: committed studies again from their tables, damaged files, names of files."""

import itertools
import os
import pathlib
import subprocess
import sys

from chainertrpo.comparison import (
    Row,
    make_plan,
    markdown_report,
    read_rows,
    read_run,
    rows_of,
    write_report,
    write_rows,
)
from chainertrpo.comparison.imitation import plan_study
from chainertrpo.comparison.studies import study_of
from chainertrpo.data import BadFileError, file_name, read_json, write_json

import numpy as np
import pytest
from test_examples import run

ROOT = pathlib.Path(__file__).parent.parent
TABLES = sorted((ROOT / "docs" / "results").glob("*/evaluations.csv"))


def test_there_are_committed_studies():
    assert len(TABLES) >= 10


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_committed_tables_come_again_from_their_rows(path):
    """Every figure, intervals among them: draws of the bootstrap have a seed."""
    rows = read_rows(path)
    study = study_of(rows)
    if study:
        pictures = {f"{name}.png": f"{name}.png" for name in study.pictures}
    else:
        pictures = {env: f"{env}.png" for env in sorted({row.env for row in rows})}
    committed = (path.parent / "table.md").read_text("utf-8")
    assert markdown_report(rows, pictures) == committed
    assert all((path.parent / picture).exists() for picture in pictures.values())


def test_rows_of_another_program_count_once(tmp_path):
    path = tmp_path / "rows.csv"
    rows = read_rows(TABLES[0])
    write_rows(path, [*rows, rows[3]])
    with pytest.raises(BadFileError, match="got again that of line 5"):
        read_rows(path)


def test_file_names():
    assert file_name("CartPole-v1") == "CartPole-v1"
    assert file_name("ALE/Pong-v5") == "ALE-Pong-v5"
    for env in ("a/../b", "..", "", "a:b\\c/d", "x\0y", "mod:ns/Id-v0", ".hidden", " "):
        name = file_name(env)
        assert name and not name.startswith(".") and not set(name) & set('/\\:\0" ')


@pytest.mark.long
def test_a_namespace_in_an_id_reaches_no_file_name(tmp_path):
    """From the command line to pictures and tables, in an environment of a user's own."""
    package = "gymnasium" if sys.version_info >= (3, 9) else "gym"
    (tmp_path / "our_tasks.py").write_text(
        f"import {package} as g\n"
        f"entry = '{package}.envs.classic_control.cartpole:CartPoleEnv'\n"
        "g.register('ours/Cart-v3', entry_point=entry, max_episode_steps=30)\n"
    )
    env = "our_tasks:ours/Cart-v3"
    flags = ["--envs", env, "--seeds", 0, "--steps", 400, "--eval-interval", 200]
    flags += ["--eval-n-runs", 2, "--final-n-runs", 2, "--outdir", tmp_path / "out"]
    changes = '{"agent": {"update_interval": 200}}'
    flags += ["--variant", "small", "chainerrl-class", changes]
    run("examples/compare_trpo.py", *flags, path=[tmp_path])
    left = sorted(p.name for p in (tmp_path / "out").iterdir())
    picture = "our_tasks-ours-Cart-v3.png"
    assert left == ["evaluations.csv", picture, "runs", "table.md"]
    assert f"![{env}]({picture})" in (tmp_path / "out" / "table.md").read_text("utf-8")
    assert {row.env for row in read_rows(tmp_path / "out" / "evaluations.csv")} == {env}


def damaged(rng, data):
    """Cut, doubled, or with bytes that are others; often a number, sometimes a name."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(data) + 1))
        kind = rng.integers(5)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at : at + int(rng.integers(1, 40))] = b""
        elif kind == 2:
            data[at:at] = data[at : at + int(rng.integers(1, 80))]
        elif kind == 3:
            words = [b"nan", b"-1", b"1e999", b"9" * 5000, b"null", b'"', b",", b"\n"]
            words += [
                b"[]",
                b"{}",
                b"\0",
                b"\xff",
                b"true",
                b"0",
                b"../..",
                b"\xef\xbb\xbf",
            ]
            data[at : at + 3] = words[int(rng.integers(len(words)))]
        elif at < len(data):
            data[at] = int(rng.integers(256))
    return bytes(data)


@pytest.mark.parametrize("study", ["family", "gail-cartpole-ppo"])
def test_a_damaged_table_gives_one_named_error_or_rows(tmp_path, study):
    """Whatever can be read can be reported."""
    rng = np.random.default_rng(0)
    path = tmp_path / "rows.csv"
    rows = read_rows(ROOT / "docs" / "results" / study / "evaluations.csv")
    write_rows(path, rows[::7])
    whole = path.read_bytes()
    refused = 0
    for i in range(1000):
        path.write_bytes(damaged(rng, whole))
        try:
            found = read_rows(path)
        except BadFileError as error:
            refused += 1
            assert str(path) in str(error) and "expected" in str(error)
            continue
        if i % 25 == 0 and found:
            try:
                markdown_report(found)
            except ValueError as error:
                assert "expected the rows of one study" in str(error)  # noqa: PT017
    assert refused > 250


def cases(tmp_path):
    (plain,) = make_plan(
        tmp_path / "a", ["npg"], ["CartPole-v1"], [0], eval_interval=5, eval_n_runs=2
    )
    imitator = plan_study(tmp_path / "b", "hopper", tmp_path / "experts")[1]
    for folder in (plain, imitator):
        stats = {"mean": 1.0, "stdev": 0.5, "median": 1.0, "max": 2.0, "min": 0.0}
        final = {"elapsed": 3.0, "final": stats, "final-deterministic": stats}
        write_json(os.path.join(folder, "final.json"), final)
        head = ["steps", "episodes", "elapsed", *stats]
        line = [5, 1, 1.5, *stats.values()]
        with open(os.path.join(folder, "scores.txt"), "w") as file:
            for cells in (head, line):
                file.write("\t".join(map(str, cells)) + "\n")
        about = {"python": "3", "chainertrpo": "0", "commit": "0", "packages": {}}
        write_json(os.path.join(folder, "environment.json"), about)
    experts = tmp_path / "experts" / "Hopper-v4"
    experts.mkdir(parents=True)
    scores = {"trained": {"mean": 10.0}, "random": {"mean": 0.0}}
    write_json(experts / "scores.json", scores)
    for folder in (plain, imitator):
        names = ("config.json", "final.json", "environment.json", "scores.txt")
        yield from ((folder, os.path.join(folder, name)) for name in names)
    yield imitator, experts / "scores.json"


def test_a_damaged_run_gives_one_named_error_or_rows(tmp_path):
    rng = np.random.default_rng(1)
    for folder, path in cases(tmp_path):
        assert len(rows_of(folder)) == 3
        whole = pathlib.Path(path).read_bytes()
        refused = 0
        for _ in range(250):
            pathlib.Path(path).write_bytes(damaged(rng, whole))
            try:
                rows_of(folder)
            except BadFileError as error:
                refused += 1
                assert os.path.basename(path) in str(error), error
        assert refused > 20, path
        pathlib.Path(path).write_bytes(whole)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("steps", "many", "expected steps as int >= 0, got 'many'"),
        ("steps", 1e3, "expected steps as int >= 0, got 1000.0"),
        ("seed", -1, "expected seed as int >= 0, got -1"),
        ("eval_n_runs", 0, "expected eval_n_runs as int >= 1, got 0"),
        ("eval_n_runs", True, "expected eval_n_runs as int >= 1, got True"),
        ("changes", [], r"expected changes as dict, got \[\]"),
        ("changes", {"polcy": {}}, "Did you mean policy"),
        ("changes", {"step": 3}, "expected settings that exist"),
        ("preset", "gpn", "expected a preset of"),
        ("method", "dagger", "expected settings that exist"),
        ("env", None, "expected env as str, got None"),
    ],
)
def test_an_edited_config_is_named(tmp_path, name, value, message):
    (folder,) = make_plan(tmp_path, ["npg"], ["CartPole-v1"], [0])
    path = os.path.join(folder, "config.json")
    write_json(path, {**read_json(path), name: value})
    with pytest.raises(BadFileError, match=message) as caught:
        read_run(folder)
    assert path in str(caught.value)


def test_an_edited_config_is_one_line_on_the_command_line(tmp_path):
    (folder,) = make_plan(tmp_path, ["npg"], ["CartPole-v1"], [0])
    path = os.path.join(folder, "config.json")
    write_json(path, [])
    flags = ["--presets", "npg", "--envs", "CartPole-v1", "--seeds", 0]
    done = run("examples/compare_trpo.py", *flags, "--outdir", tmp_path, code=1)
    assert done.stderr.startswith(f"error: {path}: expected the run of a comparison")
    assert "Traceback" not in done.stderr


def test_the_runs_of_earlier_versions_are_read(tmp_path):
    """An imitator's config.json had no label."""
    folder = plan_study(tmp_path, "hopper", tmp_path / "experts")[1]
    path = os.path.join(folder, "config.json")
    content = read_json(path)
    expected = read_run(folder)
    assert content.pop("label") == content["preset"]
    write_json(path, {**content, "fixed_horizon": None})
    assert read_run(folder) == expected


def test_bad_tables_are_refused_before_anything_is_trained(tmp_path):
    (tmp_path / "rows.csv").write_text("runner;version\n")
    flags = ["--outdir", tmp_path / "out", "--also", tmp_path / "rows.csv"]
    done = run("examples/compare_trpo.py", *flags, code=1)
    assert done.stderr.startswith("error: ") and "expected the columns" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_report_of_any_id(tmp_path):
    rows = [
        Row(
            "pfrl",
            "0.4",
            "a|b",
            "../ns/Id-v1",
            seed,
            kind,
            100,
            1.0,
            5,
            2.0 + seed,
            0.5,
        )
        for seed, kind in itertools.product(range(3), ("evaluation", "final"))
    ]
    text = write_report(str(tmp_path), rows)
    assert "![../ns/Id-v1](--ns-Id-v1.png)" in text and r"a\|b" in text
    assert sorted(os.listdir(tmp_path)) == ["--ns-Id-v1.png", "table.md"]


def test_scipy_is_imported_only_to_report():
    """And where it is lacking, the command says so before it trains."""
    code = "import sys, chainertrpo.comparison.training as training; "
    code += "print('scipy.stats' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
    code = (
        "import sys; sys.modules['scipy.stats'] = None; import runpy; sys.argv[1:] = []"
    )
    code += "; runpy.run_path('examples/compare_trpo.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 1 and "pip install scipy" in done.stderr
    assert "Traceback" not in done.stderr and not done.stdout
