"""How many environment steps a second each trains with.

    python benchmarks/training_speed.py

Collection and update together, without evaluation; the first iteration is left out.  The
settings are those with which ChainerRL and PFRL reproduced published results, the
physics is the same, and everybody may use all cores.  Beside it: environments that only
step with random actions, MuJoCo's own steps on their way, and our collection alone with 1
and 2 workers.
"""

import argparse

import peers
import plot
import report

TASKS = ["Humanoid-v4", "Hopper-v4"]


def run(name, worker, **settings):
    """Return a function of no arguments: a run, -> its steps a second."""

    def once():
        result = peers.run(name, worker, settings)
        return result["steps"] / result["seconds"]

    return once


PHASES = ("collection", "batch", "policy", "value")


def phases(**settings):
    """Return a run of ours, -> milliseconds of an iteration's parts."""

    def once():
        result = peers.run("ours", "train_ours", {"phases": True, **settings})
        n = result["steps"] / 5000
        return {name: 1000 * result[name] / n for name in PHASES}

    return once


def runs_of(task, iterations):
    """All runs on a task, by name."""
    common = {"env_id": task, "iterations": iterations, "seed": 0}
    n = report.cores()
    loops = {"env_id": task, "steps": 5000 * iterations, "seed": 0}
    return {
        "chainertrpo": run("ours", "train_ours", workers=n, **common),
        "chainertrpo, 1 worker": run("ours", "train_ours", workers=1, **common),
        "sb3-contrib, 1 environment": run("sb3", "train_sb3", n_envs=1, **common),
        "sb3-contrib, 2 environments": run("sb3", "train_sb3", n_envs=2, **common),
        "pfrl": run("pfrl", "train_pfrl", **common),
        "chainerrl": run("chainerrl", "train_chainerrl", **common),
        "random actions": run("ours", "random_actions", processes=n, **loops),
        "random actions, 1 process": run(
            "ours", "random_actions", processes=1, **loops
        ),
        "raw mj_step": run("ours", "raw_steps", processes=n, **loops),
        "raw mj_step, 1 process": run("ours", "raw_steps", processes=1, **loops),
        "phases, 1 worker": phases(workers=1, **common),
        "phases, 2 workers": phases(workers=2, **common),
    }


def main():
    """Measure, and write results/training_speed.{json,md,png}."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=10, help="of 5,000 steps")
    args = report.arguments(parser, repeats=3)
    for name in peers.ENVIRONMENTS:
        peers.build(name)
    runs = {
        f"{task}: {name}": function
        for task in TASKS
        for name, function in runs_of(task, args.iterations).items()
    }
    raw = report.in_turn(runs, args.repeats, args.check)
    results = {task: {} for task in TASKS}
    for key, values in raw.items():
        task, name = key.split(": ")
        results[task][name] = {"median": report.median(values), "all": values}
    report.save("training_speed", peers.ENVIRONMENTS, {"tasks": results}, args.repeats)
    report.save_table("training_speed", text(results))
    plot.draw("training_speed")


def text(results):
    """The tables."""
    medians = {
        task: {name: value["median"] for name, value in by_name.items()}
        for task, by_name in results.items()
    }
    names = [n for n in medians[TASKS[0]] if not n.startswith("phases")]
    rows = []
    for name in names:
        row = [name]
        for task in TASKS:
            speed = medians[task][name]
            row += [
                f"{speed:,.0f}",
                f"{medians[task]['chainertrpo'] / speed:.2f}",
            ]
        rows.append(row)
    header = ["training, steps/s"]
    for task in TASKS:
        header += [task, "ours ÷ it"]
    out = report.table(header, rows)
    rows = []
    for task in TASKS:
        bare = [medians[task][f"random actions{x}"] for x in (", 1 process", "")]
        for n, speed in zip(("1 worker", "2 workers"), bare):
            found = medians[task][f"phases, {n}"]
            cells = [f"{found[name]:.0f}" for name in PHASES]
            rows.append([f"{task}, {n}", f"{5e6 / speed:.0f}", *cells])
    header = ["ms per 5,000 steps", "bare environments", "collection"]
    header += ["batch", "policy's step", "value fit"]
    out += "\n" + report.table(header, rows)
    for task in TASKS:
        one, two = [medians[task][f"phases, {n}"] for n in ("1 worker", "2 workers")]
        ratio = one["collection"] / two["collection"]
        bare = medians[task]["random actions"] / medians[task]["chainerrl"]
        out += (
            f"\n{task}: collection with 2 workers is {ratio:.2f} times as fast as with 1; "
            f"bare environments are {bare:.1f} times as fast as training with chainerrl.\n"
        )
    return out


if __name__ == "__main__":
    main()
