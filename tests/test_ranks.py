"""Several ranks take the step of one process, to rounding, however rows are split."""

import functools
import importlib.util
import math
import os
import shutil
import subprocess
import sys

from chainertrpo import ranks
from chainertrpo.numerics import flatten, moments, named_params
from chainertrpo.policies.normalizer import learn
from chainertrpo.updates import CG, Curvature, Discriminator, Gram, NaturalStep

import chainer
import numpy as np
import pytest
from mutations import demonstrations
from ranked import CASES, on_ranks, outcome, paths_of, recorded, split, trpo, worst
from test_discriminator import agent_paths

HERE = os.path.dirname(os.path.abspath(__file__))
SPLITS = [(2, "even"), (3, "one to nine"), (4, "empty")]
TOLERANCES = {"float64": 1e-10, "float32": 1e-5}


@functools.lru_cache(maxsize=None)
def serial(name, dtype):
    with chainer.using_config("dtype", np.dtype(dtype)):
        return outcome(CASES[name], recorded(name, dtype))


def errors(name, dtype, size, how):
    """How far each rank ends from the serial update, and its statistics from its."""
    truth, _, numbers = serial(name, dtype)
    with chainer.using_config("dtype", np.dtype(dtype)):
        shares = split(recorded(name, dtype), size, how)
        results = on_ranks(size, lambda rank: outcome(CASES[name], shares[rank]))
    for found, _, theirs in results:
        for key, x in results[0][0].items():
            assert (found[key] == x).all(), "ranks differ"
        np.testing.assert_allclose(theirs, numbers, rtol=1e-4, atol=1e-5)
    return max(worst(found, truth) for found, _, _ in results)


@pytest.mark.parametrize("size, how", SPLITS)
@pytest.mark.parametrize("name", CASES)
def test_ranks_take_the_serial_step(name, size, how):
    assert errors(name, "float64", size, how) <= TOLERANCES["float64"]


def test_one_rank_of_a_communicator_is_one_process():
    assert errors("gauss-newton", "float64", 1, "even") == 0


@pytest.mark.parametrize("name", ["gauss-newton", "npg", "max-kl", "ppo", "memory"])
def test_ranks_take_the_serial_step_in_single_precision(name):
    assert errors(name, "float32", 3, "one to nine") <= TOLERANCES["float32"]


def of_this_rank(x):
    return x


@pytest.mark.parametrize(
    "name, where, what, wrong",
    [
        ("gauss-newton", moments, "of_all_ranks", of_this_rank),  # advantages
        ("ppo that stops", moments, "of_all_ranks", of_this_rank),
        ("npg", ranks, "place", lambda n: (0, 2 * n)),  # who has which rows
    ],
)
def test_the_comparison_sees_what_is_done_rank_by_rank(
    name, where, what, wrong, monkeypatch
):
    serial(name, "float64")
    monkeypatch.setattr(where, what, wrong)
    try:
        error = errors(name, "float64", 2, "even")
    except (AssertionError, ValueError):  # ranks differ
        return
    assert error > 1e-6


# What is told and summed


def test_numbers_are_told_exactly_and_summed_in_order():
    told = on_ranks(3, lambda rank: ranks.table(rank, 0.1 * rank, math.pi).tolist())
    assert told == 3 * [[[i, 0.1 * i, math.pi] for i in range(3)]]
    values = [1e16, 1.0, -1e16]
    assert on_ranks(3, lambda rank: ranks.sum(values[rank])) == 3 * [0.0]
    counts = on_ranks(3, lambda rank: ranks.sum(rank + 1))
    assert counts == [6, 6, 6] and type(counts[0]) is int


def test_a_nan_on_one_rank_is_the_largest_on_all():
    found = on_ranks(3, lambda rank: ranks.largest([1.0, math.nan, 2.0][rank]))
    assert all(map(math.isnan, found))
    assert on_ranks(2, lambda rank: ranks.largest(-1.0 - rank)) == [-1.0, -1.0]


def test_rows_have_their_place_in_the_order_of_ranks():
    rows = [np.arange(2.0), np.zeros(0), np.arange(3.0) + 5]
    assert on_ranks(3, lambda i: ranks.place(len(rows[i]))) == [(0, 5), (2, 5), (2, 5)]
    for found in on_ranks(3, lambda i: ranks.gathered(rows[i])):
        assert found.tolist() == [0, 1, 5, 6, 7]


def test_rank_0_decides():
    assert on_ranks(2, lambda rank: ranks.agreed(["yes", "no"][rank])) == 2 * ["yes"]
    assert on_ranks(2, lambda rank: ranks.everyone(rank)) == 2 * [[0, 1]]

    def apart(rank):
        with ranks.apart():
            return ranks.size(), ranks.rank(), ranks.sum(rank + 1)

    assert on_ranks(2, apart) == [(1, 0, 1), (1, 0, 2)]


def test_one_process_imports_no_mpi():
    code = (
        "import sys, chainertrpo; from chainertrpo import ranks; ranks.sum(1.0);"
        "assert not {'mpi4py', 'chainermn'} & set(sys.modules); print('none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "none\n", done.stderr


# A discriminator, and what is refused


@pytest.mark.parametrize(
    "settings", [{}, {"batch_size": 20}, {"absorbing_horizon": 30}]
)
def test_a_discriminator_is_fitted_to_the_pairs_of_all(settings):
    def fitted(paths):
        made = Discriminator(
            demonstrations(), last_scale=1.0, gradient_penalty=1.0, seed=2, **settings
        )
        made(paths)
        numbers = np.array(list(made.last_report), float)
        # Adam's first moment is the gradient; its step makes much of rounding.
        params = named_params(made.link).values()
        gradient = flatten([x.update_rule.state["m"] for x in params])
        return gradient, made.encode.normalizer.std, numbers

    both = agent_paths(lengths=(30, 17), terminal="absorbing_horizon" in settings)
    truth = fitted(both)
    for found in on_ranks(2, lambda rank: fitted(both[rank : rank + 1])):
        for x, y in zip(found, truth):
            assert abs(x - y).max() <= 1e-5 * abs(y).max()


def test_the_solver_in_sample_space_is_refused_by_name():
    step = NaturalStep(curvature=Curvature("scores", 0.1), solver=Gram())
    with pytest.raises(ValueError, match="expected the solver CG with several ranks"):
        on_ranks(2, lambda rank: trpo(step))
    step = NaturalStep(curvature=Curvature("scores", 0.1), solver=CG())
    on_ranks(2, lambda rank: trpo(step))


def test_no_steps_on_any_rank_is_an_error_on_all():
    shares = split(paths_of("f")[:1], 2, "empty")[0]
    with pytest.raises(ValueError, match="at least one step"):
        on_ranks(2, lambda rank: CASES["npg"]().update(shares))


# On MPI itself

MPIEXEC = os.path.join(os.path.dirname(sys.executable), "mpiexec")
mpi = pytest.mark.skipif(
    importlib.util.find_spec("mpi4py") is None or not shutil.which(MPIEXEC),
    reason="needs mpi4py and mpiexec beside the interpreter: pip install mpi4py mpich",
)


def run_on_mpi(size, *arguments):
    command = [MPIEXEC, "-n", str(size), sys.executable, f"{HERE}/ranked.py"]
    env = {**os.environ, "PYTHONPATH": os.path.dirname(HERE), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=300, env=env
    )


@mpi
def test_ranks_of_mpi_take_the_serial_step():
    done = run_on_mpi(2)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows] == [["2", name] for name in CASES]
    assert max(float(row[2]) for row in rows) <= TOLERANCES["float64"], rows


@mpi
def test_an_exception_on_one_rank_ends_all_with_its_traceback():
    done = run_on_mpi(2, "fail")
    assert done.returncode != 0
    assert "rank 1 of 2 has failed:" in done.stderr
    assert "RuntimeError: what rank 1 says" in done.stderr


class Two:
    rank, size = 0, 2


def test_a_normaliser_that_learns_alone_is_refused():
    seen = []

    class Foreign:
        experience = seen.append

    learn(Foreign(), [1, 2])
    with ranks.using(Two()), pytest.raises(ValueError, match="on several ranks, got"):
        learn(Foreign(), [3])
    assert seen == [1, 2]
