"""Record demonstrations, and look after the files.

    python examples/record_demonstrations.py keyboard --env CartPole-v1 demos.npz
    python examples/record_demonstrations.py agent --load results/<run>/best demos.npz
    python examples/record_demonstrations.py inspect demos.npz
    python examples/record_demonstrations.py replay demos.npz --video replay.gif
    python examples/record_demonstrations.py merge all.npz one.npz two.npz
    python examples/record_demonstrations.py drop demos.npz good.npz --return-below 150
    python examples/record_demonstrations.py subsample demos.npz few.npz --every 20

CartPole has no action that does nothing: while no key is pressed it is pushed left.
"""

import argparse
import os
import sys

from chainertrpo import make_agent
from chainertrpo.data import (
    BadFileError,
    merge,
    read_demonstrations,
    read_json,
    select,
    subsample,
    write_demonstrations,
)
from chainertrpo.experiments import BadEnvironmentError, make_env
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.recording import (
    MissingKeysError,
    keys_of,
    record_episodes,
    record_keyboard,
)

import numpy


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, what, *files):
        sub = commands.add_parser(name, help=what, description=what)
        for file in files:
            sub.add_argument(file)
        return sub

    for name, what in (
        ("keyboard", "play by keyboard"),
        ("agent", "let a saved agent play"),
    ):
        sub = command(name, what, "output")
        sub.add_argument("--episodes", type=int, default=10, help="default 10")
        sub.add_argument("--seed", type=int, default=0, help="default 0")
        sub.add_argument("--env-package", default="auto")
        sub.add_argument("--env", required=name == "keyboard", help="environment id")
        if name == "keyboard":
            sub.add_argument("--fps", type=int, help="steps a second")
            continue
        sub.add_argument("--load", required=True, metavar="DIR", help="<run>/best")
        sub.add_argument("--deterministic", action="store_true")
        sub.add_argument("--fixed-horizon", type=int, metavar="H")
    command("inspect", "print a table", "input")
    sub = command("replay", "show the episodes again", "input")
    sub.add_argument("--video", metavar="GIF", help="write a video; else a window")
    sub.add_argument("--check", action="store_true", help="only compare observations")
    sub = command("merge", "join files of one environment", "output")
    sub.add_argument("inputs", nargs="+")
    sub = command("drop", "leave out episodes", "input", "output")
    sub.add_argument("--episodes", type=int, nargs="+", default=[], help="numbers")
    sub.add_argument("--return-below", type=float, metavar="R")
    sub = command("subsample", "keep every k-th pair", "input", "output")
    sub.add_argument("--every", type=int, default=20, help="k (default 20)")
    sub.add_argument("--seed", type=int, default=0, help="of the offsets (default 0)")
    return parser.parse_args()


def keyboard(args):
    """Record a person."""
    env = make_env(args.env, package=args.env_package, render_mode="rgb_array")
    print(f"keys of {env.id}: {keys_of(env.id)[2]}")
    return record_keyboard(env, args.episodes, args.seed, args.fps)


def agent(args):
    """Record a saved agent, built as its run's config.json says."""
    config = read_json(os.path.join(args.load, os.pardir, "config.json"))
    env = make_env(args.env or config["env"], package=args.env_package)
    made = make_agent(
        env.observation_space, env.action_space, config["settings"], seed=args.seed
    )
    made.load(args.load, to_act=True)
    made.act_deterministically = args.deterministic
    if args.fixed_horizon:
        env = FixedHorizon(env, args.fixed_horizon)
    made_by = {
        "kind": "agent",
        "agent": config.get("agent"),
        "preset": config.get("preset"),
        "deterministic": args.deterministic,
        "fixed_horizon": args.fixed_horizon,
    }
    return record_episodes(env, made.act, args.episodes, args.seed, made_by)


def inspect(demos):
    """Print what there is."""
    environment = demos.environment
    print(f"environment  {environment.get('id')} of {environment.get('package')}")
    print(f"made by      {demos.made_by}")
    print(f"versions     {demos.versions}")
    print("episode  length   kept      return  seed  end")
    for i, e in enumerate(demos.episodes):
        end = "terminated" if e.terminated else "time limit" if e.truncated else "cut"
        print(
            f"{i:7d} {len(e.reward):7d} {int(e.kept.sum()):6d} {demos.returns[i]:11.2f} "
            f"{e.seed:5d}  {end}"
        )
    total = numpy.array(demos.returns)
    print(f"return       {total.mean():.2f} ± {total.std():.2f}")
    _, action = demos.pairs()
    if action.ndim == 1:
        counts = numpy.bincount(action, minlength=environment["action_space"]["n"])
        shares = ", ".join(f"{a}: {c / len(action):.1%}" for a, c in enumerate(counts))
        print(f"actions      {shares}")
    else:
        print(f"actions      mean {action.mean(0)}, std {action.std(0)}")
    if len(set(demos.lengths)) > 1:
        print("The lengths differ: see the warning on reward forms when training.")


def replay(demos, args):
    """Take the same actions from the same seeds; show, film or compare."""
    mode = None if args.check else "rgb_array" if args.video else "human"
    about = demos.environment
    env = make_env(about["id"], package=about["package"] or "auto", render_mode=mode)
    if demos.made_by.get("fixed_horizon"):
        env = FixedHorizon(env, demos.made_by["fixed_horizon"])
    frames, same = [], True
    for i, episode in enumerate(demos.episodes):
        if episode.seed < 0:
            raise BadFileError(f"episode {i} has no seed, so it cannot be replayed.")
        env.seed(episode.seed)
        obs = [env.reset()]
        for action in episode.action:
            if args.video:
                frames.append(env.render())
            obs.append(env.step(action)[0])
        equal = numpy.array_equal(numpy.stack(obs), episode.obs)
        same = same and equal
        print(f"episode {i}: observations {'equal' if equal else 'DIFFER'}")
    env.close()
    if args.video:
        from PIL import Image  # comes with matplotlib

        images = [Image.fromarray(frame) for frame in frames]
        images[0].save(args.video, save_all=True, append_images=images[1:], duration=20)
        print(f"video        {args.video}")
    return same


def drop(demos, args):
    """Leave out episodes by number or by return."""
    low = -numpy.inf if args.return_below is None else args.return_below
    keep = [
        i
        for i, total in enumerate(demos.returns)
        if i not in args.episodes and total >= low
    ]
    return select(demos, keep)


def run(args):
    """Do what the command line says."""
    if args.command in ("inspect", "replay"):
        demos = read_demonstrations(args.input)
        if args.command == "replay":
            sys.exit(0 if replay(demos, args) else 1)
        return inspect(demos)
    if args.command in ("keyboard", "agent"):
        demos = {"keyboard": keyboard, "agent": agent}[args.command](args)
    elif args.command == "merge":
        demos = merge([read_demonstrations(path) for path in args.inputs])
    elif args.command == "drop":
        demos = drop(read_demonstrations(args.input), args)
    else:
        demos = subsample(read_demonstrations(args.input), args.every, args.seed)
    write_demonstrations(args.output, demos)
    print(
        f"{len(demos.episodes)} episodes, {len(demos.pairs()[0])} pairs: {args.output}"
    )


def main():
    """Run; a mistake of the user is one line, not a traceback."""
    try:
        run(parse_args())
    except (
        BadEnvironmentError,
        BadFileError,
        FileNotFoundError,
        ImportError,
        MissingKeysError,
        ValueError,
    ) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
