"""Say what is installed, what is missing, and the line that installs it.

    chainertrpo doctor
    chainertrpo doctor --env CartPole-v1
    chainertrpo doctor --env mine:Robot-v0 --steps 5000

--env also makes an environment, steps it by random actions, compares it with its spaces,
times it, and says what to fix.  The exit status is 1 if something is.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys

from chainertrpo import __version__
from chainertrpo._extras import pip_install
from chainertrpo.experiments import available_cores, check_env, make_env
from chainertrpo.experiments.console import Parser
from chainertrpo.experiments.packages import GL, has_display
from chainertrpo.program.commands import call, prog
from chainertrpo.program.flags import at_least
from chainertrpo.program.making import space_line
from chainertrpo.program.mistakes import mistakes_are_lines

import threadpoolctl

NEEDED = ("numpy", "chainer", "gym", "gymnasium", "matplotlib", "threadpoolctl", "tqdm")
# Extra -> the module that it brings, and what for.
EXTRAS = {
    "mujoco": ("mujoco", "Hopper, Humanoid and their kin"),
    "box2d": ("Box2D", "LunarLander, BipedalWalker"),
    "record": ("pygame", "windows, and demonstrations by keyboard"),
    "compare": ("scipy", "comparisons and studies"),
    "video": ("moviepy", "videos of evaluations, --monitor"),
    "demos": ("minari", "demonstrations of Minari"),
    "tensorboard": ("tensorboardX", "--tensorboard"),
    "onnx": ("onnx", "policies as ONNX files"),
    "mpi": ("mpi4py", "training on several processes, --mpi"),
}
# The oldest driver that CUDA 13 and 12 run on (NVIDIA's release notes).
DRIVERS = {"cuda13": 580, "cuda12": 525}
RENDER = (
    "from chainertrpo.experiments import make_env; env = make_env('InvertedPendulum', 0, "
    "render_mode='rgb_array'); env.reset(); print(env.render().shape)"
)


def line(name, what):
    """Print a line of the table."""
    print(f"{name:<14}{what}")


def version_of(module):
    """Return the version of an installed module without importing it, or None."""
    if importlib.util.find_spec(module) is None:
        return None
    names = {"Box2D": ("box2d", "box2d-py", "Box2D"), "pygame": ("pygame", "pygame-ce")}
    for name in names.get(module, (module,)):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "installed"


def machine():
    """Say what this process runs on."""
    line("chainertrpo", f"{__version__}, {os.path.dirname(os.path.dirname(__file__))}")
    line("Python", f"{platform.python_version()}, {sys.executable}")
    line("system", platform.platform())
    line("cores", f"{available_cores()} for this process, {os.cpu_count()} in all")
    for pool in threadpoolctl.threadpool_info():
        if pool.get("user_api") == "blas":
            name = f"{pool['internal_api']} {pool.get('version')}"
            line("BLAS", f"{name}, {pool['num_threads']} threads")


def packages():
    """Say what is installed, and what could be."""
    for module in NEEDED:
        version = version_of(module)
        optional = module == "gymnasium" and sys.version_info < (3, 9)
        missing = (
            "not for this Python" if optional else f"missing: pip install {module}"
        )
        line(module, version or missing)
    for extra, (module, use) in EXTRAS.items():
        version = version_of(module)
        if extra == "demos" and sys.version_info < (3, 9):
            continue
        line(module, version or f"missing, for {use}: {pip_install(extra)}")


def drawing():
    """Say whether windows can be shown, and how MuJoCo draws.  True if it does."""
    line(
        "display", "yes" if has_display() else "none: films instead of windows, --film"
    )
    if version_of("mujoco") is None:
        return
    chosen = os.environ.get("MUJOCO_GL")
    ways = [chosen, *(way for way in (None, "egl", "osmesa") if way != chosen)]
    ways = [way for way in dict.fromkeys(ways) if way or (has_display() and not chosen)]
    for way in ways:
        if draws(way):
            how = "works" if way in (None, chosen) else f"export MUJOCO_GL={way}"
            line("MuJoCo draws", f"{how}" + (f" (MUJOCO_GL={chosen})" * bool(chosen)))
            return
    tried = ", ".join(way or "a window" for way in ways)
    line("MuJoCo draws", f"not by {tried}: install libegl1 or libosmesa6, then {GL}")


def draws(way):
    """Try to draw a frame, in a process of its own: a bad library ends it."""
    environment = {**os.environ, **({"MUJOCO_GL": way} if way else {})}
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    path = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    try:
        done = subprocess.run(
            [sys.executable, "-c", RENDER],
            env=environment,
            capture_output=True,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def driver():
    """Return the name of the first GPU and the version of its driver, or None."""
    ask = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return tuple(part.strip() for part in lines[0].split(",")) if lines else None


def extra_for(version):
    """Return the extra whose CUDA runs on a driver, or None."""
    major = int(version.split(".")[0])
    for extra, least in DRIVERS.items():
        new = extra != "cuda13" or sys.version_info >= (3, 10)
        if major >= least and new:
            return extra
    return None


def gpu():
    """Say what there is of a GPU, its driver, and CuPy."""
    found = driver()
    line(
        "GPU", ", driver ".join(found) if found else "none: --gpu needs one of NVIDIA's"
    )
    names = (f"cupy{kind}" for kind in ("-cuda13x", "-cuda12x", "-cuda11x", ""))
    for name in names:
        try:
            line("CuPy", f"{importlib.metadata.version(name)} ({name})")
            return
        except importlib.metadata.PackageNotFoundError:
            continue
    if found and extra_for(found[1]):
        line("CuPy", f"missing, for --gpu 0: {pip_install(extra_for(found[1]))}")
    elif found:
        line(
            "CuPy", f"missing; a driver of {DRIVERS['cuda12']} or newer is needed first"
        )
    else:
        line("CuPy", "not needed")


def look_at(args):
    """Check an environment; return whether there is nothing to fix."""
    env = make_env(args.env, args.seed, package=args.env_package)
    line("environment", f"{env.id} of {env.package}")
    line("observations", space_line(env.observation_space))
    line("actions", space_line(env.action_space))
    line("time limit", env.max_episode_steps or "none")
    report = check_env(env, args.steps, args.seed)
    env.close()
    micro = 1e6 * report.step_seconds
    line("steps", f"{report.steps} taken, {report.episodes} episodes ended")
    line("speed", f"{micro:.0f} µs a step, {1e6 * report.reset_seconds:.0f} µs a reset")
    for text in report.problems:
        line("fix", text)
    for text in report.advice:
        line("note", text)
    if not report.problems:
        how = f"{call('train')} --env {args.env}"
        line("good", f"it keeps to its spaces; train with: {how}")
    return not report.problems


def parse_args(argv=None):
    """Read the command line."""
    parser = Parser(
        prog=prog("doctor"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--env", help="an environment to check, such as module:Env-v0")
    add("--env-package", choices=["auto", "gym", "gymnasium"], default="auto")
    steps = "random actions to take (default 1000)"
    add("--steps", type=at_least(1), default=1000, help=steps)
    add("--seed", type=at_least(0), default=0, help="default 0")
    return parser.parse_args(argv)


def main(argv=None):
    """Run the command."""
    args = parse_args(argv)
    good = True
    with mistakes_are_lines():
        if args.env:
            good = look_at(args)
        else:
            machine()
            packages()
            drawing()
            gpu()
    if not good:
        sys.exit(1)
