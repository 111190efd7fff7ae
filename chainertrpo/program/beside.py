"""An imitator beside its expert and a clone."""

import os
import sys

from chainertrpo.agents import clone_expert, held_out_loss, make_agent
from chainertrpo.data import write_json
from chainertrpo.experiments import draw_imitation, eval_performance, read_table
from chainertrpo.experiments.console import explain
from chainertrpo.program.making import environment
from chainertrpo.updates import Cloning

import numpy

EPOCHS, MINIBATCHES = 300, 10_000  # of a clone at most


def how_to_clone(demos, epochs=None):
    """The cloning of so many pairs that it takes seconds."""
    batch = Cloning().batch_size
    most = max(1, MINIBATCHES * batch // demos.n_kept)
    return Cloning(epochs or min(EPOCHS, most))


def others(args, env, demos, kept, settings):
    """The scores of the expert and of a clone, as JSON; the imitator is not touched.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.
    env : Env
        For its spaces.
    demos, kept : Demonstrations
        All of them, and what is imitated.
    settings : dict
        Of the generator.

    Returns
    -------
    dict
        ``expert`` and ``clone``: mean, stdev, of the clone its held-out loss too; without
        a clone, why.
    """
    returns = numpy.array(demos.returns)
    expert = {"mean": float(returns.mean()), "stdev": float(returns.std())}
    found = {"expert": expert}
    if args.no_clone:
        return found
    clone = make_agent(
        env.observation_space, env.action_space, settings, seed=args.seed
    )
    try:
        cloning = how_to_clone(kept)
        report = clone_expert(clone, kept, cloning, log_std_floor=None)
    except ValueError as error:  # only observations; or memory, and not all pairs
        print(f"no clone      {explain(error)}")
        return {**found, "no_clone": explain(error)}
    seen = environment(args, 2**32 - 1 - args.seed, test=False)
    try:
        stats = eval_performance(seen, clone, None, args.eval_n_runs)
    finally:
        seen.close()
    found["clone"] = {"mean": stats["mean"], "stdev": stats["stdev"]}
    found["clone"]["held_out_loss"] = report.validation_loss
    print(
        f"a clone       {stats['mean']:.2f} ± {stats['stdev']:.2f} mean return; mean of "
        f"−log π(a|s) of held-out pairs {report.validation_loss:.4f}"
    )
    return found


def conclude(folder, agent, kept, beside, quiet=False):
    """Say how a finished run compares; leave ``imitation.json`` and ``imitation.png``.

    Parameters
    ----------
    folder : str
        The run's.
    agent : OnPolicyAgent
        The imitator.
    kept : Demonstrations
        What was imitated.
    beside : dict
        Of `others`.
    quiet : bool
        Say nothing.
    """
    scores = read_table(os.path.join(folder, "scores.txt"))
    if not len(scores["steps"]):  # it was never evaluated
        return
    gail = {name: float(scores[name][-1]) for name in ("mean", "stdev", "steps")}
    if "clone" in beside:
        gail["held_out_loss"] = held_out_loss(agent, kept, how_to_clone(kept))
    whole = {**beside, "gail": gail}
    write_json(os.path.join(folder, "imitation.json"), whole)
    if quiet:
        return
    print("\n                      score    held-out −log π(a|s)")
    for name in ("expert", "clone", "gail"):
        if name in whole:
            one = whole[name]
            loss = f"{one['held_out_loss']:22.4f}" if "held_out_loss" in one else ""
            print(f"{name:8} {one['mean']:10.2f} ± {one['stdev']:7.2f}{loss}")
    if "clone" in beside and gail["mean"] < beside["clone"]["mean"]:
        print(
            "GAIL scored less than the clone. With most pairs of the expert (--every 1) a "
            "clone is hard to beat; else GAIL may need more steps, or its discriminator is "
            "right on everything or on nothing: see imitation.png, and docs/imitating.md."
        )


def draw_or_say(folder):
    """Draw the picture; what prevents it hides nothing else."""
    if not os.path.exists(os.path.join(folder, "scores.txt")):
        return None  # stopped before the first evaluation
    try:
        return draw_imitation(folder)
    except (OSError, ValueError) as error:
        print(f"no imitation.png: {explain(error)}", file=sys.stderr)
        return None
