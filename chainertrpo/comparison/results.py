"""How a run went: the evaluations in its folder, as rows of the table."""

import math
import os

from chainertrpo.comparison.runs import (
    CONFIG,
    ENVIRONMENT,
    FINISHED,
    SCORES,
    is_finished,
    read_run,
    reading,
)
from chainertrpo.comparison.table import CONDITION, DETERMINISTIC, FINAL, TRAINING, Row
from chainertrpo.data import read_json
from chainertrpo.experiments import read_table


def rows_of(folder):
    """Collect the evaluations of a run, finished or not.

    Parameters
    ----------
    folder : str
        Of `claim`.

    Returns
    -------
    list of Row
        In the order of their steps; none if it was never begun.

    Raises
    ------
    BadFileError
        One of its files is not as a run leaves it.
    """
    run = read_run(folder)
    path = os.path.join(folder, "scores.txt")
    if not os.path.exists(path):
        return []
    head = {"runner": "chainertrpo", "version": _versions(folder)}
    head.update(preset=run.label, env=run.env, seed=run.seed, **_ends(folder, run))
    head.update({name: getattr(run, name) for name in CONDITION})
    found = []
    with reading(path, "the evaluations of a run"):
        table = read_table(path)
        for i in range(len(table["steps"])):
            stats = _numbers({name: column[i] for name, column in table.items()})
            place = {"kind": TRAINING, "steps": int(table["steps"][i])}
            found.append(Row(**head, **place, n=run.eval_n_runs, **stats))
    if is_finished(folder):
        path = os.path.join(folder, FINISHED)
        with reading(path, "the final scores of a run"):
            final = read_json(path)
            for kind in (FINAL, DETERMINISTIC):
                stats = _numbers({"elapsed": final["elapsed"], **final[kind]})
                place = {"kind": kind, "steps": run.steps}
                found.append(Row(**head, **place, n=run.final_n_runs, **stats))
    return found


def _numbers(stats):
    names = ("elapsed", "mean", "stdev", "median", "max", "min")
    numbers = {name: float(stats[name]) for name in names}
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError(f"NaN or inf: {numbers}")
    return numbers


def _ends(folder, run):
    """What the expert of a run and a random player score: 1 and 0 of its scores."""
    if run.method is None:
        return {}
    file = os.path.normpath(os.path.join(folder, run.demonstrations))
    path = os.path.join(os.path.dirname(file), SCORES)
    config = os.path.join(folder, CONFIG)
    with reading(path, f"an expert's scores beside the demonstrations of {config}"):
        scores = read_json(path)
        expert, random = (float(scores[who]["mean"]) for who in ("trained", "random"))
    return {"expert_mean": expert, "random_mean": random}


def _versions(folder):
    """Name the library, and what the physics come from."""
    path = os.path.join(folder, ENVIRONMENT)
    with reading(path, "the versions that a run was made with"):
        content = read_json(path)
        packages = {"Python": content["python"], **content["packages"]}
        at = f" ({content['commit']})" if content["commit"] else ""  # of a checkout
        words = [f"chainertrpo {content['chainertrpo']}{at}"]
    shown = ("Python", "numpy", "gym", "gymnasium", "mujoco")
    words += [f"{name} {packages[name]}" for name in shown if packages.get(name)]
    return "; ".join(words)
