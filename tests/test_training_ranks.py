"""Training on several ranks: each steps its environments, and rank 0 has the folder.

Ranks are threads here: see `ranked.on_ranks`.
"""

import functools
import os
import pathlib

from chainertrpo import _threads, ranks
from chainertrpo._threads import thread_count
from chainertrpo.data import read_npz
from chainertrpo.experiments import (
    Collector,
    RanksDifferError,
    available_cores,
    default_num_envs,
    owned_folder,
    read_table,
    train_agent,
    train_agent_parallel,
)
from chainertrpo.experiments.sharing import envs_of_rank
from chainertrpo.program import main

import numpy as np
import pytest
from collecting import actor_of, point, same
from ranked import on_ranks
from test_parallel_training import (
    BATCH,
    SETTINGS,
    Break,
    assert_as_if_never_stopped,
    break_at,
    build,
    checkpoints,
    train,
)

pytestmark = pytest.mark.usefixtures("quick_workers")

STEPS, E = 460, 3


def train_on(size, folder, steps=STEPS, change=lambda agent: None, **settings):
    """A run on so many ranks, of which the first alone may have a folder."""
    folder = pathlib.Path(folder)

    def work(rank):
        agent = build()
        change(agent)
        own = {**settings, "num_envs": E, "workers": 1, "agent": agent}
        path = folder if rank == 0 else folder / "nowhere"
        return run(path, rank, steps=steps, **own)

    agents = on_ranks(size, work)
    assert not (folder / "nowhere").exists()
    return agents


def run(path, rank, **settings):
    if rank == 0:
        return train(path, **settings)
    agent, steps = settings.pop("agent"), settings.pop("steps")
    settings = {**SETTINGS, **settings, "eval_env": None}
    make = settings.pop("make", point)
    train_agent_parallel(agent, make, steps, str(path), **settings)
    return agent


# Collection


@pytest.mark.parametrize("size", [2, 3])
def test_who_steps_an_environment_changes_nothing(size):
    """Paths, episodes and states are those of one process, in their order, bit for bit."""
    actor, n_envs = actor_of(2), 5

    def collected(envs, workers, state=None):
        make = functools.partial(point, length=7)
        with Collector(make, n_envs, 4, workers=workers, envs=envs) as collector:
            if state:
                collector.restore(actor, state)
            collector.begin(actor, 63, keep=True)
            return collector.finish()

    def of(found):
        return found.paths, found.episodes, found.state

    whole = collected(None, 2)
    again = collected(None, 1, whole.state)
    shares = on_ranks(size, lambda rank: envs_of_rank(n_envs, 63))
    assert [i for share in shares for i in share] == list(range(n_envs))
    for truth, before in ((whole, None), (again, whole.state)):
        parts = [of(collected(x, 1, before and [before[i] for i in x])) for x in shares]
        paths, episodes, states = (sum(found, []) for found in zip(*parts))
        assert same([p[:3] for p in paths], [p[:3] for p in truth.paths])
        assert sorted(episodes) == truth.episodes
        assert [about for _, about in states] == [about for _, about in truth.state]
        for (arrays, _), (expected, _) in zip(states, truth.state):
            assert same([list(arrays.values())], [list(expected.values())])


@pytest.mark.parametrize(
    "size, num_envs, rows", [(3, 2, 100), (2, 50, 30)], ids=["few", "many"]
)
def test_every_rank_has_an_environment_with_a_step(size, num_envs, rows):
    with pytest.raises(ValueError, match="at least one environment for each of"):
        on_ranks(size, lambda rank: envs_of_rank(num_envs, rows))
    assert on_ranks(3, lambda rank: default_num_envs(1000)) == [3, 3, 3]


# A run


@pytest.fixture(scope="module")
def never(tmp_path_factory):
    """The folder of a run on two ranks that was never stopped."""
    folder = tmp_path_factory.mktemp("never")
    train_on(2, folder)
    return folder


def test_a_run_on_ranks_is_the_run_of_one_process(tmp_path, never):
    """The same data, and the same step to rounding, which grows with what follows it."""
    train(tmp_path, steps=STEPS, num_envs=E)
    names = sorted(os.listdir(tmp_path))
    assert sorted(os.listdir(never)) == names
    one, two = (read_table(f / "episodes.txt") for f in (tmp_path, never))
    for name in ("steps", "length"):
        assert one[name].tolist() == two[name].tolist()
    first = one["steps"] <= BATCH
    assert first.any() and (one["return"][first] == two["return"][first]).all()
    np.testing.assert_allclose(one["return"], two["return"], rtol=1e-3)
    for name in ("policy", "vf", "obs_normalizer"):
        found, truth = (
            read_npz(f / f"{STEPS}_finish" / f"{name}.npz") for f in (never, tmp_path)
        )
        for key in truth:
            np.testing.assert_allclose(found[key], truth[key], rtol=1e-3, atol=1e-4)
    one, two = (read_table(f / "scores.txt") for f in (tmp_path, never))
    assert one["steps"].tolist() == two["steps"].tolist() == [300]


def test_a_run_goes_on_as_if_never_stopped(tmp_path, never):
    with pytest.raises(Break):
        train_on(2, tmp_path, step_hooks=[break_at(300)])
    assert checkpoints(tmp_path) == [0, 200]
    train_on(2, tmp_path, resume=True)
    assert_as_if_never_stopped(tmp_path, never, STEPS)


@pytest.mark.parametrize("size", [1, 3])
def test_a_run_goes_on_with_another_number_of_ranks(tmp_path, never, size, caplog):
    caplog.set_level("INFO")
    with pytest.raises(Break):
        train_on(2, tmp_path, step_hooks=[break_at(300)])
    train_on(size, tmp_path, resume=True)
    said = f"number of ranks: {size}, before: 2; data and updates are the same"
    assert caplog.text.count(said) == 1
    found, truth = (
        read_npz(f / f"{STEPS}_finish/policy.npz") for f in (tmp_path, never)
    )
    for key in truth:
        np.testing.assert_allclose(found[key], truth[key], rtol=1e-3, atol=1e-4)


def test_what_a_rank_evaluates_changes_nothing(tmp_path, never):
    train_on(2, tmp_path, eval_env=None)
    assert not (tmp_path / "scores.txt").exists()
    names = [f"{STEPS}_finish/{x}.npz" for x in ("policy", "vf", "obs_normalizer")]
    for name in names:
        assert (tmp_path / name).read_bytes() == (never / name).read_bytes()


# That ranks stay alike


def shift(agent, what="policy"):
    """Move the last bit of one number."""
    link = agent.policy if what == "policy" else agent.vf
    x = sorted(link.namedparams())[0][1].array
    x.flat[0] = np.nextafter(x.flat[0], x.dtype.type(np.inf))


@pytest.mark.parametrize("what", ["policy", "vf"])
def test_a_rank_whose_parameters_are_others_stops_the_run(tmp_path, what):
    """The last bit of one number, from step 300 on: seen at the checkpoint of 400."""

    def hook(env, agent, t):
        if ranks.rank() == 2 and t == 300:
            shift(agent, what)

    said = f"rank 0 on all 3 ranks at step 400, got another on rank 2 .in .*{what}"
    with pytest.raises(RanksDifferError, match=said):
        train_on(3, tmp_path, step_hooks=[hook])
    assert checkpoints(tmp_path) == [0, 200]
    train_on(3, tmp_path, resume=True)


def test_ranks_that_begin_with_other_agents_do_not_begin(tmp_path):
    """Their parameters, or how they shuffle the rows of all."""

    def work(other, rank):
        agent = build()
        agent.set_state(build(seed=rank * (other == "shuffling")).get_state())
        agent.policy.log_std.array[...] -= rank * (other == "policy")
        run(tmp_path / other, rank, agent=agent, steps=STEPS, num_envs=E)

    for other in ("policy", "shuffling"):
        said = f"at step 0, got another on rank 1, rank 2 .in {other}."
        with pytest.raises(RanksDifferError, match=said):
            on_ranks(3, functools.partial(work, other))
        assert not (tmp_path / other / "checkpoints").exists()


# What does not work, and says so


def test_a_loop_in_one_environment_is_refused(tmp_path):
    def work(rank):
        train_agent(build(), point(0), 200, str(tmp_path))

    with pytest.raises(ValueError, match="for train_agent, got 2 ranks.*parallel"):
        on_ranks(2, work)
    assert os.listdir(tmp_path) == []


def said(capsys, *flags):
    with pytest.raises(SystemExit) as end:
        main(["train", "--env", "CartPole", *map(str, flags)])
    captured = capsys.readouterr()
    return end.value.code, captured.err


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--gpu", 0], "--gpu 0: expected the CPU with --mpi"),
        (["--workers", 0], "--workers 0: expected 1 or more for each process"),
        (["--render"], "--render: expected no --mpi with it"),
        (["--demo", "--load", "x"], "--demo: expected no --mpi with it"),
    ],
)
def test_flags_that_ranks_cannot_follow(capsys, flags, words):
    code, error = said(capsys, "--mpi", *flags)
    assert code == 2 and words in error


def test_copies_that_mpiexec_has_started_are_refused(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PMI_SIZE", "2")
    code, error = said(capsys, "--outdir", tmp_path)
    assert code == 2 and "or --mpi" in error and "got 2 that mpiexec" in error
    assert os.listdir(tmp_path) == []


def test_ranks_on_one_machine_share_its_cores(monkeypatch):
    class Sharing:
        rank, size, sharing = 0, 4, 2

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), False)
    monkeypatch.setattr(_threads, "_blas_threads", lambda: 6)  # such as OMP_NUM_THREADS
    assert available_cores() == ranks.cores() == 8 and thread_count() == 6
    with ranks.using(Sharing()):
        assert available_cores() == ranks.cores() == thread_count() == 4


def test_the_folder_is_rank_0s(tmp_path):
    def work(rank):
        with owned_folder(tmp_path / str(rank)):
            return sorted(os.listdir(tmp_path))

    assert on_ranks(2, work)[0] == ["0"] and not (tmp_path / "1").exists()
