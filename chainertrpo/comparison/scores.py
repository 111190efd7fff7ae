"""What is compared in one environment: scores of final agents, and published ones."""

import collections
import operator
import typing

from chainertrpo.comparison.published import Published, base_name, published
from chainertrpo.comparison.statistics import standard_error
from chainertrpo.comparison.table import FINAL, cells, curve_of

import numpy

ALGORITHMS = ("TRPO", "NPG", "PPO")


class Score(typing.NamedTuple):
    """A mean return after some steps of training.

    Attributes
    ----------
    name : str
        Runner and settings, or algorithm and source.
    version : str
        Of the environment.
    steps, runs : int or None
        Of training; behind the mean.  None: not stated.
    mean : float
        Undiscounted return of an episode.
    spread : float or None
        What stands after ±: of ours the standard error over runs.
    of_runs : tuple of float
        The mean returns of each of our runs; empty of what was published.
    episodes : int or None
        Of our evaluation of each run.
    published : Published or None
        Where it is from.
    """

    name: str
    version: str
    steps: typing.Optional[int]
    runs: typing.Optional[int]
    mean: float
    spread: typing.Optional[float] = None
    of_runs: typing.Tuple[float, ...] = ()
    episodes: typing.Optional[int] = None
    published: typing.Optional[Published] = None


def final_scores(rows, env, kind=FINAL):
    """The scores of the rows' final agents, by name and steps, as a list of `Score`."""
    version, found = env[len(base_name(env)) + 1 :], []
    by = operator.attrgetter("runner", "preset", "steps")
    for (runner, preset, steps), same in sorted(cells(rows, kind, by).items()):
        means = [run[-1].mean for run in curve_of(same)]
        error = standard_error(means) if len(means) > 1 else None
        found.append(
            Score(
                f"{runner} {preset}",
                version,
                steps,
                len(means),
                float(numpy.mean(means)),
                error,
                tuple(means),
                same[-1].n,
            )
        )
    return found


def published_scores(env, steps, algorithms=ALGORITHMS):
    """What was published for an environment, of each curve the point nearest to `steps`."""
    return [
        Score(
            f"{row.algorithm}: {row.source}",
            row.version,
            row.steps,
            row.seeds,
            row.mean,
            row.spread,
            published=row,
        )
        for row in _nearest(published(env, algorithms), steps)
    ]


def _nearest(rows, steps):
    sources = collections.defaultdict(list)
    for row in rows:
        sources[row.source, row.version, row.algorithm].append(row)
    nearest = []
    for found in sources.values():
        if len({row.steps for row in found}) > 1:
            found = [min(found, key=lambda row: abs((row.steps or 0) - steps))]
        nearest += found
    return nearest


def short(x, beside=None):
    """A score in three to five digits, or as many behind the point as the one beside it."""
    size = abs(x if beside is None else beside)
    digits = 2 if size < 10 else 1 if size < 1000 else 0
    return f"{x:.{digits}f}"
