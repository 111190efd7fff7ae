"""On the ranks of mpiexec: iterations of training, as many as are asked for; or sums."""

import functools
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time

from chainertrpo import ranks
from chainertrpo.experiments import Interrupted, train_agent_parallel

import numpy
from train_ours import build


def counted(group, names=("allreduce", "bcast_obj", "gather_obj")):
    """Have a communicator count what it is asked for, bytes of arrays, and its seconds.

    The seconds are the processor's, of which MPI's waits are.
    """
    counts = {"messages": 0, "bytes": 0, "seconds": 0.0}

    def counting(function):
        def call(x, *args):
            counts["messages"] += 1
            counts["bytes"] += getattr(x, "nbytes", 0)
            start = time.process_time()
            found = function(x, *args)
            counts["seconds"] += time.process_time() - start
            return found

        return call

    for name in names:
        setattr(group, name, counting(getattr(group, name)))
    return counts


def of_workers():
    """Seconds of the processor that the workers of this rank have used."""
    ticks = 0
    for process in multiprocessing.active_children():
        with open(f"/proc/{process.pid}/stat") as file:
            ticks += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Clock:
    """A step hook by which rank 0 goes on when it is asked to, and answers.

    The batch of the first iteration of an answer has been collected before: it is not
    counted.  While rank 0 waits, the others sleep.
    """

    def __init__(self, counts):
        self.counts, self.left, self.start, self.n = counts, 0, None, 0

    def __call__(self, env, agent, t):
        """Be at the end of an iteration."""
        if ranks.rank():
            return
        now = {
            "ms": 1000 * time.perf_counter(),
            "workers": 1000 * of_workers(),
            "rank": 1000 * (time.process_time() - self.counts["seconds"]),
            "messages": self.counts["messages"],
            "bytes": self.counts["bytes"],
        }
        if self.start is None:
            self.start = now
        elif self.left:
            self.left -= 1
            if not self.left:
                self.answer(now)
        if not self.left:
            self.wait()

    def answer(self, now):
        """Say what an iteration took, of the processor too, and what it sent."""
        found = {k: (x - self.start[k]) / self.n for k, x in now.items()}
        print(json.dumps(found), flush=True)
        self.start = None

    def wait(self):
        """Wait for a number of iterations, or for the end."""
        line = sys.stdin.readline()
        if not line:
            os.kill(os.getpid(), signal.SIGTERM)  # which stops all ranks
            return
        self.left = self.n = json.loads(line)["iterations"]
        self.start = None


def train(group, env_id, workers, seed, num_envs):
    """Train until the standard input ends."""
    agent, make = build(env_id, seed)
    settings = {"num_envs": num_envs, "workers": workers, "seed": seed}
    with tempfile.TemporaryDirectory() as outdir:
        train_agent_parallel(
            agent,
            make,
            10**9,
            outdir,
            checkpoint_interval=10**6,
            step_hooks=[Clock(counted(group))],
            **settings,
        )


def sums(sizes, calls):
    """Say what a sum of so many floats takes, in microseconds: a tenth take less."""
    found = {}
    for size in sizes:
        x, times = numpy.ones(size, numpy.float32), []
        for _ in range(calls + 20):
            ranks.table()  # together
            start = time.perf_counter()
            ranks.sum(x)
            times.append(time.perf_counter() - start)
        found[str(size)] = 1e6 * float(numpy.quantile(times[20:], 0.1))
    if ranks.rank() == 0:
        print(json.dumps(found), flush=True)


def main():
    """Measure."""
    settings = json.loads(sys.argv[1])
    with ranks.joined() as group:
        measure = sums if "sizes" in settings else functools.partial(train, group)
        try:
            measure(**settings)
        except Interrupted as stop:
            if not stop.agreed:
                raise


if __name__ == "__main__":
    main()
