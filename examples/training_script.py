"""What the training examples share: the run, its folder, the demonstration.

A script gives a parser with its own flags to `main`; see train_trpo_gym.py.
"""

import contextlib
import functools
import importlib
import importlib.util
import logging
import os
import shlex
import signal
import sys
import time

from chainertrpo import _compat, make_agent, settings_of
from chainertrpo._extras import pip_install
from chainertrpo.agents import PRESETS
from chainertrpo.agents.storage import NotFiniteError
from chainertrpo.data import BadFileError, read_json, write_json
from chainertrpo.experiments import (
    BadEnvironmentError,
    EpisodeLog,
    Interrupted,
    Progress,
    WorkerError,
    draw_learning_curve,
    eval_performance,
    make_env,
    owned_folder,
    prepare_run_folder,
    scheduled,
    train_agent_parallel,
    train_agent_with_evaluation,
)
from chainertrpo.experiments.checkpoints import newest_checkpoint
from chainertrpo.experiments.console import (
    LogHandler,
    explain,
    survive_closed_streams,
)
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.signals import sigterm_interrupts

from training_flags import ARCHITECTURES, changes_of, parse

MAY_CHANGE = {"steps", "demos", "logger_level", "log_interval", "max_load_bytes"}


def check_given(args, saved):
    """Refuse, by name, flags that a resumed run cannot follow."""
    refused = []
    for name in sorted(args.given - MAY_CHANGE - {"resume"}):
        value, was = getattr(args, name), saved.get(name)
        same = value == was or (name == "env" and str(was).startswith(f"{value}-v"))
        if not same:
            refused.append(f"--{name.replace('_', '-')} {value} (it was {was})")
    if refused:
        raise ValueError(
            "expected no other flags than --steps with --resume, which goes on as the run "
            f"was begun, got {', '.join(refused)}. Leave them out, or begin a new run."
        )
    if "steps" in args.given and args.steps < saved.get("steps", 0):
        raise ValueError(
            f"expected --steps {saved['steps']} or more with --resume, got {args.steps}."
        )


def recall(args, presets):
    """Take what a run was made with from its config.json: all of it, to go on."""
    folder = args.resume or os.path.dirname(os.path.abspath(args.load))
    path = os.path.join(folder, "config.json")
    saved = {}
    if (args.load or args.resume) and os.path.exists(path):
        saved = read_json(path)
        check_config(path, saved)
    if args.resume:
        if not saved:
            raise FileNotFoundError(f"expected the folder of a run, got no {path}.")
        check_given(args, saved)
        own = {"resume", "outdir", *(args.given & MAY_CHANGE)}
        for name in vars(args).keys() & saved.keys() - own:
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
    flags.add("max_episode_steps")
    for name in flags & vars(args).keys():
        if getattr(args, name) is None:
            setattr(args, name, saved.get(name))
    args.env_settings = env_settings(args, presets)


def check_config(path, saved):
    """Refuse a config.json that no run can have written."""
    kinds = {"settings": dict, "env": str, "preset": str, "steps": int, "workers": int}
    kinds = {name: kind for name, kind in kinds.items() if isinstance(saved, dict)}
    wrong = [
        f"{name} {saved[name]!r}"[:80]
        for name, kind in kinds.items()
        if name in saved and not isinstance(saved[name], kind)
    ]
    if wrong or not kinds:
        raise BadFileError(
            f"{path}: expected the settings of a run, got {', '.join(wrong) or saved}. "
            "Was it edited?"
        )


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
    except (KeyError, TypeError, AttributeError) as error:
        if not args.made_with:
            raise
        raise BadFileError(
            f"{args.resume or args.load}: no agent can be built by the settings in its "
            f"config.json: {type(error).__name__}: {error}. Were they edited?"
        ) from error
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
    if getattr(args, "max_episode_steps", None) is not None:
        given["max_episode_steps"] = args.max_episode_steps
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
                + pip_install("video")
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
    ours = ("made_with", "env_settings", "given", "folder")
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
    if args.steps < agent.update_interval:
        raise ValueError(
            f"expected --steps {agent.update_interval} or more, which is one batch of the "
            f"preset {args.preset}, got {args.steps}: nothing would be learned."
        )
    if args.resume:
        args.folder = args.resume
    else:
        args.folder = prepare_run_folder(args.outdir, config_of(args, env, about), env)
    with owned_folder(args.folder, goes_on=bool(args.resume)):
        if args.resume:
            grow(args, about["settings"])
        train_in(args, env, agent, about)


def grow(args, settings):
    """Write down that a run that goes on has more steps."""
    path = os.path.join(args.folder, "config.json")
    saved = read_json(path)
    if saved.get("steps") == args.steps:
        return
    write_json(path, {**saved, "steps": args.steps})
    moving = ", ".join(settings.get("schedules") or {})
    if moving:
        print(f"note          the schedule of {moving} now ends at step {args.steps}")


def draw_or_say(folder):
    """Draw the learning curve; what prevents it hides nothing else."""
    try:
        draw_learning_curve(folder)
    except (OSError, ValueError) as error:
        print(f"no learning_curve.png: {explain(error)}", file=sys.stderr)


def train_in(args, env, agent, about):
    """Train in the run's folder."""
    describe(agent, env, args)
    print(f"folder        {args.folder}", flush=True)
    progress = Progress(args.steps, interval=args.log_interval)
    log = EpisodeLog(args.folder, resume=bool(args.resume))
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
                args.folder,
                workers=args.workers,
                seed=args.seed,
                checkpoint_interval=args.checkpoint_interval,
                resume=bool(args.resume),
                **common,
            )
        else:
            train_agent_with_evaluation(
                agent, env, args.steps, outdir=args.folder, **common
            )
    finally:
        progress.close()
        with contextlib.suppress(OSError):  # a full disk has been said already
            log.close()
        eval_env.close()
        draw_or_say(args.folder)
    print(f"\ntrained to step {args.steps} in {time.time() - start:.0f} s")
    if hasattr(agent.rewards, "summary"):
        print(agent.rewards.summary())
    print(f"curve   {args.folder}/learning_curve.png")
    print(f"scores  {args.folder}/scores.txt")
    print(f"agent   {args.folder}/{args.steps}_finish")
    best = os.path.join(args.folder, "best")
    if os.path.isdir(best):
        print(f"watch   {this_script()} --demo --render --load {shlex.quote(best)}")


def this_script():
    """Return how this script is called, as text for a shell."""
    return f"{shlex.quote(sys.executable)} {shlex.quote(sys.argv[0])}"


def say_stopped(stop, args):
    """Say what a run that was stopped leaves, and how to go on."""
    folder = args.folder
    if folder is None:
        return f"\n{stop}; nothing had begun"
    if newest_checkpoint(folder) is None:
        return (
            f"\n{stop}; what there is lies in {folder}, but no checkpoint to go on from"
        )
    return f"\n{stop}; go on with: {this_script()} --resume {shlex.quote(folder)}"


def main(parser, presets=PRESETS, build=build, train=train):
    """Run; a mistake of the user is one line, not a traceback."""
    survive_closed_streams()
    args = parse(parser, presets)
    args.folder = None
    logging.basicConfig(
        level=args.logger_level, format="%(message)s", handlers=[LogHandler()]
    )
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    try:
        with sigterm_interrupts():
            recall(args, presets)
            demo(args, build) if args.demo else train(args, build)
    except Interrupted as stop:
        print(say_stopped(stop, args), flush=True)
        sys.exit(128 + stop.signal_number)
    except KeyboardInterrupt:
        print(say_stopped("stopped by SIGINT", args), flush=True)
        sys.exit(128 + signal.SIGINT)
    except (ValueError, OSError, ImportError, WorkerError, NotFiniteError) as error:
        if args.logger_level <= logging.DEBUG:
            raise
        sys.exit(f"error: {explain(error)}")
    except RuntimeError as error:
        if args.gpu < 0:
            raise
        sys.exit(f"error: {error}")
