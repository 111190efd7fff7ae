"""Checkpoints: whole or not there, and exact."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sys
import time

from chainertrpo.data import BadFileError
from chainertrpo.experiments import checkpoints
from chainertrpo.experiments.checkpoints import load_checkpoint, save_checkpoint

import numpy as np
import pytest
from processes import Marked, linux
from protocol import drive, theta
from test_agents import make_agent
from worlds import Point, some_paths

FILES = [
    "agent.json",
    "obs_normalizer.npz",
    "policy.npz",
    "state.json",
    "vf.npz",
    "vf_optimizer.npz",
]


def trained(steps=201, seed=0):
    agent = make_agent(seed=seed, update_interval=100)
    drive(agent, Point(), steps)
    agent.act(np.zeros(2))  # half of a 64-bit draw is kept for the next
    return agent


def everything(agent):
    """All that goes on, as text that compares bit for bit (nan too)."""
    from chainertrpo.agents.storage import arrays_of

    arrays = {
        f"{name}/{key}": [str(array.dtype), array.shape, array.tobytes().hex()]
        for name, x in agent._saved().items()
        for key, array in arrays_of(x).items()
    }
    return json.dumps([arrays, agent.get_state()], sort_keys=True)


def names(out):
    return sorted(os.listdir(out / "checkpoints"))


@pytest.fixture(scope="module")
def agents():
    """Two agents, at 100 steps and at 200, or whatever their numbers mean."""
    return [trained(), trained(301, seed=1)]


@pytest.fixture(scope="module")
def run(agents, tmp_path_factory):
    """A run's folder with a checkpoint of each, and a table that has gone on since."""
    folder = tmp_path_factory.mktemp("run")
    with open(folder / "scores.txt", "w") as table:
        print("steps", file=table)
        for t, agent in zip((100, 200), agents):
            print(t, file=table, flush=True)
            save_checkpoint(
                str(folder), t, agent, {"episodes": t // 10}, ["scores.txt"]
            )
        print("300\n3", end="", file=table)
    return folder


@pytest.fixture
def out(run, tmp_path):
    return pathlib.Path(shutil.copytree(run, tmp_path / "run"))


def assert_loads(out, t, agents):
    """The checkpoint at t is what is gone on from, all of it."""
    agent = make_agent(seed=5, update_interval=100)
    state = load_checkpoint(str(out), agent)
    assert state == {"t": t, "episodes": t // 10}
    assert everything(agent) == everything(agents[t // 100 - 1])
    rows = {100: "steps\n100\n", 200: "steps\n100\n200\n"}
    assert (out / "scores.txt").read_text() == rows[t]
    return agent


# The round trip


def test_the_newest_is_gone_on_from(out, agents):
    assert sorted(os.listdir(out / "checkpoints" / "200")) == FILES
    agent, other = assert_loads(out, 200, agents), trained(301, seed=1)
    # And what comes after is the same: updates, draws, statistics.
    for one in (agent, other):
        one.update(some_paths())
        one.act(np.ones(2))
    assert everything(agent) == everything(other)


def test_an_agent_before_its_first_update(tmp_path):
    """Statistics are nan, the optimiser has made no state."""
    agent = make_agent()
    assert "NaN" in everything(agent)
    save_checkpoint(str(tmp_path), 0, agent, {})
    before, other = everything(agent), make_agent(seed=3)
    assert everything(other) != before
    assert load_checkpoint(str(tmp_path), other) == {"t": 0}
    assert everything(other) == before
    for one in (agent, other):
        one.update(some_paths())
    assert everything(other) == everything(agent)


def test_a_state_goes_through_json():
    agent = trained()
    state = json.loads(json.dumps(agent.get_state()))
    other = trained(seed=4)
    other.set_state(state)
    for name in agent._streams:
        for draw in ("standard_normal", "random"):
            for dtype in ("f", "d"):  # 32 bits leave half a draw behind
                values = [
                    getattr(x._streams[name], draw)(7, dtype=dtype)
                    for x in (agent, other)
                ]
                assert values[0].tobytes() == values[1].tobytes()
    assert str(other.get_statistics()) == str(agent.get_statistics())
    assert other.n_updates == agent.n_updates == 2


def test_a_constant_value_target_is_nan_and_stays_so(tmp_path):
    agent = make_agent(gamma=0.0)
    agent.update([p._replace(reward=p.reward * 0) for p in some_paths()])
    statistics = dict(agent.get_statistics())
    save_checkpoint(str(tmp_path), 5, agent, {})
    other = make_agent()
    load_checkpoint(str(tmp_path), other)
    assert str(dict(other.get_statistics())) == str(statistics)
    assert everything(other) == everything(agent)


def test_no_checkpoint(tmp_path):
    agent = make_agent()
    before = everything(agent)
    assert load_checkpoint(str(tmp_path), agent) is None
    (tmp_path / "checkpoints").mkdir()
    assert load_checkpoint(str(tmp_path), agent) is None
    assert load_checkpoint(str(tmp_path / "nowhere"), agent) is None
    assert everything(agent) == before


# Which are kept


def test_the_last_two_are_kept_by_their_numbers(tmp_path):
    agent = make_agent()
    for t in (0, 900, 1000, 9000, 10_000):
        path = save_checkpoint(str(tmp_path), t, agent, {"t2": 2 * t})
        assert path == str(tmp_path / "checkpoints" / str(t))
        assert str(t) in names(tmp_path) and len(names(tmp_path)) <= 2
    assert names(tmp_path) == ["10000", "9000"]
    assert load_checkpoint(str(tmp_path), agent) == {"t": 10_000, "t2": 20_000}


def test_a_step_may_be_saved_again(out, agents):
    save_checkpoint(str(out), 200, agents[0], {"episodes": 7}, ["scores.txt"])
    assert names(out) == ["100", "200"]
    agent = make_agent(update_interval=100)
    assert load_checkpoint(str(out), agent) == {"t": 200, "episodes": 7}
    assert everything(agent) == everything(agents[0])


# Interrupted, damaged


def test_what_is_half_written_is_not_there(out, agents):
    writing = out / "checkpoints" / ".writing"
    shutil.copytree(out / "checkpoints" / "200", writing)
    (writing / "state.json").unlink()
    (writing / "vf.npz").write_bytes(b"")
    (writing / "left-over").write_text("")
    assert_loads(out, 200, agents)
    save_checkpoint(str(out), 300, agents[0], {"episodes": 30}, ["scores.txt"])
    assert names(out) == ["200", "300"]
    assert sorted(os.listdir(out / "checkpoints" / "300")) == FILES


@pytest.mark.parametrize(
    "place", ["agent.save", "agent.get_state", "write_json", "os.rename", "sync_folder"]
)
def test_whatever_saving_breaks_off_at(out, agents, monkeypatch, place):
    def no(*args):
        raise OSError("no space left on device")

    agent = trained()
    owner, name = place.split(".") if "." in place else ("checkpoints", place)
    owner = {"agent": agent, "os": checkpoints.os, "checkpoints": checkpoints}[owner]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, no)
        with pytest.raises(OSError, match="no space"):
            save_checkpoint(str(out), 300, agent, {"episodes": 30}, ["scores.txt"])
    if place == "sync_folder":  # renamed already, and whole
        assert names(out) == ["100", "200", "300"]
        return
    assert names(out)[-2:] == ["100", "200"]
    assert_loads(out, 200, agents)
    (out / "scores.txt").write_text("steps\n100\n200\n300\n")
    save_checkpoint(str(out), 300, agent, {"episodes": 30}, ["scores.txt"])
    assert names(out) == ["200", "300"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other"])
def test_a_damaged_newest_falls_back_to_the_one_before(out, agents, name, damage):
    path = out / "checkpoints" / "200" / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        other = out / "checkpoints" / "100" / name
        if name in ("agent.json", "state.json"):
            path.write_text("{}")
        else:
            path.write_bytes(other.read_bytes())
    else:
        path.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    assert_loads(out, 100, agents)


def damage_bytes(out, agents, name, n):
    """Flip bits: what is loaded is one of the two, whole, and never a mixture."""
    path = out / "checkpoints" / "200" / name
    good, table = path.read_bytes(), (out / "scores.txt").read_text()
    rng = np.random.RandomState(0)
    for offset in rng.randint(0, len(good), n):
        bad = bytearray(good)
        bad[offset] ^= 1 << rng.randint(7)
        path.write_bytes(bytes(bad))
        (out / "scores.txt").write_text(table)
        agent = make_agent(update_interval=100)
        state = load_checkpoint(str(out), agent)
        t = state["t"]
        assert state == {"t": t, "episodes": t // 10}
        assert everything(agent) == everything(agents[t // 100 - 1])


@pytest.mark.parametrize("name", ["policy.npz", "vf_optimizer.npz"])
def test_every_damaged_byte_is_noticed(out, agents, name):
    damage_bytes(out, agents, name, 20)


def test_every_damaged_byte_of_the_state_is_noticed(out, agents):
    """A wrong digit in a random stream would be a run that nobody can repeat."""
    damage_bytes(out, agents, "state.json", 40)


@pytest.mark.parametrize(
    "text", ["[]", "null", "3", '{"t": 1}', '{"t": 1, "state": null, "agent": {}}']
)
def test_a_state_that_is_none(out, agents, text):
    (out / "checkpoints" / "200" / "state.json").write_text(text)
    assert_loads(out, 100, agents)


def test_a_checkpoint_of_another_agent_is_refused(out):
    agent = make_agent(normalize=False)
    with pytest.raises(BadFileError, match="obs_normalizer.npz"):
        load_checkpoint(str(out), agent)


def test_none_can_be_read(out):
    for t in (100, 200):
        (out / "checkpoints" / str(t) / "policy.npz").write_bytes(b"")
    table = (out / "scores.txt").read_text()
    with pytest.raises(BadFileError, match="no checkpoint can be read") as caught:
        load_checkpoint(str(out), make_agent())
    assert os.path.join("200", "policy.npz") in str(caught.value)  # of the newest
    assert (out / "scores.txt").read_text() == table


# Tables


def test_tables_are_cut_back_to_the_checkpoint(out, agents):
    """`assert_loads` looks at scores.txt; another table that had not begun is left."""
    (out / "episodes.txt").write_text("steps\n")
    assert_loads(out, 200, agents)
    assert (out / "episodes.txt").read_text() == "steps\n"
    with open(out / "scores.txt", "a") as file:
        file.write("300\n")
    assert_loads(out, 200, agents)


@pytest.mark.parametrize("text", ["steps\n100\n2", "", None])
def test_a_table_that_has_lost_rows(out, agents, text):
    """The newest does not fit it; the one before may."""
    table = out / "scores.txt"
    table.unlink() if text is None else table.write_text(text)
    if text:
        assert_loads(out, 100, agents)
        return
    with pytest.raises(BadFileError, match=r"no checkpoint can be read.*scores\.txt"):
        load_checkpoint(str(out), make_agent(update_interval=100))


def test_a_name_does_not_lead_out_of_the_folder(out):
    """Names of tables come from a file; nothing outside the folder is cut."""
    path = out / "checkpoints" / "200" / "state.json"
    outside = out.parent / "outside.txt"
    outside.write_text("precious")
    path.write_text(path.read_text().replace('"scores.txt"', '"../outside.txt"'))
    with contextlib.suppress(BadFileError, FileNotFoundError):
        load_checkpoint(str(out), make_agent(update_interval=100))
    assert outside.read_text() == "precious"
    outside.unlink()


# Kills


def save_for_ever(folder):
    """Save one checkpoint after the other, each with its number in everything."""
    agent = make_agent()
    t = 0
    while True:
        t += 1
        agent.n_updates = t
        agent.policy.log_std.array[...] = t
        with open(os.path.join(folder, "scores.txt"), "a") as file:
            print(t, file=file)
        save_checkpoint(folder, t, agent, {"again": t}, ["scores.txt"])
        if t == 3:
            print("saving", flush=True)


@linux
def test_whenever_a_save_is_killed_a_checkpoint_is_there(tmp_path):
    rng = np.random.RandomState(int.from_bytes(os.urandom(4), sys.byteorder))
    for _ in range(3):
        with Marked(f"test_checkpoints.save_for_ever({str(tmp_path)!r})") as marked:
            marked.wait_for("saving")
            time.sleep(rng.uniform(0, 0.3))
            marked.process.send_signal(signal.SIGKILL)
            marked.process.wait()
        agent = make_agent(seed=1)
        state = load_checkpoint(str(tmp_path), agent)
        t = state["t"]
        assert t >= 2 and state["again"] == agent.n_updates == t
        assert np.array_equal(agent.policy.log_std.array, np.full(1, t, "f"))
        assert (tmp_path / "scores.txt").read_text().splitlines()[-1] == str(t)
        assert not np.array_equal(theta(agent), theta(make_agent(seed=1)))
        shutil.rmtree(tmp_path / "checkpoints")
        (tmp_path / "scores.txt").unlink()
