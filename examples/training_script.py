"""What the training examples share: the run, its folder, the demonstration.

A script gives a parser with its own flags to `main`; see train_trpo_gym.py.
"""

import functools
import importlib
import importlib.util
import logging
import os
import sys
import time

from chainertrpo import _compat, make_agent, settings_of
from chainertrpo.agents import PRESETS
from chainertrpo.data import BadFileError, read_json
from chainertrpo.experiments import (
    BadEnvironmentError,
    EpisodeLog,
    Interrupted,
    Progress,
    draw_learning_curve,
    eval_performance,
    make_env,
    prepare_run_folder,
    scheduled,
    train_agent_parallel,
    train_agent_with_evaluation,
)
from chainertrpo.experiments.fixed_horizon import FixedHorizon

from training_flags import ARCHITECTURES, changes_of, parse


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
        lean=args.lean and not args.demo,
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
    print(f"steps         {env.steps}")
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
        args.outdir = prepare_run_folder(args.outdir, config_of(args, env, about), env)
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
                lean=args.lean,
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
