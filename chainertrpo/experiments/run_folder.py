"""A run's folder: what was asked for, on what it ran, and how it went."""

import datetime
import importlib
import io
import os
import platform
import subprocess
import sys

from chainertrpo import ranks
from chainertrpo.data import BadFileError, read_json, write_atomically, write_json

import numpy

PACKAGES = ("numpy", "chainer", "cupy", "gym", "gymnasium", "mujoco")


def prepare_run_folder(outdir, config, env=None):
    """Make ``outdir/<time>`` with ``config.json`` and ``environment.json``.

    Parameters
    ----------
    outdir : str
        The parent.
    config : dict
        Everything that determines the run; JSON.
    env : Env, optional
        What is trained in.

    Returns
    -------
    str
        The new folder.
    """
    stamp = datetime.datetime.now().strftime("%Y%m%dT%H%M%S.%f")
    path = os.path.join(outdir, stamp)
    os.makedirs(path)
    write_json(os.path.join(path, "config.json"), config)
    write_json(os.path.join(path, "environment.json"), describe_environment(env))
    return path


def describe_environment(env=None):
    """Versions, machine, command and commit; no environment variables.

    Parameters
    ----------
    env : Env, optional
        What is trained in: whose steps are taken is said.

    Returns
    -------
    dict
        JSON.
    """
    import chainertrpo

    steps = {} if env is None else {"steps": getattr(env, "steps", None)}
    return {
        **steps,
        "chainertrpo": chainertrpo.__version__,
        "commit": _commit(os.path.dirname(chainertrpo.__file__)),
        "command": sys.argv,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "ranks": ranks.size(),
    }


def _version(name):
    if name not in sys.modules:  # only what the run uses, and nothing new is imported
        return None
    return getattr(importlib.import_module(name), "__version__", "unknown")


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def _commit(folder):
    try:
        done = subprocess.run(
            ["git", "-C", folder, "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def read_table(path):
    """Read ``scores.txt`` or ``episodes.txt``.

    Parameters
    ----------
    path : str
        A file of tab-separated numbers under a header.

    Returns
    -------
    dict of str to array, float64
        The columns.  A last row that a killed run left unfinished is dropped.

    Raises
    ------
    BadFileError
        It is no such table; the message names the line.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadFileError(
            f"{path}: expected text, got other bytes: {error}"
        ) from error
    lines = text[: text.rfind("\n") + 1].splitlines()
    if not lines:
        raise BadFileError(f"{path}: expected a header and rows, got an empty file.")
    names = lines[0].split("\t")
    rows = [
        _row(path, number, line, names)
        for number, line in enumerate(lines[1:], start=2)
    ]
    columns = numpy.array(rows, float).reshape(-1, len(names)).T
    return dict(zip(names, columns))


def _row(path, number, line, names):
    cells = line.split("\t")
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise BadFileError(f"{path}, line {number}: {error}.") from error
    if len(values) != len(names):
        raise BadFileError(
            f"{path}, line {number}: expected {len(names)} numbers, one for each column "
            f"of the header, got {len(values)}."
        )
    return values


def draw_learning_curve(outdir):
    """Draw ``learning_curve.png`` from what there is of tables in a run's folder.

    Parameters
    ----------
    outdir : str
        The run's folder.

    Returns
    -------
    str
        The picture's path.

    Raises
    ------
    BadFileError
        A table or ``config.json`` is not what it should be.
    """
    import matplotlib.figure

    path = os.path.join(outdir, "config.json")
    config = read_json(path) if os.path.exists(path) else {}
    if not isinstance(config, dict):
        raise BadFileError(f"{outdir}/config.json: expected a JSON object.")
    figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    episodes_path = os.path.join(outdir, "episodes.txt")
    if os.path.exists(episodes_path):
        episodes = read_table(episodes_path)
        steps, returns = episodes["steps"], episodes["return"]
        thin = slice(None, None, max(1, len(steps) // 5000))
        label = "training episodes (stochastic policy)"
        axes.plot(
            steps[thin], returns[thin], ".", ms=2.5, color="0.75", label=label, zorder=1
        )
        if len(returns) >= 20:
            window = max(10, min(100, len(returns) // 20))
            mean = numpy.convolve(returns, numpy.full(window, 1 / window), "valid")
            label = f"their mean over {window}"
            axes.plot(steps[window - 1 :], mean, color="C1", lw=1.5, label=label)
    path = os.path.join(outdir, "scores.txt")
    scores = read_table(path) if os.path.exists(path) else {}
    if len(scores.get("steps", ())):
        axes.errorbar(
            scores["steps"],
            scores["mean"],
            scores["stdev"],
            fmt="o-",
            ms=4,
            capsize=3,
            color="C0",
            label="evaluation, mean ± standard deviation",
            zorder=3,
        )
    axes.set_xlabel("environment steps")
    axes.set_ylabel("return of an episode")
    if "env" in config:
        axes.set_title(f"{config.get('agent', 'agent')} on {config['env']}")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
    path, picture = os.path.join(outdir, "learning_curve.png"), io.BytesIO()
    figure.savefig(picture, dpi=130, format="png")
    write_atomically(path, picture.getvalue())
    return path
