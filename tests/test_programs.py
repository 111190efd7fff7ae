"""A program that is forked from a warm process is as one that starts from nothing."""

import pytest
from programs import run_program

SCRIPT = """
import atexit, os, sys, warnings

atexit.register(print, "at the end")
print(__name__, sys.argv, sys.path[:3], os.getcwd(), os.environ["OF_THE_TEST"])
print("said", file=sys.stderr)
if sys.argv[1] == "warn":
    warnings.warn("too warm")
if sys.argv[1] == "kill":
    os.kill(os.getpid(), 9)
sys.exit({"code": 3, "message": "error: a message"}.get(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "how, code", [("end", 0), ("code", 3), ("message", 1), ("warn", 1), ("kill", -9)]
)
def test_warm_is_as_cold(tmp_path, monkeypatch, how, code):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    monkeypatch.setenv("OF_THE_TEST", how)
    warm, cold = (
        run_program(path, how, 1.5, path=[tmp_path / "a"], cold=cold)
        for cold in (False, True)
    )
    assert (warm.returncode, cold.returncode) == (code, code)
    assert warm.stdout == cold.stdout
    assert warm.stderr.splitlines()[-1:] == cold.stderr.splitlines()[-1:]
    assert ("at the end" in warm.stdout) == (how != "kill")
