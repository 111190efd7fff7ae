"""Runs of a comparison: presets by environments by seeds, each in a folder of its own.

A run's folder is that of any other run (``config.json``, ``environment.json``,
``scores.txt``, ``episodes.txt``, checkpoints, agents), with ``final.json`` once it is
finished.
"""

import math
import os
import typing

from chainertrpo.agents import PRESETS, settings_of
from chainertrpo.comparison.table import DETERMINISTIC, FINAL, TRAINING, Row
from chainertrpo.comparison.tasks import TASKS
from chainertrpo.data import BadFileError, read_json, write_json
from chainertrpo.experiments import read_table, resolve

TASK = "task"  # the preset's name that stands for the settings in `TASKS`
FINISHED = "final.json"
STEP = "step.txt"
_CONFIG = "config.json"


class Run(typing.NamedTuple):
    """Everything that determines a run; what ``config.json`` holds.

    Attributes
    ----------
    label : str
        The settings' name in tables: a preset's, or ``task``.
    env : str
        The environment's full id.
    seed : int
        Of weights, actions, minibatches and environments.
    steps : int
        Environment steps of training.
    preset : str
        A key of `PRESETS`.
    changes : dict
        By part, as `settings_of` takes them.
    eval_interval, eval_n_runs : int
        Steps between the evaluations of the curve, and their episodes.
    final_n_runs : int
        Episodes of the final evaluations.
    """

    label: str
    env: str
    seed: int
    steps: int
    preset: str
    changes: dict
    eval_interval: int
    eval_n_runs: int
    final_n_runs: int


def make_plan(
    outdir,
    presets,
    envs,
    seeds,
    steps=None,
    *,
    eval_interval=None,
    eval_n_runs=10,
    final_n_runs=100,
):
    """Write the folders of all runs that are not there yet.

    Parameters
    ----------
    outdir : str
        The comparison's folder.
    presets : sequence of str
        Keys of `PRESETS`, or ``task`` for the settings in `TASKS`.
    envs : sequence of str
        Environments, as `make_env` takes them.
    seeds : sequence of int
        One run for each.
    steps : int, optional
        Environment steps; by default the task's in `TASKS`, else 1,000,000.
    eval_interval : int, optional
        Steps between evaluations; by default a twentieth of `steps`.
    eval_n_runs : int
        Episodes of each of these evaluations.
    final_n_runs : int
        Episodes of the final evaluations; ChainerRL's reproductions take 100.

    Returns
    -------
    list of str
        The folders, seed by seed, so that every curve has its first seeds early.

    Raises
    ------
    ValueError
        A preset or task that there is not, or a folder that holds another run.
    """
    folders = []
    for seed in seeds:
        for env in envs:
            _, env = resolve(env, "auto")
            for label in presets:
                preset, changes, n_steps = _settings(label, env, steps)
                run = Run(
                    label,
                    env,
                    seed,
                    n_steps,
                    preset,
                    changes,
                    eval_interval or max(1, math.ceil(n_steps / 20)),
                    eval_n_runs,
                    final_n_runs,
                )
                path = os.path.join(outdir, "runs", env, label, f"seed{seed}")
                folders.append(_claim(path, run))
    return folders


def _settings(label, env, steps):
    task = TASKS.get(env)
    if label != TASK:
        settings_of(label)  # an unknown preset is an error here, not in ten processes
        return label, {}, steps or (task.steps if task else 10**6)
    if task is None:
        raise ValueError(
            f"expected an environment of {sorted(TASKS)} for the preset {TASK!r}, got "
            f"{env}. Choose a preset of {sorted(PRESETS)}."
        )
    return task.preset, task.changes, steps or task.steps


def _claim(path, run):
    """Write a run's config.json, or see that it is the same run."""  # noqa: DOC501
    if not os.path.exists(os.path.join(path, _CONFIG)):
        os.makedirs(path, exist_ok=True)
        write_json(os.path.join(path, _CONFIG), {"agent": run.preset, **run._asdict()})
        return path
    there = read_run(path)
    differing = [
        f"{name}={old} (asked for: {new})"
        for name, old, new in zip(Run._fields, there, run)
        if old != new
    ]
    if differing:
        raise ValueError(
            f"{path} holds a run with {', '.join(differing)}. Take another --outdir, or "
            "remove that folder."
        )
    return path


def read_run(folder):
    """Read what a folder's run is.

    Parameters
    ----------
    folder : str
        Of `make_plan`.

    Returns
    -------
    Run
        From ``config.json``.

    Raises
    ------
    BadFileError
        It is not the folder of such a run.
    """
    path = os.path.join(folder, _CONFIG)
    content = read_json(path)
    missing = set(Run._fields) - set(content)
    if missing:
        raise BadFileError(
            f"{path}: expected the run of a comparison, got no {sorted(missing)}."
        )
    return Run(*[content[name] for name in Run._fields])


def is_finished(folder):
    """Whether a run has its final scores.

    Parameters
    ----------
    folder : str
        Of `make_plan`.

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
        Of `make_plan`.

    Returns
    -------
    int
        Environment steps.
    """
    if is_finished(folder):
        return read_run(folder).steps
    try:
        with open(os.path.join(folder, STEP)) as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):  # not begun, or just being written
        return 0


def rows_of(folder):
    """Collect the evaluations of a run, finished or not.

    Parameters
    ----------
    folder : str
        Of `make_plan`.

    Returns
    -------
    list of Row
        In the order of their steps.
    """
    scores = os.path.join(folder, "scores.txt")
    if not os.path.exists(scores):
        return []
    run, versions = read_run(folder), _versions(folder)

    def row(kind, steps, elapsed, n, stats):
        names = ("mean", "stdev", "median", "max", "min")
        values = [float(stats[name]) for name in names]
        head = ("chainertrpo", versions, run.label, run.env, run.seed)
        return Row(*head, kind, int(steps), float(elapsed), n, *values)

    table = read_table(scores)
    rows = []
    for i, steps in enumerate(table["steps"]):
        stats = {name: column[i] for name, column in table.items()}
        rows.append(row(TRAINING, steps, stats["elapsed"], run.eval_n_runs, stats))
    if is_finished(folder):
        final = read_json(os.path.join(folder, FINISHED))
        for kind in (FINAL, DETERMINISTIC):
            stats = final[kind]
            rows.append(row(kind, run.steps, final["elapsed"], run.final_n_runs, stats))
    return rows


def _versions(folder):
    content = read_json(os.path.join(folder, "environment.json"))
    packages = {"Python": content["python"], **content["packages"]}
    words = [f"chainertrpo {content['chainertrpo']} ({content['commit']})"]
    shown = ("Python", "numpy", "gym", "gymnasium", "mujoco")
    words += [f"{name} {packages[name]}" for name in shown if packages.get(name)]
    return "; ".join(words)
