"""Kill runs at random moments, resume them, and compare with runs never killed.

    python benchmarks/kill_and_resume.py             # 50 kills, about ten minutes
    python benchmarks/kill_and_resume.py --kills 8 --envs CartPole-v1

A kill is SIGKILL to the training process, after a delay drawn uniformly from the duration
of a whole run: start-up, collection, update, evaluation and the writing of checkpoints
are all hit.  Each killed run is resumed to its end and compared, bit for bit, with one of
the same settings that was never killed: policy, value function, optimiser and normaliser
(of the end, of the best agent and of the last checkpoint), random streams and statistics,
scores.txt without its column ``elapsed``, and episodes.txt.  Worker processes that
outlive a kill are counted.

One row a kill is printed; all goes to benchmarks/results/kill_and_resume.json.  The exit
status is 1 if any run differs or any process is left.  Linux only.
"""

import argparse
import functools
import json
import mmap
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from chainertrpo import make_agent, settings_of  # noqa: E402
from chainertrpo.data import write_json  # noqa: E402
from chainertrpo.experiments import (  # noqa: E402
    Collector,
    EpisodeLog,
    Evaluator,
    describe_environment,
    make_env,
    parallel_run,
    train_agent_parallel,
)

RESULT = HERE / "results" / "kill_and_resume.json"
MARK = "KILL_AND_RESUME_MARK"  # all that a run starts has it in its environment
GRACE = 60.0  # seconds for the processes of a killed run to end
PHASES = (
    "start-up",
    "workers start",
    "loop",
    "collection",
    "update",
    "evaluation",
    "checkpoint",
)
SETTINGS = {
    "preset": "chainerrl-reproduction",
    "steps": 12_100,  # the last steps do not fill a batch
    "update_interval": 500,
    "hidden_sizes": [64, 64],
    "num_envs": 4,
    "workers": 2,
    "checkpoint_interval": 2,
    "eval_interval": 2000,
    "eval_n_episodes": 2,
    "eval_max_episode_len": 200,
}
SEED = 0


# A run, in a process of its own


class Phases:
    """A byte in a file, that says what the run is doing, even after it was killed."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self._byte = mmap.mmap(file.fileno(), 1)

    def enter(self, name):
        """Note that this begins."""
        self._byte[0] = PHASES.index(name)

    def within(self, name, function):
        """`function`, noting that it runs."""

        @functools.wraps(function)
        def noted(*args, **kwargs):
            before = self._byte[0]
            self.enter(name)
            try:
                return function(*args, **kwargs)
            finally:
                self._byte[0] = before

        return noted


def train(env_id, folder, resume, phases):
    """Train, as `train_agent_parallel` does it, with a note of each phase."""
    size = {"hidden_sizes": SETTINGS["hidden_sizes"]}
    settings = settings_of(
        SETTINGS["preset"],
        agent={"update_interval": SETTINGS["update_interval"]},
        policy_step={"curvature": {"kind": "gauss_newton"}},
        policy=size,
        vf=size,
    )
    env = make_env(env_id, SEED + 1)
    agent = make_agent(env.observation_space, env.action_space, settings, seed=SEED)
    log = EpisodeLog(folder, resume=resume)
    agent.update = phases.within("update", agent.update)
    finish = phases.within("collection", Collector.finish)

    def first_finish(*args, **kwargs):  # most of it is waiting for the workers
        Collector.finish = finish
        return first(*args, **kwargs)

    first = phases.within("workers start", Collector.finish)
    Collector.finish = first_finish
    Evaluator.evaluate_and_update_max_score = phases.within(
        "evaluation", Evaluator.evaluate_and_update_max_score
    )
    parallel_run.save_checkpoint = phases.within(
        "checkpoint", parallel_run.save_checkpoint
    )
    phases.enter("loop")
    train_agent_parallel(
        agent,
        functools.partial(make_env, env.id, package=env.package),
        SETTINGS["steps"],
        folder,
        num_envs=SETTINGS["num_envs"],
        workers=SETTINGS["workers"],
        seed=SEED,
        eval_env=env,
        eval_n_episodes=SETTINGS["eval_n_episodes"],
        eval_interval=SETTINGS["eval_interval"],
        eval_max_episode_len=SETTINGS["eval_max_episode_len"],
        checkpoint_interval=SETTINGS["checkpoint_interval"],
        resume=resume,
        episode_hooks=[log],
    )
    log.close()


# The study


class Run:
    """A process that trains, and its children."""

    def __init__(self, env_id, folder, resume=False):
        folder.mkdir(exist_ok=True)
        self._phase = folder / "phase"
        self._phase.write_bytes(b"\0")
        self.mark, self.start = uuid.uuid4().hex, time.monotonic()
        command = [sys.executable, __file__, "--run", folder, "--envs", env_id]
        self._output = folder / "output"
        with open(self._output, "w") as output:
            self.process = subprocess.Popen(
                [*command, *["--resume"] * resume],
                env={**os.environ, MARK: self.mark},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def kill(self):
        """Kill the training process only; return whether it had not finished before."""
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL

    def finish(self):
        """Wait for the end; return its seconds."""
        if self.process.wait():
            raise RuntimeError(self._output.read_text())
        return time.monotonic() - self.start

    def phase(self):
        """What it was doing last."""
        return PHASES[self._phase.read_bytes()[0]]

    def processes(self):
        """How many processes of this run there are; zombies have no environment."""
        wanted, count = f"{MARK}={self.mark}".encode(), 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                environment = pathlib.Path("/proc", pid, "environ").read_bytes()
            except OSError:
                continue
            count += wanted in environment.split(b"\0")
        return count

    def orphans(self):
        """Processes left in the end, and the seconds until then.

        A worker that is still importing notices afterwards that nobody waits for it.
        """
        start = time.monotonic()
        while self.processes() and time.monotonic() - start < GRACE:
            time.sleep(0.02)
        return self.processes(), time.monotonic() - start


def newest(folder):
    """The step of the newest checkpoint, or None."""
    names = [path.name for path in folder.glob("checkpoints/*") if path.name.isdigit()]
    return max(map(int, names), default=None)


def table_without(path, column):
    """Rows of a table; the column may be None."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    i = rows[0].index(column) if column else len(rows[0])
    return [row[:i] + row[i + 1 :] for row in rows]


def outcome(folder):
    """What has to be equal, by name."""
    t = SETTINGS["steps"]
    found = {
        f"{name}/{path.name}": path.read_bytes()
        for name in ("best", f"{t}_finish", f"checkpoints/{t}")
        for path in sorted((folder / name).glob("*.npz"))
    }
    state = json.loads((folder / "checkpoints" / str(t) / "state.json").read_text())
    state.pop("sha256", None)
    state["state"]["evaluator"].pop("elapsed")
    scores, state["tables"]["scores.txt"] = (
        table_without(folder / "scores.txt", "elapsed"),
        0,
    )
    found[f"checkpoints/{t}/state.json"] = json.dumps(state, sort_keys=True)
    found["scores.txt without elapsed"] = scores
    found["episodes.txt"] = table_without(folder / "episodes.txt", None)
    return found


def study(env_id, kills, rng, place, first):
    """Kill and resume; yield the description of the whole run, then of each kill."""
    reference = Run(env_id, place / "never")
    seconds = reference.finish()
    expected = outcome(place / "never")
    yield {
        "env": env_id,
        "seconds": round(seconds, 2),
        "compared": sorted(expected),
        "rows_of_scores": len(expected["scores.txt without elapsed"]) - 1,
        "episodes": len(expected["episodes.txt"]) - 1,
    }
    for number in range(first, first + kills):
        folder, too_late = place / str(number), 0
        while True:
            delay = rng.uniform(0, seconds)
            run = Run(env_id, folder)
            time.sleep(max(0.0, run.start + delay - time.monotonic()))
            if run.kill():
                break
            too_late += 1
            shutil.rmtree(folder)
        orphans, gone = run.orphans()
        phase, writing = run.phase(), (folder / "checkpoints" / ".writing").exists()
        checkpoint = newest(folder)
        resumed = Run(env_id, folder, resume=True)
        resumed.finish()
        found = outcome(folder)
        differs = sorted(
            name
            for name in expected.keys() | found.keys()
            if expected.get(name) != found.get(name)
        )
        yield {
            "kill": number,
            "env": env_id,
            "seconds": round(delay, 3),
            "phase": phase,
            "writing_a_checkpoint": writing,
            "newest_checkpoint": checkpoint,
            "orphans": orphans + resumed.orphans()[0],
            "seconds_until_workers_ended": round(gone, 2),
            "drawn_again_because_finished": too_late,
            "differs": differs,
            "identical": not differs,
        }
        shutil.rmtree(folder)


HEAD = (
    "kill  environment   after s  phase          checkpoint  orphans  workers gone in  "
    "identical"
)


def line(row):
    """A row of the table."""
    checkpoint = (
        "none" if row["newest_checkpoint"] is None else row["newest_checkpoint"]
    )
    return (
        f"{row['kill']:4d}  {row['env']:12s}  {row['seconds']:7.2f}  {row['phase']:13s}"
        f"  {checkpoint!s:>10s}  {row['orphans']:7d}"
        f"  {row['seconds_until_workers_ended']:13.2f} s"
        f"  {'yes' if row['identical'] else 'NO: ' + ', '.join(row['differs'])}"
    )


def summary(kills, seconds):
    """What the rows say together."""
    phases = [row["phase"] for row in kills]
    waits = [row["seconds_until_workers_ended"] for row in kills]
    checkpoints = [row["newest_checkpoint"] for row in kills]
    return {
        "kills": len(kills),
        "identical": sum(row["identical"] for row in kills),
        "orphans": sum(row["orphans"] for row in kills),
        "longest_seconds_until_workers_ended": max(waits),
        "kills_by_phase": {name: phases.count(name) for name in PHASES},
        "kills_while_a_checkpoint_was_written": sum(
            row["writing_a_checkpoint"] for row in kills
        ),
        "kills_before_the_first_checkpoint": checkpoints.count(None),
        "minutes": round(seconds / 60, 1),
    }


def main():
    """Run the study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="default 50")
    parser.add_argument("--envs", nargs="+", default=["CartPole-v1", "Hopper"])
    parser.add_argument("--seed", type=int, default=0, help="of the delays")
    parser.add_argument("--out", type=pathlib.Path, default=RESULT)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        train(args.envs[0], args.run, args.resume, Phases(f"{args.run}/phase"))
        return
    start, rng = time.monotonic(), random.Random(args.seed)
    for env_id in args.envs:
        make_env(env_id, 0).close()  # what is imported is described in the result
    result = {
        "summary": {},
        "settings": {**SETTINGS, "seed": SEED, "seed_of_delays": args.seed},
        "environment": describe_environment(),
        "never_killed": [],
        "kills": [],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as place:
        for i, env_id in enumerate(args.envs):
            first = len(result["kills"]) + 1
            share = args.kills * (i + 1) // len(args.envs) - first + 1
            folder = pathlib.Path(place, str(i))
            folder.mkdir()
            rows = study(env_id, share, rng, folder, first)
            result["never_killed"].append(next(rows))
            for row in rows:
                print(line(row), flush=True)
                result["kills"].append(row)
                result["summary"] = summary(result["kills"], time.monotonic() - start)
                write_json(args.out, result)  # a study may be killed too
    print()
    for name, value in result["summary"].items():
        print(f"{name.replace('_', ' '):40s} {value}")
    if not all(row["identical"] and not row["orphans"] for row in result["kills"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
