"""The examples, as a user runs them: real processes, tiny budgets."""

import functools
import json
import pathlib

from chainertrpo.data import BadFileError, read_json, read_npz, write_json
from chainertrpo.experiments import read_table
from chainertrpo.program import flags as flags_of
from chainertrpo.program.recall import recall

import numpy as np
import pytest
from programs import run_program

TRAIN = "examples/train_trpo_gym.py"


def run(script, *args, code=0, path=(), cold=False):
    done = run_program(script, *args, path=path, cold=cold)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_founding_example():
    out = run("examples/hessian_vector_product.py", cold=True).stdout
    assert "largest difference 0.0" in out


@pytest.mark.parametrize("env, other", [("Hopper", "CartPole-v1"), ("CartPole", None)])
def test_train_then_demo(tmp_path, env, other):
    flags = ["--env", env, "--steps", 1500, "--trpo-update-interval", 500]
    flags += ["--eval-interval", 750, "--eval-n-runs", 2, "--hidden-sizes", 16, 8]
    out = run(TRAIN, *flags, "--outdir", tmp_path).stdout
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.glob("[!.]*")) == [
        "1500_finish",
        "best",
        "checkpoints",
        "config.json",
        "environment.json",
        "episodes.txt",
        "learning_curve.png",
        "scores.txt",
    ]
    config = read_json(folder / "config.json")
    assert config["env"] in out and config["hidden_sizes"] == [16, 8]
    assert read_table(folder / "scores.txt")["steps"][-1] == 1500
    # What the agent was trained with comes from the run's config.json.
    out = run(TRAIN, "--demo", "--load", folder / "best", "--eval-n-runs", 2).stdout
    assert "n_runs: 2 mean: " in out
    if other:
        done = run(TRAIN, "--demo", "--load", folder / "best", "--env", other, code=1)
        assert "error: " in done.stderr and "Traceback" not in done.stderr


def test_a_run_shorter_than_its_interval_is_evaluated_at_its_end(tmp_path):
    flags = ["--env", "CartPole", "--steps", 300, "--trpo-update-interval", 100]
    flags += ["--eval-interval", 100_000, "--eval-n-runs", 1, "--workers", 0]
    out = run(TRAIN, *flags, "--outdir", tmp_path).stdout
    (folder,) = tmp_path.iterdir()
    assert list(read_table(folder / "scores.txt")["steps"]) == [300]
    assert f"demo {folder}/best" in out


def test_train_ppo_with_schedules_then_demo(tmp_path):
    flags = ["--env", "CartPole", "--steps", 1000, "--update-interval", 250]
    flags += ["--preset", "chainerrl-ppo-example", "--epochs", 2, "--batch-size", 50]
    flags += ["--eval-interval", 500, "--eval-n-runs", 2, "--num-envs", 1]
    flags += ["--checkpoint-interval", 1]
    out = run("examples/train_ppo_gym.py", *flags, "--outdir", tmp_path).stdout
    assert "PPO, 250 steps a batch" in out
    (folder,) = tmp_path.iterdir()
    table = read_table(folder / "scores.txt")
    assert list(table)[-2:] == ["n_updates", "explained_variance"]
    assert table["n_updates"][-1] == 4 * 10
    # Ten steps of Adam at a quarter of 3e-4, which the schedule has left of it.
    ends = [
        read_npz(folder / name / "model.npz")
        for name in ("checkpoints/750", "1000_finish")
    ]
    moved = max(abs(ends[1][name] - x).max() for name, x in ends[0].items())
    assert 0 < moved < 1.5 * 10 * 3e-4 / 4
    config = read_json(folder / "config.json")
    assert config["agent"] == "PPO" and config["settings"]["policy_step"]["epochs"] == 2
    flags = ["--demo", "--load", folder / "best", "--eval-n-runs", 2]
    assert "n_runs: 2" in run("examples/train_ppo_gym.py", *flags).stdout


def test_ppo_takes_the_flags_of_both_scripts_of_chainerrl(tmp_path):
    flags = ["--env", "CartPole", "--steps", 400, "--update-interval", 200]
    flags += ["--preset", "chainerrl-ppo-example", "--lr", 1e-3, "--batchsize", 100]
    flags += ["--entropy-coef", 0.02, "--reward-scale-factor", 0.5, "--epochs", 1]
    flags += ["--standardize-advantages", "--log-interval", 100, "--workers", 0]
    done = run("examples/train_ppo_gym.py", *flags, "--outdir", tmp_path, cold=True)
    assert [f"{n}/400 steps" in done.stderr for n in (100, 200, 250, 300)] == [
        True,
        True,
        False,
        True,
    ]
    (folder,) = tmp_path.iterdir()
    settings = read_json(folder / "config.json")["settings"]
    assert settings["optimizer"]["alpha"] == 1e-3
    assert settings["schedules"]["optimizer.alpha"] == [1e-3, 0.0]
    assert settings["policy_step"]["entropy_coef"] == 0.02
    assert settings["policy_step"]["batch_size"] == 100
    assert settings["rewards"]["scale"] == 0.5
    assert settings["agent"]["standardize_advantages"] is True


def test_ppo_with_bounds_and_decay_then_demo(tmp_path):
    flags = ["--env", "Pendulum", "--steps", 400, "--update-interval", 200]
    flags += ["--bound-mean", "--weight-decay", 0.1, "--arch", "FFGaussian"]
    flags += ["--eval-interval", 400, "--eval-n-runs", 1, "--num-envs", 1]
    run("examples/train_ppo_gym.py", *flags, "--outdir", tmp_path)
    (folder,) = tmp_path.iterdir()
    settings = read_json(folder / "config.json")["settings"]
    assert settings["policy"]["bound_mean"] is True
    assert settings["optimizer"]["weight_decay"] == 0.1
    assert settings["optimizer"]["decay_biases"] is False
    flags = ["--demo", "--load", folder / "best", "--eval-n-runs", 1]
    out = run("examples/train_ppo_gym.py", *flags).stdout
    assert "BoundedGaussianPolicy" in out and "n_runs: 1" in out


CHARGING = """
import importlib
import importlib.util

import numpy

name = "gymnasium" if importlib.util.find_spec("gymnasium") else "gym"
gym = importlib.import_module(name)

class Charging(gym.Env):
    observation_space = gym.spaces.Box(-1, 1, (2,))
    action_space = gym.spaces.Box(-1e-3, 1e-3, (1,))

    def reset(self, seed=None, options=None):
        return numpy.zeros(2, "f"), {}

    def step(self, action):
        return numpy.zeros(2, "f"), -float(abs(action[0])), True, False, {}

gym.register("Charging-v0", entry_point=Charging)
"""


@pytest.mark.parametrize(
    "flags, clips",
    [
        ([], False),
        (["--clip-actions"], True),
        (["--preset", "sb3-contrib"], True),
        (["--preset", "sb3-contrib", "--no-clip-actions"], False),
    ],
)
def test_actions_reach_environments_clipped_or_not(tmp_path, flags, clips):
    """σ is 1 and the bounds are a thousandth; in workers, in evaluations, in a demo."""
    (tmp_path / "charging.py").write_text(CHARGING)
    flags = [*flags, "--env", "charging:Charging-v0", "--steps", 200]
    flags += ["--trpo-update-interval", 100, "--eval-interval", 200, "--workers", 1]
    run(TRAIN, *flags, "--outdir", tmp_path / "runs", path=[tmp_path])
    (folder,) = (tmp_path / "runs").iterdir()
    found = [float(read_table(folder / "scores.txt")["mean"][-1])]
    found.append(np.mean(read_table(folder / "episodes.txt")["return"]))
    demo = ["--demo", "--load", folder / "best", "--eval-n-runs", 20]
    out = run(TRAIN, *demo, path=[tmp_path]).stdout
    found.append(float(out.split("mean: ")[1].split()[0]))
    assert [x > -2e-3 for x in found] == 3 * [clips], found


def test_a_run_goes_on_with_the_settings_that_it_has(tmp_path):
    """Those in its config.json, whatever its preset's name stands for by now."""
    flags = ["--env", "CartPole", "--steps", 400, "--trpo-update-interval", 200]
    flags += ["--checkpoint-interval", 1, "--eval-interval", 200, "--eval-n-runs", 1]
    run(TRAIN, *flags, "--workers", 1, "--outdir", tmp_path)
    (folder,) = tmp_path.iterdir()
    config = read_json(folder / "config.json")
    step = config["settings"]["policy_step"]
    config["steps"], step["region"]["max_kl"] = 600, 1e-6
    (folder / "config.json").write_text(json.dumps(config))
    run(TRAIN, "--resume", folder)
    kl = read_table(folder / "scores.txt")["average_kl"]  # means over updates so far
    assert 2 * kl[1] > 1e-3 and 0 < 3 * kl[2] - 2 * kl[1] < 2e-6


def test_scaled_actions_then_demo(tmp_path):
    flags = ["--env", "Pendulum", "--steps", 400, "--trpo-update-interval", 200]
    flags += ["--scale-actions", "--eval-interval", 400, "--eval-n-runs", 1]
    run(TRAIN, *flags, "--workers", 1, "--outdir", tmp_path)
    (folder,) = tmp_path.iterdir()
    assert read_json(folder / "config.json")["settings"]["policy"]["scaled"] is True
    assert read_npz(folder / "best" / "policy.npz")["half_range"] == 2
    flags = ["--demo", "--load", folder / "best", "--eval-n-runs", 1]
    out = run(TRAIN, *flags).stdout
    assert "ScaledGaussianPolicy" in out and "n_runs: 1" in out
    flags = ["--env", "Pendulum", "--steps", 200, "--trpo-update-interval", 200]
    flags += ["--preset", "tianshou-trpo", "--no-scale-actions", "--workers", 1]
    out = run(TRAIN, *flags, "--eval-n-runs", 1, "--outdir", tmp_path).stdout
    assert " GaussianPolicy, " in out


@pytest.mark.parametrize(
    "preset",
    [
        "npg",
        "tianshou-npg",
        "nac",
        "trpo-max-kl",
        "trpo-natural-vf",
        "trpo-repeated",
        "penalty-trpo",
        "policy-gradient",
    ],
)
def test_the_family_trains(tmp_path, preset):
    flags = ["--env", "CartPole", "--steps", 400, "--trpo-update-interval", 200]
    flags += ["--eval-interval", 400, "--eval-n-runs", 1, "--workers", 0]
    run(TRAIN, "--preset", preset, *flags, "--outdir", tmp_path)
    (folder,) = tmp_path.iterdir()
    config = read_json(folder / "config.json")
    assert config["agent"] == config["settings"]["algorithm"]
    assert read_table(folder / "scores.txt")["steps"][-1] == 400


def test_presets_are_listed():
    out = run(TRAIN, "--preset", "list", cold=True).stdout
    assert "sb3-contrib" in out and "openai/imitation, scripts/run_rl_mj.py" in out
    done = run("examples/compare_trpo.py", "--presets", "list", cold=True)
    assert done.stdout == out


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--env", "Humanod"], "Did you mean Humanoid-v"),
        (["--demo"], "--load DIR"),
        (["--seed", "-1"], r"expected a number in [0, 2**31)"),
        (["--demo", "--load", "nowhere"], "expected a saved agent in nowhere"),
        (["--preset", "chainer"], "chainerrl-reproduction"),
    ],
)
def test_mistakes_are_one_line_with_a_remedy(flags, message):
    code = 2 if flags[0] == "--preset" or flags in (["--demo"], ["--seed", "-1"]) else 1
    done = run(TRAIN, *flags, code=code)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--steps", 0], "--steps: expected 2 or more, got 0"),
        (["--eval-interval", 0], "expected 1 or more, got 0"),
        (["--eval-n-runs", 0], "expected 1 or more, got 0"),
        (["--workers", -2], "expected 0 or more, got -2"),
        (["--log-interval", 0], "expected 1 or more, got 0"),
        (["--checkpoint-interval", 0], "expected 1 or more, got 0"),
        (["--hidden-sizes", 64, 0], "expected 1 or more, got 0"),
        (["--update-interval", 1], "expected 2 or more, got 1"),
        (["--epochs", 0], "expected 1 or more, got 0"),
        (["--lr", -1], "expected a finite number above 0, got -1"),
        (["--entropy-coef", -1], "expected 0.0 or more, got -1"),
        (["--reward-scale-factor", "nan"], "expected a finite number above 0, got nan"),
        (["--steps", "1e6"], "invalid int value: '1e6'"),
        (["--outdir", __file__], "expected a folder, got a file"),
        (["--preset", "pfrl", "--lr", 0.1], "an optimiser moves for --lr, got TRPO's"),
        (
            ["--arch", "FFGaussian"],
            "expected actions of Box for --arch FFGaussian, got",
        ),
        (["--load-pretrained"], "load_chainerrl reads one that ChainerRL saved"),
    ],
)
def test_numbers_that_cannot_work_are_one_line(flags, message):
    code = 1 if {"pfrl", "--arch"} & set(flags) else 2
    flags = ["--env", "CartPole", *flags]
    done = run("examples/train_ppo_gym.py", *flags, code=code)
    assert message in done.stderr and "Traceback" not in done.stderr


def test_epochs_of_a_natural_step():
    flags = ["--preset", "pfrl", "--epochs", 3, "--env", "CartPole"]
    done = run("examples/train_ppo_gym.py", *flags, code=1)
    assert "error: expected keys of policy_step" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_gpu_is_an_error_and_never_the_cpu():
    try:
        import cupy

        if cupy.cuda.is_available():
            pytest.skip("there is a GPU here")
    except Exception:
        pass
    done = run(TRAIN, "--env", "CartPole", "--gpu", 0, code=1)
    assert "error: --gpu 0" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.gpu
def test_train_on_the_gpu(tmp_path):
    flags = ["--env", "CartPole", "--steps", 1500, "--trpo-update-interval", 500]
    out = run(TRAIN, *flags, "--gpu", 0, "--outdir", tmp_path, cold=True).stdout
    assert "@cupy:0" in out


@pytest.mark.long
def test_compare_then_only_report(tmp_path):
    flags = ["--presets", "task", "chainerrl-class", "--envs", "CartPole-v1"]
    flags += ["--seeds", 0, "--steps", 4096, "--jobs", 1, "--outdir", tmp_path]
    flags += ["--eval-n-runs", 2, "--final-n-runs", 3]
    done = run("examples/compare_trpo.py", *flags)
    assert "2/2 runs" in done.stderr and "00:00 left" in done.stderr
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"runs", "CartPole-v1.png", "evaluations.csv", "table.md"}
    table = (tmp_path / "table.md").read_text("utf-8")
    assert table in done.stdout and "Goal: 495.0 or more." in table
    # Another library's rows are one more row of the table.
    rows = (tmp_path / "evaluations.csv").read_text("utf-8")
    other = tmp_path / "other.csv"
    other.write_text(rows.replace("chainertrpo,", "pfrl,"), "utf-8")
    flags += ["--only-report", "--also", other]
    assert "**pfrl task**" in run("examples/compare_trpo.py", *flags).stdout
    flags[flags.index("--steps") + 1] = 5000
    done = run("examples/compare_trpo.py", *flags, code=1)
    assert "error: " in done.stderr and "Take another --outdir" in done.stderr


@pytest.mark.long
def test_compare_a_variant(tmp_path):
    flags = ["--envs", "CartPole-v1", "--seeds", 0, "--steps", 400, "--jobs", 1]
    flags += ["--eval-n-runs", 1, "--final-n-runs", 1, "--outdir", tmp_path]
    changes = '{"agent": {"update_interval": 200}, "fit": {"epochs": 1}}'
    variant = ["--variant", "small", "chainerrl-class", changes]
    out = run("examples/compare_trpo.py", *flags, *variant).stdout
    assert "**chainertrpo chainerrl-class, small**" in out
    for wrong in ("{", "[1]", '{"agent": 3}'):
        variant[-1] = wrong
        done = run("examples/compare_trpo.py", *flags, *variant, code=2)
        assert "--variant small: expected CHANGES" in done.stderr


def recalled(folder, line, **saved):
    """The settings of a command line that resumes a run of `saved` settings."""
    parser = flags_of.make_parser(
        "train", "", "chainerrl-example", steps=9, eval_interval=9, eval_n_runs=1
    )
    words = ["--resume", str(folder), *line.split()]
    args = flags_of.parse(parser, {}, words)
    saved = {"env": "CartPole-v1", "preset": "chainerrl-example", "steps": 9, **saved}
    write_json(pathlib.Path(folder) / "config.json", saved)
    recall(args, {})
    return args


def test_a_slash_at_the_end_of_a_folder_is_no_part_of_its_name(tmp_path):
    assert recalled(f"{tmp_path}/", "", workers=1).resume == str(tmp_path)


def test_workers_may_change_when_a_run_goes_on_and_environments_may_not(tmp_path):
    go_on = functools.partial(recalled, tmp_path)
    args = go_on("", num_envs=4, workers=2)
    assert (args.num_envs, args.workers) == (4, 2)
    args = go_on("--workers 3", num_envs=4, workers=2)
    assert (args.num_envs, args.workers) == (4, 3)
    # Before environments were a number of their own, each worker had one.
    args = go_on("--workers 1", workers=2)
    assert (args.num_envs, args.workers) == (2, 1)
    with pytest.raises(ValueError, match=r"got --num-envs 3 \(it was 2\)"):
        go_on("--num-envs 3", workers=2)
    with pytest.raises(ValueError, match="expected --workers 1 or more with --resume"):
        go_on("--workers 0", num_envs=4, workers=2)
    with pytest.raises(BadFileError, match="a run with --workers 0 has no checkpoints"):
        go_on("--workers 2", num_envs=1, workers=0)
    with pytest.raises(SystemExit):
        go_on("--workers 0 --num-envs 2", num_envs=4, workers=2)
