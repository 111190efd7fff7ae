"""Make the pictures and tables of docs/results again from the records beside them.

python docs/results/draw.py hopper-v4 humanoid-v4 family gail-classic

In a folder with evaluations.csv these are table.md and the pictures of a comparison or a
study; elsewhere learning_curve.png of the seeds there.  Without names: of all folders.
"""

import pathlib
import sys

from chainertrpo.comparison import draw_curves, read_rows, write_report
from chainertrpo.data import read_json
from chainertrpo.experiments import read_table

import matplotlib.figure
import numpy as np

HERE = pathlib.Path(__file__).parent
# PFRL 0.4's TRPO with the same settings and physics (mujoco 2.3.3), two seeds:
# training returns around these steps.
REFERENCES = {
    "hopper-v4": [(150e3, 817, 876), (250e3, 2392, 2661), (475e3, 3057, 3311)],
}


def smoothed(folder, grid, width):
    """Mean training return over the last `width` steps at each point of a grid."""
    episodes = read_table(folder / "episodes.txt")
    means = []
    for t in grid:
        recent = (episodes["steps"] <= t) & (episodes["steps"] > t - width)
        returns = episodes["return"][recent]
        means.append(returns.mean() if len(returns) else np.nan)
    return means


def report(folder):
    """Write a grid's report again; draw its variants, where they have a table."""
    rows = read_rows(folder / "evaluations.csv")
    write_report(str(folder), rows)
    for path in {*folder.glob("*.csv")} - {folder / "evaluations.csv"}:
        variants = read_rows(path)
        presets = {row.preset.split(",")[0] for row in variants}  # "preset, variant"
        for env in sorted({row.env for row in variants}):
            picture = folder / f"{env}-{path.stem.rpartition('-')[2]}.png"
            of_presets = [row for row in rows if row.preset in presets]
            draw_curves(of_presets + variants, env, str(picture))


def draw(task):
    """Draw one task."""
    if (HERE / task / "evaluations.csv").exists():
        report(HERE / task)
        return
    folders = sorted((HERE / task).glob("seed*"))
    figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for i, folder in enumerate(folders):
        config = read_json(folder / "config.json")
        scores = read_table(folder / "scores.txt")
        width = config["steps"] / 50
        grid = np.linspace(width, config["steps"], 100)
        color = f"C{i}"
        axes.plot(grid, smoothed(folder, grid, width), color=color, lw=1, alpha=0.6)
        label = f"seed {config['seed']}"
        axes.plot(
            scores["steps"], scores["mean"], "o-", ms=3.5, color=color, label=label
        )
    for i, (t, low, high) in enumerate(REFERENCES.get(task, ())):
        label = "PFRL 0.4, two seeds, training" if i == 0 else None
        axes.plot([t, t], [low, high], color="0.2", lw=5, alpha=0.5, label=label)
    n = config["eval_n_runs"]
    title = f"TRPO on {config['env']}; dots: means of {n} episodes; lines: training"
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("environment steps")
    axes.set_ylabel("return of an episode")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(HERE / task / "learning_curve.png", dpi=130)


if __name__ == "__main__":
    for task in sys.argv[1:] or sorted(p.name for p in HERE.iterdir() if p.is_dir()):
        draw(task)
