"""Demonstration files of other projects, read without pickles.

The files of Baselines, Stable Baselines and openai/imitation keep no observation after an
episode's last action, nor why it ended.  So the last pair of each episode is dropped, its
observation becomes the end, and the episode counts as cut.
"""

from chainertrpo.data.demonstrations import Demonstrations, Episode
from chainertrpo.data.files import BadFileError, read_npz

import numpy


def _take(path, arrays, names):
    missing = [name for name in names if name not in arrays]
    if missing:
        raise BadFileError(
            f"{path}: expected the arrays {', '.join(names)}, got {sorted(arrays)}."
        )
    return [numpy.asarray(arrays[name]) for name in names]


def _converted(path, episodes, environment, source):
    discrete = environment["action_space"]["type"] == "Discrete"
    made = []
    for obs, action, reward in episodes:
        n = len(obs) - 1
        if n < 1:
            continue  # a single pair has no observation after it
        action = numpy.asarray(action[:n])
        if discrete:
            flat = action.reshape(n, -1)[:, 0]
            action = numpy.rint(flat).astype(numpy.int32)
            if not numpy.array_equal(action, flat):
                raise BadFileError(f"{path}: expected whole numbers as actions.")
        else:
            action = action.reshape(n, -1)
        made.append(Episode(obs.reshape(n + 1, -1), action, reward[:n], False, False))
    try:
        made_by = {"kind": "converted", "from": source}
        return Demonstrations(made, environment, made_by)
    except ValueError as error:
        raise BadFileError(
            f"{path}: {error} Perhaps it is of another environment."
        ) from error


def read_baselines(path, environment):
    """Read OpenAI Baselines' ``.npz``: obs, acs, rews of shape (E, T, ...).

    Parameters
    ----------
    path : str or os.PathLike
        The file; one with pickled arrays is refused.
    environment : dict
        From `environment_header`: these files do not say.

    Returns
    -------
    Demonstrations
        E episodes of T − 1 steps.

    Raises
    ------
    BadFileError
        The file is something else.
    """
    obs, action, reward = _take(path, read_npz(path), ("obs", "acs", "rews"))
    if obs.ndim < 3 or not len(obs) == len(action) == len(reward):
        raise BadFileError(
            f"{path}: expected obs of shape (episodes, steps, size), got {obs.shape}."
        )
    return _converted(path, zip(obs, action, reward), environment, "baselines")


def read_stable_baselines(path, environment):
    """Read Stable Baselines 2's ``.npz``: obs, actions, rewards, episode_starts.

    Parameters
    ----------
    path : str or os.PathLike
        The file; one with pickled arrays is refused.
    environment : dict
        From `environment_header`.

    Returns
    -------
    Demonstrations
        An episode from each start to the next.

    Raises
    ------
    BadFileError
        The file is something else.
    """
    names = ("obs", "actions", "rewards", "episode_starts")
    obs, action, reward, starts = _take(path, read_npz(path), names)
    (at,) = numpy.nonzero(starts.ravel())
    if len({len(obs), len(action), len(reward), starts.size}) != 1 or 0 not in at:
        raise BadFileError(
            f"{path}: expected arrays of one length, the first row starting an episode."
        )
    parts = [numpy.split(x, at[1:]) for x in (obs, action, reward.ravel())]
    return _converted(path, zip(*parts), environment, "stable-baselines")


def read_imitation(path, environment):
    """Read openai/imitation's ``.h5``: obs_B_T_Do, a_B_T_Da, r_B_T, len_B, padded.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    environment : dict
        From `environment_header`.

    Returns
    -------
    Demonstrations
        B episodes, without the padding.

    Raises
    ------
    ImportError
        h5py is missing.
    BadFileError
        The file is something else.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "openai/imitation's files need h5py: pip install 'chainertrpo[demos]'"
        ) from error
    names = ("obs_B_T_Do", "a_B_T_Da", "r_B_T", "len_B")
    try:
        with h5py.File(path, "r") as file:
            arrays = {name: file[name][...] for name in names if name in file}
    except OSError as error:
        raise BadFileError(f"{path}: not readable as HDF5: {error}") from error
    obs, action, reward, length = _take(path, arrays, names)
    if not len(obs) == len(action) == len(reward) == len(length) or (
        len(length) and length.max() > obs.shape[1]
    ):
        raise BadFileError(f"{path}: expected len_B to fit the padded arrays.")
    episodes = [
        (o[:n], a[:n], r[:n])
        for o, a, r, n in zip(obs, action, reward, length.tolist())
    ]
    return _converted(path, episodes, environment, "openai/imitation")
