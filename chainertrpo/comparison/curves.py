"""Learning curves with their bands, against steps and against time.

In all pictures a thick line is a statistic over runs, the band around it the 95 % bootstrap
interval, and a thin line or a dot one run.
"""

import collections
import operator

from chainertrpo.agents import PRESETS
from chainertrpo.comparison.published import published
from chainertrpo.comparison.statistics import bootstrap, interquartile_mean
from chainertrpo.comparison.table import TRAINING, cells, curve_of
from chainertrpo.comparison.tasks import TASK, TASKS

import numpy

POINTS = 100  # of a curve whose runs were evaluated at different places


def curve(runs, x="steps"):
    """Bring the evaluations of several runs to common places.

    They are the places themselves where all runs have the same, else `POINTS` from where
    the last run begins to where the first ends, with mean returns linearly between
    evaluations.  Returns the places (n,) and the returns (runs, n).
    """
    places = [numpy.array([getattr(row, x) for row in run], float) for run in runs]
    scores = [numpy.array([row.mean for row in run]) for run in runs]
    grid = places[0]
    if not all(numpy.array_equal(grid, other) for other in places):
        low, high = max(p.min() for p in places), min(p.max() for p in places)
        grid = numpy.linspace(low, max(low, high), POINTS)
    return grid, numpy.array([numpy.interp(grid, p, s) for p, s in zip(places, scores)])


def draw_curves(rows, env, path, *, statistic=interquartile_mean, name="IQM", rng=None):
    """Draw the curves of one environment, and what was published for it.

    Parameters
    ----------
    rows : iterable of Row
        The table.
    env : str
        The environment's id.
    path : str
        Of the picture.
    statistic : callable
        Over runs; see `bootstrap`.
    name : str
        What the axis calls it.
    rng : numpy.random.Generator, optional
        Of the bootstrap; by default a new one with seed 0, so that the same table gives
        the same picture.

    Returns
    -------
    str
        `path`.

    Raises
    ------
    ValueError
        There is no evaluation of that environment.
    """
    rows = [row for row in rows if row.env == env]
    groups = cells(rows, TRAINING, operator.attrgetter("runner", "preset"))
    if not groups:
        raise ValueError(f"expected evaluations of {env} in the table, got none.")
    rng = rng or numpy.random.default_rng(0)
    figure, panels = new_figure(1, 2, (6, 4.1))
    by_steps, by_time = panels[0]
    for i, (key, found) in enumerate(sorted(groups.items())):
        runs, color = curve_of(found), f"C{i % 10}"
        label = f"{' '.join(key)} ({len(runs)} run{'s' * (len(runs) > 1)})"
        draw_line(by_steps, *curve(runs), statistic, rng, color, label)
        if all(row.elapsed is not None for row in found):
            draw_line(by_time, *curve(runs, "elapsed"), statistic, rng, color, None)
    _mark_published(by_steps, env, _algorithms(rows))
    for axes, x in ((by_steps, "environment steps"), (by_time, "seconds of training")):
        if env in TASKS:
            axes.axhline(TASKS[env].goal, color="0.3", ls=":", lw=1, label="goal")
        axes.set_xlabel(x)
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=6)
    by_steps.set_ylabel(f"return, {name} over runs, 95 % bootstrap band")
    figure.suptitle(env)
    return save_figure(figure, panels, path, loc="outside right upper", fontsize=7)


def draw_line(axes, grid, scores, statistic, rng, color, label):
    """Draw runs (runs, n) at the places (n,): their statistic, its band, and each run."""
    style = {"color": color, "marker": "o" if len(grid) == 1 else None}
    axes.plot(grid, statistic(scores, axis=0), lw=1.6, label=label, **style)
    if len(scores) > 1:
        axes.plot(grid, scores.T, lw=0.5, color=color, alpha=0.6)
        low, high = bootstrap(scores, statistic, rng)
        axes.fill_between(grid, low, high, color=color, alpha=0.2, lw=0)


def _algorithms(rows):
    """Whose published scores stand beside these: PPO's, TRPO's and NPG's, or both."""
    found = {
        "PPO" if "ppo" in name.split("-") else "TRPO"
        for row in rows
        for label in [TASKS[row.env].preset if row.preset == TASK else row.preset]
        for name in [label.split(",")[0]]  # a variant is called "preset, name"
        if name in PRESETS
    }
    natural = ("TRPO", "NPG") if found != {"PPO"} else ()
    return natural + (("PPO",) if "PPO" in found else ())


def _mark_published(axes, env, algorithms):
    """Published scores within the picture's steps: points, and logs as lines."""
    end = axes.get_xlim()[1] * 1.02
    sources = collections.defaultdict(list)
    for row in published(env, algorithms):
        if row.steps is not None and row.steps <= end:
            sources[row.source, row.version, row.algorithm].append(row)
    import matplotlib

    markers, colors = "sDv^<>pPX*hd", matplotlib.colormaps["tab20b"].colors
    for i, ((source, version, algorithm), rows) in enumerate(sources.items()):
        steps, means = [row.steps for row in rows], [row.mean for row in rows]
        label = f"{algorithm}, {version or 'version ?'}: {source.split(',')[0]}"
        style = {"color": colors[7 * i % 20], "marker": markers[i % 12], "ms": 5}
        if len(rows) > 1:
            axes.plot(steps, means, lw=0.8, ls="--", label=label, **style)
            continue
        spread = None if rows[0].spread is None else [rows[0].spread]
        style.update(ls="none", elinewidth=0.8, capsize=2, clip_on=False, zorder=5)
        axes.errorbar(steps, means, spread, label=label, **style)


def new_figure(n_rows, n_columns, size):
    """Make a figure of panels, each of that size in inches."""
    import matplotlib.figure

    whole = (size[0] * n_columns, size[1] * n_rows + 0.5)
    figure = matplotlib.figure.Figure(figsize=whole, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey="row")
    return figure, panels


def save_figure(figure, panels, path, **place):
    """Write a figure with one legend for all panels, what was published last in it."""
    kept = {}
    for axes in panels.ravel():
        axes.grid(alpha=0.3)
        for handle, label in zip(*axes.get_legend_handles_labels()):
            kept[label] = handle
    if not place:
        kept = dict(sorted(kept.items(), key=lambda item: "published" in item[0]))
        place = {"loc": "outside lower center", "fontsize": 9}
        place["ncols"] = min(len(kept), 7)
    figure.legend(kept.values(), kept.keys(), **place)
    figure.savefig(path, dpi=130)
    return path
