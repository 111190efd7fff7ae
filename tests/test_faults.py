"""The table of faults names tests that exist."""

import pathlib
import re

HERE = pathlib.Path(__file__).parent


def test_every_test_of_the_table_exists():
    text = (HERE.parent / "docs" / "faults.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    sources = [path.read_text("utf-8") for path in HERE.glob("test_*.py")]
    there = {name for text in sources for name in re.findall(r"def (test_\w+)", text)}
    assert named - there == set()
    assert len(named) > 90
