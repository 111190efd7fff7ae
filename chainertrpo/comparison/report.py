"""The Markdown table: our scores, and beside them what was published."""

import collections

from chainertrpo.comparison.curves import group
from chainertrpo.comparison.published import published
from chainertrpo.comparison.statistics import (
    bootstrap,
    interquartile_mean,
    standard_error,
)
from chainertrpo.comparison.table import DETERMINISTIC, FINAL
from chainertrpo.comparison.tasks import TASKS

import numpy

ALGORITHMS = ("TRPO", "NPG", "PPO")
HEAD = (
    "| | version | steps | runs | mean ± spread | IQM [95 % interval] | evaluation |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | --- |"
)
HOW = {FINAL: "actions sampled", DETERMINISTIC: "most probable actions"}


def markdown_report(rows, pictures=None, rng=None):
    """Write the tables of all environments.

    Parameters
    ----------
    rows : iterable of Row
        The table.
    pictures : dict of str to str, optional
        By environment, the address of its curves.
    rng : numpy.random.Generator, optional
        Of the bootstrap; by default a new one with seed 0.

    Returns
    -------
    str
        Markdown.
    """
    rows = list(rows)
    rng = rng or numpy.random.default_rng(0)
    parts = [
        "# Comparison",
        "Final agents: the mean over runs of each run's mean return, ± its standard "
        "error over runs. Published numbers stand with the spread they were published "
        "with.",
    ]
    for env in sorted({row.env for row in rows}):
        parts.append(f"## {env}")
        if pictures and env in pictures:
            parts.append(f"![{env}]({pictures[env]})")
        parts.append(_table([row for row in rows if row.env == env], env, rng))
        if env in TASKS:
            parts.append(f"Goal: {_number(TASKS[env].goal)} or more.")
    versions = sorted({f"- {row.runner}: {row.version}" for row in rows})
    parts.append("## Versions\n\n" + "\n".join(versions))
    return "\n\n".join(parts) + "\n"


def _table(rows, env, rng):
    lines, steps = [HEAD], 0
    for kind in (FINAL, DETERMINISTIC):
        groups = group(rows, kind, ("runner", "preset", "steps"))
        for (runner, preset, n), runs in sorted(groups.items()):
            scores = numpy.array([run[-1].mean for run in runs])
            how = f"{runs[0][-1].n} episodes a run, {HOW[kind]}"
            name = f"**{runner} {preset}**"
            version = "v" + env.rpartition("-v")[2]
            cells = [name, version, f"{n:,}", len(scores), *_summary(scores, rng), how]
            lines.append(_line(cells))
            steps = max(steps, n)
    for row in _nearest(published(env, ALGORITHMS), steps):
        spread = "" if row.spread is None else f" ± {_number(row.spread)}"
        kind = f"±: {row.spread_kind}" if row.spread_kind else ""
        cells = [
            f"{row.algorithm}: {row.source}",
            row.version,
            "" if row.steps is None else f"{row.steps:,}",
            "" if row.seeds is None else row.seeds,
            _number(row.mean) + spread,
            "",
            "; ".join(word for word in (row.setting, kind) if word),
        ]
        lines.append(_line(cells))
    return "\n".join(lines)


def _summary(scores, rng):
    mean = _number(scores.mean())
    if len(scores) < 2:
        return mean, ""
    low, high = bootstrap(scores, interquartile_mean, rng)
    iqm = _number(interquartile_mean(scores))
    error = _number(standard_error(scores))
    return f"{mean} ± {error}", f"{iqm} [{_number(low)}, {_number(high)}]"


def _nearest(rows, steps):
    """Of a source's learning curve, its point nearest to where we are."""
    sources = collections.defaultdict(list)
    for row in rows:
        sources[row.source, row.version, row.algorithm].append(row)
    nearest = []
    for found in sources.values():
        if len({row.steps for row in found}) > 1:
            found = [min(found, key=lambda row: abs((row.steps or 0) - steps))]
        nearest += found
    return nearest


def _number(x):
    return f"{x:.1f}" if abs(x) < 1000 else f"{x:.0f}"


def _line(cells):
    return f"| {' | '.join(str(cell) for cell in cells)} |"
