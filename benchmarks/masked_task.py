"""Masks beside sb3-contrib's: a task of which three of four actions are invalid.

    python benchmarks/masked_task.py

MaskablePPO, our PPO of the same settings and our TRPO learn the task of
workers/masked_env.py from its masks; our PPO without them is the control.  One environment
and one thread each; a score is the mean return of 20 episodes of most probable actions.
What has been run is kept, and the same command goes on.
"""

import argparse
import json

import peers
import report

ENTRANTS = {
    "chainertrpo, PPO": ("ours", "masked_ours", {"algorithm": "PPO"}),
    "sb3-contrib, MaskablePPO": ("sb3", "masked_sb3", {"algorithm": "PPO"}),
    "chainertrpo, TRPO": ("ours", "masked_ours", {"algorithm": "TRPO"}),
    "chainertrpo, PPO without masks": (
        "ours",
        "masked_ours",
        {"algorithm": "PPO", "masked": False},
    ),
}


def main():
    """Train those that are missing, and write results/masked_task.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=40_960)
    parser.add_argument("--points", type=int, default=5, help="of evaluation")
    args = report.arguments(parser, repeats=3)
    found = known(args.steps)
    for seed in range(args.repeats):
        for name, (environment, worker, settings) in ENTRANTS.items():
            if str(seed) in found.setdefault(name, {}):
                continue
            common = {"steps": args.steps, "points": args.points, "seed": seed}
            run = peers.run(environment, worker, {**settings, **common}, threads=1)
            found[name][str(seed)] = run
            report.save("masked_task", ["ours", "sb3"], {"runs": found}, args.repeats)
    report.save_table("masked_task", text(found, args))


def known(steps):
    """What has been run: {entrant: {seed: scores, seconds}}."""
    path = report.RESULTS / "masked_task.json"
    runs = json.loads(path.read_text())["runs"] if path.exists() else {}
    return {
        name: {seed: run for seed, run in of_seeds.items() if run["steps"] == steps}
        for name, of_seeds in runs.items()
    }


def text(found, args):
    """The table."""
    at = [args.steps * (i + 1) // args.points for i in range(args.points)]
    rows = []
    for name, of_seeds in found.items():
        runs = list(of_seeds.values())
        curves = zip(*(run["scores"] for run in runs))
        scores = [f"{report.median(list(x)):.1f}" for x in curves]
        rates = [run["steps"] / run["seconds"] for run in runs]
        rows.append([name, *scores, f"{report.median(rates):,.0f}"])
    header = ["return after", *(f"{x:,}" for x in at), "steps/s"]
    return report.table(header, rows)


if __name__ == "__main__":
    main()
