"""A grid of runs: algorithm × task × condition × seed, each run in a folder of its own.

`make_plan` says what the grid of a comparison of presets is, `STUDIES` what those of
imitation are; everything after that (`run_all`, `rows_of`, pictures, tables) is common.
"""

import itertools
import math
import re
import typing

from chainertrpo.agents import PRESETS
from chainertrpo.comparison.runs import BC, Run, check_settings, claim, folder_of
from chainertrpo.comparison.tasks import TASK, TASKS
from chainertrpo.experiments import resolve

CLONE_EPOCHS = 1000  # of a clone: far beyond where held-out pairs are best


class Algorithm(typing.NamedTuple):
    """What learns.

    Attributes
    ----------
    label : str
        Its name in tables.
    preset : str
        Of `PRESETS`, or of `GAIL_PRESETS` where there is a method.
    changes : dict
        To the preset, by part.
    method : str or None
        As in `Run`.
    """

    label: str
    preset: str
    changes: dict
    method: typing.Optional[str] = None


class Setting(typing.NamedTuple):
    """A task: what the runs in one environment have in common.

    Attributes
    ----------
    env : str
        Its full id.
    steps : int
        Environment steps of a run; a clone has none.
    conditions : dict
        Name of a field of `Run` -> its values in this task, besides the grid's.
    settings : dict
        Label of an algorithm -> the preset and changes that it has in this task.
    clone_epochs : int
        Passes of behaviour cloning that a GAIL run begins with.
    """

    env: str
    steps: int
    conditions: dict
    settings: dict
    clone_epochs: int = 0


class Grid(typing.NamedTuple):
    """Algorithms by tasks by conditions by seeds.

    Attributes
    ----------
    title : str
        What it asks.
    algorithms : tuple of Algorithm
        What learns.
    tasks : tuple of Setting
        Its environments.
    conditions : dict
        Name of a field of `Run` -> its values in every task.
    seeds : tuple of int
        Of each cell.
    evaluations : int
        Of a run's curve; `eval_interval` is instead of them.
    episodes : (int, int)
        Of each of these, and of the final ones.
    level : float or None
        Normalised score; when a curve first reaches it is reported.
    eval_interval : int or None
        Steps between evaluations.
    pictures : tuple of str
        Of ``curves``, ``seconds``, ``scores``, ``profiles``.
    """

    title: str
    algorithms: tuple
    tasks: tuple
    conditions: dict
    seeds: tuple
    evaluations: int = 20
    episodes: tuple = (10, 100)
    level: typing.Optional[float] = None
    eval_interval: typing.Optional[int] = None
    pictures: tuple = ("curves",)


def runs_of(grid, **fields):
    """List the runs of a grid.

    Parameters
    ----------
    grid : Grid
        The product.
    **fields
        Further fields of `Run`, the same in all.

    Returns
    -------
    list of Run
        Seed by seed, so that every cell has its first seeds early; each once, whatever
        was named twice.
    """
    runs = []
    for seed, task in itertools.product(grid.seeds, grid.tasks):
        axes = {**grid.conditions, **task.conditions}
        for *condition, algorithm in itertools.product(*axes.values(), grid.algorithms):
            own = (algorithm.preset, algorithm.changes)
            preset, changes = task.settings.get(algorithm.label, own)
            cloned = algorithm.method == BC
            steps = 0 if cloned else task.steps
            interval = grid.eval_interval or math.ceil(steps / grid.evaluations)
            run = Run(
                algorithm.label,
                task.env,
                seed,
                steps,
                preset,
                changes,
                max(1, interval),
                *grid.episodes,
                method=algorithm.method,
                clone_epochs=CLONE_EPOCHS if cloned else task.clone_epochs,
                **dict(zip(axes, condition)),
                **fields,
            )
            if run not in runs:
                runs.append(run)
    return runs


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
    """Write the folders of a comparison's runs that are not there yet.

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
        The folders, in the order of `runs_of`.

    Raises
    ------
    ValueError
        A preset, part, key or task that there is not, a variant's name that is no name
        of a folder, or a folder that holds another run.
    """
    algorithms = [Algorithm(label, label, {}) for label in presets]
    for name, (preset, changes) in (variants or {}).items():
        if not re.fullmatch(r"\w[\w. =-]*", name):
            raise ValueError(
                "expected a variant's name of letters, digits, spaces and ._=-, got "
                f"{name!r}: it is part of a folder's."
            )
        algorithms.append(Algorithm(f"{preset}, {name}", preset, changes))
    grid = Grid(
        "Comparison",
        tuple(algorithms),
        tuple(_task(resolve(env, "auto")[1], presets, steps) for env in envs),
        {},
        tuple(seeds),
        episodes=(eval_n_runs, final_n_runs),
        eval_interval=eval_interval,
    )
    return claim_all(outdir, runs_of(grid))


def _task(env, presets, steps):
    task = TASKS.get(env)
    if TASK in presets and task is None:
        raise ValueError(
            f"expected an environment of {sorted(TASKS)} for the preset {TASK!r}, got "
            f"{env}. Choose a preset of {sorted(PRESETS)}."
        )
    own = {TASK: (task.preset, task.changes)} if task else {}
    return Setting(env, steps or (task.steps if task else 10**6), {}, own)


def claim_all(outdir, runs):
    """Write the folders of runs that are not there yet, once all settings are checked."""
    for run in runs:
        check_settings(run)
    return [claim(folder_of(outdir, run), run) for run in runs]
