"""Record demonstrations, and look after the files.

    chainertrpo record keyboard --env CartPole-v1 demos.npz
    chainertrpo record agent --load results/<run>/best demos.npz
    chainertrpo record inspect demos.npz
    chainertrpo record replay demos.npz --video replay.gif
    chainertrpo record convert theirs.npz demos.npz --env Hopper-v4
    chainertrpo record convert demos.npz minari:hopper/mine-v0
    chainertrpo record merge one.npz two.npz all.npz
    chainertrpo record drop demos.npz good.npz --return-below 150
    chainertrpo record subsample demos.npz few.npz --every 20
    chainertrpo record trim demos.npz moving.npz
    chainertrpo record observations demos.npz seen.npz

CartPole has no action that does nothing: while no key is pressed it is pushed left.
`convert` reads files of Baselines, Stable Baselines and openai/imitation, and reads and
writes Minari's local data sets.
"""

import argparse
import os
import sys

from chainertrpo.data import (
    BadFileError,
    environment_header,
    merge,
    read_demonstrations,
    select,
    subsample,
    write_demonstrations,
)
from chainertrpo.data.demonstrations import (
    AT_LEAST,
    MINARI,
    describe,
    kind_of,
    read_any,
    trim_pauses,
    without_actions,
)
from chainertrpo.data.demonstrations.minari import (
    import_minari,
    minari_environment,
    write_minari,
)
from chainertrpo.experiments import BadEnvironmentError, make_env
from chainertrpo.experiments.console import (
    Parser,
)
from chainertrpo.experiments.fixed_horizon import FixedHorizon
from chainertrpo.experiments.keyboard import keys_of, record_keyboard
from chainertrpo.experiments.packages import import_package
from chainertrpo.experiments.recording import (
    EpisodeRecorder,
    record_episodes,
    recorded,
)
from chainertrpo.experiments.replay import replay
from chainertrpo.experiments.video import write_gif
from chainertrpo.program.commands import call, prog
from chainertrpo.program.flags import positive
from chainertrpo.program.mistakes import mistakes_are_lines
from chainertrpo.program.saved import config_beside, folder_of_agent, saved_agent

import numpy

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


def parse_args(argv=None):
    """Read the command line."""
    parser = Parser(
        prog=prog("record"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, what, *files):
        sub = commands.add_parser(name, help=what, description=what)
        for file in files:
            sub.add_argument(file, nargs="+" if file == "inputs" else None)
        if "output" in files:
            sub.add_argument("--overwrite", action="store_true", help="replace output")
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
            sub.add_argument(
                "--fps",
                type=int,
                help="steps a second (default: 15 in CartPole, elsewhere its own)",
            )
            continue
        sub.add_argument("--load", required=True, metavar="DIR", help="<run>/best")
        sub.add_argument("--deterministic", action="store_true")
        sub.add_argument("--fixed-horizon", type=int, metavar="H")
        what = "cut episodes there (default: the environment's limit, or 50000 steps)"
        sub.add_argument("--max-episode-steps", type=int, metavar="N", help=what)
    command("inspect", "print a table", "input")
    sub = command("replay", "show the episodes again in a window", "input")
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--video", metavar="GIF", help="write a video instead")
    how.add_argument("--check", action="store_true", help="only compare observations")
    sub = command("convert", "to and from other projects' files", "input", "output")
    sub.add_argument("--env", help="environment id; files of other projects do not say")
    sub.add_argument("--env-package", default="auto")
    what = "what the input may expand to (default: 256 MiB, or its size)"
    sub.add_argument("--max-load-bytes", type=int, metavar="N", help=what)
    sub = command("merge", "join files of one environment", "inputs", "output")
    what = "how much a pair of each input counts (default: all alike)"
    sub.add_argument("--weights", type=positive, nargs="+", metavar="W", help=what)
    sub = command("drop", "leave out episodes", "input", "output")
    sub.add_argument("--episodes", type=int, nargs="+", default=[], metavar="N")
    sub.add_argument("--return-below", type=float, metavar="R")
    sub = command("subsample", "keep every k-th pair", "input", "output")
    sub.add_argument("--every", type=int, default=20, help="k (default 20)")
    sub.add_argument("--seed", type=int, default=0, help="of the offsets (default 0)")
    sub = command("trim", "leave out what is waited", "input", "output")
    what = "so many steps in which nothing moves are a pause, whose first stays"
    sub.add_argument("--at-least", type=int, default=AT_LEAST, metavar="N", help=what)
    command("observations", "leave out the actions", "input", "output")
    return parser.parse_args(argv)


def check_output(args):
    """Refuse a target that cannot be written, before anybody has played."""
    folder = os.path.dirname(os.path.abspath(args.output))
    if args.output.startswith(MINARI):
        if args.command != "convert":
            raise ValueError(f"expected a file, got {args.output}. Then convert it.")
    elif not args.output.endswith(".npz"):
        raise ValueError(f"expected an output FILE.npz, got {args.output}.")
    elif not os.path.isdir(folder):
        raise ValueError(f"expected a folder to write to, got none at {folder}.")
    elif os.path.exists(args.output) and not args.overwrite:
        raise ValueError(f"{args.output} exists. Give another name, or --overwrite.")


def keyboard(args):
    """Record a person."""
    env = make_env(args.env, package=args.env_package, render_mode="rgb_array")
    print(f"keys of {env.id}: {', '.join(keys_of(env.id)[2])}")
    return record_keyboard(env, args.episodes, args.seed, args.fps)


def agent(args):
    """Record a saved agent, built as its run's config.json says."""
    folder = folder_of_agent(args.load)
    config = config_beside(folder)
    limit = {}
    if args.max_episode_steps is not None:
        limit["max_episode_steps"] = args.max_episode_steps
    env = make_env(
        args.env or config.get("env"),
        package=args.env_package,
        lean=False,  # what is recorded is the environment's own
        **{**(config["settings"].get("env") or {}), **limit},
    )
    made, config = saved_agent(folder, env, seed=args.seed)
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
    recorder = EpisodeRecorder()
    print("recording", flush=True)
    try:
        return record_episodes(
            env,
            made.act,
            args.episodes,
            args.seed,
            made_by,
            recorder=recorder,
            stop_episode=made.stop_episode,
        )
    except (KeyboardInterrupt, Exception) as error:
        if recorder.episodes:  # nothing of them is lost
            demos = recorded(recorder.episodes, env, made_by)
            write_demonstrations(args.output, demos)
            count = f"{len(recorder.episodes)} of {args.episodes} episodes"
            print(f"kept         {count}: {args.output}", file=sys.stderr)
        raise error


def show(demos, args):
    """Replay in a window, into a video, or only to compare; say whether all is equal."""
    about = demos.environment
    if about.get("id") is None:
        raise BadFileError(f"{args.input} does not say which environment it is of.")
    mode = None if args.check else "rgb_array" if args.video else "human"
    env = make_env(
        about["id"],
        package=about.get("package") or "auto",
        render_mode=mode,
        lean=False,
    )
    equal = []

    def report(i, same):
        equal.append(same)
        print(f"episode {i}: observations {'equal' if same else 'DIFFER'}")

    frames = replay(env, demos, report, film=bool(args.video))
    try:
        if args.video:
            fps = getattr(env.env, "metadata", {}).get("render_fps", 30)
            count = write_gif(args.video, frames, fps)
            print(f"video        {args.video}: {count} frames")
        elif any(window_closed() for _ in frames):
            print("stopped: the window was closed")
    except import_package(env.package).error.Error as error:
        raise BadEnvironmentError(f"{env.id} cannot be shown: {error}") from error
    finally:
        env.close()
    return all(equal)


def window_closed():
    """Tell whether the player has closed pygame's window, if there is one."""
    pygame = sys.modules.get("pygame")
    window = pygame is not None and pygame.display.get_init()
    return bool(window and pygame.event.get(pygame.QUIT))


def convert(args):
    """Read any project's demonstrations; write ours, or Minari's."""
    to_minari = args.output.startswith(MINARI)
    if to_minari:
        import_minari()  # that it is there
    kind, env_id = kind_of(args.input), args.env
    if env_id is None and kind == "minari":
        env_id = minari_environment(args.input[len(MINARI) :])
    if env_id is None and kind == "chainertrpo":
        env_id = read_demonstrations(args.input).environment.get("id")
    if env_id is None:
        raise ValueError(
            f"expected --env ID: {args.input} ({kind}) does not say its environment."
        )
    package = "gymnasium" if to_minari else args.env_package
    env = make_env(env_id, package=package)
    demos = read_any(args.input, environment_header(env), args.max_load_bytes)
    if not to_minari:
        return demos
    name = args.output[len(MINARI) :]
    write_minari(name, demos, env.env)
    print(f"{len(demos.episodes)} whole episodes: {args.output}")
    return None


def drop(demos, args):
    """Leave out episodes by number or by return."""
    if not args.episodes and args.return_below is None:
        raise ValueError("expected --episodes or --return-below, got neither.")
    if args.episodes:
        select(demos, args.episodes)  # that they exist
    low = -numpy.inf if args.return_below is None else args.return_below
    out = [i for i, r in enumerate(demos.returns) if i in args.episodes or r < low]
    if len(out) == len(demos.episodes):
        raise ValueError(
            "expected at least one episode to stay, got none; the returns are "
            f"{min(demos.returns):.2f} … {max(demos.returns):.2f}."
        )
    print(f"dropped      {', '.join(map(str, out)) or 'nothing'}")
    return select(demos, [i for i in range(len(demos.episodes)) if i not in out])


def run(args):
    """Do what the command line says; give the exit status."""
    if args.command == "inspect":
        print(describe(read_demonstrations(args.input)))
        return 0
    if args.command == "replay":
        return 0 if show(read_demonstrations(args.input), args) else 1
    check_output(args)
    if args.command in ("keyboard", "agent", "convert"):
        made = {"keyboard": keyboard, "agent": agent, "convert": convert}
        demos = made[args.command](args)
    elif args.command == "merge":
        first = read_demonstrations(args.inputs[0]).environment
        many = [read_demonstrations(path, first) for path in args.inputs]
        demos = merge(many, args.weights)
    elif args.command == "drop":
        demos = drop(read_demonstrations(args.input), args)
    elif args.command == "trim":
        demos = trim_pauses(read_demonstrations(args.input), args.at_least)
    elif args.command == "observations":
        demos = without_actions(read_demonstrations(args.input))
    else:
        demos = subsample(read_demonstrations(args.input), args.every, args.seed)
        print(
            f"To train on just these pairs: {call('gail')} --demos {args.output} --every 1"
        )
    if demos is not None:
        write_demonstrations(args.output, demos)
        print(f"{len(demos.episodes)} episodes, {demos.n_kept} pairs: {args.output}")
    return 0


def main(argv=None):
    """Run the command."""
    args = parse_args(argv)
    with mistakes_are_lines():
        status = run(args)
    if status:
        sys.exit(status)
