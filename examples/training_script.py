"""What the training examples share: flags, the run, its folder, the demonstration.

A script gives a parser with its own flags to `main`; see train_trpo_gym.py.
"""

import argparse
import functools
import importlib
import importlib.util
import logging
import os
import sys
import time

from chainertrpo import _compat, make_agent, settings_of
from chainertrpo.agents import PRESETS, describe_presets
from chainertrpo.data import BadFileError, read_json
from chainertrpo.experiments import (
    BadEnvironmentError,
    EpisodeLog,
    Interrupted,
    Progress,
    available_cores,
    draw_learning_curve,
    eval_performance,
    make_env,
    prepare_run_folder,
    scheduled,
    train_agent_parallel,
    train_agent_with_evaluation,
)
from chainertrpo.experiments.fixed_horizon import FixedHorizon


def at_least(low, kind=int):
    """Return the type of a flag: a number that is not below `low`."""

    def parse(text):
        value = kind(text)
        if not value >= low:
            raise argparse.ArgumentTypeError(f"expected {low} or more, got {text}")
        return value

    parse.__name__ = kind.__name__
    return parse


def positive(text):
    """Be the type of a flag: a number above 0."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def make_parser(
    doc,
    default_preset,
    *,
    steps,
    eval_interval,
    eval_n_runs,
    presets=PRESETS,
    default_env="Hopper",
):
    """Build a parser with the flags that all training examples have."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
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
    add("--eval-interval", **interval, help=f"steps (default {eval_interval})")
    n_runs = {"type": at_least(1), "default": eval_n_runs}
    add("--eval-n-runs", **n_runs, help=f"episodes (default {eval_n_runs})")
    add("--render", action="store_true", help="open a window")
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
    add(
        "--preset",
        choices=[*sorted(presets), "list"],
        metavar="NAME",
        help=f"algorithm and settings (default {default_preset}); list shows all",
    )
    sizes = {"type": at_least(1), "nargs": "+", "metavar": "N"}
    add("--hidden-sizes", **sizes, help="default: the preset's")
    add(
        "--curvature",
        choices=["hessian", "gauss_newton"],
        default="gauss_newton",
        help="Fisher products by double backprop, or as JᵀFJv: equal and several times "
        "faster (default)",
    )
    add(
        "--workers",
        "--num-envs",
        type=at_least(0),
        help="processes that collect (default: one per core); 0 steps the environment "
        "in this process, as ChainerRL's train_agent does",
    )
    between = "updates (default: 10, or what 50,000 steps make if that is less)"
    add("--checkpoint-interval", type=at_least(1), help=between)
    add(
        "--log-interval",
        type=at_least(1),
        metavar="N",
        help="steps between lines of progress (default: a line every ten seconds)",
    )
    add("--resume", metavar="DIR", help="go on with a run: all else comes from there")
    return parser


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


def parse(parser, presets):
    """Read the command line."""
    args = parser.parse_args()
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
    if args.workers is None:
        args.workers = 0 if args.render else available_cores()
    return args


def recall(args, presets):
    """Take what a run was made with from its config.json: all of it, to go on."""
    folder = args.resume or os.path.dirname(os.path.abspath(args.load))
    path = os.path.join(folder, "config.json")
    saved = {}
    if (args.load or args.resume) and os.path.exists(path):
        saved = read_json(path)
    if args.resume:
        if not saved:
            raise FileNotFoundError(f"expected the folder of a run, got no {path}.")
        for name in vars(args).keys() & saved.keys() - {"resume", "outdir"}:
            setattr(args, name, saved[name])
        if not args.workers:
            raise BadFileError(
                f"{folder}: a run with --workers 0 has no checkpoints to resume from."
            )
    # What the preset was then; its name may stand for something else by now.
    own = args.preset is None or args.resume
    args.made_with = saved if own and "settings" in saved else None
    args.env = args.env or saved.get("env", args.default_env)
    args.preset = args.preset or saved.get("preset", args.default_preset)
    del args.default_preset, args.default_env
    flags = {"hidden_sizes", "bound_mean", "scale_actions", "clip_actions"}
    for name in flags & vars(args).keys():
        if getattr(args, name) is None:
            setattr(args, name, saved.get(name))
    args.env_settings = env_settings(args, presets)


# What --arch names -> what kind of actions it is for.
ARCHITECTURES = {"FFGaussian": "Box", "FFSoftmax": "Discrete"}

# Flags that scripts may have -> where a preset keeps what they change.
FLAGS = {
    "update_interval": ("agent", "update_interval"),
    "standardize_advantages": ("agent", "standardize_advantages"),
    "epochs": ("step", "epochs"),
    "batch_size": ("step", "batch_size"),
    "entropy_coef": ("step", "entropy_coef"),
    "lr": ("optimizer", "alpha"),
    "weight_decay": ("optimizer", "weight_decay"),
    "bound_mean": ("policy", "bound_mean"),
    "scale_actions": ("policy", "scaled"),
    "clip_actions": ("env", "clip_actions"),
    "reward_scale_factor": ("rewards", "scale"),
}


def changes_of(args, preset):
    """What the command line changes of a preset of `PRESETS`, by part."""
    size = {"hidden_sizes": args.hidden_sizes} if args.hidden_sizes else {}
    changes = {"policy": dict(size), "vf": dict(size)}
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
    own_curvature = "curvature" in preset.get("step", {})
    if "optimizer" not in preset and not own_curvature:
        changes.setdefault("step", {})["curvature"] = args.curvature
    return changes


def check_architecture(arch, action_space):
    """Check that what --arch names is for these actions; None is for all."""
    kind = type(action_space).__name__
    if arch is not None and ARCHITECTURES[arch] != kind:
        raise ValueError(
            f"expected actions of {ARCHITECTURES[arch]} for --arch {arch}, got {kind}. "
            "Leave --arch out: the policy follows from the actions."
        )


def build(args, env):
    """Build the agent for an environment; return it, and what config.json says of it."""
    try:
        check_architecture(getattr(args, "arch", None), env.action_space)
        base = args.made_with["settings"] if args.made_with else args.preset
        changes = changes_of(args, PRESETS.get(args.preset) or settings_of(base))
        settings = settings_of(base, **changes)
        if getattr(args, "lr", None) and "optimizer.alpha" in settings.get(
            "schedules", {}
        ):
            settings["schedules"]["optimizer.alpha"][0] = args.lr
        made = make_agent(
            env.observation_space,
            env.action_space,
            settings,
            device=_compat.array_device(args.gpu),
            seed=args.seed,
        )
    except ValueError as error:  # --epochs for a preset that has none
        sys.exit(f"error: {error}")
    if args.load:
        made.load(args.load)
    return made, {"agent": settings["algorithm"], "settings": settings}


def env_settings(args, presets):
    """What `make_env` is given by the preset, or the run of before, and by flags."""
    preset = presets.get(args.preset, {})
    if args.made_with:
        preset = args.made_with["settings"]
    base = PRESETS.get(preset.get("base"), preset)  # an imitator's generator begins so
    given = {**base.get("env", {}), **preset.get("generator", {}).get("env", {})}
    if getattr(args, "clip_actions", None) is not None:
        given["clip_actions"] = args.clip_actions
    return given


def environment(args, seed, *, test):
    """Make the training or the test environment."""
    mode = None
    if args.render:
        mode = "human"
    elif args.monitor and test:
        mode = "rgb_array"
    env = make_env(
        args.env,
        seed,
        package=args.env_package,
        render_mode=mode,
        **args.env_settings,
    )
    if args.monitor and test:
        if importlib.util.find_spec("moviepy") is None:
            raise BadEnvironmentError(
                "--monitor writes videos with moviepy, which is not installed. "
                "pip install 'chainertrpo[video]'"
            )
        wrappers = importlib.import_module(f"{env.package}.wrappers")
        folder = os.path.join(args.outdir, "videos")
        env.env = wrappers.RecordVideo(env.env, folder, disable_logger=True)
    return with_horizon(env, args.fixed_horizon)


def with_horizon(env, horizon):
    """Give an environment episodes of one length, if asked for."""
    return FixedHorizon(env, horizon) if horizon else env


def workers_environment(seed=None, *, env_id, package, horizon, **settings):
    """Make the environment of a worker process."""
    return with_horizon(make_env(env_id, seed, package=package, **settings), horizon)


def describe(agent, env, args):
    """Print what is about to run."""
    count = sum(param.size for param in agent.policy.params())
    print(f"environment   {env.id} of {env.package} (asked for: {args.env})")
    print(f"observations  {env.observation_space}")
    print(f"actions       {env.action_space}")
    print(f"policy        {type(agent.policy).__name__}, {count} parameters")
    print(f"device        {agent.policy.device}")
    name = type(agent).__name__
    print(f"preset        {args.preset}: {name}, {agent.update_interval} steps a batch")
    print(f"workers       {args.workers or 'none: this process steps the environment'}")


def config_of(args, env, about):
    """What config.json says: the command line, the environment, and `about` the agent."""
    ours = ("made_with", "env_settings")  # the settings have them
    flags = {name: x for name, x in vars(args).items() if name not in ours}
    return {**flags, "env": env.id, "env_package": env.package, **about}


def demo(args, build=build):
    """Evaluate a saved agent and print its score."""
    env = environment(args, args.seed, test=True)
    agent, _ = build(args, env)
    describe(agent, env, args)
    stats = eval_performance(env, agent, None, args.eval_n_runs)
    env.close()
    print(
        f"n_runs: {stats['episodes']} mean: {stats['mean']} median: {stats['median']} "
        f"stdev: {stats['stdev']}"
    )


def train(args, build=build):
    """Train, and leave scores, curve and agents in the run's folder."""
    env = environment(args, args.seed, test=False)
    agent, about = build(args, env)
    if args.resume:
        args.outdir = args.resume
    else:
        args.outdir = prepare_run_folder(args.outdir, config_of(args, env, about))
    describe(agent, env, args)
    print(f"folder        {args.outdir}", flush=True)
    progress = Progress(args.steps, interval=args.log_interval)
    log = EpisodeLog(args.outdir, resume=bool(args.resume))
    eval_env = environment(args, 2**32 - 1 - args.seed, test=True)
    common = {
        "eval_env": eval_env,
        "eval_n_steps": None,
        "eval_n_episodes": args.eval_n_runs,
        "eval_interval": args.eval_interval,
        "step_hooks": [progress, *scheduled(about["settings"], args.steps)],
        "episode_hooks": [progress.episode, log],
    }
    start = time.time()
    try:
        if args.workers:
            make = functools.partial(
                workers_environment,
                env_id=env.id,
                package=env.package,
                horizon=args.fixed_horizon,
                **args.env_settings,
            )
            train_agent_parallel(
                agent,
                make,
                args.steps,
                args.outdir,
                workers=args.workers,
                seed=args.seed,
                checkpoint_interval=args.checkpoint_interval,
                resume=bool(args.resume),
                **common,
            )
        else:
            train_agent_with_evaluation(
                agent, env, args.steps, outdir=args.outdir, **common
            )
    finally:
        progress.close()
        log.close()
        eval_env.close()
        draw_learning_curve(args.outdir)
    print(f"\ntrained to step {args.steps} in {time.time() - start:.0f} s")
    if hasattr(agent.rewards, "summary"):
        print(agent.rewards.summary())
    print(f"curve   {args.outdir}/learning_curve.png")
    print(f"scores  {args.outdir}/scores.txt")
    print(f"agent   {args.outdir}/{args.steps}_finish")
    print(f"watch   {sys.argv[0]} --demo --render --load {args.outdir}/best")


def main(parser, presets=PRESETS, build=build, train=train):
    """Run; a mistake of the user is one line, not a traceback."""
    args = parse(parser, presets)
    logging.basicConfig(level=args.logger_level, format="%(message)s")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    try:
        recall(args, presets)
        demo(args, build) if args.demo else train(args, build)
    except Interrupted as stop:
        print(f"\n{stop}; go on with: {sys.argv[0]} --resume {args.outdir}")
        sys.exit(128 + stop.signal_number)
    except (
        BadEnvironmentError,
        BadFileError,
        FileNotFoundError,
        NotADirectoryError,
        PermissionError,
    ) as error:
        sys.exit(f"error: {error}")
    except RuntimeError as error:
        if args.gpu < 0:
            raise
        sys.exit(f"error: {error}")
