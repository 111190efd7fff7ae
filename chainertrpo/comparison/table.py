"""The tidy table: every evaluation of every run, of this library or another, one a row.

It is CSV with the header `COLUMNS`.  A program that trains with another library takes
part in a comparison by writing this file: numbers as decimals, an empty cell for what is
not known.
"""

import csv
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


COLUMNS = Row._fields
_WHOLE = ("seed", "steps", "n")
_NUMBERS = ("elapsed", "mean", "stdev", "median", "max", "min")
_OPTIONAL = ("elapsed", "median", "max", "min")


def write_rows(path, rows, kind=Row):
    """Write a table, whole or not at all.

    Parameters
    ----------
    path : str
        The file.
    rows : iterable of NamedTuple
        Its rows.
    kind : type
        Of the rows: its fields are the header.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind._fields)
    writer.writerows(["" if x is None else x for x in row] for row in rows)
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
        The header, a kind or a number is not as expected; the message names the line.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = tuple(next(reader, ()))
        if header != COLUMNS:
            raise BadFileError(
                f"{path}: expected the columns {','.join(COLUMNS)}, got "
                f"{','.join(header) or 'nothing'}."
            )
        return [_parse(path, reader.line_num, cells) for cells in reader]


def _parse(path, line, cells):
    if len(cells) != len(COLUMNS):
        raise BadFileError(
            f"{path}, line {line}: expected {len(COLUMNS)} cells, got {len(cells)}."
        )
    row = dict(zip(COLUMNS, cells))
    if row["kind"] not in KINDS:
        raise BadFileError(
            f"{path}, line {line}: expected a kind of {KINDS}, got {row['kind']!r}."
        )
    for name in _WHOLE + _NUMBERS:
        try:
            row[name] = _number(name, row[name])
        except ValueError:
            raise BadFileError(
                f"{path}, line {line}: expected a number as {name}, got {row[name]!r}."
            ) from None
    return Row(**row)


def _number(name, text):
    if not text and name in _OPTIONAL:
        return None
    return int(text) if name in _WHOLE else float(text)
