"""A new folder for a run, with what determined it."""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile

from chainertrpo.chainerrl.misc.is_return_code_zero import is_return_code_zero
from chainertrpo.data import write_json
from chainertrpo.experiments import describe_environment

GIT = {
    "head": ("rev-parse", "HEAD"),
    "status": ("status",),
    "log": ("log",),
    "diff": ("diff",),
}


def is_under_git_control():
    """Whether the current folder is in a git repository."""
    return is_return_code_zero(["git", "rev-parse"])


def prepare_output_dir(
    args, user_specified_dir=None, argv=None, time_format="%Y%m%dT%H%M%S.%f"
):
    """Make ``<user_specified_dir>/<time>`` and write what determined the run.

    The files are ChainerRL's (``args.txt``, ``command.txt`` and, in a git repository,
    ``git-head.txt``, ``git-status.txt``, ``git-log.txt``, ``git-diff.txt``), but for
    ``environ.txt``: environment variables hold passwords and tokens.  Versions and machine
    are in ``environment.json``.

    Parameters
    ----------
    args : dict or argparse.Namespace
        What was asked for.
    user_specified_dir : str, optional
        The parent; by default the folder is a temporary one.
    argv : list of str, optional
        The command line; by default ``sys.argv``.
    time_format : str
        Of the folder's name.

    Returns
    -------
    str
        The folder.

    Raises
    ------
    FileExistsError
        The parent is a file, or the folder is there already.
    """
    name = datetime.datetime.now().strftime(time_format)
    if user_specified_dir is None:
        outdir = tempfile.mkdtemp(prefix=name)
    else:
        outdir = os.path.join(user_specified_dir, name)
        os.makedirs(outdir)
    if isinstance(args, argparse.Namespace):
        args = vars(args)
    texts = {
        "args": json.dumps(args, default=str),
        "command": " ".join(sys.argv if argv is None else argv),
    }
    if is_under_git_control():
        for what, line in GIT.items():
            done = subprocess.run(["git", *line], capture_output=True)
            texts[f"git-{what}"] = done.stdout.decode(errors="replace")
    for what, text in texts.items():
        with open(os.path.join(outdir, f"{what}.txt"), "w") as file:
            file.write(text)
    write_json(os.path.join(outdir, "environment.json"), describe_environment())
    return outdir
