"""How long an update takes, how it grows with the batch, and the memory it needs.

    python benchmarks/update_time.py

1. The policy's update (20 iterations of conjugate gradient and the line search) and the
   value fit (5 epochs of 64) on 5,000 steps of Humanoid-v4 under the initial policy: ours,
   sb3-contrib's and ChainerRL's own methods, each time from the same parameters.
2. Ours on 1,000 to 1,000,000 rows of the same size: seconds, and the peak of memory above
   the data.
3. On 1,000,000 rows: how far the result in chunks is from that in one piece.
"""

import argparse
import math

import peers
import plot
import report

ROWS = [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000]


def main():
    """Measure, and write results/update_time.{json,md,png}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args = report.arguments(parser, repeats=15)
    environments = ["ours", "sb3", "chainerrl"]
    for name in environments:
        peers.build(name)

    def run(name, worker, **settings):
        return lambda: peers.run(name, worker, settings)

    found = compare(args)
    by_rows = report.in_turn(
        {n: run("ours", "update_ours", rows=n) for n in ROWS}, 3, args.check
    )
    chunks = peers.run("ours", "update_ours", {"rows": ROWS[-1], "compare": True})
    results = {
        "compared": {"median": report.median(found), "all": found},
        "by_rows": summary(by_rows),
        "chunks": chunks,
    }
    report.save("update_time", environments, results, args.repeats)
    report.save_table("update_time", text(results))
    plot.draw("update_time")


def summary(runs):
    """Medians beside all values."""
    return {k: {"median": report.median(v), "all": v} for k, v in runs.items()}


def compare(args):
    """Return the rounds of ours, sb3-contrib's and ChainerRL's two halves."""
    sessions = {
        "chainertrpo": peers.Session("ours", "update_ours", {}),
        "sb3-contrib": peers.Session("sb3", "update_sb3", {}),
        "chainerrl": peers.Session("chainerrl", "update_chainerrl", {}),
    }

    def ask():
        return {
            f"{name}, {key}": value
            for name, session in sessions.items()
            for key, value in session.ask().items()
        }

    return report.rounds(list(sessions.values()), ask, args.repeats, args.check)


def text(results):
    """The tables."""
    found, rows = results["compared"]["all"], []
    for name in ("chainertrpo", "sb3-contrib", "chainerrl"):
        row = [name]
        for key in ("policy", "value"):
            ratio = report.ratio(found, f"chainertrpo, {key}", f"{name}, {key}")
            ms = results["compared"]["median"][f"{name}, {key}"]
            row += [f"{ms:.0f}", f"{ratio:.2f}"]
        count = results["compared"]["median"].get(f"{name}, products")
        row.append("40" if count is None else f"{count:.0f}")  # two an iteration
        rows.append(row)
    header = ["5,000 steps", "policy, ms", "ours ÷ it", "value fit, ms", "ours ÷ it"]
    header.append("Fisher products")
    out = report.table(header, rows)
    medians = {int(n): x["median"] for n, x in results["by_rows"].items()}
    rows = [
        [
            f"{n:,}",
            f"{x['policy']:,.0f}",
            f"{1e6 * x['policy'] / n / 1000:.1f}",
            f"{x['value']:,.0f}",
            f"{x['data'] / 2**20:,.0f}",
            f"{x['memory'] / 2**20:,.0f}",
            f"{x['agent_memory'] / 2**20:,.0f}",
        ]
        for n, x in medians.items()
    ]
    header = ["rows", "policy, ms", "µs a row", "value fit, ms", "data, MiB"]
    header += ["peak above the batch, MiB", "above the paths (whole update), MiB"]
    out += "\n" + report.table(header, rows)
    small, large = [medians[n]["policy"] for n in (10_000, 1_000_000)]
    out += f"\nFrom 10,000 to 1,000,000 rows the policy's time grows by {large / small:.0f}"
    out += f" (exponent {math.log(large / small) / math.log(100):.2f}).\n"
    chunks = results["chunks"]
    out += (
        f"Chunks against one piece, {ROWS[-1]:,} rows, relative differences: gradient "
        f"{chunks['gradient']:.1e}, Fisher product {chunks['product']:.1e}, "
        f"step {chunks['step']:.1e}.\n"
    )
    return out


if __name__ == "__main__":
    main()
