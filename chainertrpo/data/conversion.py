"""Demonstrations of any project, told apart by what is in the file."""

import os
import zipfile

from chainertrpo.data.demonstration_files import read_demonstrations
from chainertrpo.data.files import BadFileError
from chainertrpo.data.foreign import (
    read_baselines,
    read_imitation,
    read_stable_baselines,
)
from chainertrpo.data.minari_sets import read_minari

MINARI = "minari:"
READERS = {
    "chainertrpo": read_demonstrations,
    "baselines": read_baselines,
    "stable-baselines": read_stable_baselines,
    "openai/imitation": read_imitation,
    "minari": lambda source, environment: read_minari(
        source[len(MINARI) :], environment
    ),
}
_ARRAYS = {  # an .npz with these arrays is that project's
    "chainertrpo": {"header", "obs", "action", "reward", "length"},
    "stable-baselines": {"obs", "actions", "rewards", "episode_starts"},
    "baselines": {"obs", "acs", "rews"},
}


def kind_of(source):
    """Tell whose demonstrations these are.

    Parameters
    ----------
    source : str
        A file, or ``minari:`` and the name of a data set.

    Returns
    -------
    str
        A key of `READERS`.

    Raises
    ------
    BadFileError
        No known project's; the message says what would be.
    """
    source = os.fspath(source)
    if source.startswith(MINARI):
        return "minari"
    if os.path.isdir(source):
        raise BadFileError(_expected(source, "a folder"))
    with open(source, "rb") as file:
        start = file.read(8)
    if start == b"\x89HDF\r\n\x1a\n":
        return "openai/imitation"
    if start[:1] == b"\x80":
        got = (
            "a pickle, which could run code when read: save its arrays with numpy.savez"
        )
        raise BadFileError(_expected(source, got))
    try:
        with zipfile.ZipFile(source) as archive:
            names = {name.rpartition(".npy")[0] for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        got = f"a file that begins with {start!r}"
        raise BadFileError(_expected(source, got)) from error
    for kind, needed in _ARRAYS.items():
        if needed <= names:
            return kind
    raise BadFileError(_expected(source, f"an .npz of {sorted(names)}"))


def _expected(source, got):
    return (
        f"{source}: expected chainertrpo's .npz, Baselines' (obs, acs, rews), Stable "
        "Baselines' (obs, actions, rewards, episode_starts), openai/imitation's .h5, or "
        f"{MINARI}NAME; got {got}."
    )


def read_any(source, environment):
    """Read demonstrations of any known project.

    Parameters
    ----------
    source : str
        See `kind_of`.
    environment : dict
        From `environment_header`; theirs, where they say.

    Returns
    -------
    Demonstrations
        As that project's reader gives them: see `READERS`.

    Raises
    ------
    BadFileError
        The file is of no known kind, damaged, or of another environment.
    """
    source = os.fspath(source)
    return READERS[kind_of(source)](source, environment)
