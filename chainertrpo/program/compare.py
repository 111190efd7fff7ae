r"""Compare settings: presets by environments by seeds, beside published numbers.

    chainertrpo compare --presets chainerrl-reproduction \
        --envs Hopper-v4 Walker2d-v4 --seeds 0 1 2 3 4 --steps 2000000 --jobs 2
    chainertrpo compare --presets task --envs CartPole-v1 Acrobot-v1

The same command goes on where it stopped: finished runs stay, a killed one resumes from
its checkpoint.  --outdir then holds evaluations.csv (every evaluation, one a row),
<env>.png (curves) and table.md.  The preset `task` stands for the settings recorded for an
environment (chainertrpo.comparison.TASKS).  A variant is a preset with changes by part:

    chainertrpo compare --presets npg \
        --variant "longer steps" npg '{"policy_step": {"region": {"max_kl": 0.05}}}'

--also adds tables in the same format, such as another library's
(benchmarks/compare_pfrl.py).
"""

import argparse
import json
import os
import signal
import sys

from chainertrpo import PRESETS
from chainertrpo.agents import describe_presets
from chainertrpo.comparison import (
    STATISTICS,
    TASK,
    make_plan,
    read_rows,
    rows_of,
    run_all,
    write_report,
    write_rows,
)
from chainertrpo.comparison.statistics import scipy_stats
from chainertrpo.experiments import BadEnvironmentError, available_cores
from chainertrpo.experiments.console import Parser, explain, survive_closed_streams
from chainertrpo.program.commands import prog


def parse_args(argv=None):
    """Read the command line."""
    parser = Parser(
        prog=prog("compare"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    names = [TASK, *sorted(PRESETS), "list"]
    add(
        "--presets",
        nargs="+",
        choices=names,
        metavar="NAME",
        help="`task`, or others; list shows all (default: chainerrl-reproduction, "
        "unless there is a variant)",
    )
    add(
        "--variant",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "PRESET", "CHANGES"),
        help="also PRESET with CHANGES, in JSON by part; it is called 'PRESET, NAME'",
    )
    add("--envs", nargs="+", default=["Hopper-v4"], metavar="ENV")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED")
    add("--steps", type=int, help="environment steps (default: the task's, or 1000000)")
    add("--jobs", type=int, default=available_cores(), help="runs at a time")
    add("--outdir", default="results/comparison", help="default results/comparison")
    add("--eval-interval", type=int, help="steps (default: a twentieth of --steps)")
    add("--eval-n-runs", type=int, default=10, help="episodes each (default 10)")
    add("--final-n-runs", type=int, default=100, help="episodes (default 100)")
    add("--statistic", choices=sorted(STATISTICS), default="iqm", help="of the curves")
    add("--also", nargs="+", default=[], metavar="CSV", help="tables to add")
    add("--only-report", action="store_true", help="train nothing, write what is there")
    args = parser.parse_args(argv)
    if args.presets is None:
        args.presets = [] if args.variant else ["chainerrl-reproduction"]
    if "list" in args.presets:
        print(describe_presets())
        sys.exit()
    for name in ("steps", "jobs", "eval_interval", "eval_n_runs", "final_n_runs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            flag = name.replace("_", "-")
            parser.error(f"--{flag} {value}: expected a number of 1 or more")
    if not all(0 <= seed < 2**31 for seed in args.seeds):
        parser.error(f"--seeds {args.seeds}: expected numbers in [0, 2**31)")
    args.variants = {}
    for name, preset, text in args.variant:
        try:
            changes = json.loads(text)
        except ValueError as error:
            parser.error(f"--variant {name}: expected CHANGES in JSON, got {error}")
        if not isinstance(changes, dict) or not all(
            part is None or isinstance(part, dict) for part in changes.values()
        ):
            parser.error(
                f"--variant {name}: expected CHANGES like "
                f'{{"policy_step": {{"region": {{"max_kl": 0.02}}}}}}, got {text}'
            )
        args.variants[name] = (preset, changes)
    if os.path.exists(args.outdir) and not os.path.isdir(args.outdir):
        parser.error(f"--outdir {args.outdir}: expected a folder, got a file")
    return args


def main(argv=None):
    """Run; a mistake of the user is one line, not a traceback."""
    survive_closed_streams()
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    failed = {}
    try:
        scipy_stats()  # before anything is trained
        also = [row for path in args.also for row in read_rows(path)]
        folders = make_plan(
            args.outdir,
            args.presets,
            args.envs,
            args.seeds,
            args.steps,
            eval_interval=args.eval_interval,
            eval_n_runs=args.eval_n_runs,
            final_n_runs=args.final_n_runs,
            variants=args.variants,
        )
        if not args.only_report:
            failed = run_all(folders, args.jobs)
        rows = also + [row for folder in folders for row in rows_of(folder)]
        print(write_report(args.outdir, rows, args.statistic))
        path = os.path.join(args.outdir, "evaluations.csv")
        write_rows(path, rows)
        print(f"rows    {path}")
    except KeyboardInterrupt:
        sys.exit("\nstopped; the same command goes on")
    except (BadEnvironmentError, ImportError, OSError, ValueError) as error:
        sys.exit(f"error: {explain(error)}")
    for folder, line in failed.items():
        print(f"failed  {folder}: {line}; see log.txt there", file=sys.stderr)
    if failed:
        sys.exit(1)
