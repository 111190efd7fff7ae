"""Files: written whole or not at all, and read with suspicion."""

import contextlib
import io
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
import zipfile

from chainertrpo.data import (
    BadFileError,
    files,
    read_json,
    read_npz,
    write_atomically,
    write_json,
    write_npz,
)

import numpy as np
import pytest

ARRAYS = {
    "policy/mlp/0/W": np.arange(12, dtype="f").reshape(3, 4),
    "policy/mlp/0/b": np.array([-0.0, 1e-45, 3e38], "f"),
    "normalizer/_mean": np.linspace(0, 1, 5),
    "t": np.array(7),
    "name": np.array("trpo"),
    "done": np.array([True, False]),
}
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and modes")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.npz"


def assert_same(found, want):
    assert sorted(found) == sorted(want)
    for name, array in want.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def refuses(path, match=None, like=None):
    """Refused, for this reason, with the file's name; nothing else escapes."""
    with pytest.raises(BadFileError, match=match) as caught:
        read_npz(path, like)
    assert str(path) in str(caught.value)


# Round trips


def test_what_was_written_is_read_bit_for_bit(path):
    write_npz(path, ARRAYS)
    assert_same(read_npz(path), ARRAYS)
    assert_same(read_npz(path, ARRAYS), ARRAYS)
    assert_same(read_npz(str(path)), ARRAYS)
    with np.load(path, allow_pickle=False) as other:
        assert_same(dict(other), ARRAYS)


def test_the_same_arrays_make_the_same_bytes(path, monkeypatch):
    """In whatever order they come, and whatever the time."""
    write_npz(path, ARRAYS)
    first = path.read_bytes()
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_npz(path, dict(reversed(list(ARRAYS.items()))))
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", ["/absolute", "a b", "σ", "file", "allow_pickle", "0"])
def test_any_name_will_do(path, name):
    arrays = {name: np.arange(3.0)}
    write_npz(path, arrays)
    assert_same(read_npz(path, arrays), arrays)


@pytest.mark.parametrize("array", [np.empty((0, 3)), np.ones((2, 3), order="F"), np.e])
def test_empty_transposed_and_scalar_arrays(path, array):
    write_npz(path, {"x": array})
    assert_same(read_npz(path), {"x": np.asarray(array)})


def test_compressed_archives_are_read(path):
    np.savez_compressed(path, x=ARRAYS["t"])
    assert_same(read_npz(path), {"x": ARRAYS["t"]})


def test_json_is_read_as_written(tmp_path):
    value = {"σ": [1, 2.5, None, True, "ü"], "b": {"a": 1e-308, "0": -1}}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value
    assert list(read_json(tmp_path / "x.json")) == ["σ", "b"]
    assert (tmp_path / "x.json").read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a": 1', b"\xff\xfe", b"[" * 100000, b"{'a': 1}"]
)
def test_what_is_not_json_is_refused(tmp_path, data):
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(BadFileError, match=r"x\.json: not readable as JSON"):
        read_json(path)


def test_a_missing_file_is_missing_and_not_bad(tmp_path):
    for read in (read_npz, read_json):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")


# Writing


def test_writing_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "x"
    for data in (b"one", b"", b"three" * 100000):
        write_atomically(path, data)
        assert path.read_bytes() == data
        assert os.listdir(tmp_path) == ["x"]


@posix
def test_files_have_the_mode_of_any_other_file(tmp_path):
    write_atomically(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("ours", "theirs")]
    assert modes[0] == modes[1]


def test_a_name_without_a_folder_is_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("x", b"data")
    assert (tmp_path / "x").read_bytes() == b"data"


@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()])
def test_an_error_while_writing_leaves_the_old_file(tmp_path, monkeypatch, call, error):
    path = tmp_path / "x"
    write_atomically(path, b"old")

    def fail(*args):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(files.os, call, fail)
        with pytest.raises(type(error)):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_folder_that_is_not_there_is_an_error_and_not_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "x", b"")


def test_objects_are_refused_before_anything_is_written(path):
    write_npz(path, {"x": np.ones(1)})
    with pytest.raises(TypeError, match="Python objects in 'y'"):
        write_npz(path, {"x": np.zeros(1), "y": np.array([None])})
    assert read_npz(path)["x"] == 1


# The module alone, so that a victim starts in a tenth of a second.
VICTIM = """
import importlib.util, os, signal, sys
import numpy
spec = importlib.util.spec_from_file_location("files", sys.argv[1])
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)
path, call = sys.argv[2:]
if call:
    setattr(files.os, call, lambda *args: os.kill(os.getpid(), signal.SIGKILL))
print("writing", flush=True)
n = 1
while True:
    n += 1
    files.write_npz(path, {"x": numpy.full(100000, float(n))})
"""


@contextlib.contextmanager
def victim(path, call=""):
    """A process that writes without end; it never outlives the test."""
    command = [sys.executable, "-c", VICTIM, files.__file__, str(path), call]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@posix
@pytest.mark.parametrize("call", ["fsync", "chmod", "replace"])
def test_killed_at_a_system_call_the_old_file_is_there(path, call):
    write_npz(path, {"x": np.full(3, 1.0)})
    before = path.read_bytes()
    with victim(path, call) as process:
        assert process.wait(timeout=20) == -signal.SIGKILL
    assert path.read_bytes() == before
    # What it was writing is beside the file, for whoever looks; and in nobody's way.
    assert [n for n in os.listdir(path.parent) if n.startswith(".writing-")]
    write_npz(path, {"x": np.zeros(1)})


@posix
def test_killed_at_any_time_a_whole_file_is_there(path, rng):
    """Ten kills, at times of no pattern; the file is always some whole version."""
    like = {"x": np.full(100000, 1.0)}
    write_npz(path, like)
    for pause in rng.uniform(0, 0.05, 10):
        with victim(path) as process:
            assert process.stdout.readline() == b"writing\n"
            time.sleep(pause)
        x = read_npz(path, like)["x"]
        assert (x == x[0]).all()


# Reading: pickles


class Payload:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def _object_array(path, payload):
    np.savez(path, x=np.array([payload], dtype=object))


def _bare_pickle(path, payload):
    path.write_bytes(pickle.dumps(payload))


def _bare_npy(path, payload):
    with open(path, "wb") as file:
        np.save(file, np.array([payload], dtype=object))


def _member_pickle(path, payload):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", pickle.dumps(payload))


@pytest.mark.parametrize(
    "store", [_object_array, _bare_pickle, _bare_npy, _member_pickle]
)
def test_pickles_are_refused_and_not_run(tmp_path, path, store):
    mark = tmp_path / "mark"
    store(path, Payload(mark))
    refuses(path, "not a readable .npz of plain arrays")
    refuses(path, "not a readable .npz of plain arrays", like={"x": np.ones(1)})
    assert not mark.exists()


def test_the_payload_would_have_run(tmp_path, path):
    """Else the test above would show nothing."""
    mark = tmp_path / "mark"
    _object_array(path, Payload(mark))
    with np.load(path, allow_pickle=True) as loaded:
        loaded["x"]
    assert mark.exists()


# Reading: damage


@pytest.fixture(params=["stored", "deflated"])
def content(request):
    file = io.BytesIO()
    save = np.savez if request.param == "stored" else np.savez_compressed
    save(file, **ARRAYS)
    return file.getvalue()


def test_a_truncated_file_is_refused_wherever_it_ends(path, content, rng):
    ends = {0, 1, len(content) - 1, *rng.integers(len(content), size=100).tolist()}
    for end in sorted(ends):
        path.write_bytes(content[:end])
        refuses(path)


def test_a_flipped_bit_is_refused_or_harmless(path, content, rng):
    """Harmless are the bits of dates, versions and the like: a third of a small file."""
    refused = 0
    for bit in rng.choice(8 * len(content), 600, replace=False):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert_same(read_npz(path, ARRAYS), ARRAYS)
        except BadFileError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 300


def test_random_bytes_are_refused(path, rng):
    for n in (1, 22, 1000):
        path.write_bytes(rng.bytes(n))
        refuses(path)


def test_folders_are_refused(tmp_path):
    refuses(tmp_path, "not a readable")


HEADER = "{{'descr': {}, 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{",
        "((((",
        "'''",
        "{1: 2, 'a': 3}",
        "{[]: 1}",
        "[" * 3000 + "]" * 3000,
        "__import__('os').mkdir('mark')",
        HEADER.format("'<f4'", "(-1,)"),
        HEADER.format("'<f4'", "(3,)"),
        HEADER.format("'<f4'", f"({10**30},)"),
        HEADER.format("'<f4'", f"({10**14},)"),
        HEADER.format("'|O'", "(2,)"),
        HEADER.format("'nonsense'", "(2,)"),
        HEADER.format("[1, 2]", "(2,)"),
    ],
)
def test_hostile_headers_are_refused(path, header, monkeypatch, tmp_path):
    """Checksums hold here: whoever made the file wanted this header."""
    monkeypatch.chdir(tmp_path)
    text = header.encode() + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(8)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", member)
    refuses(path, "not a readable")
    assert not (tmp_path / "mark").exists()


def test_other_members_are_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.py", "print()")
    refuses(path, "expected only .npy members, got x.py")


# Reading: files of other things


def change(**changes):
    """ARRAYS with some entries replaced, or left out where the value is None."""
    arrays = {**ARRAYS, **{k.replace("_", "/"): v for k, v in changes.items()}}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"t": None}, "Missing: t; not expected: none"),
        ({"u": np.ones(1)}, "Missing: none; not expected: u"),
        ({"t": None, "u": np.ones(1)}, "Missing: t; not expected: u"),
        ({"t": np.array([7])}, r"t of shape \(\), got \(1,\)"),
        ({"done": np.array(True)}, r"done of shape \(2,\), got \(\)"),
        ({"done": np.ones((1, 2), bool)}, r"done of shape \(2,\), got \(1, 2\)"),
        ({"policy_mlp_0_b": np.ones(1, "f")}, r"0/b of shape \(3,\), got \(1,\)"),
        ({"policy_mlp_0_b": np.ones((3, 1), "f")}, r"of shape \(3,\), got \(3, 1\)"),
        ({"policy_mlp_0_b": np.ones(3)}, "0/b of dtype float32, got float64"),
        ({"policy_mlp_0_b": np.ones(3, int)}, "0/b of dtype float32, got int"),
        ({"policy_mlp_0_b": np.ones(3, "F")}, "0/b of dtype float32, got complex64"),
        ({"t": np.array(7.0)}, "t of dtype int64, got float64"),
        ({"t": np.array("7")}, "t of dtype int64, got <U1"),
        ({"policy_mlp_0_b": np.array([0, np.nan, 0], "f")}, "finite.*0/b.*NaN"),
        ({"policy_mlp_0_b": np.array([0, -np.inf, 0], "f")}, "finite.*0/b"),
    ],
)
def test_the_cause_is_named(path, changes, cause):
    write_npz(path, change(**changes))
    read_npz(path)  # a good file, but not the one that was expected
    refuses(path, cause, like=ARRAYS)


def test_smaller_types_of_the_same_kind_are_read(path):
    """A float16 or an int32 is a float32 or an int64 without loss."""
    arrays = change(policy_mlp_0_b=np.ones(3, "e"), t=np.array(7, "i"))
    write_npz(path, arrays)
    assert_same(read_npz(path, ARRAYS), arrays)


def test_json_holds_no_objects(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", {"a": object()})
    assert os.listdir(tmp_path) == []
    write_json(tmp_path / "x.json", [1])
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == [1]
