"""Train TRPO on an environment of gym or gymnasium, or show a saved agent.

    chainertrpo train --env Humanoid
    chainertrpo train --preset list
    chainertrpo train --preset npg --env Hopper
    chainertrpo train --resume results/<run>
    chainertrpo demo results/<run>

The flags are those of ChainerRL's example train_trpo_gym.py; the settings are those with
which ChainerRL reproduced "Deep Reinforcement Learning that Matters", or those of --preset,
which also chooses another algorithm of the family.
"""

from chainertrpo.agents import DEFAULT_PRESET
from chainertrpo.program import flags, training


def main(argv=None):
    """Run the command."""
    parser = flags.make_parser(
        "train",
        __doc__,
        DEFAULT_PRESET,
        steps=10**6,
        eval_interval=10_000,
        eval_n_runs=10,
    )
    parser.add_argument(
        "--trpo-update-interval",
        dest="update_interval",
        type=flags.at_least(2),
        help="steps a batch (default: the preset's)",
    )
    flags.add_actions(parser)
    training.main("train", parser, argv=argv)
