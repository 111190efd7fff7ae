"""Imitate demonstrations by GAIL in an environment of gym or gymnasium.

    chainertrpo gail --demos demos.npz --steps 200000
    chainertrpo gail --demos demos.npz --preset ho2016-ppo
    chainertrpo gail --demos demos.npz --clone-only
    chainertrpo gail --resume results/<run>
    chainertrpo demo results/<run>

The environment's reward is reported and never trained on.  Files of demonstrations are
made by `chainertrpo record`.
"""

import os
import sys
import warnings

from chainertrpo import _compat, ranks
from chainertrpo.agents import GAIL_PRESETS, PRESETS, clone_expert, make_gail_agent
from chainertrpo.data import BadFileError, merge, read_demonstrations, select
from chainertrpo.data.demonstrations import AT_LEAST, maker, trim_pauses
from chainertrpo.experiments import eval_performance, prepare_run_folder
from chainertrpo.program import flags, training
from chainertrpo.program.beside import conclude, draw_or_say, others
from chainertrpo.program.commands import call
from chainertrpo.program.making import config_of, environment
from chainertrpo.program.saved import saved_agent
from chainertrpo.updates import REWARD_FORMS, Cloning, TerminationBiasWarning


def make_parser():
    """Add the flags of imitation to those of all training examples."""
    parser = flags.make_parser(
        "gail",
        __doc__,
        "ho2016",
        steps=500_000,
        eval_interval=10_000,
        eval_n_runs=10,
        presets=GAIL_PRESETS,
        default_env=None,
    )
    add = parser.add_argument
    add("--demos", metavar="NPZ", nargs="+", help="the expert's demonstrations")
    what = "how much a pair of each file counts (default: all alike)"
    add("--weights", type=flags.positive, nargs="+", metavar="W", help=what)
    add(
        "--reward",
        choices=sorted(REWARD_FORMS),
        help="gail: −log(1−D), logd: log D, airl: logit, d: D (default: the preset's)",
    )
    add("--max-load-bytes", type=int, metavar="N", help="of --demos (default: 256 MiB)")
    add("--trajectories", type=int, metavar="N", help="the first N episodes a file")
    add(
        "--every", type=int, metavar="K", help="every k-th pair (default: the preset's)"
    )
    what = (
        "leave out pauses of N steps or more in which nothing moves, but for the first "
    )
    what += f"step (default N: {AT_LEAST})"
    pause = {"type": flags.at_least(1), "nargs": "?", "const": AT_LEAST}
    add("--trim-pauses", metavar="N", **pause, help=what)
    what = "tell (s, s') apart, not (s, a): as where --demos has no actions"
    add("--observations-only", action="store_true", help=what)
    add("--gradient-penalty", type=float, help="weight (default: the preset's)")
    what = "bound the singular values of its weights (by 1 where no C is given)"
    bound = {"type": flags.positive, "nargs": "?", "const": 1.0, "metavar": "C"}
    add("--spectral-norm", **bound, help=what)
    add("--discriminator-steps", type=int, help="a batch (default: the preset's)")
    add("--absorbing", action="store_true", help="absorbing states after terminal ones")
    add("--fixed-horizon", type=int, metavar="H", help="all episodes have H steps")
    add("--update-interval", type=int, help="steps a batch (default: the preset's)")
    epochs = "behaviour cloning first (default 0)"
    what = "do not clone, evaluate and report a second agent for comparison"
    add("--no-clone", action="store_true", help=what)
    add("--clone-epochs", type=int, default=0, help=epochs)
    add("--clone-only", action="store_true", help="behaviour cloning and nothing else")
    return parser


SETTINGS = ("discriminator", "every")


def settings_or_preset(args):
    """What a run of before was made with, or the name of a preset."""
    saved = args.made_with or {}
    if "discriminator" not in saved:
        return args.preset
    return {"generator": saved["settings"], **{k: saved[k] for k in SETTINGS}}


def build(demos, args, env):
    """Build the imitator; behaviour cloning first, if asked for."""
    judge = {}
    if args.gradient_penalty is not None:
        judge["gradient_penalty"] = args.gradient_penalty
    if args.discriminator_steps is not None:
        judge["steps"] = args.discriminator_steps
    if args.spectral_norm is not None:
        judge["spectral_norm"] = args.spectral_norm
    if args.observations_only:
        judge["sees"] = "next_observations"
    if args.absorbing and env.max_episode_steps is None:
        raise ValueError(
            f"--absorbing needs an environment with a time limit, and {env.id} has none. "
            "Give --fixed-horizon H instead."
        )
    if args.absorbing:
        judge["absorbing_horizon"] = env.max_episode_steps
    base = PRESETS[GAIL_PRESETS[args.preset]["base"]]
    agent, settings = make_gail_agent(
        env.observation_space,
        env.action_space,
        demos,
        settings_or_preset(args),
        reward=args.reward,
        discriminator=judge,
        every=args.every,
        device=_compat.array_device(args.gpu),
        seed=args.seed,
        **flags.changes_of(args, base),
    )
    kept = agent.rewards.demonstrations
    print(f"expert        {sum(demos.returns) / len(demos.returns):.2f} mean return")
    print(f"              {len(demos.episodes)} episodes by {maker(demos.made_by)}")
    pairs = say_kept(demos, kept, settings["every"])
    sees = "(s, a)" if agent.rewards.encode.sees == "actions" else "(s, s')"
    paid = "" if args.clone_only else f" of {sees}; paid by {agent.rewards.reward}"
    print(f"pairs         {pairs}{paid}")
    if args.load:
        agent.load(args.load)
    epochs = args.clone_epochs or (300 if args.clone_only else 0)
    if epochs and not args.resume:
        floor = None if args.clone_only else -1.0
        report = clone_expert(agent, kept, Cloning(epochs), log_std_floor=floor)
        print(f"cloning       {report}")
    beside = (args.made_with or {}).get("beside") if args.resume else None
    if beside is None and not args.clone_only:
        with ranks.apart():  # all do it alike
            beside = others(args, env, demos, kept, settings["generator"])
    about = {"agent": "GAIL", "settings": settings.pop("generator"), **settings}
    about["beside"] = beside
    about["demos_sha256"] = args.demos_sha256
    return agent, about


def say_kept(demos, kept, every):
    """Say how many pairs there are to imitate, and of how many."""
    n, of = kept.n_kept, demos.n_kept
    if n == of:
        return f"all {of} kept"
    return f"{n} of {of} kept (one in {every}; --every 1 keeps all)"


def build_saved(args, env):
    """Build an imitator that was saved, without its discriminator."""
    return saved_agent(args.load, env, gpu=args.gpu, seed=args.seed)


def clone(args, build):
    """Clone the expert, evaluate and save the clone."""
    env = environment(args, 2**32 - 1 - args.seed, test=True)
    agent, about = build(args, env)
    config = config_of(args, env, about)
    folder = prepare_run_folder(args.outdir, config, env)
    agent.save(os.path.join(folder, "clone"))
    stats = eval_performance(env, agent, None, args.eval_n_runs)
    print(f"clone         mean: {stats['mean']:.2f} stdev: {stats['stdev']:.2f}")
    print(f"agent         {folder}/clone")
    shown = training.how_to_watch(env, folder, os.path.join(folder, "clone"))
    print(f"watch         {shown}")
    env.close()


def read_all(args):
    """Read the files of demonstrations, all of one environment."""
    many = []
    for path in args.demos:
        where = many[0].environment if many else None
        many.append(read_demonstrations(path, where, args.max_load_bytes))
    return many


def joined(many, weights):
    """Join demonstrations; one file stays what it is."""
    return many[0] if len(many) == 1 and not weights else merge(many, weights)


def train(args, _):
    """Train, or only clone, on the demonstrations of the command line."""
    if not args.demos:
        sys.exit(f"error: give --demos FILE; record it with: {call('record')}")
    # One name, in the settings of earlier runs.
    named = [args.demos] if isinstance(args.demos, str) else args.demos
    args.demos = list(map(os.path.abspath, named))
    files = ", ".join(args.demos)
    try:
        many = read_all(args)
        demos = joined(many, args.weights)
        args.demos_sha256 = demos.digest()
        was = (args.made_with or {}).get("demos_sha256") if args.resume else None
        if was not in (None, args.demos_sha256):
            raise BadFileError(
                f"{files}: expected the demonstrations that the run was begun with, "
                f"got others (SHA-256 {args.demos_sha256[:8]}…, it was {was[:8]}…). Give "
                "the file as it was, or begin a new run."
            )
        if args.trajectories:
            first = range(args.trajectories)
            demos = joined([select(one, first) for one in many], args.weights)
        if args.trim_pauses:
            whole, demos = demos.n_kept, trim_pauses(demos, args.trim_pauses)
            print(f"pauses        {whole - demos.n_kept} of {whole} pairs left out")
        theirs = demos.environment["id"]
        args.env = args.env or theirs

        def build_checked(args, env):
            if env.id != theirs:
                raise BadFileError(
                    f"{files}: expected demonstrations of {env.id}, got some of "
                    f"{theirs}."
                )
            made[:] = build(demos, args, env)
            return made

        made, writes = [], ranks.rank() == 0
        if args.clone_only:
            clone(args, build_checked)
            return
        try:
            training.train(args, build_checked)
            agent, about = made
            kept = agent.rewards.demonstrations
            if writes:
                with ranks.apart():
                    conclude(args.folder, agent, kept, about["beside"], args.quiet)
        finally:
            picture = args.folder and writes and draw_or_say(args.folder)
        if not args.quiet and picture:
            print(f"picture {picture}")
    except ValueError as error:
        sys.exit(f"error: {error}")


def main(argv=None):
    """Run the command."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", TerminationBiasWarning)
        training.main("gail", make_parser(), GAIL_PRESETS, build_saved, train, argv)
