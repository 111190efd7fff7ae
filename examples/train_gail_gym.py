"""Imitate demonstrations by GAIL in an environment of gym or gymnasium.

    python examples/train_gail_gym.py --demos demos.npz --steps 200000
    python examples/train_gail_gym.py --demos demos.npz --clone-only
    python examples/train_gail_gym.py --resume results/<run>

The environment's reward is reported and never trained on.  Files of demonstrations are
made by examples/record_demonstrations.py.
"""

import argparse
import functools
import logging
import os
import sys
import warnings

from chainertrpo import _compat
from chainertrpo.agents import GAIL_PRESETS, clone_expert, make_gail_agent
from chainertrpo.data import BadFileError, read_demonstrations, read_json, select
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
    train_agent_parallel,
)
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.updates import REWARD_FORMS, Cloning, TerminationBiasWarning


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--demos", metavar="NPZ", help="the expert's demonstrations")
    add("--env", help="environment (default: the demonstrations')")
    add("--env-package", choices=["auto", "gym", "gymnasium"], default="auto")
    add("--preset", choices=sorted(GAIL_PRESETS), default="ho2016")
    add(
        "--reward",
        choices=sorted(REWARD_FORMS),
        default="gail",
        help="gail: −log(1−D), logd: log D, airl: logit, d: D (default gail)",
    )
    add("--trajectories", type=int, metavar="N", help="only the first N episodes")
    add(
        "--every", type=int, metavar="K", help="every k-th pair (default: the preset's)"
    )
    add("--gradient-penalty", type=float, help="weight (default 0)")
    add("--absorbing", action="store_true", help="absorbing states after terminal ones")
    add("--fixed-horizon", type=int, metavar="H", help="all episodes have H steps")
    add("--update-interval", type=int, help="steps a batch (default: the preset's)")
    add(
        "--clone-epochs",
        type=int,
        default=0,
        help="behaviour cloning first (default 0)",
    )
    add("--clone-only", action="store_true", help="behaviour cloning and nothing else")
    add("--steps", type=int, default=500_000, help="environment steps (default 500000)")
    add("--eval-interval", type=int, default=10_000, help="steps (default 10000)")
    add("--eval-n-runs", type=int, default=10, help="episodes (default 10)")
    add("--seed", type=int, default=0, help="default 0")
    add("--gpu", type=int, default=-1, help="CUDA device, -1 is the CPU (default -1)")
    add("--outdir", default="results", help="parent of the run's folder")
    add("--workers", type=int, default=available_cores(), help="collecting processes")
    add("--checkpoint-interval", type=int, default=10, help="updates (default 10)")
    add("--resume", metavar="DIR", help="go on with a run: all else comes from there")
    args = parser.parse_args()
    if args.resume:
        saved = read_json(os.path.join(args.resume, "config.json"))
        for name in vars(args).keys() & saved.keys() - {"resume", "outdir"}:
            setattr(args, name, saved[name])
        args.outdir = args.resume
    if not args.demos:
        parser.error("give --demos FILE; record it with record_demonstrations.py")
    if args.workers < 1:
        parser.error("--workers: expected at least 1")
    return args


def environment(seed=None, *, env_id, package, horizon):
    """Make an environment; workers call this too."""
    env = make_env(env_id, seed, package=package)
    return FixedHorizon(env, horizon) if horizon else env


def build(args, env, demos):
    """Build the imitator; behaviour cloning first, if asked for."""
    judge = {}
    if args.gradient_penalty is not None:
        judge["gradient_penalty"] = args.gradient_penalty
    if args.absorbing and env.max_episode_steps is None:
        raise BadEnvironmentError(
            f"--absorbing needs an environment with a time limit, and {env.id} has none. "
            "Give --fixed-horizon H instead."
        )
    if args.absorbing:
        judge["absorbing_horizon"] = env.max_episode_steps
    interval = args.update_interval
    agent, settings = make_gail_agent(
        env.observation_space,
        env.action_space,
        demos,
        args.preset,
        reward=args.reward,
        discriminator=judge,
        every=args.every,
        device=_compat.array_device(args.gpu),
        seed=args.seed,
        agent={"update_interval": interval} if interval else {},
        step={"curvature": "gauss_newton"},
    )
    epochs = args.clone_epochs or (300 if args.clone_only else 0)
    if epochs:
        floor = None if args.clone_only else -1.0
        kept = agent.rewards.demonstrations
        report = clone_expert(agent, kept, Cloning(epochs), log_std_floor=floor)
        print(f"cloning       {report}")
    return agent, settings


def train(args):
    """Train, and leave scores, curve and agents in the run's folder."""
    demos = read_demonstrations(args.demos)
    if args.trajectories:
        demos = select(demos, range(args.trajectories))
    env_id = args.env or demos.environment["id"]
    make = functools.partial(
        environment, env_id=env_id, package=args.env_package, horizon=args.fixed_horizon
    )
    env = make(2**32 - 1 - args.seed)
    if env.id != demos.environment["id"]:
        raise BadFileError(
            f"{args.demos}: expected demonstrations of {env.id}, got some of "
            f"{demos.environment['id']}."
        )
    agent, settings = build(args, env, demos)
    print(f"environment   {env.id} of {env.package}")
    print(f"expert        {sum(demos.returns) / len(demos.returns):.2f} mean return")
    print(f"              {len(demos.episodes)} episodes, {demos.made_by}")
    print(f"pairs         {len(agent.rewards.demonstrations.pairs()[0])} kept")
    print(f"preset        {args.preset}, reward {args.reward}")
    if args.clone_only:
        stats = eval_performance(env, agent, None, args.eval_n_runs)
        print(f"clone         mean: {stats['mean']} stdev: {stats['stdev']}")
        return
    if not args.resume:
        config = {"agent": "GAIL", **vars(args), "env": env.id, "settings": settings}
        config["demos"] = os.path.abspath(args.demos)
        args.outdir = prepare_run_folder(args.outdir, config)
    print(f"folder        {args.outdir}", flush=True)
    progress = Progress(args.steps)
    log = EpisodeLog(args.outdir, resume=bool(args.resume))
    try:
        train_agent_parallel(
            agent,
            make,
            args.steps,
            args.outdir,
            workers=args.workers,
            seed=args.seed,
            eval_env=env,
            eval_n_episodes=args.eval_n_runs,
            eval_interval=args.eval_interval,
            checkpoint_interval=args.checkpoint_interval,
            resume=bool(args.resume),
            step_hooks=[progress],
            episode_hooks=[progress.episode, log],
        )
    finally:
        progress.close()
        log.close()
        env.close()
        draw_learning_curve(args.outdir)
    print(f"\n{agent.rewards.summary()}")
    print(f"scores  {args.outdir}/scores.txt (the environment's reward)")


def main():
    """Run; a mistake of the user is one line, not a traceback."""
    args = parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    warnings.simplefilter("always", TerminationBiasWarning)
    try:
        train(args)
    except Interrupted as stop:
        print(f"\n{stop}; go on with: {sys.argv[0]} --resume {args.outdir}")
        sys.exit(128 + stop.signal_number)
    except (
        BadEnvironmentError,
        BadFileError,
        FileNotFoundError,
        ValueError,
    ) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
