"""Draw docs/data_path.png: the one way that data takes, from environment to θ.

    python docs/data_path.py

The same file comes out of every run with the same matplotlib.
"""

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, QUIET = "#1f2933", "#52606d"
# Fill and edge, by where a room's arrays live.
HOST, DEVICE, THETA = (
    ("#eef4fb", "#4a7fb5"),
    ("#fdf3e7", "#c77d2b"),
    ("#eaf6ec", "#3f8f4f"),
)
W, H = 2.55, 1.12

# Room: centre, where, what it is, its files.
ROOMS = {
    "env": ((1.5, 6.2), HOST, "environment", "experiments/envs.py\ndata/spaces.py"),
    "collect": (
        (5.3, 6.2),
        HOST,
        "recorder or workers",
        "data/path.py\nexperiments/workers.py",
    ),
    "rewards": (
        (9.1, 6.2),
        HOST,
        "rewards(paths)",
        "agents/rewards.py\nupdates/discriminator.py",
    ),
    "batch": ((12.9, 6.2), HOST, "make_batch", "agents/batching.py\ndata/gae.py"),
    "act": ((1.5, 3.7), HOST, "acting", "agents/acting.py\npolicies/policy.py"),
    "theta": ((5.3, 3.7), THETA, "θ", "written in\nnumerics/flat.py, at"),
    "step": (
        (9.1, 3.7),
        DEVICE,
        "policy_step",
        "updates/natural.py\nupdates/gradient.py",
    ),
    "value": (
        (12.9, 3.7),
        DEVICE,
        "value_step",
        "updates/value.py\nupdates/natural_fit.py",
    ),
    "net": (
        (5.3, 1.2),
        DEVICE,
        "network, family",
        "policies/network.py\npolicies/families.py",
    ),
    "model": ((9.1, 1.2), DEVICE, "LocalModel", "updates/model.py\nsums: ranks.py"),
    "solver": (
        (12.9, 1.2),
        DEVICE,
        "solver, search",
        "updates/solver.py\nupdates/search.py",
    ),
}


def box(ax, centre, colours, title, files):
    """Draw a room: what it is, and its files beneath."""
    (x, y), (fill, edge) = centre, colours
    style = "round,pad=0,rounding_size=0.12"
    corner = (x - W / 2, y - H / 2)
    ax.add_patch(FancyBboxPatch(corner, W, H, style, fc=fill, ec=edge, lw=1.4))
    ax.text(
        x, y + 0.3, title, ha="center", va="center", size=11, weight="bold", color=INK
    )
    ax.text(
        x,
        y - 0.2,
        files,
        ha="center",
        va="center",
        size=7.8,
        color=QUIET,
        family="monospace",
    )


def arrow(ax, points, label="", at=None, align="center", back=False):
    """Straight pieces through points, with a head at the end (and at the start)."""
    xs, ys = zip(*points)
    ax.plot(xs[:-1], ys[:-1], color=INK, lw=1.3, solid_joinstyle="round")
    style = "<|-|>" if back else "-|>"
    ax.add_patch(
        FancyArrowPatch(
            points[-2], points[-1], arrowstyle=style, mutation_scale=11, lw=1.3,
            color=INK, shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip
    if label:
        ax.text(
            *at, label, ha=align, va="center", size=8.6, color=INK, linespacing=1.25
        )


def beside(a, b):
    """From the right side of a room to the left one of another, or back."""
    (xa, y), (xb, _) = ROOMS[a][0], ROOMS[b][0]
    half = W / 2 if xa < xb else -W / 2
    return [(xa + half, y), (xb - half, y)]


def draw(path):
    """Write the picture."""
    fig, ax = plt.subplots(figsize=(11, 5.6), dpi=130)
    fig.subplots_adjust(0, 0, 1, 1)
    ax.set(xlim=(0, 14.4), ylim=(0.4, 7.75))
    ax.axis("off")
    for centre, colours, title, files in ROOMS.values():
        box(ax, centre, colours, title, files)
    top, bottom = 6.2, 1.2
    arrow(ax, beside("env", "collect"), "obs\nreward\nends", (3.4, top + 0.5))
    arrow(ax, beside("collect", "rewards"), "list of\nPath", (7.2, top + 0.35))
    arrow(ax, beside("rewards", "batch"), "list of\nPath", (11.0, top + 0.35))
    # Batch, to both steps.
    arrow(ax, [(12.9, 5.64), (12.9, 4.26)])
    arrow(ax, [(12.9, 4.95), (9.1, 4.95), (9.1, 4.26)])
    arrow(ax, [(13.6, 4.26), (13.6, 5.64)], "V(s)", (13.7, 4.95), "left")
    ax.text(
        11.0, 5.12, "Batch: one trip to the device", ha="center", size=8.6, color=INK
    )
    # θ and what it is for.
    arrow(ax, beside("step", "theta"), "θ + βx", (7.2, 3.9))
    arrow(ax, beside("theta", "act"), "shared\nor copied", (3.4, 4.05))
    arrow(ax, [(1.5, 4.26), (1.5, 5.64)], "action", (1.62, 4.95), "left")
    arrow(ax, [(5.3, 3.14), (5.3, 1.76)], "views of θ,\nby name", (5.42, 2.45), "left")
    arrow(
        ax, beside("net", "model"), "jvp, vjp\nfisher", (7.2, bottom + 0.36), back=True
    )
    arrow(ax, beside("model", "solver"), "g,\nv → Av", (11.0, bottom + 0.36))
    arrow(ax, [(12.9, 1.76), (12.9, 2.45), (9.5, 2.45), (9.5, 3.14)])
    ax.text(
        11.2, 2.6, "x, shape (P,), and a fraction", ha="center", size=8.6, color=INK
    )
    arrow(ax, [(8.7, 3.14), (8.7, 1.76)], "Batch", (8.58, 2.45), "right")
    # Legend.
    names = (
        ("host, NumPy", HOST),
        ("device, NumPy or CuPy", DEVICE),
        ("parameters", THETA),
    )
    x = 0.25
    for name, (fill, edge) in names:
        style = "round,pad=0,rounding_size=0.05"
        ax.add_patch(
            FancyBboxPatch((x, 7.35), 0.3, 0.2, style, fc=fill, ec=edge, lw=1.2)
        )
        ax.text(x + 0.42, 7.45, name, va="center", size=8.6, color=QUIET)
        x += 1.0 + 0.085 * len(name)
    fig.savefig(path, metadata={"Software": None})
    plt.close(fig)


if __name__ == "__main__":
    draw(pathlib.Path(__file__).with_suffix(".png"))
