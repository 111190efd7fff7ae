"""The tidy table: every evaluation of every run, of this library or another, one a row.

It is CSV whose header has the `COLUMNS`, and those further fields of `Row` that are known
of its runs.  A program that trains with another library takes part in a comparison by
writing this file: numbers as decimals, an empty cell for what is not known.
"""

import collections
import csv
import difflib
import io
import typing

from chainertrpo.data import BadFileError
from chainertrpo.data.files import write_atomically

TRAINING, FINAL, DETERMINISTIC = KINDS = ("evaluation", "final", "final-deterministic")


class Row(typing.NamedTuple):
    """One evaluation.

    Attributes
    ----------
    runner : str
        The library: ``chainertrpo``, ``pfrl``, …
    version : str
        Of the library and of what the physics come from.
    preset : str
        The settings' name.
    env : str
        The environment's id.
    seed : int
        Of the run.
    kind : str
        ``evaluation``: during training, one point of the curve; ``final``: of the agent
        at the end, actions sampled; ``final-deterministic``: likewise, the most probable
        actions.
    steps : int
        Environment steps of training until then.
    elapsed : float or None
        Seconds of training until then.
    n : int
        Episodes of this evaluation.
    mean, stdev : float
        Of their undiscounted returns; the sample standard deviation.
    median, max, min : float or None
        Likewise.
    study, method, reward, expert : str or None
        The condition of a run that imitates, as in `Run`; None of one that does not.
    fixed_horizon, trajectories, every : int or None
        Likewise.
    expert_mean, random_mean : float or None
        Mean returns that count as 1 and 0 of the `normalized` score.
    absorbing : int or None
        As in `Run`.
    """

    runner: str
    version: str
    preset: str
    env: str
    seed: int
    kind: str
    steps: int
    elapsed: typing.Optional[float]
    n: int
    mean: float
    stdev: float
    median: typing.Optional[float] = None
    max: typing.Optional[float] = None
    min: typing.Optional[float] = None
    study: typing.Optional[str] = None
    method: typing.Optional[str] = None
    reward: typing.Optional[str] = None
    expert: typing.Optional[str] = None
    fixed_horizon: typing.Optional[int] = None
    trajectories: typing.Optional[int] = None
    every: typing.Optional[int] = None
    expert_mean: typing.Optional[float] = None
    random_mean: typing.Optional[float] = None
    absorbing: typing.Optional[int] = None

    @property
    def ends(self):
        """How episodes end, in words."""
        if self.absorbing:
            return f"absorbing to {self.absorbing} steps"
        return f"of {self.fixed_horizon} steps" if self.fixed_horizon else "natural"

    @property
    def normalized(self):
        """(x − random) / (expert − random): 0 is a random player, 1 the expert."""
        return (self.mean - self.random_mean) / (self.expert_mean - self.random_mean)


COLUMNS = Row._fields[:14]
CONDITION = (*Row._fields[14:21], "absorbing")
_TYPES = typing.get_type_hints(Row)
_WHO = (*COLUMNS[:1], *COLUMNS[2:7], *CONDITION)  # no two rows agree in all of these
_MAX = 2**53  # the largest whole number that a float holds


def cells(rows, kind, by):
    """Sort the rows of a kind into {``by(row)``: rows}, in the order in which they come."""
    found = collections.defaultdict(list)
    for row in rows:
        if row.kind == kind:
            found[by(row)].append(row)
    return dict(found)


def curve_of(rows):
    """The rows of each seed by steps: a list of runs, each a list of `Row`."""
    runs = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row.steps):
        runs[row.seed].append(row)
    return list(runs.values())


def write_rows(path, rows):
    """Write a table, whole or not at all.

    Parameters
    ----------
    path : str
        The file.
    rows : iterable of Row
        Its rows.
    """
    rows = list(rows)
    known = [any(row[i] is not None for row in rows) for i in range(len(Row._fields))]
    names = [n for n, some in zip(Row._fields, known) if n in COLUMNS or some]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        cells = [getattr(row, name) for name in names]
        writer.writerow(["" if cell is None else cell for cell in cells])
    write_atomically(path, text.getvalue().encode("utf-8"))


def read_rows(path):
    """Read a table.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    list of Row
        Its rows.

    Raises
    ------
    BadFileError
        It is no such table: the message names the line and what was expected there.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            header = _header(path, next(reader, []))
            lines = [(reader.line_num, cells) for cells in reader if cells]
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadFileError(
                f"{path}, after line {reader.line_num}: expected CSV in UTF-8, got: "
                f"{error}."
            ) from None
    rows, seen = [], {}
    for line, cells in lines:
        row = _parse(f"{path}, line {line}", header, cells)
        who = tuple(getattr(row, name) for name in _WHO)
        if seen.setdefault(who, line) != line:
            raise BadFileError(
                f"{path}, line {line}: expected one row for each evaluation, got again "
                f"that of line {seen[who]}. Remove one of them."
            )
        rows.append(row)
    return rows


def _header(path, header):
    """The names of the columns, all known, none twice, none of `COLUMNS` missing."""
    required = set(COLUMNS)
    if "study" in header:  # tables of imitation were once written without it
        required.discard("runner")
    for name in header:
        if name not in Row._fields or header.count(name) > 1:
            near = difflib.get_close_matches(name, Row._fields, 1)
            hint = f" Did you mean {near[0]}?" if near and near[0] != name else ""
            raise BadFileError(
                f"{path}: expected the columns {','.join(COLUMNS)}, each once, and "
                f"perhaps {','.join(Row._fields[14:])}, got {name!r}.{hint}"
            )
    if not required <= set(header):
        raise BadFileError(
            f"{path}: expected the columns {','.join(COLUMNS)}, got "
            f"{','.join(header) or 'nothing'}."
        )
    return header


def _parse(place, header, cells):
    if len(cells) != len(header):
        raise BadFileError(f"{place}: expected {len(header)} cells, got {len(cells)}.")
    row = {"runner": "chainertrpo"}
    row.update((name, _value(place, name, t)) for name, t in zip(header, cells))
    if row["kind"] not in KINDS:
        raise BadFileError(f"{place}: expected a kind of {KINDS}, got {row['kind']!r}.")
    row = Row(**row)
    if row.n < 1 or min(row.steps, row.seed) < 0:
        raise BadFileError(
            f"{place}: expected n >= 1, steps >= 0 and seed >= 0, got n={row.n}, "
            f"steps={row.steps}, seed={row.seed}."
        )
    ends = row.expert_mean, row.random_mean
    needed = (*ends, row.trajectories, row.expert)
    if row.method is not None and None in needed or ends.count(None) == 1:
        raise BadFileError(
            f"{place}: expected expert, trajectories, expert_mean and random_mean of a "
            "run with a method, got an empty cell."
        )
    if None not in ends and ends[0] == ends[1]:
        raise BadFileError(
            f"{place}: expected an expert_mean other than random_mean, got {ends[0]} "
            "twice: scores cannot be normalised by them."
        )
    return row


def _value(place, name, text):
    kind, *optional = getattr(_TYPES[name], "__args__", (_TYPES[name],))
    if not text and optional:
        return None
    if kind is str and text.isprintable() and (text or name == "version"):
        return text
    try:
        value = kind(text)
        if kind is not str and abs(value) <= _MAX:  # not of NaN
            return value
    except ValueError:
        pass
    what = "text" if kind is str else "a number"
    raise BadFileError(f"{place}: expected {what} as {name}, got {text!r}.")
