"""Learning curves over runs: a line and its band, against steps and against time."""

import collections

from chainertrpo.agents import PRESETS
from chainertrpo.comparison.published import published
from chainertrpo.comparison.statistics import bootstrap, interquartile_mean
from chainertrpo.comparison.table import TRAINING
from chainertrpo.comparison.tasks import TASK, TASKS

import numpy

POINTS = 100  # of a curve whose runs were evaluated at different places


def curve(runs, x="steps"):
    """Bring the evaluations of several runs to common places.

    Parameters
    ----------
    runs : list of (list of Row)
        The evaluations of each run.
    x : str
        ``steps`` or ``elapsed``.

    Returns
    -------
    grid : array, shape (n,)
        From where the last run begins to where the first ends.  The places themselves
        where they are the same in all runs.
    scores : array, shape (len(runs), n)
        Mean returns, linearly between evaluations.
    """
    places = [numpy.array([getattr(row, x) for row in run], float) for run in runs]
    scores = [numpy.array([row.mean for row in run]) for run in runs]
    grid = places[0]
    if not all(numpy.array_equal(grid, other) for other in places):
        low, high = max(p.min() for p in places), min(p.max() for p in places)
        grid = numpy.linspace(low, max(low, high), POINTS)
    return grid, numpy.array([numpy.interp(grid, p, s) for p, s in zip(places, scores)])


def group(rows, kind, by=("runner", "preset")):
    """Sort the rows of a kind into groups, and those into runs.

    Parameters
    ----------
    rows : iterable of Row
        The table.
    kind : str
        Which rows.
    by : sequence of str
        The columns whose values make a group.

    Returns
    -------
    dict of tuple to (list of (list of Row))
        By the values of those columns; a run is one seed, its rows by steps.
    """
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in sorted(rows, key=lambda row: row.steps):
        if row.kind == kind:
            groups[tuple(getattr(row, name) for name in by)][row.seed].append(row)
    return {key: list(runs.values()) for key, runs in groups.items()}


def draw_curves(rows, env, path, *, statistic=interquartile_mean, name="IQM", rng=None):
    """Draw the curves of one environment, and what was published for it.

    A thick line is the statistic over runs, a thin one a run.

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
    import matplotlib.figure

    rows = [row for row in rows if row.env == env]
    groups = group(rows, TRAINING)
    if not groups:
        raise ValueError(f"expected evaluations of {env} in the table, got none.")
    rng = rng or numpy.random.default_rng(0)
    figure = matplotlib.figure.Figure(figsize=(12, 4.6), layout="constrained")
    by_steps, by_time = figure.subplots(1, 2, sharey=True)
    for i, (key, runs) in enumerate(sorted(groups.items())):
        count = f"{len(runs)} run{'s' * (len(runs) > 1)}"
        label = f"{' '.join(key)} ({count})"
        _line(by_steps, *curve(runs), statistic, rng, f"C{i % 10}", label)
        if all(row.elapsed is not None for run in runs for row in run):
            timed = curve(runs, "elapsed")
            _line(by_time, *timed, statistic, rng, f"C{i % 10}", None)
    _mark_published(by_steps, env, _algorithms(rows))
    for axes, x in ((by_steps, "environment steps"), (by_time, "seconds of training")):
        if env in TASKS:
            axes.axhline(TASKS[env].goal, color="0.3", ls=":", lw=1, label="goal")
        axes.set_xlabel(x)
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=6)
        axes.grid(alpha=0.3)
    by_steps.set_ylabel(f"return, {name} over runs, 95 % bootstrap band")
    figure.suptitle(env)
    figure.legend(*_unique(by_steps), loc="outside right upper", fontsize=7)
    figure.savefig(path, dpi=130)
    return path


def _line(axes, grid, scores, statistic, rng, color, label):
    style = {"color": color, "marker": "o" if len(grid) == 1 else None}
    axes.plot(grid, statistic(scores, axis=0), lw=1.6, label=label, **style)
    if len(scores) > 1:
        axes.plot(grid, scores.T, lw=0.5, color=color, alpha=0.6)
        low, high = bootstrap(scores, statistic, rng)
        axes.fill_between(grid, low, high, color=color, alpha=0.2, lw=0)


def _unique(axes):
    handles, labels = axes.get_legend_handles_labels()
    kept = dict(zip(labels, handles))
    return list(kept.values()), list(kept)


def _algorithms(rows):
    """Whose published scores stand beside these: PPO's, TRPO's and NPG's, or both."""
    found = {
        _algorithm(PRESETS[name])
        for row in rows
        for label in [TASKS[row.env].preset if row.preset == TASK else row.preset]
        for name in [label.split(",")[0]]  # a variant is called "preset, name"
        if name in PRESETS
    }
    natural = ("TRPO", "NPG") if found != {"PPO"} else ()
    return natural + (("PPO",) if "PPO" in found else ())


def _algorithm(preset):
    """Its class; or PPO, if its values are fitted apart from the clipped surrogate."""
    clips = "clip_eps" in (preset.get("step") or {})
    return "PPO" if clips else preset["algorithm"]


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
