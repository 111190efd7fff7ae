"""Train TRPO on an environment of gym or gymnasium, or show a saved agent.

    python examples/train_trpo_gym.py --env Humanoid
    python examples/train_trpo_gym.py --preset list
    python examples/train_trpo_gym.py --preset npg --env Hopper
    python examples/train_trpo_gym.py --resume results/<run>
    python examples/train_trpo_gym.py --demo --load results/<run>/best

The flags are those of ChainerRL's example of the same name; the settings are those with
which ChainerRL reproduced "Deep Reinforcement Learning that Matters", or those of --preset,
which also chooses another algorithm of the family.
"""

from chainertrpo.agents import DEFAULT_PRESET

import training_flags
import training_script

if __name__ == "__main__":
    parser = training_flags.make_parser(
        __doc__, DEFAULT_PRESET, steps=10**6, eval_interval=10_000, eval_n_runs=10
    )
    parser.add_argument(
        "--trpo-update-interval",
        dest="update_interval",
        type=training_flags.at_least(2),
        help="steps a batch (default: the preset's)",
    )
    training_flags.add_actions(parser)
    training_script.main(parser)
