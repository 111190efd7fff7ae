"""Demonstrations of any project, told apart by what is in the file."""

import os
import zipfile

from chainertrpo.data.demonstrations.files import read_demonstrations
from chainertrpo.data.demonstrations.foreign import (
    read_baselines,
    read_imitation,
    read_stable_baselines,
)
from chainertrpo.data.demonstrations.minari import read_minari
from chainertrpo.data.files import BadFileError

MINARI = "minari:"
READERS = {
    "chainertrpo": read_demonstrations,
    "baselines": read_baselines,
    "stable-baselines": read_stable_baselines,
    "openai/imitation": read_imitation,
    "minari": lambda source, environment, max_bytes=None: read_minari(
        source[len(MINARI) :], environment, max_bytes
    ),
}
_ARRAYS = {  # an .npz with these arrays is that project's
    "chainertrpo": {"header", "obs", "reward", "length"},
    "stable-baselines": {"obs", "actions", "rewards", "episode_starts"},
    "baselines": {"obs", "acs"},  # and rews, or lens and rets
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
    # It can be opened; before Python 3.9 a damaged archive can be an OSError too.
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        got = f"a file that begins with {start!r}"
        if start[:2] == b"PK":
            got = f"an .npz that is cut or damaged ({error})"
        raise BadFileError(_expected(source, got)) from error
    for kind, needed in _ARRAYS.items():
        if needed <= names:
            return kind
    raise BadFileError(_expected(source, f"an .npz of {sorted(names)}"))


def _expected(source, got):
    return (
        f"{source}: expected chainertrpo's .npz, Baselines' (obs, acs, rews, perhaps lens "
        "and rets), Stable Baselines' (obs, actions, rewards, episode_starts), "
        f"openai/imitation's .h5, or {MINARI}NAME; got {got}."
    )


def read_any(source, environment, max_bytes=None):
    """Read demonstrations of any known project.

    Parameters
    ----------
    source : str
        See `kind_of`.
    environment : dict
        From `environment_header`; theirs, where they say.
    max_bytes : int, optional
        See `read_npz`.

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
    return READERS[kind_of(source)](source, environment, max_bytes)
