"""examples/train_gail_gym.py as a user runs it."""

from chainertrpo.data import write_demonstrations
from chainertrpo.experiments import make_env, read_table
from chainertrpo.experiments.recording import record_episodes

from test_examples import run

TRAIN = "examples/train_gail_gym.py"


def balance(obs):
    """A good player of CartPole: push to where it falls."""
    return int(obs[2] + 0.3 * obs[3] + 0.03 * obs[0] + 0.05 * obs[1] > 0)


def test_train_warn_and_resume(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), balance, 3)
    assert min(demos.returns) == 500
    write_demonstrations(tmp_path / "d.npz", demos)
    flags = ["--demos", tmp_path / "d.npz", "--workers", 1, "--eval-n-runs", 2]
    flags += ["--steps", 900, "--update-interval", 300, "--eval-interval", 300]
    done = run(TRAIN, *flags, "--outdir", tmp_path / "runs")
    assert "discriminator: right on" in done.stdout
    assert "TerminationBiasWarning" in done.stderr and "FixedHorizon" in done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    scores = read_table(folder / "scores.txt")
    assert "discriminator_loss" in scores and scores["steps"][-1] == 900
    assert "resumed at step 900" in run(TRAIN, "--resume", folder).stderr
    fixed = [*flags, "--fixed-horizon", 100, "--reward", "airl"]
    done = run(TRAIN, *fixed, "--outdir", tmp_path / "fixed")
    assert "TerminationBiasWarning" not in done.stderr


def test_clone_only_and_mistakes(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), balance, 2)
    write_demonstrations(tmp_path / "d.npz", demos)
    flags = ["--demos", tmp_path / "d.npz", "--eval-n-runs", 2]
    out = run(TRAIN, *flags, "--clone-only", "--clone-epochs", 3).stdout
    assert "clone         mean:" in out
    done = run(TRAIN, *flags, "--env", "Acrobot-v1", code=1)
    assert "of Acrobot-v1, got some of CartPole-v1" in done.stderr
    assert "Traceback" not in done.stderr
    done = run(TRAIN, *flags, "--trajectories", 3, code=1)
    assert "expected episodes in 0 … 1" in done.stderr
