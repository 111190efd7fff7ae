"""Every reader × seeded mutations (tests/mutations.py has the 10,000 of each)."""

import os
import pathlib
import subprocess
import sys

import pytest
from mutations import Readers, memory
from processes import linux

KINDS = [
    "npz",
    "json",
    "table",
    "demonstrations",
    "baselines",
    "stable-baselines",
    "hdf5",
    "agent",
    "agent.json",
    "chainerrl",
    "checkpoint",
    "collection",
]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    return Readers(tmp_path_factory.mktemp("mutations"))


def test_all_readers_are_tried(readers):
    assert {*KINDS, "config"} == readers.kinds.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_named_error(readers, kind):
    if kind == "hdf5":
        pytest.importorskip("h5py")
    before = memory()
    refused, escaped = readers.try_out(kind, 300)
    assert escaped == []
    assert refused > 30
    assert memory() - before < 300


def test_an_edited_config_draws_or_is_refused(readers):
    _, escaped = readers.try_out("config", 10)
    assert escaped == []


@linux
@pytest.mark.long
def test_kills_while_saving():
    """Ten of each here; `python tests/kills.py 200` is the whole of it."""
    script = pathlib.Path(__file__).parent / "kills.py"
    done = subprocess.run(
        [sys.executable, str(script), "10"],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(script.parents[1])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
