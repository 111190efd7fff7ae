"""Pictures of the results.

python benchmarks/plot.py training_speed update_time
"""

import json
import pathlib
import subprocess
import sys

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
COLORS = {
    "chainertrpo": "#1f6fb4",
    "random actions": "#c8c8c8",
    "MuJoCo alone": "#dcdcdc",
}
GREY = "#8a94a0"


def draw(name):
    """Draw results/<name>.png, in the environment that has Matplotlib."""
    import peers

    subprocess.run([peers.build("ours"), __file__, name], check=True)


def training_speed(plt, content):
    """Bars: steps a second of each, on each task."""
    bars = {
        "chainertrpo": ["chainertrpo"],
        "sb3-contrib": ["sb3-contrib, 1 environment", "sb3-contrib, 2 environments"],
        "pfrl": ["pfrl"],
        "chainerrl": ["chainerrl"],
        "random actions": ["random actions"],
        "MuJoCo alone": ["raw mj_step"],
    }
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.6))
    for ax, (task, medians) in zip(axes, content["tasks"].items()):
        speeds = [max(medians[n]["median"] for n in names) for names in bars.values()]
        colors = [COLORS.get(name, GREY) for name in bars]
        drawn = ax.barh(list(bars), speeds, color=colors, height=0.7)
        ax.bar_label(drawn, [f"{x:,.0f}" for x in speeds], padding=3, fontsize=9)
        ax.set_title(task, fontsize=10, loc="left")
        ax.set_xlim(0, 1.18 * max(speeds))
        ax.invert_yaxis()
        ax.set_xticks([])
        ax.tick_params(axis="y", length=0, labelsize=9)
        ax.spines[["top", "right", "bottom"]].set_visible(False)
    axes[1].set_yticks([])
    figure.supxlabel(
        "environment steps a second, collection and update together", fontsize=9
    )
    figure.tight_layout()
    return figure


def update_time(plt, content):
    """Lines: milliseconds of policy update and value fit against the rows."""
    medians = {int(n): x["median"] for n, x in content["by_rows"].items()}
    figure, ax = plt.subplots(figsize=(5, 3.4))
    rows = list(medians)
    for key, label, color in (
        ("policy", "policy (20 iterations, search)", COLORS["chainertrpo"]),
        ("value", "value fit (5 epochs of 64)", "#d1782b"),
    ):
        seconds = [medians[n][key] / 1000 for n in rows]
        ax.loglog(rows, seconds, "o-", color=color, ms=4, label=label)
    start = medians[rows[0]]["policy"] / 1000
    linear = [start * n / rows[0] for n in rows]
    ax.loglog(rows, linear, ":", color=GREY, label="proportional to the rows", zorder=1)
    ax.set_xlabel("rows of Humanoid-v4's size (376 → 17)")
    ax.set_ylabel("seconds")
    ax.legend(frameon=False, fontsize=9)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def main():
    """Draw the pictures named."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for name in sys.argv[1:]:
        content = json.loads((RESULTS / f"{name}.json").read_text())
        figure = {"training_speed": training_speed, "update_time": update_time}[name](
            plt, content
        )
        figure.savefig(RESULTS / f"{name}.png", dpi=160)


if __name__ == "__main__":
    main()
