"""SIGKILL at random moments of saving: whatever is there afterwards can be loaded.

python tests/kills.py 200     # kills of each kind of saving
"""

import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from chainertrpo.comparison import read_rows
from chainertrpo.comparison.report import markdown_report
from chainertrpo.comparison.table import TRAINING, Row, write_rows
from chainertrpo.data import read_demonstrations, write_demonstrations
from chainertrpo.data.files import write_atomically
from chainertrpo.experiments import draw_learning_curve
from chainertrpo.experiments.checkpoints import load_checkpoint, save_checkpoint

import numpy as np
from mutations import demonstrations
from test_agents import make_agent


def numbered(agent, n):
    agent.n_updates = n
    agent.policy.log_std.array[...] = n % 100
    agent.vf.mlp[0].b.array[...] = n % 100


def check_agent(folder):
    agent = make_agent(seed=1)
    agent.load(folder)
    sizes = {float(agent.policy.log_std.array[0]), float(agent.vf.mlp[0].b.array[0])}
    assert len(sizes) == 1, "parts of two saves"


def save_checkpoints(folder, agent, n):
    numbered(agent, n)
    arrays = {"n": np.array(n)}
    save_checkpoint(str(folder), n, agent, {"again": n}, arrays=arrays)


def check_checkpoint(folder):
    agent = make_agent(seed=1)
    state = load_checkpoint(str(folder), agent)
    assert state["t"] == state["again"] == agent.n_updates == state["arrays"]["n"]


def save_best(folder, agent, n):
    numbered(agent, n)
    agent.save(folder / "best")


def save_finish(folder, agent, n):
    numbered(agent, n)
    agent.save(folder / f"{n}_finish")


def check_finish(folder):
    for path in folder.glob("*_finish"):
        check_agent(path)
        shutil.rmtree(path)


def save_recording(folder, agent, n):
    write_demonstrations(folder / "demos.npz", demonstrations())


def check_recording(folder):
    assert read_demonstrations(folder / "demos.npz").lengths == [6, 9]


def save_curve(folder, agent, n):
    (folder / "config.json").write_text("{}") if n == 1 else None
    (folder / "scores.txt").write_text("steps\tmean\tstdev\n") if n == 1 else None
    draw_learning_curve(str(folder))


def check_curve(folder):
    data = (folder / "learning_curve.png").read_bytes()
    assert data[:4] == b"\x89PNG" and data[-8:-4] == b"IEND"


def scores(n):
    # As many rows in every save, so that parts of two would be told by their numbers.
    one = Row("pfrl", "1", "a", "CartPole-v1", 0, TRAINING, 1, 1.0, 10, float(n), 0.0)
    return [one._replace(seed=i) for i in range(200)]


def save_comparison(folder, agent, n):
    rows = scores(n)
    write_rows(folder / "evaluations.csv", rows)
    text = markdown_report(rows).encode()
    write_atomically(folder / "table.md", text)


def check_comparison(folder):
    rows = read_rows(folder / "evaluations.csv")
    assert rows == scores(rows[0].mean)
    assert (folder / "table.md").read_text().endswith("- pfrl: 1\n")


KINDS = {
    "checkpoint": (save_checkpoints, check_checkpoint),
    "best": (save_best, lambda folder: check_agent(folder / "best")),
    "finish": (save_finish, check_finish),
    "recording": (save_recording, check_recording),
    "curve": (save_curve, check_curve),
    "comparison": (save_comparison, check_comparison),
}


def kill_while(save, folder, agent, first):
    """Have a child save without end, and kill it at a random moment."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            n = first
            while True:
                n += 1
                save(folder, agent, n)
                if n == first + 1:
                    os.write(write, b".")
        finally:
            os._exit(1)
    os.close(write)
    assert os.read(read, 1) == b"."  # there is one whole
    os.close(read)
    time.sleep(random.uniform(0, 0.06))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    kinds = sys.argv[2:] or list(KINDS)
    bad = 0
    for kind in kinds:
        save, check = KINDS[kind]
        unreadable = []
        with tempfile.TemporaryDirectory() as name:
            folder, agent = pathlib.Path(name), make_agent()
            for i in range(n):
                kill_while(save, folder, agent, 1000 * i if kind != "curve" else 0)
                try:
                    check(folder)
                except Exception as error:
                    unreadable.append(f"{type(error).__name__}: {error}")
        bad += len(unreadable)
        print(json.dumps({"saving": kind, "kills": n, "unreadable": len(unreadable)}))
        print("\n".join(unreadable[:3]), end="")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
