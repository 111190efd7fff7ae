"""Files that are wrong in any way: seeded mutations of good ones, for every reader.

    python tests/mutations.py 10000     # of each reader; a few minutes

A reader may raise BadFileError, or read what it is given; nothing else.  Memory may grow
by 300 MB.
"""

import json
import os
import pathlib
import resource
import sys
import tempfile
import warnings

from chainertrpo.agents import load_chainerrl
from chainertrpo.data import BadFileError, read_json, read_npz, write_json, write_npz
from chainertrpo.data.demonstrations import (
    Demonstrations,
    Episode,
    environment_header,
    kind_of,
    read_any,
    write_demonstrations,
)
from chainertrpo.experiments import draw_learning_curve, read_table
from chainertrpo.experiments.checkpoints import load_checkpoint, save_checkpoint

import numpy as np

SNIPPETS = [
    b"\0" * 8,
    b"\xff" * 4,
    b"\xff" * 8,
    b"NaN",
    b"-1",
    b"1e999",
    b"null",
    b"[" * 50,
    b'"',
    b"\n",
    b"\t",
    b"PK\x03\x04",
    b"\x80\x04.",
    b"'descr': '|O'",
    "ü".encode("latin-1"),
]


def mutate(data, rng):
    """One to four changes of some bytes: flipped, cut, put in, doubled, swapped."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        kind, n = rng.integers(7), len(data)
        at = int(rng.integers(n + 1))
        end = min(n, at + int(rng.integers(1, 65)))
        if kind == 0 and at < n:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = SNIPPETS[rng.integers(len(SNIPPETS))]
        elif kind == 4:
            snippet = SNIPPETS[rng.integers(len(SNIPPETS))]
            data[at : at + len(snippet)] = snippet
        elif kind == 5:
            data[at:at] = data[at:end]
        elif n:
            other = int(rng.integers(n))
            data[at:end], data[other : other + end - at] = (
                data[other : other + end - at],
                data[at:end],
            )
    return bytes(data)


class Box:
    shape, low, high = (3,), [-1] * 3, [1] * 3


class Two:
    n = 2


class World:
    observation_space, action_space, id = Box, Two, "CartPole-v1"


HEADER = environment_header(World)


def demonstrations():
    rng = np.random.default_rng(0)
    return Demonstrations(
        [
            Episode(
                rng.normal(size=(n + 1, 3)), rng.integers(2, size=n), np.ones(n), 0, 1
            )
            for n in (6, 9)
        ],
        HEADER,
    )


def any_demonstrations(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind_of(path)
        read_any(path, HEADER)


class Readers:
    """Makes one good file of each kind in a folder, and reads what has become of it."""

    def __init__(self, folder):
        from test_agents import make_agent
        from worlds import some_paths

        self.folder = pathlib.Path(folder)
        self.agent, self.other = make_agent(), make_agent(seed=1)
        self.agent.update(some_paths())
        self.agent.save(self.folder / "agent")
        save_checkpoint(
            str(self.folder), 5, self.agent, {"x": 1}, arrays={"a": np.ones(3)}
        )
        self.kinds = {
            "npz": (self.npz, read_npz),
            "json": (lambda p: write_json(p, {"a": [1, 2.5, None]}), read_json),
            "table": (self.table, read_table),
            "demonstrations": (
                lambda p: write_demonstrations(p, demonstrations()),
                any_demonstrations,
            ),
            "baselines": (self.baselines, any_demonstrations),
            "stable-baselines": (self.stable_baselines, any_demonstrations),
            "hdf5": (self.hdf5, any_demonstrations),
            "agent": (self.copy("agent/policy.npz"), self.load_agent),
            "agent.json": (self.copy("agent/agent.json"), self.load_agent),
            "chainerrl": (self.copy("agent/policy.npz"), self.load_chainerrl),
            "checkpoint": (self.copy("checkpoints/5/state.json"), self.load_checkpoint),
            "collection": (
                self.copy("checkpoints/5/collection.npz"),
                self.load_checkpoint,
            ),
            "config": (
                lambda p: write_json(p, {"env": "x", "agent": "TRPO"}),
                self.curve,
            ),
        }

    def npz(self, path):
        write_npz(
            path, {"a": np.ones((3, 2)), "b": np.array("text"), "c": np.arange(4)}
        )

    def table(self, path):
        path.write_text("steps\tmean\n1\t2.5\n2\t-3\n")

    def baselines(self, path):
        obs, acs = np.ones((2, 4, 3)), np.eye(2)[np.ones((2, 4), int)]
        np.savez(path, obs=obs, acs=acs, rews=np.ones((2, 4)), lens=np.array([4, 3]))

    def stable_baselines(self, path):
        starts = np.array([1, 0, 0, 1, 0, 0], bool)
        rows = {"obs": np.ones((6, 3)), "actions": np.ones((6, 1), int)}
        np.savez(path, **rows, rewards=np.ones(6), episode_starts=starts)

    def hdf5(self, path):
        import h5py

        with h5py.File(path, "w") as file:
            file["obs_B_T_Do"], file["a_B_T_Da"] = (
                np.ones((2, 4, 3)),
                np.ones((2, 4, 1)),
            )
            file["r_B_T"], file["len_B"] = np.ones((2, 4)), np.array([4, 3])

    def copy(self, name):
        good = (self.folder / name).read_bytes()
        self.targets = getattr(self, "targets", {})

        def make(path):
            path.write_bytes(good)
            self.target = self.folder / name, good

        return make

    def _put(self, path):
        self.target[0].write_bytes(path.read_bytes())

    def _restore(self):
        self.target[0].write_bytes(self.target[1])

    def load_agent(self, path):
        self._put(path)
        try:
            self.other.load(self.folder / "agent")
        finally:
            self._restore()

    def load_chainerrl(self, path):
        self._put(path)
        os.rename(self.folder / "agent/agent.json", self.folder / "agent.json")
        try:
            load_chainerrl(self.other, self.folder / "agent")
        finally:
            os.rename(self.folder / "agent.json", self.folder / "agent/agent.json")
            self._restore()

    def load_checkpoint(self, path):
        self._put(path)
        try:
            load_checkpoint(str(self.folder), self.other)
        finally:
            self._restore()

    def curve(self, path):
        folder = self.folder / "curve"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_bytes(path.read_bytes())
        (folder / "scores.txt").write_text("steps\tmean\tstdev\n")
        try:
            draw_learning_curve(str(folder))
        except FileNotFoundError as error:
            raise AssertionError from error

    def try_out(self, kind, n, seed=0):
        """Mutate and read n times; return how many were refused, and what escaped."""
        write, read = self.kinds[kind]
        path = self.folder / f"good-{kind}.npz"
        write(path)
        good, rng = path.read_bytes(), np.random.default_rng(seed)
        read(path)  # the good one is read
        refused, escaped = 0, []
        for i in range(n):
            path.write_bytes(mutate(good, rng))
            try:
                read(path)
            except BadFileError as error:
                refused += 1
                if "Traceback" in str(error) or len(str(error)) > 3000:
                    escaped.append((i, f"a message of {len(str(error))} characters"))
            except Exception as error:
                escaped.append((i, f"{type(error).__name__}: {error}"))
        return refused, escaped


def memory():
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        readers, before = Readers(folder), memory()
        for kind in readers.kinds:
            count = n if kind != "config" else max(1, n // 100)  # each draws a picture
            refused, escaped = readers.try_out(kind, count)
            bad += len(escaped)
            grown = memory() - before
            about = {"reader": kind, "mutations": count, "refused": refused}
            print(json.dumps({**about, "escaped": len(escaped), "MB": round(grown)}))
            for i, what in escaped[:5]:
                print(f"  mutation {i}: {what[:300]}")
    sys.exit(1 if bad or memory() - before > 300 else 0)


if __name__ == "__main__":
    main()
