"""Training on ranks of MPI: signals, kills and exceptions, by real processes."""

import functools
import os
import signal
import sys

from chainertrpo import ranks
from chainertrpo.experiments import train_agent_parallel
from chainertrpo.experiments.checkpoints import load_checkpoint

from collecting import streams, troubled
from kill_ranks import killed_after, on_mpi, process_of, training
from processes import linux
from test_parallel_training import BATCH, build, checkpoints, wait_until
from test_ranks import mpi

STEPS = 460
FLAGS = "--env CartPole --steps 1000000 --num-envs 2 --trpo-update-interval 200"
FLAGS += " --hidden-sizes 8 --checkpoint-interval 1 --eval-interval 100000 --mpi"


def program(*flags):
    return on_mpi(2, "-m", "chainertrpo", "train", *flags)


def begun(folder):
    """The folder of a run with a checkpoint after steps."""
    wait_until(lambda: list(folder.glob("*/checkpoints/*00")), "a checkpoint")
    return next(iter(folder.glob("*/checkpoints"))).parent


@mpi
@linux
def test_a_signal_to_one_rank_stops_all_and_the_run_goes_on(tmp_path):
    with program(*FLAGS.split(), "--outdir", tmp_path) as marked:
        folder = begun(tmp_path)
        os.kill(process_of(marked, 1), signal.SIGTERM)
        code, output = marked.end()
        assert code == 128 + signal.SIGTERM, output
        assert marked.nothing_is_left()
    assert f"stopped by SIGTERM; go on with: mpiexec -n 2 {sys.executable}" in output
    assert output.count("stopped by") == output.count("ranks         2") == 1
    assert "Traceback" not in output and "failed" not in output
    assert (folder / "learning_curve.png").exists()
    t = checkpoints(folder)[-1]
    with program("--resume", folder, "--mpi") as marked:
        wait_until(lambda: checkpoints(folder)[-1] > t, "another checkpoint")
        os.kill(marked.process.pid, signal.SIGINT)  # Ctrl-C, to mpiexec
        code, output = marked.end()
        assert f"resumed at step {t}" in output and "stopped by SIGINT" in output
        assert code == 128 + signal.SIGINT and marked.nothing_is_left()


@mpi
@linux
def test_a_rank_that_is_killed_takes_the_others_down(tmp_path):
    """Of those that go on nothing is left within seconds, and the run goes on."""
    folder = tmp_path / "run"
    with training(folder) as marked:
        seconds = killed_after(marked, "step 6", rank=1)
    assert seconds < 10
    t = checkpoints(folder)[-1]
    assert t >= 400
    agent = build()
    assert load_checkpoint(str(folder), agent)["t"] == t == BATCH * agent.n_updates


def fail(folder):
    """The environment of rank 1 raises."""
    make = functools.partial(troubled, trouble="raise", at=streams(3, 1)[1])
    with ranks.joined():
        train_agent_parallel(build(), make, STEPS, folder, num_envs=2, seed=3)


@mpi
@linux
def test_an_environment_that_raises_ends_all_with_its_traceback(tmp_path):
    call = f"import test_training_on_mpi as x; x.fail({str(tmp_path)!r})"
    with on_mpi(2, "-c", call) as marked:
        code, output = marked.end()
        assert marked.nothing_is_left()
    assert code != 0 and "rank 1 of 2 has failed:" in output
    assert "RuntimeError: the spring broke" in output and "in environment 1" in output
    assert "rank 0 of 2" not in output
    assert checkpoints(tmp_path) == [0]
