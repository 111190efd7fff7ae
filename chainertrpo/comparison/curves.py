"""Learning curves with their bands, against steps and against time.

In all pictures a thick line is a statistic over runs, the band around it the 95 % bootstrap
interval, and a thin line, with points where there is no band, one run.
"""

import math
import operator
import textwrap

from chainertrpo.agents import PRESETS
from chainertrpo.comparison.scores import final_scores, published_scores, short
from chainertrpo.comparison.statistics import bootstrap, interquartile_mean
from chainertrpo.comparison.table import TRAINING, cells, curve_of
from chainertrpo.comparison.tasks import TASK, TASKS

import numpy

LINE = 0.165  # inches, of a table beside panels
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
    """Draw a panel for each of the settings in one environment, and a table beside them.

    The other settings and what was published stand in each panel in grey.  The table has
    the scores of final agents and the published ones, the highest first.

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
    last = max(row.steps for found in groups.values() for row in found)
    known = published_scores(env, last, _algorithms(rows))
    names = sorted(groups)
    colors = {name: f"C{i % 10}" for i, name in enumerate(names)}
    timed = [k for k in names if all(row.elapsed is not None for row in groups[k])]
    figure, panels, beside = _panels(len(names) + bool(timed), len(known) + len(names))

    for axes, key in zip(panels, names):
        for other in names:
            grid, scores = curve(curve_of(groups[other]))
            axes.plot(grid, statistic(scores, axis=0), lw=0.8, color="0.75")
        runs = curve_of(groups[key])
        draw_line(axes, *curve(runs), statistic, rng, colors[key], None)
        title = f"{' '.join(key)}\n{len(runs)} run{'s' * (len(runs) > 1)}"
        axes.set_title(title, fontsize=8.5, color=colors[key])
        axes.set_xlabel("environment steps")
        axes.xaxis.set_major_formatter(lambda t, _: f"{t / 1000:g}k" if t else "0")
        _mark(axes, env, known, last)
    for key in timed:
        grid, scores = curve(curve_of(groups[key]), "elapsed")
        panels[-1].plot(grid, statistic(scores, axis=0), lw=1.4, color=colors[key])
    if timed:
        panels[-1].set_title("all, against time", fontsize=8.5)
        panels[-1].set_xlabel("seconds of training")
    for axes in panels:
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(alpha=0.3)
    figure.supylabel(f"return: {name} over runs, 95 % bootstrap band", fontsize=10)
    said = ["grey: the other settings"] * (len(names) > 1)
    said += ["\u25c7: published"] * bool(known) + ["dotted: goal"] * (env in TASKS)
    figure.suptitle("   ".join([env, ", ".join(said)]), fontsize=11)
    ours = {" ".join(key): color for key, color in colors.items()}
    _write_scores(beside, final_scores(rows, env) + known, ours)
    figure.savefig(path, dpi=130)
    return path


def draw_line(axes, grid, scores, statistic, rng, color, label):
    """Draw runs (runs, n) at the places (n,): their statistic, its band, and each run.

    One or two runs are drawn as points: an interval from them would say nothing.
    """
    few = len(scores) < 3
    marker = "o" if len(grid) == 1 else "." if few else None
    if not few:
        low, high = bootstrap(scores, statistic, rng)
        axes.fill_between(grid, low, high, color=color, alpha=0.2, lw=0)
    axes.plot(grid, statistic(scores, axis=0), lw=1.6, label=label, color=color)
    if len(scores) > 1 or few:
        axes.plot(grid, scores.T, lw=0.5, marker=marker, color=color, alpha=0.6)


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


def _panels(n, n_lines):
    """A figure of n panels with common axes, and room for a table of so many lines."""
    import matplotlib.figure

    columns = min(n, 4, math.ceil(math.sqrt(n)) + (n == 3))
    rows = math.ceil(n / columns)
    size = (3.3 * columns + 5.4, max(2.5 * rows, 3.6, LINE * (n_lines + 1)) + 0.7)
    figure = matplotlib.figure.Figure(figsize=size, layout="constrained")
    widths = [3.3] * columns + [5.4]
    grid = figure.add_gridspec(rows, columns + 1, width_ratios=widths)
    panels = []
    for i in range(n):
        share = panels[0] if panels else None
        at = grid[i // columns, i % columns]
        panels.append(figure.add_subplot(at, sharey=share))
        panels[-1].tick_params(labelleft=i % columns == 0)
    return figure, panels, figure.add_subplot(grid[:, columns])


def _mark(axes, env, scores, last):
    """What was published within the picture's steps, and the goal."""
    points = [(s.steps, s.mean) for s in scores if s.steps and s.steps <= last * 1.02]
    if points:
        style = {"ls": "none", "marker": "D", "mfc": "none", "color": "0.45", "ms": 4}
        axes.plot(*zip(*points), clip_on=False, **style)
    if env in TASKS:
        axes.axhline(TASKS[env].goal, color="0.3", ls=":", lw=1)


def _write_scores(axes, scores, colors):
    """The scores as lines of text, the highest first; ours in their colours."""
    axes.axis("off")
    head = (("", 0, "left"), ("steps", 0.68, "right"), ("runs", 0.77, "right"))
    head += (("return", 0.9, "right"), ("", 0.91, "left"))
    ordered = sorted(scores, key=lambda score: -score.mean)
    step = LINE / (axes.figure.get_figheight() - 0.7)
    for i, score in enumerate([None, *ordered]):
        texts, style = [cell[0] for cell in head], {"color": "0.4"}
        if score is not None:
            spread = (
                "" if score.spread is None else f"± {short(score.spread, score.mean)}"
            )
            texts = [_shortened(score), f"{score.steps:,}" if score.steps else "?"]
            texts += [f"{score.runs or '?'}", short(score.mean), spread]
            style = {"color": "0.25"}
            if score.of_runs:
                style = {"color": colors.get(score.name, "0"), "weight": "bold"}
        for text, (_, x, side) in zip(texts, head):
            place = {"ha": side, "va": "top", "transform": axes.transAxes}
            axes.text(x, 1 - i * step, text, fontsize=7, **place, **style)


def _shortened(score):
    if score.published is None:
        return textwrap.shorten(score.name, 44, placeholder="…")
    source = score.published
    who = source.source.split(",")[0]
    name = f"{source.algorithm}, {source.version or 'version ?'}: {who}"
    return textwrap.shorten(name, 44, placeholder="…")


def new_figure(n_rows, n_columns, size):
    """Make a figure of panels, each of that size in inches."""
    import matplotlib.figure

    whole = (size[0] * n_columns, size[1] * n_rows + 0.5)
    figure = matplotlib.figure.Figure(figsize=whole, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey="row")
    return figure, panels


def save_figure(figure, panels, path):
    """Write a figure with one legend for all panels, what was published last in it."""
    kept = {}
    for axes in panels.ravel():
        axes.grid(alpha=0.3)
        for handle, label in zip(*axes.get_legend_handles_labels()):
            kept[label] = handle
    kept = dict(sorted(kept.items(), key=lambda item: "published" in item[0]))
    place = {"loc": "outside lower center", "fontsize": 9, "ncols": min(len(kept), 7)}
    figure.legend(kept.values(), kept.keys(), **place)
    figure.savefig(path, dpi=130)
    return path
