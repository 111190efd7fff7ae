"""The commands of the program, and how each is called on a command line."""

import importlib
import os
import shlex
import shutil
import sys

from chainertrpo._checks import did_you_mean
from chainertrpo._version import __version__

# Command -> what it does, and the script in examples/ that is the same.
COMMANDS = {
    "train": ("train TRPO, or another algorithm of the family", "train_trpo_gym.py"),
    "ppo": ("train PPO", "train_ppo_gym.py"),
    "gail": ("imitate demonstrations", "train_gail_gym.py"),
    "demo": ("show and score a saved agent", None),
    "record": (
        "record demonstrations, and look after them",
        "record_demonstrations.py",
    ),
    "compare": ("compare settings, beside published numbers", "compare_trpo.py"),
    "imitate": ("imitation studies, beside the paper's numbers", "compare_gail.py"),
    "doctor": ("say what is installed, what is missing, and the remedy", None),
}


def usage():
    """Return what `chainertrpo --help` prints."""
    lines = [f"  {name:<10}{what}" for name, (what, _) in COMMANDS.items()]
    return "\n".join(
        ["usage: chainertrpo COMMAND [FLAGS]", "", *lines, ""]
        + ["chainertrpo COMMAND --help shows the flags of a command."]
    )


def prog(name):
    """Return what a command is called in its own help."""
    script, called = COMMANDS[name][1], os.path.basename(sys.argv[0])
    return called if script is not None and called == script else f"chainertrpo {name}"


def call(name):
    """Return how a command is called, as text for a shell, in the way of this process.

    By the script of examples/ if it is what runs, by the name of the program, or by
    ``python -m chainertrpo``.
    """
    script, called = COMMANDS[name][1], sys.argv[0]
    python = shlex.quote(sys.executable)
    if script is not None and os.path.basename(called) == script:
        return f"{python} {shlex.quote(called)}"
    if os.path.basename(called) in ("chainertrpo", "chainertrpo.exe"):
        found = shutil.which("chainertrpo")
        same = found and os.path.realpath(found) == os.path.realpath(called)
        return f"{'chainertrpo' if same else shlex.quote(called)} {name}"
    return f"{python} -m chainertrpo {name}"


def main(argv=None):
    """Run the program.

    Parameters
    ----------
    argv : list of str, optional
        A command and its flags; by default those of this process.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    name = argv[0] if argv else "--help"
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, for module:Env-v0 of the user's own
    if name in ("-h", "--help", "help"):
        print(usage())
    elif name == "--version":
        print(f"chainertrpo {__version__}")
    elif name in COMMANDS:
        importlib.import_module(f"chainertrpo.program.{name}").main(argv[1:])
    else:
        print(usage(), file=sys.stderr)
        hint = did_you_mean(name, COMMANDS)
        print(f"\nerror: expected a command, got {name!r}.{hint}", file=sys.stderr)
        sys.exit(2)
