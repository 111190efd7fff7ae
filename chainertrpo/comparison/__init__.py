"""Grids of runs: algorithm × task × condition × seed, their curves, and their tables."""

from chainertrpo.comparison.builders import settings_of_run
from chainertrpo.comparison.curves import draw_curves
from chainertrpo.comparison.grid import Algorithm, Grid, Setting, make_plan, runs_of
from chainertrpo.comparison.output import STATISTICS, write_report
from chainertrpo.comparison.published import Published, published
from chainertrpo.comparison.report import markdown_report
from chainertrpo.comparison.results import rows_of
from chainertrpo.comparison.runs import Run, read_run
from chainertrpo.comparison.schedule import run_all
from chainertrpo.comparison.statistics import (
    bootstrap,
    interquartile_mean,
    mean,
    performance_profile,
    standard_error,
)
from chainertrpo.comparison.studies import STUDIES
from chainertrpo.comparison.table import COLUMNS, Row, read_rows, write_rows
from chainertrpo.comparison.tasks import TASK, TASKS, Task

__all__ = [
    "COLUMNS",
    "STATISTICS",
    "STUDIES",
    "TASK",
    "TASKS",
    "Algorithm",
    "Grid",
    "Published",
    "Row",
    "Run",
    "Setting",
    "Task",
    "bootstrap",
    "draw_curves",
    "interquartile_mean",
    "make_plan",
    "markdown_report",
    "mean",
    "performance_profile",
    "published",
    "read_rows",
    "read_run",
    "rows_of",
    "run_all",
    "runs_of",
    "settings_of_run",
    "standard_error",
    "write_report",
    "write_rows",
]
