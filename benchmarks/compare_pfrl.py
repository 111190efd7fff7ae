r"""PFRL's TRPO beside ours: a table for ``examples/compare_trpo.py --also``.

    python benchmarks/compare_pfrl.py --envs Hopper-v4 --seeds 0 1 --steps 2000000 \
        --output results/pfrl.csv

Runs whose final score is in the table already are not repeated.  With gym 0.25 PFRL's
script takes time limits for terminal states; --cut-time-limits has it bootstrap there, as
ours does.
"""

import argparse
import csv
import os
import sys

import peers

# chainertrpo.comparison.COLUMNS; this program runs without chainertrpo.
COLUMNS = (
    "runner,version,preset,env,seed,kind,steps,elapsed,n,mean,stdev,median,max,min"
)


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--envs", nargs="+", default=["Hopper-v4"], metavar="ENV")
    add("--seeds", nargs="+", type=int, default=[0, 1], metavar="SEED")
    add("--steps", type=int, default=1_000_000, help="default 1000000")
    add("--eval-interval", type=int, help="steps (default: a twentieth of --steps)")
    add("--eval-n-runs", type=int, default=10, help="episodes each (default 10)")
    add("--final-n-runs", type=int, default=100, help="episodes (default 100)")
    add("--cut-time-limits", action="store_true", help="see above")
    add("--output", default="results/pfrl.csv", help="default results/pfrl.csv")
    return parser.parse_args()


def preset(args):
    """The settings' name in the table."""
    return "reproduction" + (", limits cut" if args.cut_time_limits else "")


def rows_of(result, env, seed, args):
    """Turn the worker's answer into rows of the tidy table."""
    names = ("mean", "stdev", "median", "max", "min")
    head = ["pfrl", result["version"], preset(args), env, seed]
    for stats in result["evaluation"]:
        place = ["evaluation", int(float(stats["steps"])), stats["elapsed"]]
        yield [*head, *place, args.eval_n_runs, *(stats[name] for name in names)]
    for kind in ("final", "final-deterministic"):
        stats, place = result[kind], [kind, args.steps, result["elapsed"]]
        yield [*head, *place, args.final_n_runs, *(stats[name] for name in names)]


def finished(path):
    """The (preset, env, seed, steps) whose final score a table holds."""
    if not os.path.exists(path):
        return set()
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "final"]
    return {
        (row["preset"], row["env"], int(row["seed"]), int(row["steps"])) for row in rows
    }


def main():
    """Train what is missing, one run after the other."""
    args = parse_args()
    os.makedirs(os.path.dirname(os.path.abspath(args.output)), exist_ok=True)
    if not os.path.exists(args.output):
        with open(args.output, "w") as file:
            print(COLUMNS, file=file)
    for seed in args.seeds:
        for env in args.envs:
            if (preset(args), env, seed, args.steps) in finished(args.output):
                continue
            print(f"pfrl on {env}, seed {seed}", file=sys.stderr)
            settings = {
                "env": env,
                "seed": seed,
                "steps": args.steps,
                "eval_interval": args.eval_interval or max(1, args.steps // 20),
                "eval_n_runs": args.eval_n_runs,
                "final_n_runs": args.final_n_runs,
                "cut": args.cut_time_limits,
            }
            result = peers.run("pfrl", "compare_pfrl", settings, threads=1)
            with open(args.output, "a", newline="") as file:
                rows = rows_of(result, env, seed, args)
                csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
