r"""Imitation studies: GAIL and behaviour cloning beside the paper's numbers.

    chainertrpo imitate --study classic --jobs 2
    chainertrpo imitate --study reward-forms --seeds 0 --steps 20000

classic        1 to 10 demonstrations in CartPole, Acrobot and MountainCar
reward-forms   what each form of reward pays for by itself
absorbing      the same with absorbing states after the ends of episodes
hopper         Hopper from 11 trajectories
cartpole-ppo   CartPole from 10 demonstrations with a PPO generator

The experts are trained first.  The same command goes on where it stopped: finished runs
stay, a killed one resumes from its checkpoint.  --outdir then holds evaluations.csv (every
evaluation, one a row), pictures and table.md.
"""

import argparse
import os
import signal
import sys

from chainertrpo.comparison import STUDIES, rows_of, run_all, write_report, write_rows
from chainertrpo.comparison.imitation import plan_experts, plan_study, record_for
from chainertrpo.comparison.statistics import scipy_stats
from chainertrpo.experiments import BadEnvironmentError, available_cores
from chainertrpo.experiments.console import Parser, explain, survive_closed_streams
from chainertrpo.program.commands import prog


def parse_args(argv=None):
    """Read the command line."""
    parser = Parser(
        prog=prog("imitate"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--study", choices=sorted(STUDIES), default="classic", help="default classic")
    add("--seeds", nargs="+", type=int, metavar="SEED", help="default: the study's")
    add("--steps", type=int, help="environment steps of GAIL (default: the study's)")
    add("--jobs", type=int, default=available_cores(), help="runs at a time")
    add("--outdir", help="default results/gail-<study>")
    add("--experts", metavar="DIR", help="default <outdir>/experts; can be shared")
    add("--only-report", action="store_true", help="train nothing, write what is there")
    args = parser.parse_args(argv)
    for name in ("steps", "jobs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name} {value}: expected a number of 1 or more")
    if args.seeds and not all(0 <= seed < 2**31 for seed in args.seeds):
        parser.error(f"--seeds {args.seeds}: expected numbers in [0, 2**31)")
    args.outdir = args.outdir or os.path.join("results", f"gail-{args.study}")
    args.experts = args.experts or os.path.join(args.outdir, "experts")
    return args


def train(args):
    """Train what is not finished: first the experts, then those who imitate them."""
    envs = dict.fromkeys(task.env for task in STUDIES[args.study].tasks)
    experts, failed = plan_experts(args.experts, envs), {}
    if not args.only_report:
        failed = run_all(experts, args.jobs)
    if failed:
        return [], failed
    folders = plan_study(args.outdir, args.study, args.experts, args.seeds, args.steps)
    if not args.only_report:
        record_for(args.study, args.experts)
        failed = run_all(folders, args.jobs)
    return folders, failed


def main(argv=None):
    """Run; a mistake of the user is one line, not a traceback."""
    survive_closed_streams()
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        scipy_stats()  # before anything is trained
        folders, failed = train(args)
        for folder, line in failed.items():
            print(f"failed  {folder}: {line}; see log.txt there", file=sys.stderr)
        rows = [row for folder in folders for row in rows_of(folder)]
        print(write_report(args.outdir, rows))
        path = os.path.join(args.outdir, "evaluations.csv")
        write_rows(path, rows)
        print(f"rows    {path}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command goes on")
    except (BadEnvironmentError, ImportError, OSError, ValueError) as error:
        sys.exit(f"error: {explain(error)}")
    if failed:
        sys.exit(1)
