"""A run's folder: what was asked for, how far it is, how it went.

It is that of any other run (``config.json``, ``environment.json``, ``scores.txt``,
``episodes.txt``, checkpoints, agents), with ``final.json`` once it is finished.
"""

import os
import typing

from chainertrpo.comparison.table import DETERMINISTIC, FINAL, TRAINING
from chainertrpo.data import BadFileError, read_json, write_json
from chainertrpo.experiments import read_table

CONFIG, ENVIRONMENT = "config.json", "environment.json"
FINISHED = "final.json"
STEP = "step.txt"


class Budget(typing.NamedTuple):
    """What any kind of run has: see `read_as`.

    Attributes
    ----------
    env : str
        The environment's full id.
    steps : int
        Environment steps of training.
    """

    env: str
    steps: int


class Evaluation(typing.NamedTuple):
    """One evaluation of a run.

    Attributes
    ----------
    kind : str
        As in `Row`.
    steps : int
        Environment steps of training until then.
    elapsed : float
        Seconds of training until then.
    n : int
        Episodes.
    mean, stdev, median, max, min : float
        Of their undiscounted returns.
    """

    kind: str
    steps: int
    elapsed: float
    n: int
    mean: float
    stdev: float
    median: float
    max: float
    min: float


def claim(path, run, agent):
    """Write a run's config.json, or see that it is the same run.

    Parameters
    ----------
    path : str
        The run's folder.
    run : NamedTuple
        Everything that determines the run; JSON.
    agent : str
        What pictures call it.

    Returns
    -------
    str
        `path`.

    Raises
    ------
    ValueError
        The folder holds another run.
    """
    if not os.path.exists(os.path.join(path, CONFIG)):
        os.makedirs(path, exist_ok=True)
        write_json(os.path.join(path, CONFIG), {"agent": agent, **run._asdict()})
        return path
    there = read_as(type(run), path)
    differing = [
        f"{name}={old} (asked for: {new})"
        for name, old, new in zip(run._fields, there, run)
        if old != new
    ]
    if differing:
        raise ValueError(
            f"{path} holds a run with {', '.join(differing)}. Take another --outdir, or "
            "remove that folder."
        )
    return path


def read_as(kind, folder):
    """Read what a folder's run is.

    Parameters
    ----------
    kind : type
        A NamedTuple; its fields are taken from ``config.json``.
    folder : str
        The run's.

    Returns
    -------
    kind
        The run.

    Raises
    ------
    BadFileError
        It is not the folder of such a run.
    """
    path = os.path.join(folder, CONFIG)
    content = read_json(path)
    missing = set(kind._fields) - set(content)
    if missing:
        raise BadFileError(
            f"{path}: expected the run of a comparison, got no {sorted(missing)}."
        )
    return kind(*[content[name] for name in kind._fields])


def is_finished(folder):
    """Whether a run has its final scores.

    Parameters
    ----------
    folder : str
        The run's.

    Returns
    -------
    bool
        True when there is nothing left to do.
    """
    return os.path.exists(os.path.join(folder, FINISHED))


def step_of(folder):
    """How far a run is.

    Parameters
    ----------
    folder : str
        The run's.

    Returns
    -------
    int
        Environment steps.
    """
    if is_finished(folder):
        return read_as(Budget, folder).steps
    try:
        with open(os.path.join(folder, STEP)) as file:
            return int(file.read())
    except FileNotFoundError:  # not begun
        return 0


def evaluations(folder, run):
    """Collect the evaluations of a run, finished or not.

    Parameters
    ----------
    folder : str
        The run's.
    run : NamedTuple
        With ``steps``, ``eval_n_runs`` and ``final_n_runs``.

    Returns
    -------
    list of Evaluation
        In the order of their steps; none if it was never begun.
    """
    scores = os.path.join(folder, "scores.txt")
    if not os.path.exists(scores):
        return []

    def evaluation(kind, steps, elapsed, n, stats):
        values = [float(stats[name]) for name in Evaluation._fields[4:]]
        return Evaluation(kind, int(steps), float(elapsed), n, *values)

    table = read_table(scores)
    found = []
    for i, steps in enumerate(table["steps"]):
        stats = {name: column[i] for name, column in table.items()}
        place = (TRAINING, steps, stats["elapsed"], run.eval_n_runs)
        found.append(evaluation(*place, stats))
    if is_finished(folder):
        final = read_json(os.path.join(folder, FINISHED))
        for kind in (FINAL, DETERMINISTIC):
            place = (kind, run.steps, final["elapsed"], run.final_n_runs)
            found.append(evaluation(*place, final[kind]))
    return found


def versions_of(folder):
    """Name the library, and what the physics come from.

    Parameters
    ----------
    folder : str
        Of a run that was begun.

    Returns
    -------
    str
        From ``environment.json``.
    """
    content = read_json(os.path.join(folder, ENVIRONMENT))
    packages = {"Python": content["python"], **content["packages"]}
    words = [f"chainertrpo {content['chainertrpo']} ({content['commit']})"]
    shown = ("Python", "numpy", "gym", "gymnasium", "mujoco")
    words += [f"{name} {packages[name]}" for name in shown if packages.get(name)]
    return "; ".join(words)
