"""What the benchmarks share: quiet runs in turn, medians, tables, and the machine."""

import datetime
import json
import os
import pathlib
import platform
import resource
import statistics
import sys
import time

import peers

RESULTS = pathlib.Path(__file__).resolve().parent / "results"
BUSY = 0.05  # of the machine used by others: a run with more is made again
PACKAGES = {
    "ours": ["numpy", "chainer", "gymnasium", "mujoco"],
    "sb3": ["sb3-contrib", "torch", "numpy", "gymnasium", "mujoco"],
    "pfrl": ["pfrl", "torch", "numpy", "gym", "mujoco"],
    "chainerrl": ["chainerrl", "chainer", "numpy", "gym", "mujoco"],
}


def cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _used(sessions):
    """Seconds of processor time: of the whole machine, and of our own programs."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = own.ru_utime + own.ru_stime
    tick = os.sysconf("SC_CLK_TCK")
    for session in sessions:
        with open(f"/proc/{session.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        own += (int(fields[11]) + int(fields[12])) / tick
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft, steal = map(
            int, file.readline().split()[1:9]
        )
    return (user + nice + system + irq + soft + steal) / tick, own


def busy_while(function, sessions=()):
    """Call a function; return its result and how much of the machine others used."""
    start, (machine, own) = time.monotonic(), _used(sessions)
    result = function()
    seconds, (machine_after, own_after) = time.monotonic() - start, _used(sessions)
    others = machine_after - machine - (own_after - own)
    return result, others / (seconds * os.cpu_count())


def quietly(function, sessions=(), attempts=50):
    """Call a function on an otherwise idle machine.

    Before it the machine must be idle for a second; a result during which others used
    more than `BUSY` of the machine is thrown away.
    """
    for _ in range(attempts):
        while busy_while(lambda: time.sleep(1), sessions)[1] > BUSY:
            print("waiting for an idle machine", file=sys.stderr)
            time.sleep(5)
        result, busy = busy_while(function, sessions)
        if busy <= BUSY:
            return result
        print(f"others used {busy:.0%} of the machine: again", file=sys.stderr)
    sys.exit("error: the machine is too busy to measure on.")


def in_turn(runs, repeats, check=True):
    """Make each run once, then each again, …: what changes slowly hits all alike.

    Parameters
    ----------
    runs : dict of str to callable
        By name.
    repeats : int
        Of each.
    check : bool
        See `quietly`.

    Returns
    -------
    dict of str to list
        The results.
    """
    results = {name: [] for name in runs}
    for i in range(repeats):
        for name, function in runs.items():
            results[name].append(quietly(function) if check else function())
            print(f"{i + 1}/{repeats} {name}: {results[name][-1]}", file=sys.stderr)
    return results


def rounds(sessions, ask, n, check=True):
    """Ask sessions in turn, n times over; a round takes a second or two.

    Processors change their clock: what is compared is compared within a round.

    Parameters
    ----------
    sessions : sequence of peers.Session
        Closed at the end.
    ask : callable
        () -> dict of str to number, a round's results.
    n : int
        Rounds, after one that is thrown away.
    check : bool
        See `quietly`.

    Returns
    -------
    list of dict
        One a round.
    """
    ask()
    found = [quietly(ask, sessions) if check else ask() for _ in range(n)]
    for session in sessions:
        session.close()
    return found


def ratio(found, ours, other):
    """The median over rounds of one result divided by another."""
    return statistics.median(x[ours] / x[other] for x in found)


def median(values):
    """The median, of numbers or key by key of dicts of numbers."""
    if isinstance(values[0], dict):
        return {key: median([x[key] for x in values]) for key in values[0]}
    return statistics.median(values)


def machine():
    """Processor, cores, system and date, as text."""
    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        lines = {key.strip(): value.strip() for key, value in lines.items()}
        ids = [lines.get(key, "?") for key in ("cpu family", "model")]
        model = f"{lines.get('model name', model)} (family {ids[0]}, model {ids[1]})"
    return f"{model}, {cores()} cores, {platform.system()}, {datetime.date.today()}"


def save(name, environments, results, repeats):
    """Write benchmarks/results/<name>.json: where, with what, and what came out."""
    RESULTS.mkdir(exist_ok=True)
    content = {
        "command": f"python benchmarks/{name}.py",
        "machine": machine(),
        "repeats": repeats,
        "versions": {key: peers.versions(key, PACKAGES[key]) for key in environments},
        **results,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def table(header, rows):
    """Lines of a Markdown table; numbers are to the right."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|---" + "|---:" * (len(header) - 1) + "|",
    ]
    lines += ["| " + " | ".join(str(x) for x in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def save_table(name, text):
    """Write benchmarks/results/<name>.md, and print it."""
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def arguments(parser, repeats):
    """Parse the command line, with the flags that all benchmarks have."""
    parser.add_argument(
        "--repeats", type=int, default=repeats, help=f"of each run (default {repeats})"
    )
    parser.add_argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="measure although other programs are running",
    )
    return parser.parse_args()
