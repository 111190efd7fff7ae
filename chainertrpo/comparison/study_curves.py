"""Pictures of imitation studies: learning curves, scores, performance profiles."""

from chainertrpo.comparison.curves import curve, draw_line, new_figure, save_figure
from chainertrpo.comparison.published import paper
from chainertrpo.comparison.runs import BC, NONE, TRAINED
from chainertrpo.comparison.statistics import (
    bootstrap,
    interquartile_mean,
    mean,
    performance_profile,
    standard_error,
)
from chainertrpo.comparison.studies import STUDIES, level_of, name_of
from chainertrpo.comparison.table import FINAL, TRAINING, cells, curve_of

import numpy

COLORS = {"BC": "C1", "GAIL, TRPO": "C0", "GAIL, PPO": "C2"}
FORMS = {
    "d": ("D", "C0"),
    "gail": ("−log(1 − D)", "C1"),
    "logd": ("log D", "C2"),
    "airl": ("log D − log(1 − D)", "C3"),
}
_WORDS = {
    "steps": "environment steps",
    "elapsed": "seconds of training, evaluations among them",
}


def draw_study(rows, path, x="steps"):
    """Draw the curves of an imitation study in panels; ``x`` is ``steps`` or ``elapsed``.

    They are below each other by environment and horizon, beside each other by expert
    where there are several, else by the number of trajectories.  A clone is a horizontal
    line.
    """
    across = _expert if len({row.expert for row in rows}) > 1 else _trajectories
    downs, acrosses = [list(dict.fromkeys(map(of, rows))) for of in (_task, across)]
    size = (3.6, 2.7) if len(downs) * len(acrosses) > 1 else (7.5, 4.4)
    figure, panels = new_figure(len(downs), len(acrosses), size)
    rng = numpy.random.default_rng(0)
    for i, down in enumerate(downs):
        for j, column in enumerate(acrosses):
            found = [r for r in rows if (_task(r), across(r)) == (down, column)]
            _draw_panel(panels[i][j], found, x, rng)
            if len(acrosses) > 1 and i == 0:
                panels[i][j].set_title(column, fontsize=10)
        panels[i][0].set_ylabel(f"{down}\nreturn", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel(_WORDS[x])
    return save_figure(figure, panels, path)


def _draw_panel(axes, rows, x, rng):
    forms = len({row.reward for row in rows if row.method != BC}) > 1

    def line(row):
        name = name_of(row)
        return FORMS[row.reward] if forms else (name, COLORS.get(name, "C4"))

    for (label, color), found in cells(rows, TRAINING, line).items():
        places = curve(curve_of(found), x)
        draw_line(axes, *places, interquartile_mean, rng, color, label)
    clones = [row.mean for row in rows if row.method == BC and row.kind == FINAL]
    if clones:
        axes.axhline(interquartile_mean(clones), color=COLORS["BC"], lw=1.4, label="BC")
    if not rows:
        return
    level, share = level_of(rows[0]), STUDIES[rows[0].study].level
    lines = [(rows[0].expert_mean, "--", "expert")]
    lines += (
        [(level, "-.", f"{share:.0%} of the expert")] if share and share < 1 else []
    )
    for y, style, label in [*lines, (rows[0].random_mean, ":", "random player")]:
        axes.axhline(y, color="0.2", lw=1, ls=style, label=label)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlim(left=0)
    if x == "steps":
        axes.xaxis.set_major_formatter(lambda t, _: f"{t / 1000:g}k" if t else "0")


def _task(row):
    if row.absorbing:
        return f"{row.env}, {row.ends}"
    ends = f", always {row.fixed_horizon} steps" if row.fixed_horizon else ""
    return row.env + ends


def _trajectories(row):
    n = row.trajectories
    return f"{n} {'trajectory' if n == 1 else 'trajectories'}"


def _expert(row):
    known = {NONE: "no expert: D = ½ always", TRAINED: "trained expert"}
    return known.get(row.expert, "expert that always takes action 0")


def draw_scores(rows, path):
    """Draw expert-normalised scores against the number of trajectories."""
    envs = list(dict.fromkeys(row.env for row in rows))
    figure, panels = new_figure(1, len(envs), (4.3, 3.9))
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
    return save_figure(figure, panels, path)


def _draw_method(axes, name, rows, shift):
    """The means of a method, their standard errors, and a dot for each seed."""
    groups = cells(rows, FINAL, lambda row: row.trajectories)
    x = numpy.array(sorted(groups))
    scores = [[row.normalized for row in groups[n]] for n in x]
    error = [standard_error(values) if len(values) > 1 else 0 for values in scores]
    color = COLORS.get(name, "C4")
    style = {"color": color, "marker": "o", "ms": 5, "capsize": 3, "lw": 1.6}
    axes.errorbar(x + shift, list(map(mean, scores)), error, label=name, **style)
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


def draw_profiles(rows, path):
    """Draw performance profiles over all tasks: the fraction of runs scoring above τ.

    Agarwal et al. 2021, section 4.2; runs are drawn within each task.
    """
    panels_of = cells(rows, FINAL, _trajectories)
    rng = numpy.random.default_rng(0)
    figure, panels = new_figure(1, len(panels_of), (3.6, 3.4))
    scores = [row.normalized for row in rows if row.kind == FINAL]
    taus = numpy.linspace(min(0.0, *scores), max(scores), 201)
    for (title, found), axes in zip(panels_of.items(), panels[0]):
        for name, runs in cells(found, FINAL, name_of).items():
            above = performance_profile([row.normalized for row in runs], taus)
            color = COLORS.get(name, "C4")
            axes.plot(taus, mean(above), color=color, lw=1.6, label=name)
            tasks = [row.env for row in runs]
            if min(map(tasks.count, tasks)) > 1:
                low, high = bootstrap(above, mean, rng, strata=tasks)
                axes.fill_between(taus, low, high, color=color, alpha=0.2, lw=0)
        axes.axvline(1, color="0.2", lw=1, ls="--", label="expert")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("normalised score τ")
    panels[0][0].set_ylabel("fraction of runs scoring above τ")
    return save_figure(figure, panels, path)
