"""What a second rank brings, what a sum costs, and what that says of many ranks.

    python benchmarks/ranks.py --no-check

Where chainertrpo is installed with its physics and mpi4py.  One rank with one worker, two
such ranks, and one process with two workers train on the same batches of Humanoid-v4, one
after the other within a round; each rank has one thread of BLAS, the last as many as there
are cores.  What is compared is compared within rounds.  Beside it stands how much of the
machine other programs used in the second before a round.  The model of many ranks is of
milliseconds of the processor (of a rank's workers, and of itself but for its messages),
which other programs change less, and of what a tenth of the sums take less than.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

from chainertrpo.experiments import describe_environment

import report

HERE = pathlib.Path(__file__).resolve().parent
WORKER = HERE / "workers" / "ranks_ours.py"
TASK, ROWS, ENVS = "Humanoid-v4", 5000, 4
SIZES = (1, 1000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
SENT = 30_000  # floats of the largest message of these runs
# Ranks, workers of each, threads of BLAS.
RUNS = {
    "1 rank, 1 worker": (1, 1, 1),
    "2 ranks, 1 worker each": (2, 1, 1),
    "1 rank, 2 workers": (1, 2, None),
}
ONE, TWO, BOTH = RUNS
# Of the table: microseconds of latency and bytes a second between machines, assumed.
NETWORK = (20.0, 1.25e9)


class Session:
    """The worker on ranks, alive between what it is asked."""

    def __init__(self, size, threads, settings):
        mpiexec = os.path.join(os.path.dirname(sys.executable), "mpiexec")
        worker = [sys.executable, str(WORKER), json.dumps(settings)]
        env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        if threads:
            env["OMP_NUM_THREADS"] = str(threads)
        self.process = subprocess.Popen(
            [mpiexec, "-n", str(size), *worker],
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def answer(self):
        """What it says next."""
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        sys.exit("error: a worker has ended; see above")

    def ask(self, iterations):
        """What an iteration takes and sends."""
        self.process.stdin.write(json.dumps({"iterations": iterations}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait()


def others(check):
    """How much of the machine others use, in a second; wait for less, if asked to."""
    while True:
        busy = report.busy_while(lambda: time.sleep(1))[1]
        if busy <= report.BUSY or not check:
            return busy


def training(name):
    """Start a session that trains."""
    size, workers, threads = RUNS[name]
    about = {"env_id": TASK, "workers": workers, "seed": 0, "num_envs": ENVS}
    return Session(size, threads, about)


def sums(calls=300):
    """What sums of two ranks take, in microseconds by their sizes."""
    session = Session(2, 1, {"sizes": SIZES, "calls": calls})
    found = session.answer()
    session.close()
    return found


def line_of(points):
    """Least squares of y = a + b x, relative to y: latency and a float's time."""
    w = [1 / y**2 for _, y in points]
    n = sum(w)
    mx = sum(k * x for k, (x, _) in zip(w, points)) / n
    my = sum(k * y for k, (_, y) in zip(w, points)) / n
    slope = sum(k * (x - mx) * (y - my) for k, (x, y) in zip(w, points))
    slope /= sum(k * (x - mx) ** 2 for k, (x, _) in zip(w, points))
    return my - slope * mx, slope


def model(one, two):
    """Milliseconds of one rank that are shared out among ranks, and that are not.

    The time of an iteration is taken to be that of the workers, then that of the rank: on
    as many cores as workers nothing is gained by doing them at once.
    """
    alone = max(0.0, 2 * two["rank"] - one["rank"])
    return {"shared": one["workers"] + one["rank"] - alone, "alone": alone}


def iteration(parts, two, k, rows, latency, per_byte):
    """Milliseconds of an iteration on k ranks, with so many times the rows in a batch.

    A sum takes ⌈log₂ k⌉ exchanges of the whole; minibatches grow with the batch.
    """
    sent = two["messages"] * latency + two["bytes"] * per_byte
    exchanges = math.ceil(math.log2(k))
    return parts["shared"] * rows / k + parts["alone"] + exchanges * sent / 1000


def main():
    """Measure, and write results/ranks.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=2, help="a round")
    args = report.arguments(parser, repeats=5)
    sessions = {name: training(name) for name in RUNS}

    def one_round():
        busy = others(args.check)
        found = {name: x.ask(args.iterations) for name, x in sessions.items()}
        print(f"used by others {busy:.0%}: {found}", file=sys.stderr)
        return {name: {**x, "others": busy} for name, x in found.items()}

    found = report.rounds(sessions.values(), one_round, args.repeats, check=False)
    found = {name: [x[name] for x in found] for name in RUNS}
    of_2 = report.median([sums() for _ in range(3)])
    results = {"training": found, "microseconds of a sum": of_2}
    results["environment"] = describe_environment()
    report.save("ranks", (), results, args.repeats)
    report.save_table("ranks", text(found, of_2))


def text(found, sums):
    """The tables."""
    medians = {name: report.median(values) for name, values in found.items()}
    rows = [
        [
            name,
            f"{1000 * ROWS / x['ms']:,.0f}",
            f"{x['ms']:,.0f}",
            f"{x['workers']:,.0f}",
            f"{x['rank']:,.0f}",
            f"{x['messages']:,.0f}",
            f"{x['bytes'] / 2**20:.1f}",
            f"{x['others']:.0%}",
        ]
        for name, x in medians.items()
    ]
    header = [f"{TASK}, {ROWS:,} rows", "steps/s", "ms an iteration"]
    header += ["processor, workers of a rank", "processor, a rank"]
    header += ["messages of a rank", "MiB of a rank", "used by others"]
    out, busy = report.table(header, rows) + "\n", medians[ONE]["others"]
    if busy > report.BUSY:
        out += (
            f"Other programs used {busy:.0%} of the machine: its rates are what ranks get "
            "of a busy one, and say little of an idle one.\n\n"
        )
    pairs = zip(*(found[name] for name in (ONE, TWO, BOTH)))
    pairs = [[1 / x["ms"] for x in three] for three in pairs]
    for other, which in ((0, ONE), (2, BOTH)):
        ratios = [three[1] / three[other] for three in pairs]
        all_of_them = ", ".join(f"{x:.2f}" for x in ratios)
        out += f"{TWO} ÷ {which}: {statistics.median(ratios):.2f} ({all_of_them})\n\n"
    rows = [[f"{int(n):,}", f"{x:.0f}"] for n, x in sums.items()]
    out += report.table(["floats", "µs of a sum of 2 ranks, lowest tenth"], rows) + "\n"
    latency, per_float = line_of(
        [(int(n), x) for n, x in sums.items() if int(n) <= SENT]
    )
    latency, per_byte = max(latency, 0.0), per_float / 4
    one, two = medians[ONE], medians[TWO]
    parts = model(one, two)
    sent = iteration(parts, two, 2, 0, latency, per_byte) - parts["alone"]
    out += (
        f"A sum of up to {SENT:,} takes {latency:.0f} µs + {1000 * per_float:.1f} ns a "
        f"float. Of an iteration of one rank {parts['shared']:.0f} ms of the processor "
        f"are shared out among ranks and {parts['alone']:.0f} are not; two exchange for "
        f"{sent:.0f} ms.\n\n"
    )
    near, far = (latency, per_byte), (NETWORK[0], 1e6 / NETWORK[1])
    columns = {
        f"{ROWS:,} rows, this memory": (lambda k: 1, near),
        f"{ROWS:,} rows, a network": (lambda k: 1, far),
        f"{ROWS:,} × ranks, a network": (lambda k: k, far),
    }
    rows = []
    for k in [2**i for i in range(11)]:
        row = [f"{k:,}"]
        for rows_of, (late, byte) in columns.values():
            n = rows_of(k)
            ms = iteration(parts, two, k, n, late, byte)
            alone = iteration(parts, two, 1, 1, late, byte)
            row.append(f"{n * ROWS * 1000 / ms:,.0f} ({n * alone / ms:.1f})")
        rows.append(row)
    out += report.table(["ranks", *(f"steps/s: {name}" for name in columns)], rows)
    return out


if __name__ == "__main__":
    main()
