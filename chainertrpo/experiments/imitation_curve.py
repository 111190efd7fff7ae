"""A picture of whether an imitator converges."""

import io
import os

from chainertrpo.data import BadFileError, read_json, write_atomically
from chainertrpo.experiments.run_folder import read_table


def draw_imitation(outdir):
    """Draw ``imitation.png``: scores beside the expert's and the clone's, and the judge.

    Below the scores are the discriminator's two accuracies (both at ½: the agent cannot be
    told from the expert, or nothing has been learned; both at 1: it is found out on every
    step, and its reward hardly depends on what it does) and what it pays.

    Parameters
    ----------
    outdir : str
        A run's folder, with ``scores.txt``; the others' lines are in ``config.json``.

    Returns
    -------
    str
        The picture's path.

    Raises
    ------
    BadFileError
        A table or ``config.json`` is not what it should be, or of no imitator.
    """
    import matplotlib.figure

    scores = read_table(os.path.join(outdir, "scores.txt"))
    if "discriminator_loss" not in scores:
        raise BadFileError(
            f"{outdir}/scores.txt: expected the columns of a discriminator, got "
            f"{list(scores)}."
        )
    path = os.path.join(outdir, "config.json")
    config = read_json(path) if os.path.exists(path) else {}
    steps = scores["steps"]
    figure = matplotlib.figure.Figure(figsize=(7, 7.5), layout="constrained")
    returns, accuracy, reward = figure.subplots(
        3, 1, sharex=True, height_ratios=(2, 1, 1)
    )
    errors = {"fmt": "o-", "ms": 4, "capsize": 3}
    returns.errorbar(steps, scores["mean"], scores["stdev"], label="GAIL", **errors)
    for name, color in (("expert", "0.2"), ("clone", "C1")):
        found = (config.get("beside") or {}).get(name)
        if found:
            returns.axhline(found["mean"], color=color, ls="--", label=f"the {name}")
    returns.set_ylabel("return, mean ± std")
    returns.set_title(f"GAIL on {config.get('env', 'its environment')}")
    for half, color in (("agent", "C0"), ("expert", "0.2")):
        share = scores[f"discriminator_accuracy_{half}"]
        accuracy.plot(steps, share, ".-", color=color, label=f"on the {half}'s pairs")
    accuracy.axhline(0.5, color="0.7", lw=1)
    accuracy.set_ylim(-0.03, 1.03)
    accuracy.set_ylabel("discriminator is right")
    mean, std = (scores[f"discriminator_reward_{x}"] for x in ("mean", "std"))
    reward.plot(steps, mean, ".-", label="mean")
    reward.fill_between(steps, mean - std, mean + std, alpha=0.25, label="± std")
    reward.set_ylabel("reward of a step")
    reward.set_xlabel("environment steps")
    for axes in (returns, accuracy, reward):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    path, picture = os.path.join(outdir, "imitation.png"), io.BytesIO()
    figure.savefig(picture, dpi=130, format="png")
    write_atomically(path, picture.getvalue())
    return path
