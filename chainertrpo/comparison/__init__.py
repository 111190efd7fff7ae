"""Historical comparisons: published numbers as data, runs by seeds, curves and tables."""

from chainertrpo.comparison.curves import draw_curves
from chainertrpo.comparison.published import Published, published
from chainertrpo.comparison.report import markdown_report
from chainertrpo.comparison.runs import Run, make_plan, read_run, rows_of
from chainertrpo.comparison.schedule import run_all
from chainertrpo.comparison.statistics import (
    bootstrap,
    interquartile_mean,
    mean,
    standard_error,
)
from chainertrpo.comparison.table import COLUMNS, Row, read_rows, write_rows
from chainertrpo.comparison.tasks import TASK, TASKS, Task

__all__ = [
    "COLUMNS",
    "TASK",
    "TASKS",
    "Published",
    "Row",
    "Run",
    "Task",
    "bootstrap",
    "draw_curves",
    "interquartile_mean",
    "make_plan",
    "markdown_report",
    "mean",
    "published",
    "read_rows",
    "read_run",
    "rows_of",
    "run_all",
    "standard_error",
    "write_rows",
]
