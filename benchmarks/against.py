"""Has anything become slower since an earlier revision.

    python benchmarks/against.py afa8982

The earlier revision is unpacked beside this one, and both run in turn, each with its own
chainertrpo and its own benchmarks/workers, in the environment "ours" of peers.py: acting on
one row, a Fisher product, both halves of an update, and training.  A ratio is this
revision's time divided by the earlier one's, the median over rounds.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import peers
import report

SIZES = {"Humanoid-v4": (376, 17), "Hopper-v4": (11, 3)}
HIDDEN = (64, 400)


def sessions_of(earlier, worker, settings, threads=None):
    """Start a worker of both revisions."""
    return {
        name: peers.Session("ours", worker, settings, threads, checkout)
        for name, checkout in (("now", peers.ROOT), ("earlier", earlier))
    }


def in_rounds(sessions, requests, args):
    """Ask both for the same in each round; return (what, now, earlier, ratio) of each."""

    def ask():
        return {
            (name, what, key): value
            for what, request in requests.items()
            for name, session in sessions.items()
            for key, value in session.ask(**request).items()
        }

    found = report.rounds(list(sessions.values()), ask, args.repeats, args.check)
    medians = report.median(found)
    rows = []
    for name, what, key in medians:
        if name == "now" and ("earlier", what, key) in medians:
            pair = (name, what, key), ("earlier", what, key)
            label = ", ".join(x for x in (what, key) if x)
            rows.append(
                (label, *(medians[x] for x in pair), report.ratio(found, *pair))
            )
    return rows


def acting(earlier, args):
    """Microseconds to act on one row."""
    rows = []
    for task, (obs_size, action_size) in SIZES.items():
        settings = {"obs_size": obs_size, "action_size": action_size}
        sessions = sessions_of(earlier, "acting_ours", settings)
        rows += in_rounds(sessions, {f"{task}, µs": {}}, args)
    return rows


def products(earlier, args):
    """Milliseconds a Fisher product of 5,000 rows."""
    rows = []
    for hidden in HIDDEN:
        settings = {"sizes": [376, hidden, hidden, 17], "batch": 5000}
        sessions = sessions_of(earlier, "fisher_ours", settings, threads=1)
        methods = ("Gauss-Newton", "Chainer double backprop")
        requests = {
            f"{method}, {hidden}-{hidden}": {"method": method, "seconds": 0.3}
            for method in methods
        }
        found = in_rounds(sessions, requests, args)
        rows += [row for row in found if row[0].endswith("ms")]
    return rows


def update(earlier, args):
    """Milliseconds of the policy's step and of the value fit, 5,000 rows of Humanoid."""
    found = in_rounds(sessions_of(earlier, "update_ours", {}), {"": {}}, args)
    return [row for row in found if row[0] in ("policy", "value")]


def training(earlier, args):
    """Seconds of 10 iterations of 5,000 steps."""
    rows = []
    for task in SIZES:
        for workers in (1, report.cores()):
            settings = {
                "env_id": task,
                "workers": workers,
                "iterations": args.iterations,
                "seed": 0,
            }
            found = report.in_turn(
                {
                    name: lambda settings=settings, checkout=checkout: peers.run(
                        "ours", "train_ours", settings, checkout=checkout
                    )["seconds"]
                    for name, checkout in (("now", peers.ROOT), ("earlier", earlier))
                },
                max(args.repeats // 5, 1),
                args.check,
            )
            pairs = [
                {"now": now, "earlier": before}
                for now, before in zip(found["now"], found["earlier"])
            ]
            medians = report.median(pairs)
            label = f"{task}, {workers} worker" + "s" * (workers > 1) + ", seconds"
            ratio = report.ratio(pairs, "now", "earlier")
            rows.append((label, medians["now"], medians["earlier"], ratio))
    return rows


PARTS = {"acting": acting, "products": products, "update": update, "training": training}


def main():
    """Measure, and write results/against.{json,md}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", help="of git, with which this one is compared")
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART"
    )
    parser.add_argument("--iterations", type=int, default=10, help="of 5,000 steps")
    args = report.arguments(parser, repeats=15)
    git = ["git", "-C", str(peers.ROOT)]
    show = [*git, "log", "-1", "--format=%h %cs", args.revision]
    shown = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    earlier, parts = shown.strip(), {}
    if (report.RESULTS / "against.json").exists():  # the parts that are not asked for
        before = json.loads((report.RESULTS / "against.json").read_text())
        parts = before["parts"] if before["earlier"] == earlier else {}
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.Popen(
            [*git, "archive", args.revision], stdout=subprocess.PIPE
        )
        subprocess.run(["tar", "x", "-C", folder], check=True, stdin=archive.stdout)
        archive.wait()
        for part in args.only:
            rows = PARTS[part](pathlib.Path(folder), args)
            parts[part] = {"machine": report.machine(), "rows": rows}
    report.save("against", ["ours"], {"earlier": earlier, "parts": parts}, args.repeats)
    rows = [
        [f"{part}: {label}", f"{now:,.2f}", f"{before:,.2f}", f"{ratio:.2f}"]
        for part in PARTS
        for label, now, before, ratio in parts.get(part, {"rows": ()})["rows"]
    ]
    header = ["", "now", f"at {earlier}", "now ÷ then"]
    report.save_table("against", report.table(header, rows))


if __name__ == "__main__":
    main()
