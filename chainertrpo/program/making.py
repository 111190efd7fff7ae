"""The environment and the agent that a command line asks for."""

import importlib
import importlib.util
import os
import sys

from chainertrpo import _compat, make_agent, ranks, settings_of
from chainertrpo._extras import pip_install
from chainertrpo.agents import PRESETS
from chainertrpo.data import BadFileError
from chainertrpo.experiments import BadEnvironmentError, make_env
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.program.demo import seen_by
from chainertrpo.program.flags import ARCHITECTURES, changes_of

import numpy


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
    mode = seen_by(args) or ("rgb_array" if args.monitor and test else None)
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


def space_line(space):
    """A space on one line: of bounds that differ the first, in four figures."""
    if not isinstance(getattr(space, "low", None), numpy.ndarray):
        return " ".join(str(space).split())
    low, high = map(_bounds, (space.low, space.high))
    return f"Box({low}, {high}, {space.shape}, {space.dtype})"


def _bounds(values):
    values = values.ravel()
    if values.size and (values == values[0]).all():
        return f"{values[0]:.4g}"
    first = [f"{value:.4g}" for value in values[:8]]
    return f"[{', '.join(first + ['…'] * (values.size > 8))}]"


def describe(agent, env, args):
    """Print what is about to run."""
    count = sum(param.size for param in agent.policy.params())
    print(f"environment   {env.id} of {env.package} (asked for: {args.env})")
    print(f"observations  {space_line(env.observation_space)}")
    print(f"actions       {space_line(env.action_space)}")
    print(f"steps         {env.steps}")
    print(f"policy        {type(agent.policy).__name__}, {count} parameters")
    print(f"device        {agent.policy.device}")
    name = type(agent).__name__
    print(f"preset        {args.preset}: {name}, {agent.update_interval} steps a batch")
    if not args.demo:
        n = agent.update_interval // args.num_envs
        print(f"environments  {args.num_envs}, {n} steps of a batch each")
    print(f"workers       {args.workers or 'none: this process steps the environment'}")
    if args.mpi:
        print(f"ranks         {ranks.size()}, with workers of their own")


def config_of(args, env, about):
    """What config.json says: the command line, the environment, and `about` the agent."""
    ours = ("made_with", "env_settings", "given", "folder", "mpi")
    flags = {name: x for name, x in vars(args).items() if name not in ours}
    return {**flags, "env": env.id, "env_package": env.package, **about}
