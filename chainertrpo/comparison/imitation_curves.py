"""Pictures of the imitation studies: scores by demonstrations, and learning curves."""

from chainertrpo.comparison.curves import curve
from chainertrpo.comparison.imitation import BC, NONE
from chainertrpo.comparison.imitation_report import cells, level_of, name_of, paper
from chainertrpo.comparison.imitation_studies import STUDIES
from chainertrpo.comparison.statistics import standard_error
from chainertrpo.comparison.table import FINAL, TRAINING

import numpy

_WORDS = {
    "steps": "environment steps",
    "elapsed": "seconds of training, evaluations among them",
}
COLORS = {"BC": "C1", "GAIL, TRPO": "C0", "GAIL, PPO": "C2"}
FORMS = {
    "d": ("D", "C0"),
    "gail": ("−log(1 − D)", "C1"),
    "logd": ("log D", "C2"),
    "airl": ("log D − log(1 − D)", "C3"),
}


def draw_scores(rows, path):
    """Draw expert-normalised scores against the number of trajectories.

    Parameters
    ----------
    rows : sequence of ImitationRow
        With final ones.
    path : str
        Of the picture.

    Returns
    -------
    str
        `path`.
    """
    envs = list(dict.fromkeys(row.env for row in rows))
    figure, panels = _figure(1, len(envs), (4.3, 3.9))
    for env, axes in zip(envs, panels[0]):
        groups = cells([row for row in rows if row.env == env], FINAL, name_of)
        for i, (name, found) in enumerate(groups.items()):
            _draw_method(axes, name, found, (i - 1) * 0.12)
        _draw_paper(axes, env)
        axes.axhline(1, color="0.3", lw=0.8)
        axes.axhline(0, color="0.3", lw=0.8, ls=":")
        axes.set_title(env)
        axes.set_xticks(sorted({row.trajectories for row in rows}))
        axes.set_xlabel("trajectories of the expert")
    panels[0][0].set_ylabel("score (random player 0, expert 1)")
    return _save(figure, panels, path)


def _draw_method(axes, name, rows, shift):
    """A method's line, its standard errors, and a dot for each seed."""
    groups = cells(rows, FINAL, lambda row: row.trajectories)
    x = numpy.array(sorted(groups))
    scores = [[row.normalized for row in groups[n]] for n in x]
    error = [standard_error(values) if len(values) > 1 else 0 for values in scores]
    color = COLORS.get(name, "C4")
    axes.errorbar(
        x + shift, list(map(numpy.mean, scores)), error, color=color, marker="o", ms=5,
        capsize=3, lw=1.6, label=name,
    )  # fmt: skip
    for n, values in zip(x, scores):
        at = numpy.full(len(values), n + shift)
        axes.plot(at, values, ".", color=color, ms=4, alpha=0.45)


def _draw_paper(axes, env):
    scores, ends, _ = paper(env)
    for method, name, marker in (("bc", "BC", "s"), ("gail", "GAIL, TRPO", "D")):
        points = sorted((n, x) for (m, n), x in scores.items() if m == method)
        if not points:
            continue
        x, y = numpy.array(points).T
        y = (y - ends[0]) / (ends[1] - ends[0])
        style = {"color": COLORS[name], "marker": marker, "mfc": "white", "alpha": 0.8}
        label = f"{name.split(',')[0]}, published"
        axes.plot(x, y, ls="--", lw=1, ms=5, label=label, **style)


def draw_grid(rows, path, *, down, across, x="steps"):
    """Draw learning curves in panels.

    A line is the mean over seeds of the environment's return, its band the lowest and the
    highest seed; a clone is a horizontal line.

    Parameters
    ----------
    rows : sequence of ImitationRow
        The table.
    path : str
        Of the picture.
    down, across : callable
        Row -> the label of its panels' row, of its panels' column.
    x : str
        ``steps`` or ``elapsed``.

    Returns
    -------
    str
        `path`.
    """
    labels = [list(dict.fromkeys(map(of, rows))) for of in (down, across)]
    size = (3.6, 2.7) if len(labels[0]) * len(labels[1]) > 1 else (7.5, 4.4)
    figure, panels = _figure(*map(len, labels), size)
    for i, row_label in enumerate(labels[0]):
        for j, column_label in enumerate(labels[1]):
            place = row_label, column_label
            found = [row for row in rows if (down(row), across(row)) == place]
            axes = panels[i][j]
            _draw_panel(axes, found, x)
            if len(labels[1]) > 1 and i == 0:
                axes.set_title(column_label, fontsize=10)
            if i == len(labels[0]) - 1:
                axes.set_xlabel(_WORDS[x])
            if j == 0:
                axes.set_ylabel(f"{row_label}\nreturn", fontsize=9)
    return _save(figure, panels, path)


def _draw_panel(axes, rows, x):
    if not rows:
        return
    forms = len({row.reward for row in rows if row.method != BC}) > 1

    def line(row):
        name = name_of(row)
        return FORMS[row.reward] if forms else (name, COLORS.get(name, "C4"))

    for (label, color), found in cells(rows, TRAINING, line).items():
        seeds = cells(sorted(found, key=_steps), TRAINING, lambda row: row.seed)
        grid, scores = curve(list(seeds.values()), x)
        axes.plot(grid, scores.mean(axis=0), color=color, lw=1.6, label=label)
        low, high = scores.min(axis=0), scores.max(axis=0)
        axes.fill_between(grid, low, high, color=color, alpha=0.18, lw=0)
    clones = [row.mean for row in rows if row.method == BC and row.kind == FINAL]
    if clones:
        axes.axhline(numpy.mean(clones), color=COLORS["BC"], lw=1.4, label="BC")
    level = level_of(rows[0])
    axes.axhline(rows[0].expert_mean, color="0.2", lw=1, ls="--", label="expert")
    if level is not None and STUDIES[rows[0].study].level < 1:
        label = f"{STUDIES[rows[0].study].level:.0%} of the expert"
        axes.axhline(level, color="0.2", lw=0.8, ls="-.", label=label)
    axes.axhline(rows[0].random_mean, color="0.2", lw=1, ls=":", label="random player")
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlim(left=0)
    if x == "steps":
        axes.xaxis.set_major_formatter(_thousands)


def _steps(row):
    return row.steps


def _thousands(steps, _):
    return f"{steps / 1000:g}k" if steps else "0"


def down_by_env(row):
    """A label of panels: the environment, and its horizon where it has one of ours.

    Parameters
    ----------
    row : ImitationRow
        Any.

    Returns
    -------
    str
        Such as ``CartPole-v1, 500 steps``.
    """
    ends = f", always {row.fixed_horizon} steps" if row.fixed_horizon else ""
    return row.env + ends


def across_by_trajectories(row):
    """A label of panels: how many trajectories.

    Parameters
    ----------
    row : ImitationRow
        Any.

    Returns
    -------
    str
        Such as ``4 trajectories``.
    """
    return (
        "1 trajectory" if row.trajectories == 1 else f"{row.trajectories} trajectories"
    )


def across_by_expert(row):
    """A label of panels: whom they imitate.

    Parameters
    ----------
    row : ImitationRow
        Any.

    Returns
    -------
    str
        Such as ``trained expert``.
    """
    return {NONE: "no expert: D = ½ always", "trained": "trained expert"}.get(
        row.expert, "expert that always takes action 0"
    )


def _figure(n_rows, n_columns, size):
    import matplotlib.figure

    whole = (size[0] * n_columns, size[1] * n_rows + 0.5)
    figure = matplotlib.figure.Figure(figsize=whole, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharey="row")
    return figure, panels


def _save(figure, panels, path):
    kept = {}
    for axes in panels.ravel():
        axes.grid(alpha=0.3)
        for handle, label in zip(*axes.get_legend_handles_labels()):
            kept[label] = handle
    kept = dict(sorted(kept.items(), key=lambda item: "published" in item[0]))
    place = {"loc": "outside lower center", "ncols": min(len(kept), 7), "fontsize": 9}
    figure.legend(kept.values(), kept.keys(), **place)
    figure.savefig(path, dpi=130)
    return path
