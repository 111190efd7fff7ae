"""A run and its folder: what was asked for, and how far it is.

The folder is that of any other run (``config.json``, ``environment.json``, ``scores.txt``,
``episodes.txt``, checkpoints, agents), with ``final.json`` once it is finished.
"""

import contextlib
import os
import typing

from chainertrpo.agents import GAIL_PRESETS, settings_of
from chainertrpo.agents.presets import changes_of
from chainertrpo.data import BadFileError, file_name, read_json, write_json

CONFIG, ENVIRONMENT = "config.json", "environment.json"
FINISHED, STEP = "final.json", "step.txt"
SCORES = "scores.json"  # in an expert's folder: what it and a random player score
BC, GAIL = METHODS = ("bc", "gail")
TRAINED, LAZY, NONE = EXPERTS = ("trained", "always-0", "none")


class Run(typing.NamedTuple):
    """Everything that determines a run; what ``config.json`` holds.

    Attributes
    ----------
    label : str
        The settings' name in tables: a preset's, ``task``, or "preset, variant".
    env : str
        The environment's full id.
    seed : int
        Of weights, actions, minibatches and environments; in imitation it also chooses
        the episodes.
    steps : int
        Environment steps of training.
    preset : str
        A key of `PRESETS`, or of `GAIL_PRESETS` where there is a method (of a clone it
        gives the policy's network).
    changes : dict
        By part, as `settings_of` or `make_gail_agent` take them.
    eval_interval, eval_n_runs : int
        Steps between the evaluations of the curve, and their episodes.
    final_n_runs : int
        Episodes of the final evaluations.
    study : str or None
        The study of imitation that it is part of; this and what follows is None where an
        agent learns from the environment's rewards.
    method : str or None
        ``bc`` or ``gail``.
    reward : str or None
        The reward form; a clone has no use for it.
    expert : str or None
        ``trained``; ``always-0``, who always takes action 0; ``none``: the
        discriminator is never fitted, whatever the demonstrations are.
    fixed_horizon : int or None
        Episodes have this many steps (`FixedHorizon`), or end when they end.
    absorbing : int or None
        Up to this many steps an ended episode goes on in an absorbing state, for the
        discriminator (``absorbing_horizon``).
    trajectories : int or None
        Episodes of the expert.
    every : int or None
        Every k-th pair of an episode counts, from an offset drawn by the seed.
    clone_epochs : int
        Passes of behaviour cloning before; its best parameters are kept.
    demonstrations : str or None
        The file, relative to the run's folder.
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
    study: typing.Optional[str] = None
    method: typing.Optional[str] = None
    reward: typing.Optional[str] = None
    expert: typing.Optional[str] = None
    fixed_horizon: typing.Optional[int] = None
    absorbing: typing.Optional[int] = None
    trajectories: typing.Optional[int] = None
    every: typing.Optional[int] = None
    clone_epochs: int = 0
    demonstrations: typing.Optional[str] = None


_TYPES = typing.get_type_hints(Run)
_NOT_AS_EXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_POSITIVE: typing.Tuple[str, ...] = ("eval_interval", "eval_n_runs", "final_n_runs")
_POSITIVE += ("fixed_horizon", "absorbing", "trajectories", "every")


@contextlib.contextmanager
def reading(path, what):
    """Name the file in a BadFileError, whatever error its content causes."""
    try:
        yield
    except BadFileError:
        raise
    except (*_NOT_AS_EXPECTED, FileNotFoundError) as e:
        kind = type(e).__name__
        raise BadFileError(f"{path}: expected {what}, got {kind}: {e}") from e


def folder_of(outdir, run):
    """Where a run belongs in the folder of a comparison or study."""
    words = [run.label]
    if run.method:
        ends = f"fixed{run.fixed_horizon}" if run.fixed_horizon else "natural"
        ends = f"absorbing{run.absorbing}" if run.absorbing else ends
        words = [run.method, run.label, run.reward, run.expert, ends]
        words.append(f"{run.trajectories}x{run.every}")
    names = ("runs", file_name(run.env), "-".join(words), f"seed{run.seed}")
    return os.path.join(outdir, *names)


def claim(path, run):
    """Write a run's config.json, or see that the folder holds the same run."""
    config = os.path.join(path, CONFIG)
    if not os.path.exists(config):
        os.makedirs(path, exist_ok=True)
        content = {k: v for k, v in run._asdict().items() if v is not None}
        agent = run.method.upper() if run.method else run.preset  # a picture's title
        write_json(config, {"agent": agent, **content})
        return path
    there = read_run(path)
    differing = [
        f"{name}={old} (asked for: {new})"
        for name, old, new in zip(run._fields, *map(_in_todays_words, (there, run)))
        if old != new
    ]
    if differing:
        raise ValueError(
            f"{path} holds a run with {', '.join(differing)}. Take another --outdir, or "
            "remove that folder."
        )
    return path


def _in_todays_words(run):
    return run._replace(changes=changes_of(run.preset, run.changes))


def read_run(folder):
    """Read what a folder's run is.

    Parameters
    ----------
    folder : str
        Of `claim`.

    Returns
    -------
    Run
        From ``config.json``.

    Raises
    ------
    BadFileError
        It is not the folder of such a run; the message names the field.
    """
    path = os.path.join(folder, CONFIG)
    content = read_json(path)
    if not isinstance(content, dict):
        raise BadFileError(f"{path}: expected the run of a comparison, got no object.")
    if "label" not in content and "method" in content:  # as it was once written
        content = {**content, "label": content.get("preset")}
    missing = [n for n in Run._fields if n not in {**Run._field_defaults, **content}]
    if missing:
        raise BadFileError(
            f"{path}: expected the run of a comparison, got no {missing}."
        )
    run = Run(**{name: content[name] for name in Run._fields if name in content})
    for name, value in zip(run._fields, run):
        kinds = getattr(_TYPES[name], "__args__", (_TYPES[name],))
        low = 1 if name in _POSITIVE else 0
        if type(value) not in kinds or (type(value) is int and value < low):
            kind = f"{kinds[0].__name__}{f' >= {low}' * (int in kinds)}"
            raise BadFileError(f"{path}: expected {name} as {kind}, got {value!r}.")
    with reading(path, "settings that exist"):
        check_settings(run)
    return run


def check_settings(run):
    """Raise here, before ten processes do, where a setting does not exist."""
    if run.method is None:
        settings_of(run.preset, **run.changes)
        return
    needed = (run.study, run.reward, run.trajectories, run.every, run.demonstrations)
    if None in needed:
        raise ValueError("no study, reward, trajectories, every or demonstrations")
    for name, known in (
        ("method", METHODS),
        ("expert", EXPERTS),
        ("preset", tuple(GAIL_PRESETS)),
    ):
        if getattr(run, name) not in known:
            raise ValueError(f"{name} {getattr(run, name)!r}, which is none of {known}")


def is_finished(folder):
    """Whether a run has its final scores."""
    return os.path.exists(os.path.join(folder, FINISHED))


def step_of(folder, run):
    """How many environment steps a run has done."""
    if is_finished(folder):
        return run.steps
    try:
        with open(os.path.join(folder, STEP)) as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):  # not begun
        return 0
