"""The report of a grid of runs: pictures, and the table with what was published."""

import functools
import os

from chainertrpo.comparison.curves import draw_curves
from chainertrpo.comparison.report import markdown_report
from chainertrpo.comparison.statistics import interquartile_mean, mean
from chainertrpo.comparison.studies import study_of
from chainertrpo.comparison.study_curves import draw_profiles, draw_scores, draw_study
from chainertrpo.comparison.table import TRAINING
from chainertrpo.data import file_name
from chainertrpo.data.files import write_atomically

STATISTICS = {"iqm": (interquartile_mean, "IQM"), "mean": (mean, "mean")}
_OF_STUDIES = {
    "curves": draw_study,
    "seconds": functools.partial(draw_study, x="elapsed"),
    "scores": draw_scores,
    "profiles": draw_profiles,
}


def write_report(outdir, rows, statistic="iqm"):
    """Draw the pictures of a grid of runs, and write ``table.md``.

    Parameters
    ----------
    outdir : str
        The folder.
    rows : list of Row
        Of `rows_of` or `read_rows`; of one study, or of a comparison.
    statistic : str
        Of the curves of a comparison: a key of `STATISTICS`.

    Returns
    -------
    str
        The report, and where everything is.

    Raises
    ------
    ValueError
        There is no row.
    """
    if not rows:
        raise ValueError("there is no evaluation yet")
    study = study_of(rows)
    if study:
        pictures = {f"{name}.png": f"{name}.png" for name in study.pictures}
        for name in study.pictures:
            _OF_STUDIES[name](rows, os.path.join(outdir, f"{name}.png"))
    else:
        chosen, name = STATISTICS[statistic]
        envs = sorted({row.env for row in rows if row.kind == TRAINING})
        pictures = {env: f"{file_name(env)}.png" for env in envs}
        for env, picture in pictures.items():
            path = os.path.join(outdir, picture)
            draw_curves(rows, env, path, statistic=chosen, name=name)
    text = markdown_report(rows, pictures)
    write_atomically(os.path.join(outdir, "table.md"), text.encode("utf-8"))
    drawn = ", ".join(os.path.join(outdir, name) for name in pictures.values())
    return f"{text}\ntable   {outdir}/table.md\ncurves  {drawn}"
