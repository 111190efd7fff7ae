"""The Markdown tables of the imitation studies, published numbers beside ours."""

import collections

from chainertrpo.comparison.imitation import BC, NONE
from chainertrpo.comparison.imitation_studies import STUDIES
from chainertrpo.comparison.published import published
from chainertrpo.comparison.statistics import standard_error
from chainertrpo.comparison.table import DETERMINISTIC, FINAL, TRAINING

import numpy

PAPER = "openai/imitation"  # whose result files are the paper's
NAMES = {
    ("bc", "ho2016"): "BC",
    ("gail", "ho2016"): "GAIL, TRPO",
    ("gail", "ho2016-ppo"): "GAIL, PPO",
    ("gail", "cartpole-ppo"): "GAIL, PPO",
}
_ONE_A_STEP = ("CartPole", "MountainCar")  # ±1 a step: |return| is an episode's length


def name_of(row):
    """What a method is called.

    Parameters
    ----------
    row : ImitationRow
        Any of its evaluations.

    Returns
    -------
    str
        Such as ``GAIL, TRPO``.
    """
    key = row.method, row.preset
    return NAMES.get(key, f"{row.method.upper()}, {row.preset}")


def cells(rows, kind, by):
    """Sort the rows of a kind into cells, in the order in which they come.

    Parameters
    ----------
    rows : iterable of ImitationRow
        The table.
    kind : str
        Which rows.
    by : callable
        Row -> its cell's key.

    Returns
    -------
    dict of object to (list of ImitationRow)
        By key.
    """
    found = collections.defaultdict(list)
    for row in rows:
        if row.kind == kind:
            found[by(row)].append(row)
    return dict(found)


def paper(env):
    """What the paper's result files say of an environment, whatever its version.

    Parameters
    ----------
    env : str
        An environment.

    Returns
    -------
    scores : dict of (str, int) to float
        Mean return by method (``bc`` or ``gail``) and trajectories.
    ends : (float, float) or None
        Mean returns of a random player (the first iteration of the expert's training,
        whose last layer begins with zeros) and of the expert.
    version : str
        The environment's, such as ``v0``.
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


def reached(rows, level):
    """The first evaluation of a run that reaches a level.

    Parameters
    ----------
    rows : sequence of ImitationRow
        The run's.
    level : float
        Of the mean return.

    Returns
    -------
    ImitationRow or None
        That evaluation.
    """
    curve = sorted((r for r in rows if r.kind == TRAINING), key=lambda row: row.steps)
    return next((row for row in curve if row.mean >= level), None)


def level_of(row):
    """The return that a study wants to see reached.

    Parameters
    ----------
    row : ImitationRow
        Any.

    Returns
    -------
    float or None
        None where it asks for none.
    """
    share = STUDIES[row.study].level
    if share is None:
        return None
    return row.random_mean + share * (row.expert_mean - row.random_mean)


def imitation_report(rows, name, pictures=()):
    """Write the tables of a study.

    Parameters
    ----------
    rows : sequence of ImitationRow
        At least one.
    name : str
        A key of `STUDIES`.
    pictures : sequence of str
        Addresses.

    Returns
    -------
    str
        Markdown.
    """
    parts = [
        f"# {STUDIES[name].title}",
        "Final agents: mean return over seeds ± its standard error, of "
        f"{max(row.n for row in rows)} episodes a seed with sampled actions. Normalised: "
        "(x − random) / (expert − random).",
        *(f"![{picture}]({picture})" for picture in pictures),
    ]
    for env in dict.fromkeys(row.env for row in rows):
        parts += [f"## {env}", *_sections([row for row in rows if row.env == env])]
    versions = sorted({f"- {row.version}" for row in rows})
    parts.append("## Versions\n\n" + "\n".join(versions))
    return "\n\n".join(parts) + "\n"


def _sections(rows):
    first = rows[0]
    ends = (
        f"Expert {_number(first.expert_mean)}, random player "
        f"{_number(first.random_mean)}."
    )
    _, theirs, version = _paper_beside(rows)
    if theirs:
        ends += (
            f" Published ({PAPER}, on {version}, most probable actions): expert "
            f"{_number(theirs[1])}, random player {_number(theirs[0])}."
        )
    return [ends, _scores(rows), *_moments(rows)]


def _paper_beside(rows):
    """As `paper`; nothing where forms of reward are compared: it has one a task."""
    one_form = len({row.reward for row in rows}) == 1
    return paper(rows[0].env) if one_form else ({}, None, "")


def _scores(rows):
    """A line for each cell; columns that are the same everywhere are left out."""
    env = rows[0].env
    theirs, ends, _ = _paper_beside(rows)
    columns = {
        "trajectories": lambda row: row.trajectories,
        "method": name_of,
        "expert": lambda row: "no expert" if row.expert == NONE else row.expert,
        "episodes": lambda row: (
            f"of {row.fixed_horizon} steps" if row.fixed_horizon else "natural"
        ),
        "reward": lambda row: "" if row.method == BC else row.reward,
    }
    columns = {
        title: of
        for title, of in columns.items()
        if title == "method" or len({of(row) for row in rows if row.method != BC}) > 1
    }

    def key(row):
        return tuple(of(row) for of in columns.values())

    greedy = cells(rows, DETERMINISTIC, key)
    head = [*columns, "seeds", "return", "normalised", "most probable actions"]
    with_length = "reward" in columns and env.split("-")[0] in _ONE_A_STEP
    head += ["steps an episode"] if with_length else []
    head += ["published", "published, normalised"] if ends else []
    lines = [head, ["---"] * len(head)]
    for values, found in sorted(cells(rows, FINAL, key).items(), key=_as_given(rows)):
        returns = [row.mean for row in found]
        line = [*values, len(found), _spread(returns)]
        line += [_spread([row.normalized for row in found], 2)]
        line += [_spread([row.mean for row in greedy[values]])]
        line += [_number(numpy.abs(returns).mean())] if with_length else []
        if ends:
            score = theirs.get((found[0].method, found[0].trajectories))
            normal = None if score is None else (score - ends[0]) / (ends[1] - ends[0])
            line += ["" if score is None else _number(score)]
            line += ["" if score is None else f"{normal:.2f}"]
        lines.append(line)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _as_given(rows):
    """Cells by trajectories, then in the order of the table."""
    order = {}
    for i, row in enumerate(sorted(rows, key=lambda row: row.trajectories)):
        order.setdefault((row.trajectories, row.method, row.preset), i)

    def place(item):
        row = item[1][0]
        place = order[row.trajectories, row.method, row.preset]
        return (row.fixed_horizon or 0, row.expert, place, row.reward)

    return place


def _moments(rows):
    """When each curve first reaches the study's level."""
    first = rows[0]
    level = level_of(first)
    if level is None:
        return []
    lines = [
        f"Evaluations of the curve first reach a mean of {_number(level)} at (seconds: "
        "of training, evaluations among them):",
        "",
        "| seed | steps | seconds |",
        "| ---: | ---: | ---: |",
    ]
    runs = collections.defaultdict(list)
    for row in rows:
        if row.method != BC:
            runs[row.seed].append(row)
    for seed, found in sorted(runs.items()):
        row = reached(found, level)
        at = f"{row.steps:,} | {row.elapsed:.0f}" if row else "never |"
        lines.append(f"| {seed} | {at} |")
    return ["\n".join(lines)]


def _spread(values, digits=1):
    mean = f"{round(numpy.mean(values), digits) + 0.0:.{digits}f}"  # no −0.00
    if len(values) < 2:
        return mean
    return f"{mean} ± {standard_error(values):.{digits}f}"


def _number(x):
    return f"{x:.1f}"
