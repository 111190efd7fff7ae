"""SIGKILL to one of two ranks at random moments: the others end, and the run goes on.

python tests/kill_ranks.py 10     # kills; the run is compared with one never killed
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

from chainertrpo import ranks
from chainertrpo.data import read_npz
from chainertrpo.experiments import train_agent_parallel
from chainertrpo.experiments.checkpoints import newest_checkpoint

from collecting import SeededPoint, point
from processes import Marked
from test_agents import make_agent

MPIEXEC = os.path.join(os.path.dirname(sys.executable), "mpiexec")
STEPS, BATCH = 5060, 100


def on_mpi(size, *arguments):
    """Python with these arguments on so many ranks, marked."""
    argv = [MPIEXEC, "-n", str(size), sys.executable, *map(str, arguments)]
    return Marked("kill_ranks", argv=argv)


def process_of(marked, rank):
    """The number of a rank's own process, whose children do not have its arguments."""
    own = pathlib.Path("/proc", str(marked.process.pid), "cmdline").read_bytes()
    own = own[own.index(sys.executable.encode()) :]  # behind mpiexec's
    for pid in marked.alive():
        try:
            path = pathlib.Path("/proc", str(pid))
            itself = (path / "cmdline").read_bytes() == own
            environment = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if itself and f"PMI_RANK={rank}".encode() in environment:
            return pid
    return None


def run(folder):
    """A run on the ranks of mpiexec that says where it is."""

    def say(env, agent, t):
        if ranks.rank() == 0:
            print(f"step {t}.", flush=True)

    with ranks.joined():
        train_agent_parallel(
            make_agent(update_interval=BATCH),
            point,
            STEPS,
            folder,
            num_envs=2,
            workers=1,
            seed=3,
            eval_env=SeededPoint(seed=9),
            eval_n_episodes=2,
            eval_interval=500,
            checkpoint_interval=2,
            resume=True,
            step_hooks=[say],
        )


def training(folder):
    """Such a run, which goes on where it was."""
    return on_mpi(2, "-c", f"import kill_ranks; kill_ranks.run({str(folder)!r})")


def killed_after(marked, line, rank, seconds=0.0):
    """Kill a rank some time after a line; how long the rest has lived, in seconds."""
    if line:
        marked.wait_for(line)
    time.sleep(seconds)
    pid = process_of(marked, rank)
    if pid is None:
        return None
    os.kill(pid, signal.SIGKILL)
    start = time.monotonic()
    assert marked.nothing_is_left(), "processes are left"
    code, _ = marked.end()
    assert code != 0
    return time.monotonic() - start


def reached(folder):
    path = newest_checkpoint(str(folder))
    return int(os.path.basename(path)) if path else 0


def same_end(folder, other):
    """Whether two runs have ended with the same bits."""
    paths = [pathlib.Path(x, f"{STEPS}_finish") for x in (folder, other)]
    names = sorted(path.name for path in paths[0].glob("*.npz"))
    for name in names:
        found, truth = (read_npz(path / name) for path in paths)
        if any(found[key].tobytes() != truth[key].tobytes() for key in truth):
            return False
    return bool(names)


def finished(folder):
    with training(folder) as marked:
        code, output = marked.end()
    assert code == 0, output


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    kills, slowest, last, lost = [0, 0], 0.0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        never, killed = pathlib.Path(name, "never"), pathlib.Path(name, "killed")
        finished(never)
        same = True
        while sum(kills) < n:
            if reached(killed) == STEPS:
                same, last = same and same_end(killed, never), 0
                shutil.rmtree(killed)
            rank, early = random.randrange(2), random.random() < 0.25
            line = f"step {last + BATCH}."  # what comes first
            with training(killed) as marked:
                moment = random.uniform(0.3, 2.5) if early else random.uniform(0, 1)
                seconds = killed_after(marked, not early and line, rank, moment)
            if seconds is None:  # there was no such rank yet
                continue
            kills[rank] += 1
            slowest, now = max(slowest, seconds), reached(killed)
            lost, last = lost + (now < last), now
            print(f"rank {rank} killed, all ended in {seconds:.1f} s: step {now}")
        finished(killed)
        same = same and same_end(killed, never)
    found = {
        "kills": kills,
        "slowest end, s": round(slowest, 1),
        "checkpoints lost": lost,
    }
    print(json.dumps({**found, "ends as if never killed": same}))
    sys.exit(0 if same and not lost else 1)


if __name__ == "__main__":
    main()
