"""Train PPO on an environment of gym or gymnasium, or show a saved agent.

    chainertrpo ppo --env Hopper
    chainertrpo ppo --preset chainerrl-ppo-example --env Walker2d
    chainertrpo ppo --resume results/<run>
    chainertrpo demo results/<run>

The settings are those of ChainerRL's reproduction of PPO; its other example is the preset
chainerrl-ppo-example.  The flags are those of both, but FFMellowmax is no --arch.
"""

from chainertrpo.agents import DEFAULT_PPO_PRESET
from chainertrpo.program import flags, training


def main(argv=None):
    """Run the command."""
    parser = flags.make_parser(
        "ppo",
        __doc__,
        DEFAULT_PPO_PRESET,
        steps=2 * 10**6,
        eval_interval=100_000,
        eval_n_runs=100,
    )
    add = parser.add_argument
    at_least, positive = flags.at_least, flags.positive
    steps = "steps a batch (default: the preset's)"
    add("--update-interval", type=at_least(2), help=steps)
    passes = "passes over a batch (default: the preset's)"
    add("--epochs", type=at_least(1), help=passes)
    rows = "rows a minibatch (default: the preset's)"
    add("--batch-size", "--batchsize", type=at_least(1), help=rows)
    add("--lr", type=positive, help="Adam's step size (default: the preset's)")
    weight = "nats weigh this (default: the preset's)"
    add("--entropy-coef", type=at_least(0.0, float), help=weight)
    add("--reward-scale-factor", type=positive, help="default: the preset's")
    add("--standardize-advantages", action="store_true", default=None)
    decay = "weight of ½‖θ‖² without biases (default: the preset's)"
    add("--weight-decay", type=at_least(0.0, float), help=decay)
    within = "keep means within the bounds of actions"
    add("--bound-mean", action="store_true", default=None, help=within)
    flags.add_actions(parser)
    kinds = "follows from the actions, which it has to fit: FFSoftmax or FFGaussian"
    add("--arch", choices=flags.ARCHITECTURES, help=kinds)
    training.main("ppo", parser, argv=argv)
