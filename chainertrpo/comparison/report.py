"""The Markdown tables: our scores, and beside them what was published."""

import functools

from chainertrpo.comparison.published import PAPER, paper
from chainertrpo.comparison.runs import BC, NONE
from chainertrpo.comparison.scores import final_scores, published_scores, short
from chainertrpo.comparison.statistics import (
    bootstrap,
    interquartile_mean,
    standard_error,
)
from chainertrpo.comparison.studies import level_of, name_of, reached, study_of
from chainertrpo.comparison.table import DETERMINISTIC, FINAL, cells
from chainertrpo.comparison.tasks import TASKS

import numpy

HEAD = ["settings or source", "version", "steps", "runs", "mean ± spread"]
HEAD += ["IQM [95 % interval]", "evaluation"]
HOW = {FINAL: "actions sampled", DETERMINISTIC: "most probable actions"}
_ONE_A_STEP = ("CartPole", "MountainCar")  # ±1 a step: |return| is an episode's length
_OF_RUNS = (
    "Final agents: the mean over runs of each run's mean return, ± its standard error over "
    "runs. Published numbers stand with the spread they were published with."
)
_OF_SEEDS = (
    "Final agents: mean return over seeds ± its standard error, of {} episodes a seed with "
    "sampled actions. Normalised: (x − random) / (expert − random)."
)


def markdown_report(rows, pictures=None, rng=None):
    """Write the tables of all environments.

    Parameters
    ----------
    rows : iterable of Row
        The table, at least one row; of a study, or of a comparison.
    pictures : dict of str to str, optional
        By environment, the address of its curves; other pictures by any name.
    rng : numpy.random.Generator, optional
        Of the bootstrap; by default a new one with seed 0, so that the same table gives
        the same report.

    Returns
    -------
    str
        Markdown.
    """
    rows, pictures = list(rows), pictures or {}
    rng = rng or numpy.random.default_rng(0)
    study, envs = study_of(rows), dict.fromkeys(row.env for row in rows)
    if study:
        parts = [f"# {study.title}", _OF_SEEDS.format(max(row.n for row in rows))]
        versions = {f"- {row.version}" for row in rows}
    else:
        parts, envs = ["# Comparison", _OF_RUNS], sorted(envs)
        versions = {f"- {row.runner}: {row.version}" for row in rows}
    parts += [f"![{name}]({at})" for name, at in pictures.items() if name not in envs]
    for env in envs:
        parts.append(f"## {env}")
        if env in pictures:
            parts.append(f"![{env}]({pictures[env]})")
        found = [row for row in rows if row.env == env]
        parts += _imitation(found, rng) if study else _comparison(found, env, rng)
    if study and len(envs) > 1:
        parts += _all_tasks(rows, rng)
    parts.append("## Versions\n\n" + "\n".join(sorted(versions)))
    return "\n\n".join(parts) + "\n"


def _comparison(rows, env, rng):
    """A line for each of our settings, then one for each published score."""
    lines, last = [], 0
    for kind in (FINAL, DETERMINISTIC):
        for score in final_scores(rows, env, kind):
            how = f"{score.episodes} episodes a run, {HOW[kind]}"
            digits = functools.partial(short, beside=score.mean)
            iqm = _interval(score.of_runs, rng, digits)
            lines.append(_line(score, f"**{score.name}**", iqm, how))
            last = max(last, score.steps)
    for score in published_scores(env, last):
        source = score.published
        kind = f"±: {source.spread_kind}" if source.spread_kind else ""
        how = "; ".join(word for word in (source.setting, kind) if word)
        lines.append(_line(score, score.name, "", how))
    goal = [f"Goal: {short(TASKS[env].goal)} or more."] if env in TASKS else []
    return [_table(HEAD, lines, right=range(2, 6)), *goal]


def _line(score, name, iqm, how):
    spread = "" if score.spread is None else f" ± {short(score.spread, score.mean)}"
    steps = "" if score.steps is None else f"{score.steps:,}"
    runs = "" if score.runs is None else score.runs
    mean = short(score.mean) + spread
    return [name, score.version, steps, runs, mean, iqm, how]


def _imitation(rows, rng):
    first = rows[0]
    ends = f"Expert {first.expert_mean:.1f}, random player {first.random_mean:.1f}."
    one_form = len({row.reward for row in rows}) == 1  # as the paper has in each task
    theirs, low_high, version = paper(first.env) if one_form else ({}, None, "")
    if low_high:
        ends += (
            f" Published ({PAPER}, on {version}, most probable actions): expert "
            f"{low_high[1]:.1f}, random player {low_high[0]:.1f}."
        )
    return [ends, _scores(rows, theirs, low_high, rng), *_moments(rows)]


def _columns(rows):
    """The columns that tell cells apart, by their titles."""
    columns = {
        "trajectories": lambda row: row.trajectories,
        "method": name_of,
        "expert": lambda row: "no expert" if row.expert == NONE else row.expert,
        "episodes": lambda row: row.ends,
        "reward": lambda row: "" if row.method == BC else row.reward,
    }
    return {
        title: of
        for title, of in columns.items()
        if title == "method" or len({of(row) for row in rows if row.method != BC}) > 1
    }


def _cells(rows, kind, columns):
    """Cells by their columns: by horizon, expert and trajectories, then as they come."""
    found = cells(rows, kind, lambda row: tuple(of(row) for of in columns.values()))
    methods = list(dict.fromkeys((row.method, row.preset) for row in rows))

    def place(item):
        row = item[1][0]
        method = methods.index((row.method, row.preset))
        head = (
            row.fixed_horizon or 0,
            row.absorbing or 0,
            row.expert or "",
            row.trajectories,
        )
        return (*head, method, row.reward or "")

    return dict(sorted(found.items(), key=place))


def _scores(rows, theirs, ends, rng):
    """A line for each cell, with the paper's score beside it."""
    columns = _columns(rows)
    greedy = _cells(rows, DETERMINISTIC, columns)
    head = [
        *columns,
        "seeds",
        "return",
        "normalised",
        "IQM, normalised [95 % interval]",
    ]
    head.append("most probable actions")
    name = rows[0].env.split("-")[0]
    with_length = "reward" in columns and name in _ONE_A_STEP
    head += ["steps an episode"] if with_length else []
    head += ["published", "published, normalised"] if ends else []
    lines = []
    for values, found in _cells(rows, FINAL, columns).items():
        returns, scores = zip(*[(row.mean, row.normalized) for row in found])
        line = [*values, len(found), _spread(returns), _spread(scores, 2)]
        line.append(_interval(scores, rng, _two_digits))
        line.append(_spread([row.mean for row in greedy.get(values, [])]))
        line += [f"{numpy.abs(returns).mean():.1f}"] if with_length else []
        score = theirs.get((found[0].method, found[0].trajectories))
        if score is not None:
            normal = (score - ends[0]) / (ends[1] - ends[0])
            line += [f"{score:.1f}", f"{normal:.2f}"]
        lines.append(line + [""] * (len(head) - len(line)))
    return _table(head, lines)


def _all_tasks(rows, rng):
    """Normalised scores over all tasks, runs drawn within each (Agarwal et al. 2021)."""
    if len({(row.env, row.reward) for row in rows}) > len({row.env for row in rows}):
        return []  # forms of reward are compared, which is a question to each task
    columns, lines = _columns(rows), []
    columns.pop("reward", None)
    for values, found in _cells(rows, FINAL, columns).items():
        scores, tasks = [row.normalized for row in found], [row.env for row in found]
        iqm = _interval(scores, rng, _two_digits, strata=tasks)
        lines.append([*values, len(scores), _two_digits(numpy.mean(scores)), iqm])
    head = [*columns, "runs", "mean", "IQM [95 % interval]"]
    return ["## All tasks, normalised", _table(head, lines)]


def _moments(rows):
    """When each curve first reaches the study's level."""
    level = level_of(rows[0])
    if level is None:
        return []
    lines = []
    for seed in sorted({row.seed for row in rows}):
        found = [row for row in rows if row.seed == seed and row.method != BC]
        row = reached(found, level)
        at = [f"{row.steps:,}", f"{row.elapsed:.0f}"] if row else ["never", ""]
        lines.append([seed, *at])
    text = (
        f"Evaluations of the curve first reach a mean of {level:.1f} at (seconds: of "
    )
    text += "training, evaluations among them):"
    return [text, _table(("seed", "steps", "seconds"), lines, right=range(3))]


def _interval(scores, rng, number, strata=None):
    """The interquartile mean and its interval; nothing where a task has one run."""
    strata = strata or [""] * len(scores)
    if min(map(strata.count, strata)) < 2:
        return ""
    low, high = bootstrap(scores, interquartile_mean, rng, strata=strata)
    return f"{number(interquartile_mean(scores))} [{number(low)}, {number(high)}]"


def _spread(values, digits=1):
    if not values:
        return ""
    mean = f"{round(numpy.mean(values), digits) + 0.0:.{digits}f}"  # no −0.00
    if len(values) < 2:
        return mean
    return f"{mean} ± {standard_error(values):.{digits}f}"


def _two_digits(x):
    return f"{round(x, 2) + 0.0:.2f}"  # no −0.00


def _table(head, lines, right=()):
    rule = ["---:" if i in right else "---" for i in range(len(head))]
    written = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *written))
