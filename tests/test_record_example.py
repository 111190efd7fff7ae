"""examples/record_demonstrations.py as a user runs it."""

import itertools
import sys

from chainertrpo.data import read_demonstrations, write_demonstrations
from chainertrpo.data.demonstrations import kind_of
from chainertrpo.experiments import make_env
from chainertrpo.experiments.recording import record_episodes
from chainertrpo.program import record

import numpy as np
import pytest
from test_examples import TRAIN, run
from test_foreign import same

RECORD = "examples/record_demonstrations.py"


def test_record_inspect_and_look_after(tmp_path):
    flags = ["--env", "CartPole-v1", "--steps", 600, "--trpo-update-interval", 300]
    run(TRAIN, *flags, "--workers", 0, "--outdir", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    agent = ["agent", "--load", folder / "600_finish", "--episodes", 3]
    assert "3 episodes" in run(RECORD, *agent, one).stdout
    run(RECORD, *agent, "--fixed-horizon", 40, two)
    out = run(RECORD, "inspect", two, cold=True).stdout
    assert "CartPole-v1" in out and out.count("time limit") == 3 and "actions" in out
    out = run(RECORD, "replay", one, "--check").stdout
    assert out.count("equal") == 3
    assert run(RECORD, "replay", two, "--check").stdout.count("equal") == 3
    done = run(RECORD, "inspect", tmp_path / "nowhere.npz", code=1)
    assert "Traceback" not in done.stderr
    done = run(RECORD, "keyboard", "--env", "Hopper-v4", tmp_path / "k.npz", code=1)
    assert "error: " in done.stderr and "Traceback" not in done.stderr


@pytest.fixture
def cli(monkeypatch, tmp_path):
    """Run it in this process: what it exits with, its errors being one line."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.chdir(tmp_path)

    def call(*args):
        try:
            record.main([*map(str, args)])
        except SystemExit as end:
            assert isinstance(end.code, int) or "\n" not in end.code
            return end.code
        return 0

    return call


@pytest.fixture
def demos(tmp_path):
    """Record a.npz: three episodes of about ten steps, and return it."""
    env = make_env("CartPole-v1")
    made = record_episodes(env, lambda obs: int(obs[0] < 0), 3, seed=1)
    write_demonstrations(tmp_path / "a.npz", made)
    return made


def equal(one, two):
    return all(np.array_equal(x, y) for x, y in zip(one, two))


def test_merge_drop_and_subsample(cli, demos, capsys):
    assert cli("merge", "a.npz", "a.npz", "b.npz") == 0
    both = read_demonstrations("b.npz")
    assert all(map(equal, both.episodes, [*demos.episodes, *demos.episodes]))
    capsys.readouterr()
    assert cli("inspect", "b.npz") == 0
    out = capsys.readouterr().out
    for i in range(3):
        assert f"Episode {i + 3} is the same as episode {i}." in out
    assert f"{2 * sum(demos.lengths)} steps" in out
    assert cli("replay", "b.npz", "--check") == 0
    assert cli("merge", "a.npz", "a.npz", "w.npz", "--weights", 1, 3) == 0
    assert {e.weight for e in read_demonstrations("w.npz").episodes} == {1.0, 3.0}
    assert cli("drop", "b.npz", "c.npz", "--episodes", 0, 4) == 0
    assert "dropped      0, 4" in capsys.readouterr().out
    left = read_demonstrations("c.npz").episodes
    assert all(map(equal, left, [both.episodes[i] for i in (1, 2, 3, 5)]))
    limit = sorted(demos.returns)[1]
    assert cli("drop", "a.npz", "d.npz", "--return-below", limit) == 0
    assert min(read_demonstrations("d.npz").returns) == limit
    assert cli("subsample", "a.npz", "e.npz", "--every", 4) == 0
    for few, whole in zip(read_demonstrations("e.npz").episodes, demos.episodes):
        (at,) = np.nonzero(few.kept)
        assert (np.diff(at) == 4).all() and equal(few[:6], whole[:6])


def test_nothing_is_lost_by_mistake(cli, demos, tmp_path):
    before = (tmp_path / "a.npz").read_bytes()
    for args in (
        ["merge", "b.npz", "a.npz"],
        ["drop", "a.npz", "a.npz", "--episodes", 0],
        ["subsample", "a.npz", "a.npz"],
        ["keyboard", "--env", "CartPole-v1", "a.npz"],
    ):
        assert "a.npz exists. Give another name, or --overwrite" in cli(*args)
    assert (tmp_path / "a.npz").read_bytes() == before
    assert "folder to write to" in cli("keyboard", "--env", "CartPole", "no/b.npz")
    assert "output FILE.npz" in cli("merge", "a.npz", "b.h5")
    assert "neither" in cli("drop", "a.npz", "b.npz")
    message = cli("drop", "a.npz", "b.npz", "--episodes", 3)
    assert "episodes in 0 … 2, got [3]" in message
    message = cli("drop", "a.npz", "b.npz", "--return-below", 1e9)
    assert "at least one episode" in message
    assert f"{max(demos.returns):.2f}" in message
    other = record_episodes(make_env("MountainCar-v0"), lambda obs: 1, 1)
    write_demonstrations("car.npz", other)
    assert "car.npz: expected demonstrations of C" in cli(
        "merge", "a.npz", "car.npz", "b.npz"
    )
    assert not (tmp_path / "b.npz").exists()
    assert cli("drop", "a.npz", "a.npz", "--episodes", 0, "--overwrite") == 0
    assert len(read_demonstrations("a.npz").episodes) == 2


@pytest.mark.filterwarnings("ignore")
def test_keyboard(cli, capsys, monkeypatch):
    pygame = pytest.importorskip("pygame")
    keys = itertools.cycle([pygame.K_LEFT, pygame.K_RETURN])

    def person(timeout):
        return pygame.event.Event(pygame.KEYDOWN, key=next(keys))

    monkeypatch.setattr(pygame.event, "wait", person)
    flags = ["--env", "CartPole", "--episodes", 2, "--seed", 7, "--fps", 1000]
    assert cli("keyboard", *flags, "k.npz") == 0
    out = capsys.readouterr().out
    assert "keys of CartPole-v1: left or a: push left, right or d: push right" in out
    made = read_demonstrations("k.npz")
    assert [e.seed for e in made.episodes] == [7, 8]
    assert not any(e.action.any() for e in made.episodes)
    assert cli("replay", "k.npz", "--check") == 0


@pytest.mark.filterwarnings("ignore")
def test_replay_as_a_video(cli, demos, capsys):
    pytest.importorskip("pygame")
    Image = pytest.importorskip("PIL.Image")
    assert cli("replay", "a.npz", "--video", "a.gif") == 0
    n = sum(length + 1 for length in demos.lengths)
    assert f"a.gif: {n} frames" in capsys.readouterr().out
    with Image.open("a.gif") as gif:
        assert gif.n_frames == n and gif.size == (600, 400)
        assert gif.info["duration"] == 20  # CartPole makes 50 steps a second
    assert "No such file" in cli("replay", "a.npz", "--video", "no/a.gif")


@pytest.mark.filterwarnings("ignore")
def test_replay_in_a_window(cli, demos, capsys, monkeypatch):
    pygame = pytest.importorskip("pygame")
    assert cli("replay", "a.npz") == 0
    assert capsys.readouterr().out.count("observations equal") == 3
    flips, flip = [], pygame.display.flip

    def close():
        flip()
        flips.append(pygame.display.get_surface().get_size())
        if len(flips) == 5:
            pygame.event.post(pygame.event.Event(pygame.QUIT))

    monkeypatch.setattr(pygame.display, "flip", close)
    assert cli("replay", "a.npz") == 0
    assert flips == [(600, 400)] * 5
    assert "window was closed" in capsys.readouterr().out


def test_replay_tells_what_differs(cli, demos, capsys, tmp_path):
    assert cli("replay", "a.npz", "--check") == 0
    demos.episodes[2].obs[4, 1] += 1e-6
    write_demonstrations("b.npz", demos)
    capsys.readouterr()
    assert cli("replay", "b.npz", "--check") == 1
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == [
        "equal",
        "equal",
        "DIFFER",
    ]
    data = bytearray((tmp_path / "a.npz").read_bytes())
    at = data.find(demos.episodes[0].obs.tobytes())
    data[at + 5] ^= 1
    (tmp_path / "b.npz").write_bytes(data)
    assert "b.npz: " in cli("replay", "b.npz", "--check")


def foreign_files(demos):
    """Write the files of others as they write them."""
    n = min(demos.lengths)
    obs, action, reward = (
        np.stack([getattr(e, k)[:n] for e in demos.episodes])
        for k in ("obs", "action", "reward")
    )
    np.savez("baselines.npz", obs=obs, acs=action, rews=reward, ep_rets=reward.sum(1))
    obs, action = demos.pairs()
    starts = np.zeros(len(obs), bool)
    starts[np.cumsum([0, *demos.lengths[:-1]])] = True
    np.savez(
        "stable.npz",
        obs=obs,
        actions=action[:, None],
        rewards=np.ones(len(obs)),
        episode_returns=np.array(demos.returns),
        episode_starts=starts,
    )
    return n


def test_convert_files_of_others(cli, demos):
    n = foreign_files(demos)
    to = ["--env", "CartPole"]
    assert cli("convert", "baselines.npz", "b.npz", *to) == 0
    same(read_demonstrations("b.npz"), [n] * 3, demos)
    assert cli("convert", "stable.npz", "s.npz", *to) == 0
    same(read_demonstrations("s.npz"), demos.lengths, demos)
    assert read_demonstrations("s.npz").environment["id"] == "CartPole-v1"
    assert cli("inspect", "s.npz") == 0
    assert "without the seed" in cli("replay", "s.npz", "--check").lower()
    assert cli("convert", "a.npz", "t.npz") == 0
    assert all(map(equal, read_demonstrations("t.npz").episodes, demos.episodes))


def test_convert_from_hdf5(cli, demos, monkeypatch):
    h5py = pytest.importorskip("h5py")
    with h5py.File("i.h5", "w") as file:
        longest = max(demos.lengths)
        obs, action = np.zeros((3, longest, 4)), np.zeros((3, longest, 1))
        reward = np.zeros((3, longest))
        for i, e in enumerate(demos.episodes):
            n = len(e.reward)
            obs[i, :n], action[i, :n, 0], reward[i, :n] = e.obs[:-1], e.action, e.reward
        file["obs_B_T_Do"], file["a_B_T_Da"] = obs, action
        file["r_B_T"], file["len_B"] = reward, np.array(demos.lengths)
    assert cli("convert", "i.h5", "i.npz", "--env", "CartPole-v1") == 0
    same(read_demonstrations("i.npz"), demos.lengths, demos)
    monkeypatch.setitem(sys.modules, "h5py", None)
    message = cli("convert", "i.h5", "j.npz", "--env", "CartPole-v1")
    assert "pip install 'chainertrpo[demos]'" in message


@pytest.mark.filterwarnings("ignore")
def test_convert_to_and_from_minari(cli, demos):
    minari = pytest.importorskip("minari")
    assert cli("convert", "a.npz", "minari:cartpole/mine-v0") == 0
    whole = minari.load_dataset("cartpole/mine-v0")
    assert whole.env_spec.id == "CartPole-v1"
    assert [len(e) for e in whole.iterate_episodes()] == demos.lengths
    assert cli("convert", "minari:cartpole/mine-v0", "m.npz") == 0
    again = read_demonstrations("m.npz")
    assert all(map(equal, again.episodes, demos.episodes))
    assert cli("replay", "m.npz", "--check") == 0
    assert "already exists" in cli("convert", "a.npz", "minari:cartpole/mine-v0")
    message = cli("convert", "minari:cartpole/mine-v0", "n.npz", "--env", "Acrobot")
    assert "expected demonstrations of Acrobot-v1, got some of CartPole-v1" in message
    message = cli("convert", "minari:cartpole/none-v0", "n.npz")
    assert "'cartpole/none-v0'" in message and "minari download" in message
    for args in (["minari:bad", "n.npz"], ["a.npz", "minari:bad"]):
        assert "such as cartpole/mine-v0, got 'bad'" in cli("convert", *args)
    assert sorted(minari.list_local_datasets()) == ["cartpole/mine-v0"]


def test_convert_says_what_it_expected(cli, demos, monkeypatch, tmp_path):
    foreign_files(demos)
    assert "--env ID" in cli("convert", "stable.npz", "b.npz")
    message = cli("convert", "stable.npz", "b.npz", "--env", "Acrobot-v1")
    assert "of shape" in message and "another environment" in message
    message = cli("convert", "a.npz", "b.npz", "--env", "Acrobot-v1")
    assert "expected demonstrations of Acrobot-v1, got some of CartPole-v1" in message
    monkeypatch.setitem(sys.modules, "minari", None)
    for args in (["minari:x-v0", "b.npz"], ["a.npz", "minari:x-v0"]):
        assert "pip install 'chainertrpo[demos]'" in cli("convert", *args)
    np.savez("n.npz", observations=np.zeros(3))
    (tmp_path / "p.pkl").write_bytes(b"\x80\x04K\x01.")
    (tmp_path / "t.csv").write_text("obs,act\n")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "n.npz").read_bytes()[:-40])
    for name, said in (
        ("n.npz", "an .npz of ['observations']"),
        ("p.pkl", "a pickle, which could run code"),
        ("cut.npz", "an .npz that is cut or damaged"),
        ("t.csv", "a file that begins with b'obs,act"),
        (".", "a folder"),
    ):
        message = cli("convert", name, "b.npz", "--env", "CartPole-v1")
        assert f"{name}: expected chainertrpo's .npz, Baselines'" in message
        assert said in message
    assert "No such file" in cli("convert", "no.npz", "b.npz", "--env", "CartPole-v1")
    assert "convert it" in cli("merge", "a.npz", "minari:x-v0")
    assert not (tmp_path / "b.npz").exists()
    assert kind_of("a.npz") == "chainertrpo"


def test_a_missing_box2d_is_named(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "Box2D", None)
    for module in [name for name in sys.modules if ".envs.box2d" in name]:
        monkeypatch.delitem(sys.modules, module)
    message = cli("keyboard", "--env", "LunarLander", "b.npz")
    assert "pip install 'chainertrpo[box2d]'" in message
