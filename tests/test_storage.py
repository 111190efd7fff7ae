"""An agent's folder: what is refused, and that a refusal changes nothing."""

import json
import shutil
import zipfile

from chainertrpo.data import BadFileError, read_npz

import chainer
import numpy as np
import pytest
from protocol import drive, theta
from test_agents import make_agent
from worlds import Point


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
