"""Train PPO on an environment of gym or gymnasium, or show a saved agent.

    python examples/train_ppo_gym.py --env Hopper
    python examples/train_ppo_gym.py --preset chainerrl-ppo-example --env Walker2d
    python examples/train_ppo_gym.py --resume results/<run>
    python examples/train_ppo_gym.py --demo --load results/<run>/best

The settings are those of ChainerRL's reproduction of PPO; its other example is the preset
chainerrl-ppo-example.  The flags are those of both, except what follows from the action
space (--arch) and --bound-mean and --weight-decay.
"""

from chainertrpo.agents import DEFAULT_PPO_PRESET

import training_script

if __name__ == "__main__":
    parser = training_script.make_parser(
        __doc__,
        DEFAULT_PPO_PRESET,
        steps=2 * 10**6,
        eval_interval=100_000,
        eval_n_runs=100,
    )
    add = parser.add_argument
    add("--update-interval", type=int, help="steps a batch (default: the preset's)")
    add("--epochs", type=int, help="passes over a batch (default: the preset's)")
    rows = "rows a minibatch (default: the preset's)"
    add("--batch-size", "--batchsize", type=int, help=rows)
    add("--lr", type=float, help="Adam's step size (default: the preset's)")
    add("--entropy-coef", type=float, help="nats weigh this (default: the preset's)")
    add("--reward-scale-factor", type=float, help="default: the preset's")
    add("--standardize-advantages", action="store_true", default=None)
    training_script.main(parser)
