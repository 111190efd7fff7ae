"""An agent's folder: what is refused, and that a refusal changes nothing."""

import json
import shutil
import zipfile

from chainertrpo import TRPO, EmpiricalNormalization
from chainertrpo.agents import storage
from chainertrpo.agents.storage import NotFiniteError
from chainertrpo.data import BadFileError, read_npz
from chainertrpo.policies import DiagonalGaussian

import chainer
import numpy as np
import pytest
from protocol import drive, theta
from test_agents import make_agent
from worlds import Point, some_paths


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent") / "saved"
    agent = make_agent(update_interval=100)
    drive(agent, Point(), 201)
    agent.save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def refuses(folder, match, error=BadFileError, agent=None):
    agent = agent or make_agent(seed=5)
    before = theta(agent), agent.vf_optimizer.t, agent.obs_normalizer.count.copy()
    with pytest.raises(error, match=match):
        agent.load(folder)
    assert np.array_equal(theta(agent), before[0])
    assert (agent.vf_optimizer.t, agent.obs_normalizer.count) == before[1:]


def rewrite(path, change):
    """Change the arrays of a file, and make the checksum fit."""
    arrays = read_npz(path)
    change(arrays)
    np.savez(path, **arrays)
    fix_checksum(path)


def fix_checksum(path):
    import hashlib

    manifest = json.loads((path.parent / "agent.json").read_text())
    manifest["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (path.parent / "agent.json").write_text(json.dumps(manifest))


def test_the_files_are_those_of_chainerrl(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "agent.json",
        "obs_normalizer.npz",
        "policy.npz",
        "vf.npz",
        "vf_optimizer.npz",
    ]
    agent = make_agent(seed=9)
    chainer.serializers.load_npz(folder / "policy.npz", agent.policy)
    with np.load(folder / "policy.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["mlp/0/W"], agent.policy.mlp[0].W.array)


def test_before_the_first_update(tmp_path):
    """The optimiser has no state yet; Chainer would save None as a pickle."""
    make_agent().save(tmp_path / "new")
    make_agent(seed=3).load(tmp_path / "new")


def test_missing_things(folder, tmp_path):
    refuses(tmp_path / "nowhere", "expected a saved agent", FileNotFoundError)
    (folder / "vf.npz").unlink()
    refuses(folder, "vf.npz", FileNotFoundError)


def test_a_mixture_of_two_saves(folder):
    rewritten = read_npz(folder / "policy.npz")
    rewritten["mlp/0/b"] += 1
    np.savez(folder / "policy.npz", **rewritten)
    refuses(folder, "SHA-256")


def test_another_model(folder):
    refuses(folder, "other sizes|another model", agent=make_agent(True))
    wide = make_agent()
    wide.policy.mlp[0].W.array = np.zeros((9, 2), np.float32)
    refuses(folder, r"mlp/0/W of shape \(9, 2\), got \(8, 2\)", agent=wide)


def test_an_agent_without_normalizer(folder):
    agent = make_agent(normalize=False)
    with pytest.raises(BadFileError, match="obs_normalizer.npz"):
        agent.load(folder)


def test_values_that_are_not_finite(folder):
    rewrite(folder / "policy.npz", lambda a: a["mlp/0/b"].fill(np.nan))
    refuses(folder, "finite numbers in mlp/0/b")


def test_shapes_that_would_broadcast(folder):
    rewrite(folder / "policy.npz", lambda a: a.update({"mlp/0/b": np.zeros(1, "f")}))
    refuses(folder, r"mlp/0/b of shape \(8,\), got \(1,\)")


def test_a_pickle_is_not_run(folder, tmp_path):
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    arrays = read_npz(folder / "policy.npz")
    arrays["mlp/0/W"] = np.array([Payload()], dtype=object)
    np.savez(folder / "policy.npz", **arrays)  # NumPy pickles the object
    fix_checksum(folder / "policy.npz")
    refuses(folder, "policy.npz")
    assert not marker.exists()


def test_every_damaged_byte_is_noticed(folder):
    path = folder / "vf.npz"
    good = path.read_bytes()
    rng = np.random.RandomState(0)
    for offset in rng.randint(0, len(good), 60):
        bad = bytearray(good)
        bad[offset] ^= 1 << rng.randint(8)
        path.write_bytes(bytes(bad))
        refuses(folder, "vf.npz")
        path.write_bytes(good[:offset])
        refuses(folder, "vf.npz")


def test_a_manifest_that_is_not_one(folder):
    for text in ("", "{", "[]", '{"format": 2, "sha256": {}}', "null", "[" * 10**5):
        (folder / "agent.json").write_text(text)
        refuses(folder, "agent.json")


def test_something_else_in_the_archive(folder):
    with zipfile.ZipFile(folder / "vf.npz", "a") as archive:
        archive.writestr("../evil.txt", "x")
    fix_checksum(folder / "vf.npz")
    refuses(folder, "only .npy members")


# Whole, and finite


def listing(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("name", ["policy", "vf", "vf_optimizer", "obs_normalizer"])
def test_what_is_not_finite_is_not_saved(folder, name):
    before = listing(folder)
    agent = make_agent(seed=5)
    agent.load(folder)
    if name == "vf_optimizer":
        next(agent.vf.params()).update_rule.state["m"][...] = np.nan
    elif name == "obs_normalizer":
        agent.obs_normalizer._mean[...] = np.inf
    else:
        next(getattr(agent, name).params()).array[...] = np.nan
    with pytest.raises(NotFiniteError, match=f"in {name}'s "):
        agent.save(folder)
    assert listing(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_policy_that_has_become_nan_stops_the_run(tmp_path):
    """The last good checkpoint is named, and stays what it was."""
    agent = make_agent(update_interval=100)

    def improve(policy, batch, optimizer, rng):
        if agent.n_updates == 4:
            next(policy.params()).array[...] = np.nan
        return agent.POLICY_STEP(policy, batch, optimizer, rng)

    agent.policy_step = improve
    with pytest.raises(NotFiniteError, match="finite parameters.*policy's /"):
        drive(agent, Point(), 1000)


def test_other_files_in_the_folder_stay(folder):
    (folder / "notes.md").write_text("mine")
    agent = make_agent(seed=5)
    agent.save(folder)
    assert (folder / "notes.md").read_text() == "mine"
    other = make_agent(seed=6)
    other.load(folder)
    assert np.array_equal(theta(other), theta(agent))


@pytest.mark.parametrize("call", ["mkdir", "rename", "replace"])
def test_an_error_while_saving_leaves_the_old_agent(folder, monkeypatch, call):
    before = listing(folder)

    def fail(*args):
        if str(args[0]).endswith(("saved", "copy")) or "writing" in str(args[0]):
            raise OSError("no space left on device")
        return real(*args)

    real = getattr(storage.os, call)
    with monkeypatch.context() as patch:
        patch.setattr(storage.os, call, fail)
        with pytest.raises(OSError, match="no space"):
            make_agent(seed=5).save(folder)
    assert listing(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_kill_between_two_renames(folder):
    """The old folder has made room, the new one has not come yet: the old one is read."""
    agent = make_agent(seed=5)
    agent.load(folder)
    folder.rename(folder.parent / f".{folder.name}.previous")
    other = make_agent(seed=6)
    other.load(folder)
    assert np.array_equal(theta(other), theta(agent))
    other.save(folder)
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


# Networks that have not been called


def lazy(seed=0, width=8, n_out=1, called=False):
    """TRPO as ChainerRL's users build it, sizes of inputs left out."""
    links, functions = chainer.links, chainer.functions
    np.random.seed(seed)  # noqa: NPY002 (Chainer's initialisers draw from it)
    policy = chainer.Sequential(
        links.Linear(None, width),
        functions.tanh,
        links.Linear(None, n_out),
        GaussianHead(n_out),
    )
    vf = chainer.Sequential(
        links.Linear(None, width), functions.tanh, links.Linear(None, 1, nobias=True)
    )
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(policy, vf, optimizer, EmpiricalNormalization(2), seed=seed)
    if called:
        agent.act(np.zeros(2, "f"))
        vf(np.zeros((1, 2), "f"))
    return agent


class GaussianHead(chainer.Link):
    def __init__(self, n):
        super().__init__()
        with self.init_scope():
            self.log_std = chainer.Parameter(0, (n,))

    def forward(self, mean):
        log_std = chainer.functions.broadcast_to(self.log_std, mean.shape)
        return DiagonalGaussian(mean, log_std)


def test_networks_that_were_never_called(tmp_path):
    agent = lazy(called=True)
    agent.update_interval = 100
    drive(agent, Point(), 201)
    agent.save(tmp_path / "saved")
    other = lazy(seed=1)
    other.load(tmp_path / "saved")
    for name, x in agent._saved().items():
        ours, theirs = (storage.arrays_of(y) for y in (x, other._saved()[name]))
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    obs = np.ones(2, "f")
    agent.act_deterministically = other.act_deterministically = True
    assert np.array_equal(agent.act(obs), other.act(obs))
    for one in (agent, other):  # the optimiser's state is there too
        one.update(some_paths())
    assert np.array_equal(theta(agent), theta(other))


@pytest.mark.parametrize("wrong", [{"width": 9}, {"n_out": 2}])
def test_wrong_shapes_change_nothing_of_them(tmp_path, wrong):
    lazy(called=True).save(tmp_path / "saved")
    other = lazy(seed=1, **wrong)
    with pytest.raises(BadFileError, match="expected .* of"):
        other.load(tmp_path / "saved")
    uninitialized = [p for p in other.policy.params() if not p.is_initialized]
    assert len(uninitialized) == 2
    assert len(other.act(np.zeros(2, "f"))) == wrong.get("n_out", 1)  # still usable


def test_saving_networks_that_were_never_called(tmp_path):
    with pytest.raises(ValueError, match="called once, got /0/W without a shape"):
        lazy().save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
