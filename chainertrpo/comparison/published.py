"""What others have published: ``published.csv``, one row a number."""

import csv
import os
import typing

PAPER = "openai/imitation"  # whose result files are those of Ho and Ermon 2016
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "published.csv")


class Published(typing.NamedTuple):
    """One published score.

    A learning curve, such as those in openai/imitation's training logs, is several rows
    of one source with different steps.

    Attributes
    ----------
    env, version : str
        ``HalfCheetah`` and ``v2``; the version is empty where there is none.
    algorithm : str
        ``TRPO``, ``NPG``, ``PPO``, ``GAIL``, ``BC``, …
    steps : int or None
        Environment steps of training; None: not stated.
    seeds : int or None
        Training runs behind the number; None: not stated.
    mean : float
        Undiscounted return of an episode.
    spread : float or None
        What stands after ±.
    spread_kind : str
        ``standard error``, ``standard deviation over seeds``, ``standard deviation over
        episodes`` or ``not stated``; empty without a spread.
    setting : str
        How it was evaluated, and what else matters.
    source : str
        Where it was published.
    """

    env: str
    version: str
    algorithm: str
    steps: typing.Optional[int]
    seeds: typing.Optional[int]
    mean: float
    spread: typing.Optional[float]
    spread_kind: str
    setting: str
    source: str


def published(env=None, algorithms=None):
    """Read the published scores.

    Parameters
    ----------
    env : str, optional
        An environment, with or without its version; rows of all its versions.
    algorithms : sequence of str, optional
        Only these.

    Returns
    -------
    list of Published
        In the file's order.
    """
    with open(PATH, newline="", encoding="utf-8") as file:
        rows = [_parse(row) for row in csv.DictReader(file)]
    if env is not None:
        rows = [row for row in rows if row.env == base_name(env)]
    if algorithms is not None:
        rows = [row for row in rows if row.algorithm in algorithms]
    return rows


def paper(env):
    """What Ho and Ermon's result files say of an environment, whatever its version.

    Returns {(``bc`` or ``gail``, trajectories): mean return}, the mean returns of a random
    player (the first iteration of the expert's training, whose last layer begins with
    zeros) and of the expert, and the environment's version.
    """
    rows = [row for row in published(env) if row.source.startswith(PAPER)]
    scores = {
        (row.algorithm.lower(), int(row.setting.split()[0])): row.mean
        for row in rows
        if row.algorithm in ("BC", "GAIL") and row.setting[:1].isdigit()
    }
    experts = [row for row in rows if row.algorithm.startswith("expert")]
    training = [row for row in rows if "iteration 0;" in row.setting]
    if not scores or not experts or not training:
        return {}, None, ""
    return scores, (training[0].mean, experts[0].mean), experts[0].version


def base_name(env):
    """An environment's id without its version: ``Hopper`` of ``Hopper-v4``."""
    name, _, version = env.rpartition("-v")
    return name if name and version.isdigit() else env


def _parse(row):
    def number(name, kind):
        return kind(row[name]) if row[name] else None

    return Published(
        **{
            **row,
            "steps": number("steps", int),
            "seeds": number("seeds", int),
            "mean": float(row["mean"]),
            "spread": number("spread", float),
        }
    )
