"""examples/train_gail_gym.py as a user runs it."""

import argparse
import json

from chainertrpo.agents import GAIL_PRESETS, make_gail_agent
from chainertrpo.data import read_json, read_npz, write_demonstrations
from chainertrpo.experiments import make_env, read_table
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.program.making import env_settings

import numpy as np
import pytest
from test_examples import run

TRAIN = "examples/train_gail_gym.py"


def balance(obs):
    """A good player of CartPole: push to where it falls."""
    return int(obs[2] + 0.3 * obs[3] + 0.03 * obs[0] + 0.05 * obs[1] > 0)


@pytest.mark.long
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
    for word in ("expert", "clone ", "gail ", "held-out"):
        assert word in done.stdout.split("trained to step")[1]
    told = read_json(folder / "imitation.json")
    assert told["gail"]["mean"] == scores["mean"][-1]
    assert told["expert"] == {"mean": 500.0, "stdev": 0.0}
    assert 0 < told["clone"]["held_out_loss"] < told["gail"]["held_out_loss"]
    assert (folder / "imitation.png").read_bytes()[:4] == b"\x89PNG"
    done = run(TRAIN, "--resume", folder)
    assert "resumed at step 900" in done.stderr and "a clone  " not in done.stdout
    assert read_json(folder / "imitation.json") == told
    alone = [*flags, "--no-clone", "--outdir", tmp_path / "alone"]
    assert "clone" not in run(TRAIN, *alone).stdout
    (other,) = (tmp_path / "alone").iterdir()
    same = [(f / "900_finish" / "policy.npz").read_bytes() for f in (folder, other)]
    assert same[0] == same[1]  # what is learned does not depend on the clone beside
    config = read_json(folder / "config.json")
    config["discriminator"]["reward"] = "airl"  # whatever its preset says by now
    (folder / "config.json").write_text(json.dumps(config))
    assert "paid by airl" in run(TRAIN, "--resume", folder).stdout
    show = ["--demo", "--load", folder / "900_finish", "--eval-n-runs", 2]
    out = run(TRAIN, *show, cold=True).stdout
    assert "n_runs: 2" in out  # no demonstrations needed
    record = ["agent", "--load", folder / "900_finish", "--episodes", 2]
    out = run("examples/record_demonstrations.py", *record, tmp_path / "e.npz").stdout
    assert "2 episodes" in out  # an imitator may be the next one's expert
    fixed = [*flags, "--fixed-horizon", 100, "--reward", "airl"]
    done = run(TRAIN, *fixed, "--outdir", tmp_path / "fixed")
    assert "TerminationBiasWarning" not in done.stderr


def test_resuming_on_other_demonstrations(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), balance, 2)
    path = tmp_path / "d.npz"
    write_demonstrations(path, demos)
    flags = ["--demos", path, "--workers", 1, "--eval-n-runs", 1, "--steps", 300]
    run(TRAIN, *flags, "--update-interval", 300, "--outdir", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    np.savez_compressed(path, **read_npz(path))  # the same content, other bytes
    assert "resumed at step 300" in run(TRAIN, "--resume", folder).stderr
    write_demonstrations(path, record_episodes(make_env("CartPole-v1"), balance, 2, 7))
    done = run(TRAIN, "--resume", folder, code=1)
    assert "expected the demonstrations that the run was begun with" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", sorted(GAIL_PRESETS))
def test_environments_are_what_the_generator_says(name):
    """By the preset as by the settings that it makes, which config.json has."""
    env = make_env("CartPole-v1")
    demos = record_episodes(env, balance, 1)
    spaces = env.observation_space, env.action_space
    _, settings = make_gail_agent(*spaces, demos, name)
    own = settings["generator"].get("env", {})
    args = argparse.Namespace(preset=name, made_with=None)
    assert env_settings(args, GAIL_PRESETS) == own
    args.made_with = {"settings": settings["generator"]}
    assert env_settings(args, GAIL_PRESETS) == own
    args.clip_actions = False
    assert env_settings(args, GAIL_PRESETS) == {"clip_actions": False}


def test_list_and_other_generators(tmp_path):
    out = run(TRAIN, "--preset", "list").stdout
    lines = dict(line.split()[:2] for line in out.splitlines())
    assert lines["ho2016-ppo"] == lines["cartpole-ppo"] == "PPO"
    assert lines["ho2016-npg"] == "NPG" and lines["ho2016"] == "TRPO"
    write_demonstrations(
        tmp_path / "d.npz", record_episodes(make_env("CartPole-v1"), balance, 1)
    )
    flags = ["--demos", tmp_path / "d.npz", "--steps", 300, "--update-interval", 100]
    flags += ["--eval-interval", 300, "--eval-n-runs", 1, "--outdir", tmp_path / "runs"]
    for preset, reward in (("cartpole-ppo", "d"), ("ho2016-npg", "gail")):
        out = run(TRAIN, *flags, "--preset", preset, "--workers", 0).stdout
        assert f"paid by {reward}" in out
    for folder in (tmp_path / "runs").iterdir():
        config = read_json(folder / "config.json")
        assert config["agent"] == "GAIL" and config["discriminator"]["gamma"] > 0.9


def test_clone_only_and_mistakes(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), balance, 2)
    write_demonstrations(tmp_path / "d.npz", demos)
    flags = ["--demos", tmp_path / "d.npz", "--eval-n-runs", 2]
    flags += ["--outdir", tmp_path / "runs"]
    out = run(TRAIN, *flags, "--clone-only", "--clone-epochs", 3).stdout
    assert "clone         mean:" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert "paid by" not in out and f"demo {folder}/clone" in out
    show = ["--demo", "--load", folder / "clone", "--eval-n-runs", 2]
    assert "n_runs: 2" in run(TRAIN, *show).stdout
    assert "give --demos FILE" in run(TRAIN, code=1).stderr
    done = run(TRAIN, *flags, "--env", "Acrobot-v1", code=1)
    assert "of Acrobot-v1, got some of CartPole-v1" in done.stderr
    assert "Traceback" not in done.stderr
    done = run(TRAIN, *flags, "--trajectories", 3, code=1)
    assert "expected episodes in 0 … 1" in done.stderr


def test_several_files(tmp_path):
    for i in range(2):
        demos = record_episodes(make_env("CartPole-v1"), balance, 2, seed=10 * i)
        write_demonstrations(tmp_path / f"{i}.npz", demos)
    both = ["--demos", tmp_path / "0.npz", tmp_path / "1.npz", "--weights", 1, 3]
    flags = ["--workers", 1, "--eval-n-runs", 1, "--steps", 300, "--trajectories", 1]
    flags += ["--update-interval", 300, "--outdir", tmp_path / "runs"]
    assert "2 episodes by" in run(TRAIN, *both, *flags).stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert "resumed at step 300" in run(TRAIN, "--resume", folder).stderr
    again = ["--resume", folder, "--demos", tmp_path / "1.npz", tmp_path / "0.npz"]
    assert "that the run was begun with" in run(TRAIN, *again, code=1).stderr
    done = run(TRAIN, *both, 5, *flags, code=1)
    assert "expected a weight for each of 2" in done.stderr


def test_observations_only(tmp_path):
    demos = record_episodes(make_env("CartPole-v1"), balance, 2)
    write_demonstrations(tmp_path / "d.npz", demos)
    record = "examples/record_demonstrations.py"
    run(record, "observations", tmp_path / "d.npz", tmp_path / "seen.npz")
    flags = ["--workers", 1, "--eval-n-runs", 1, "--steps", 300]
    flags += ["--update-interval", 300, "--outdir", tmp_path / "runs"]
    out = run(TRAIN, "--demos", tmp_path / "seen.npz", *flags).stdout
    assert "of (s, s'); paid by gail" in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert "resumed at step 300" in run(TRAIN, "--resume", folder).stderr
    flags += ["--observations-only", "--trim-pauses"]
    out = run(TRAIN, "--demos", tmp_path / "d.npz", *flags).stdout
    assert "of (s, s'); paid by gail" in out and "of 1000 pairs left out" in out
    run(record, "trim", tmp_path / "d.npz", tmp_path / "t.npz", "--at-least", 9)
    done = run(TRAIN, "--demos", tmp_path / "seen.npz", "--clone-only", code=1)
    assert "nothing can be cloned" in done.stderr and "Traceback" not in done.stderr
