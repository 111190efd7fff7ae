"""Flags of the training commands, and what they change of a preset."""

import argparse
import logging
import math
import os
import sys

from chainertrpo.agents import PRESETS, describe_presets
from chainertrpo.experiments import available_cores
from chainertrpo.experiments.console import Parser
from chainertrpo.program.commands import prog

# What --arch names -> what kind of actions it is for.
ARCHITECTURES = {"FFGaussian": "Box", "FFSoftmax": "Discrete"}

# Flags that commands may have -> where a preset keeps what they change.
FLAGS = {
    "update_interval": ("agent", "update_interval"),
    "standardize_advantages": ("agent", "standardize_advantages"),
    "epochs": ("policy_step", "epochs"),
    "batch_size": ("policy_step", "batch_size"),
    "entropy_coef": ("policy_step", "entropy_coef"),
    "lr": ("optimizer", "alpha"),
    "weight_decay": ("optimizer", "weight_decay"),
    "bound_mean": ("policy", "bound_mean"),
    "scale_actions": ("policy", "scaled"),
    "clip_actions": ("env", "clip_actions"),
    "reward_scale_factor": ("rewards", "scale"),
}


def at_least(low, kind=int):
    """Return the type of a flag: a number that is not below `low`."""

    def parse(text):
        value = kind(text)
        if not low <= value < math.inf:
            raise argparse.ArgumentTypeError(f"expected {low} or more, got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def positive(text):
    """Be the type of a flag: a number above 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected a finite number above 0, got {text}"
        )
    return value


def folder(text):
    """Be the type of a flag: a folder, of which names are made by adding to it."""
    return text.rstrip(os.sep) or text


def make_parser(
    command,
    doc,
    default_preset,
    *,
    steps,
    eval_interval,
    eval_n_runs,
    presets=PRESETS,
    default_env="Hopper",
):
    """Build a parser with the flags that all training commands have."""
    parser = Parser(
        prog=prog(command),
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(
        default_preset=default_preset, default_env=default_env, fixed_horizon=None
    )
    add = parser.add_argument
    add("--gpu", type=int, default=-1, help="CUDA device, -1 is the CPU (default -1)")
    env = "environment, such as Humanoid or CartPole-v1"
    add("--env", help=f"{env} (default {default_env or 'that of the demonstrations'})")
    add("--env-package", choices=["auto", "gym", "gymnasium"], default="auto")
    add("--seed", type=int, default=0, help="seed in [0, 2**31) (default 0)")
    add("--outdir", default="results", help="parent of the run's folder")
    budget = {"type": at_least(2), "default": steps}
    add("--steps", **budget, help=f"environment steps (default {steps})")
    interval = {"type": at_least(1), "default": eval_interval}
    often = f"steps, no more than --steps (default {eval_interval})"
    add("--eval-interval", **interval, help=often)
    n_runs = {"type": at_least(1), "default": eval_n_runs}
    add("--eval-n-runs", **n_runs, help=f"episodes (default {eval_n_runs})")
    add_watching(parser)
    add("--demo", action="store_true", help="evaluate only; see --load")
    add("--load-pretrained", action="store_true", help=argparse.SUPPRESS)
    add("--load", default="", metavar="DIR", help="a saved agent to start from")
    add(
        "--logger-level",
        type=int,
        default=logging.INFO,
        help="10 is DEBUG (default 20)",
    )
    add("--monitor", action="store_true", help="write videos of evaluation episodes")
    board = "also write what TensorBoard shows, into the run's folder"
    add("--tensorboard", action="store_true", help=board)
    add(
        "--preset",
        choices=[*sorted(presets), "list"],
        metavar="NAME",
        help=f"algorithm and settings (default {default_preset}); list shows all",
    )
    sizes = {"type": at_least(1), "nargs": "+", "metavar": "N"}
    add("--hidden-sizes", **sizes, help="default: the preset's")
    what = "give the policy memory, behind its layers (docs/memory.md)"
    add("--recurrent", choices=["gru"], help=what)
    add(
        "--curvature",
        choices=["hessian", "gauss_newton"],
        default="gauss_newton",
        help="Fisher products by double backprop, or as JᵀFJv: equal and several times "
        "faster (default)",
    )
    add(
        "--num-envs",
        type=at_least(1),
        metavar="E",
        help="environments that share the steps of a batch (default: a power of two that "
        "leaves 1,000 or more to each); what is learned depends on it",
    )
    add(
        "--workers",
        type=at_least(0),
        help="processes that step the environments (default: one per core), on which "
        "nothing depends but time; 0 steps one environment in this process, as "
        "ChainerRL's train_agent does",
    )
    what = "be one of K processes that train together (mpiexec -n K; docs/ranks.md)"
    add("--mpi", action="store_true", help=what)
    group = parser.add_mutually_exclusive_group()
    what = (
        "step MuJoCo's tasks without what training does not need, which changes no bit"
    )
    group.add_argument("--lean", action="store_true", default=True, help=what)
    what = "step them by gymnasium, as rendering, videos and --demo always do"
    group.add_argument("--no-lean", action="store_false", dest="lean", help=what)
    between = "updates (default: 10, or what 50,000 steps make if that is less)"
    add("--checkpoint-interval", type=at_least(1), help=between)
    add(
        "--log-interval",
        type=at_least(1),
        metavar="N",
        help="steps between lines of progress (default: a line every ten seconds)",
    )
    add(
        "--max-episode-steps",
        type=at_least(1),
        metavar="N",
        help="cut episodes there (default: the environment's own limit; evaluations of one "
        "that has none are cut at 50000 steps)",
    )
    add(
        "--resume",
        type=folder,
        metavar="DIR",
        help="go on with a run; all else comes from there, but --steps may grow",
    )
    return parser


def add_watching(parser):
    """Add the flags of who looks at episodes: how an agent acts, and what is seen."""
    add = parser.add_argument
    most = (
        "take the most probable actions in evaluations and demos, instead of sampling"
    )
    add("--deterministic", action="store_true", help=most)
    add("--render", action="store_true", help="open a window")
    film = "write the first episode of a demo as a film, without a window"
    add("--film", type=film_name, metavar="GIF", help=film)
    add("--quiet", action="store_true", help="say only results and warnings")


def film_name(text):
    """Be the type of a flag: the name of a film, in a folder that is there."""
    folder = os.path.dirname(os.path.abspath(text))
    if not text.endswith(".gif"):
        raise argparse.ArgumentTypeError(f"expected FILE.gif, got {text}")
    if not os.path.isdir(folder):
        raise argparse.ArgumentTypeError(f"expected a folder, got none at {folder}")
    return text


def add_actions(parser):
    """Add the flags for the unit of actions, and for those beyond their bounds."""
    for flag, what in (
        ("scale", "let a mean or a σ of 1 be half the range of actions"),
        ("clip", "clip actions to their bounds before the environment sees them"),
    ):
        group = parser.add_mutually_exclusive_group()
        own = {"dest": f"{flag}_actions", "default": None}
        group.add_argument(f"--{flag}-actions", action="store_true", help=what, **own)
        what = "do not (default: as the preset says)"
        no = f"--no-{flag}-actions"
        group.add_argument(no, action="store_false", help=what, **own)


def parse(parser, presets, argv=None):
    """Read the command line."""
    args = parser.parse_args(argv)
    args.given = parser.given(argv)
    if args.preset == "list":
        print(describe_presets(presets))
        sys.exit()
    if not 0 <= args.seed < 2**31:
        parser.error(f"--seed {args.seed}: expected a number in [0, 2**31)")
    if os.path.exists(args.outdir) and not os.path.isdir(args.outdir):
        parser.error(f"--outdir {args.outdir}: expected a folder, got a file")
    if args.load_pretrained:
        parser.error(
            "--load-pretrained: expected a folder of yours, as nothing is downloaded "
            "here. chainertrpo.agents.load_chainerrl reads one that ChainerRL saved"
        )
    if args.demo and not args.load:
        parser.error("--demo shows a saved agent: give --load DIR")
    if args.film and not args.demo:
        parser.error("--film is of a demo: give --demo, or see --monitor")
    if args.quiet and "logger_level" not in args.given:
        args.logger_level = logging.WARNING
    check_mpi(parser, args)
    if args.workers is None:
        args.workers = 0 if args.render else available_cores()
    if not args.workers and "num_envs" in args.given and args.num_envs > 1:
        parser.error(
            f"--num-envs {args.num_envs}: expected --workers 1 or more, without which one "
            "environment is stepped"
        )
    return args


def check_mpi(parser, args):
    """Refuse, by name, what several processes cannot do together."""
    if not args.mpi:
        return
    for flag in ("demo", "render", "clone_only"):
        if getattr(args, flag, False):
            parser.error(f"--{flag.replace('_', '-')}: expected no --mpi with it")
    if args.workers == 0:
        parser.error("--workers 0: expected 1 or more for each process with --mpi")
    if args.gpu >= 0:
        parser.error(
            f"--gpu {args.gpu}: expected the CPU with --mpi, whose sums go through the "
            "host; with a GPU train in one process"
        )


def changes_of(args, preset):
    """What the command line changes of a preset of `PRESETS`, by part."""
    size = {"hidden_sizes": args.hidden_sizes} if args.hidden_sizes else {}
    changes = {"policy": dict(size), "vf": dict(size)}
    if args.recurrent:
        changes["policy"]["core"] = args.recurrent
    for flag, (part, key) in FLAGS.items():
        if getattr(args, flag, None) is not None:
            if part == "optimizer" and part not in preset:
                raise ValueError(
                    f"expected a preset whose policy an optimiser moves for --{flag}, got "
                    f"{preset['algorithm']}'s. Choose one of PPO, PenaltyTRPO or "
                    "PolicyGradient: --preset list."
                )
            changes.setdefault(part, {})[key] = getattr(args, flag)
    if getattr(args, "weight_decay", None):
        changes["optimizer"]["decay_biases"] = False  # as in ChainerRL
    own = preset.get("policy_step", {}).get("curvature", {}).get("kind")
    if "optimizer" not in preset and own is None:
        kind = {"curvature": {"kind": args.curvature}}
        changes.setdefault("policy_step", {}).update(kind)
    return changes
