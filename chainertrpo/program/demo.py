"""Show a saved agent, and print its score.

    chainertrpo demo results/<run>
    chainertrpo demo results/<run>/best --deterministic --eval-n-runs 100
    chainertrpo demo results/<run> --render
    chainertrpo demo results/<run> --film demo.gif

Of a run it is the agent that scored best.  What it was trained with comes from the run's
config.json.
"""

import argparse
import contextlib

from chainertrpo.experiments import eval_performance, make_env
from chainertrpo.experiments.console import Parser
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.video import Filmed
from chainertrpo.program.commands import prog
from chainertrpo.program.flags import add_watching, at_least
from chainertrpo.program.mistakes import mistakes_are_lines
from chainertrpo.program.saved import config_beside, folder_of_agent, saved_agent


def parse_args(argv=None):
    """Read the command line."""
    parser = Parser(
        prog=prog("demo"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("folder", metavar="DIR", help="of a run, or of an agent in it")
    runs = "episodes (default 10)"
    add("--eval-n-runs", type=at_least(1), default=10, help=runs)
    add_watching(parser)
    add("--seed", type=at_least(0), default=0, help="default 0")
    add("--gpu", type=int, default=-1, help="CUDA device, -1 is the CPU (default -1)")
    add("--env", help="default: that of the run")
    add("--env-package", choices=["auto", "gym", "gymnasium"], default="auto")
    limit = "cut episodes there (default: as in the run)"
    add("--max-episode-steps", type=at_least(1), metavar="N", help=limit)
    add("--fixed-horizon", type=at_least(1), metavar="H", help="as in the run")
    return parser.parse_args(argv)


def seen_by(args):
    """How the environment of a demo renders."""
    return "human" if args.render else "rgb_array" if args.film else None


def show(args, env, agent):
    """Let an agent play; print its score, and where its film lies."""
    agent.act_deterministically = args.deterministic or agent.act_deterministically
    filming = Filmed(env, args.film) if args.film else contextlib.nullcontext(env)
    with filming as seen:
        stats = eval_performance(seen, agent, None, args.eval_n_runs)
    print(
        f"n_runs: {stats['episodes']} mean: {stats['mean']:.2f} "
        f"median: {stats['median']:.2f} stdev: {stats['stdev']:.2f}"
    )
    if args.film:
        print(f"film    {args.film}: the first episode, {filming.frames} frames")


def run(args):
    """Show the agent of a folder."""
    folder = folder_of_agent(args.folder)
    config = config_beside(folder)
    given = dict(config["settings"].get("env") or {})
    limit = args.max_episode_steps or config.get("max_episode_steps")
    if limit is not None:
        given["max_episode_steps"] = limit
    env = make_env(
        args.env or config.get("env"),
        args.seed,
        package=args.env_package,
        render_mode=seen_by(args),
        lean=False,
        **given,
    )
    horizon = args.fixed_horizon or config.get("fixed_horizon")
    if horizon:
        env = FixedHorizon(env, horizon)
    agent, _ = saved_agent(folder, env, gpu=args.gpu, seed=args.seed)
    if not args.quiet:
        preset = f", preset {config['preset']}" if config.get("preset") else ""
        print(f"agent   {folder}: {config['agent']}{preset}")
        print(f"in      {env.id} of {env.package}")
    try:
        show(args, env, agent)
    finally:
        env.close()


def main(argv=None):
    """Run the command."""
    args = parse_args(argv)
    with mistakes_are_lines():
        run(args)
