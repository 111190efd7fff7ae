"""examples/record_demonstrations.py as a user runs it."""

from test_examples import TRAIN, run

RECORD = "examples/record_demonstrations.py"


def test_record_inspect_and_look_after(tmp_path):
    flags = ["--env", "CartPole-v1", "--steps", 600, "--trpo-update-interval", 300]
    run(TRAIN, *flags, "--workers", 0, "--outdir", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    agent = ["agent", "--load", folder / "600_finish", "--episodes", 3]
    assert "3 episodes" in run(RECORD, *agent, one).stdout
    run(RECORD, *agent, "--fixed-horizon", 40, two)
    out = run(RECORD, "inspect", two).stdout
    assert "CartPole-v1" in out and out.count("time limit") == 3 and "actions" in out
    out = run(RECORD, "replay", one, "--check").stdout
    assert out.count("equal") == 3
    assert run(RECORD, "replay", two, "--check").stdout.count("equal") == 3
    out = run(RECORD, "merge", tmp_path / "all.npz", one, two).stdout
    assert "6 episodes" in out
    out = run(RECORD, "drop", tmp_path / "all.npz", two, "--episodes", 0, 1).stdout
    assert "4 episodes" in out
    run(RECORD, "subsample", two, one, "--every", 10)
    done = run(RECORD, "drop", two, one, "--return-below", 1e9, code=1)
    assert "at least one episode" in done.stderr and "Traceback" not in done.stderr
    done = run(RECORD, "inspect", tmp_path / "nowhere.npz", code=1)
    assert "Traceback" not in done.stderr
    done = run(RECORD, "keyboard", "--env", "Hopper-v4", one, code=1)
    assert "error: " in done.stderr and "Traceback" not in done.stderr
