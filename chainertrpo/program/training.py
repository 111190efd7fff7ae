"""What the training commands share: the run, its folder, its end.

A command gives a parser with its own flags to `main`; see train.py.
"""

import contextlib
import functools
import logging
import os
import shlex
import signal
import sys
import time
import warnings

from chainertrpo import ranks
from chainertrpo.agents import PRESETS
from chainertrpo.agents.storage import NotFiniteError
from chainertrpo.data import read_json, write_json
from chainertrpo.experiments import (
    EpisodeLog,
    Interrupted,
    Progress,
    RanksDifferError,
    WorkerError,
    available_cores,
    default_num_envs,
    draw_learning_curve,
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
    plain_warnings,
    survive_closed_streams,
)
from chainertrpo.experiments.packages import (
    has_display,
    import_package,
    is_of_mujoco,
)
from chainertrpo.experiments.signals import sigterm_interrupts
from chainertrpo.experiments.tensorboard import TensorBoardLog
from chainertrpo.program.commands import call
from chainertrpo.program.demo import show
from chainertrpo.program.flags import parse
from chainertrpo.program.making import (
    build,
    config_of,
    describe,
    environment,
    workers_environment,
)
from chainertrpo.program.recall import recall

MISTAKES = (
    *(ValueError, OSError, ImportError, WorkerError),
    *(NotFiniteError, RanksDifferError),
)


def demo(args, build=build):
    """Show a saved agent, and print its score."""
    env = environment(args, args.seed, test=True)
    agent, _ = build(args, env)
    if not args.quiet:
        describe(agent, env, args)
    try:
        show(args, env, agent)
    finally:
        env.close()


def train(args, build=build):
    """Train, and leave scores, curve and agents in the run's folder."""
    env = environment(args, args.seed, test=False)
    agent, about = build(args, env)
    if args.steps < agent.update_interval:
        raise ValueError(
            f"expected --steps {agent.update_interval} or more, which is one batch of the "
            f"preset {args.preset}, got {args.steps}: nothing would be learned."
        )
    if args.num_envs is None:
        n = agent.update_interval
        args.num_envs = default_num_envs(n) if args.workers else 1
    if "workers" not in args.given:  # one per core, but none without an environment
        cores = available_cores() if ranks.size() > 1 else args.workers
        args.workers = min(cores, max(1, args.num_envs // ranks.size()), args.workers)
    if args.resume:
        args.folder = args.resume
    else:
        config, writes = config_of(args, env, about), ranks.rank() == 0
        folder = prepare_run_folder(args.outdir, config, env) if writes else None
        args.folder = ranks.agreed(folder)
    with owned_folder(args.folder, goes_on=bool(args.resume)):
        if args.resume and ranks.rank() == 0:
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
    if ranks.rank():
        return
    try:
        draw_learning_curve(folder)
    except (OSError, ValueError) as error:
        print(f"no learning_curve.png: {explain(error)}", file=sys.stderr)


def train_in(args, env, agent, about):
    """Train in the run's folder."""
    agent.act_deterministically |= args.deterministic  # in evaluations only
    if not args.quiet:
        describe(agent, env, args)
        print(f"folder        {args.folder}", flush=True)
    log = EpisodeLog(args.folder, resume=bool(args.resume))
    watchers = watchers_of(args)
    writes = ranks.rank() == 0
    evaluation_seed = 2**32 - 1 - args.seed
    eval_env = environment(args, evaluation_seed, test=True) if writes else None
    common = {
        "eval_env": eval_env,
        "eval_n_steps": None,
        "eval_n_episodes": args.eval_n_runs,
        "eval_interval": min(args.eval_interval, args.steps),  # once at the least
        "step_hooks": [*watchers, *scheduled(about["settings"], args.steps)],
        "episode_hooks": [log],
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
                num_envs=args.num_envs,
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
        with contextlib.suppress(OSError):  # a full disk has been said already
            log.close()
        if eval_env is not None:
            eval_env.close()
        draw_or_say(args.folder)
    say_what_there_is(args, env, agent, time.time() - start)


def watchers_of(args):
    """Make the step hooks that show how the run goes, which see episodes too."""
    watchers = []
    if ranks.rank():
        return watchers
    if not args.quiet:
        watchers.append(Progress(args.steps, interval=args.log_interval))
    if args.tensorboard:
        watchers.append(TensorBoardLog(args.folder, resume=bool(args.resume)))
    return watchers


def say_what_there_is(args, env, agent, seconds):
    """Say what a finished run has left, and how to see it."""
    if args.quiet:
        print(args.folder)
        return
    print(f"\ntrained to step {args.steps} in {seconds:.0f} s")
    if hasattr(agent.rewards, "summary"):
        print(agent.rewards.summary())
    print(f"curve   {args.folder}/learning_curve.png")
    print(f"scores  {args.folder}/scores.txt")
    print(f"agent   {args.folder}/{args.steps}_finish")
    if args.monitor:
        print(f"films   {args.folder}/videos")
    best = os.path.join(args.folder, "best")
    if os.path.isdir(best):
        print(f"watch   {how_to_watch(env, args.folder, best)}")


def how_to_watch(env, folder, agent):
    """Return the line for a shell that shows an agent, as it can be shown here."""
    line = f"{call('demo')} {shlex.quote(agent)}"
    if has_display():
        return f"{line} --render"
    drawn = is_of_mujoco(import_package(env.package), env.id)
    way = "MUJOCO_GL=egl " if drawn and not os.environ.get("MUJOCO_GL") else ""
    return f"{way}{line} --film {shlex.quote(folder)}.gif"


def say_stopped(stop, args, name):
    """Say what a run that was stopped leaves, and how to go on."""
    folder = args.folder
    if folder is None:
        what = "nothing had begun"
    elif newest_checkpoint(folder) is None:
        what = f"what there is lies in {folder}, but no checkpoint to go on from"
    else:
        what = f"{call(name)} --resume {shlex.quote(folder)}"
        if args.mpi:
            what = f"mpiexec -n {ranks.size()} {what} --mpi"
        what = f"go on with: {what}"
    if ranks.rank() == 0:
        print(f"\n{stop}; {what}", flush=True)


@contextlib.contextmanager
def said_once():
    """Have ranks other than the first say nothing but errors."""
    with contextlib.ExitStack() as stack:
        if ranks.rank():
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            logging.getLogger().setLevel(logging.ERROR)
            warnings.simplefilter("ignore")
        yield


def main(name, parser, presets=PRESETS, build=build, train=train, argv=None):
    """Run the command `name`; a mistake of the user is one line, not a traceback."""
    survive_closed_streams()
    args = parse(parser, presets, argv)
    args.folder = None
    logging.basicConfig(format="%(message)s", handlers=[LogHandler()])
    logging.getLogger().setLevel(args.logger_level)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    try:
        with ranks.joined() if args.mpi else contextlib.nullcontext():
            status = run(name, args, presets, build, train)
    except ImportError as error:  # mpi4py is missing
        sys.exit(f"error: {error}")
    if status:
        sys.exit(status)


def run(name, args, presets, build, train):
    """Run the command; return the exit status of a run that was stopped, or 0."""
    try:
        with sigterm_interrupts(), plain_warnings(), said_once():
            if ranks.rank() == 0:
                recall(args, presets)
            vars(args).update(ranks.agreed(vars(args)))
            demo(args, build) if args.demo else train(args, build)
            return 0
    except Interrupted as stop:
        say_stopped(stop, args, name)
        if stop.agreed:  # all ranks are here, and none has to be ended
            return 128 + stop.signal_number
        sys.exit(128 + stop.signal_number)
    except KeyboardInterrupt:
        say_stopped("stopped by SIGINT", args, name)
        sys.exit(128 + signal.SIGINT)
    except MISTAKES as error:
        if args.logger_level <= logging.DEBUG:
            raise
        sys.exit(f"error: {explain(error)}")
    except RuntimeError as error:
        if args.gpu < 0:
            raise
        sys.exit(f"error: {error}")
