"""Whether a command works."""

import subprocess


def is_return_code_zero(args):
    """Whether a command ends with 0; False also where there is no such command.

    Parameters
    ----------
    args : list of str
        Of the command; what it prints is dropped.

    Returns
    -------
    bool
        Its exit status is 0.
    """
    nowhere = subprocess.DEVNULL
    try:
        return subprocess.call(args, stdout=nowhere, stderr=nowhere) == 0
    except OSError:
        return False
