"""Runs of a comparison: presets by environments by seeds, each in a folder of its own."""

import math
import os
import re
import typing

from chainertrpo.agents import PRESETS, settings_of
from chainertrpo.comparison.folders import claim, evaluations, read_as, versions_of
from chainertrpo.comparison.table import Row
from chainertrpo.comparison.tasks import TASK, TASKS
from chainertrpo.experiments import resolve


class Run(typing.NamedTuple):
    """Everything that determines a run; what ``config.json`` holds.

    Attributes
    ----------
    label : str
        The settings' name in tables: a preset's, ``task``, or "preset, variant".
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
    variants=None,
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
    variants : dict, optional
        Name -> (preset, changes to it by part, as `settings_of` takes them): settings
        beside `presets`, which are called "preset, name".

    Returns
    -------
    list of str
        The folders, seed by seed, so that every curve has its first seeds early; each
        once, whatever was named twice.

    Raises
    ------
    ValueError
        A preset, part, key or task that there is not, a variant's name that is no name
        of a folder, or a folder that holds another run.
    """
    labels = {label: (label, {}) for label in presets}
    for name, (preset, changes) in (variants or {}).items():
        if not re.fullmatch(r"\w[\w. =-]*", name):
            raise ValueError(
                "expected a variant's name of letters, digits, spaces and ._=-, got "
                f"{name!r}: it is part of a folder's."
            )
        labels[f"{preset}, {name}"] = preset, changes
    folders = []
    for seed in seeds:
        for env in envs:
            _, env = resolve(env, "auto")
            for label, chosen in labels.items():
                preset, changes, n_steps = _settings(*chosen, env, steps)
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
                folders.append(claim(path, run, run.preset))
    return list(dict.fromkeys(folders))


def _settings(preset, changes, env, steps):
    task = TASKS.get(env)
    if preset != TASK:
        settings_of(preset, **changes)  # errors come here, not in ten processes
        return preset, changes, steps or (task.steps if task else 10**6)
    if task is None:
        raise ValueError(
            f"expected an environment of {sorted(TASKS)} for the preset {TASK!r}, got "
            f"{env}. Choose a preset of {sorted(PRESETS)}."
        )
    return task.preset, task.changes, steps or task.steps


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
    """
    return read_as(Run, folder)


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
    run = read_run(folder)
    found = evaluations(folder, run)
    if not found:
        return []
    head = ("chainertrpo", versions_of(folder), run.label, run.env, run.seed)
    return [Row(*head, *evaluation) for evaluation in found]
