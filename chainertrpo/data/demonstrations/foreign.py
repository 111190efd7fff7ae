"""Demonstration files of other projects, read without pickles and without guesses.

The files of Baselines, Stable Baselines and openai/imitation keep no observation after an
episode's last action, nor why it ended.  So the last pair of each episode is dropped, its
observation becomes the end, and the episode counts as cut.
"""

import warnings

from chainertrpo._extras import pip_install
from chainertrpo.data.demonstrations.records import (
    Demonstrations,
    Episode,
    checked,
    spaces_of,
)
from chainertrpo.data.files import MAX_BYTES, BadFileError, read_npz, too_large

import numpy

LENGTHS = ("lens", "len", "lengths", "ep_lens", "ep_lengths")
RETURNS = ("rets", "ep_rets", "returns")
HDF5 = {  # what an array is for -> its name in openai/imitation's files
    "obs": "obs_B_T_Do",
    "action": "a_B_T_Da",
    "reward": "r_B_T",
    "length": "len_B",
}


class PaddingWarning(UserWarning):
    """The end of an episode looks like padding, and the file does not say its length."""


def _take(path, arrays, names):
    missing = [name for name in names if name not in arrays]
    if missing:
        raise BadFileError(
            f"{path}: expected the arrays {', '.join(names)}, got {sorted(arrays)}."
        )
    taken = [numpy.asarray(arrays[name]) for name in names]
    for name, array in zip(names, taken):
        if array.dtype.kind not in "fiub" or array.ndim < 1:
            raise BadFileError(
                f"{path}: expected rows of numbers in {name}, got {array.dtype} of shape "
                f"{array.shape}."
            )
    return taken


def _first(arrays, names):
    return next((name for name in names if name in arrays), None)


def _whole_numbers(path, name, array):
    # As int64, or an error.
    flat = array.ravel()
    with numpy.errstate(invalid="ignore"):
        whole = flat.astype(numpy.int64)
    if not numpy.array_equal(whole, flat):
        raise BadFileError(f"{path}: expected whole numbers in {name}, got others.")
    return whole


def _discrete(action, space, where):
    # Actions counted from 0: whole numbers, or one-hot rows as wide as there are actions.
    n, width = len(action), int(numpy.prod(action.shape[1:]))
    rows = action.reshape(n, width)
    if width == 1:
        whole = numpy.rint(rows[:, 0])
        if not numpy.array_equal(whole, rows[:, 0]):
            raise ValueError(f"{where}: expected whole numbers as actions, got others.")
        return whole.astype(numpy.int64) - int(space.get("start", 0))
    if width != space["n"]:
        raise ValueError(
            f"{where}: expected one whole number an action, or {space['n']} of which one "
            f"is 1 (one-hot), got {width} numbers."
        )
    if not (((rows == 0) | (rows == 1)).all() and (rows.sum(1) == 1).all()):
        bad = int(numpy.flatnonzero((rows != 0).sum(1) != 1)[:1].sum())
        raise ValueError(
            f"{where}: expected one-hot actions, {width} numbers of which one is 1, got "
            f"{rows[bad].tolist()} at step {bad}."
        )
    return rows.argmax(1)


def _converted(path, episodes, environment, source, names):
    # Demonstrations of (obs, action, reward) of each episode; `names` of these fields.
    space, made = environment["action_space"], []
    try:
        observations, actions = spaces_of(environment)
        if actions.kind not in ("Box", "Discrete"):
            raise ValueError(
                f"expected an environment with Box or Discrete actions, which such files "
                f"hold, got {actions.kind}."
            )
        for i, (obs, action, reward) in enumerate(episodes):
            n = min(len(obs) - 1, len(action))
            if n < 1:
                continue  # a single pair has no observation after it
            where = f"episode {i} ({', '.join(names)})"
            if actions.kind == "Discrete":
                action = _discrete(action[:n], space, f"episode {i}, {names[1]}")
            else:
                action = action[:n].reshape(n, -1)
            obs = obs[: n + 1].reshape(n + 1, -1)
            episode = Episode(obs, action, reward[:n], False, False)
            made.append(checked(episode, observations, actions, where))
        return Demonstrations(made, environment, {"kind": "converted", "from": source})
    except ValueError as error:
        raise BadFileError(
            f"{path}: {error} Perhaps it is of another environment."
        ) from error


def read_baselines(path, environment, max_bytes=None):
    """Read an ``.npz`` like Baselines': obs, acs and rews of shape (E, T, ...).

    Others have the same names with the lengths of the episodes in ``lens``, and ``rets``,
    their returns, with or instead of ``rews``; the arrays are then cut at these lengths,
    or are of shape (N, ...) with one episode after the other.  A return without rewards is
    given as the reward of the last step.

    Parameters
    ----------
    path : str or os.PathLike
        The file; one with pickled arrays is refused.
    environment : dict
        From `environment_header`: these files do not say.
    max_bytes : int, optional
        See `read_npz`.

    Returns
    -------
    Demonstrations
        E episodes, without their last pair.

    Raises
    ------
    BadFileError
        The file is something else.
    """
    arrays = read_npz(path, max_bytes=max_bytes)
    paid = _first(arrays, ("rews", *RETURNS))
    if paid is None or not {"obs", "acs"} <= arrays.keys():
        raise BadFileError(
            f"{path}: expected the arrays obs, acs, rews, got {sorted(arrays)}."
        )
    obs, action, reward = _take(path, arrays, ("obs", "acs", paid))
    counted = _first(arrays, LENGTHS)
    if counted is not None:
        (length,) = _take(path, arrays, (counted,))
        length = _whole_numbers(path, counted, length)
        episodes = _cut(path, obs, action, reward, length, (paid, counted))
    elif (
        obs.ndim < 3
        or action.shape[:2] != reward.shape[:2]
        or (len(obs) != len(action) or not 0 <= obs.shape[1] - action.shape[1] <= 1)
    ):
        raise BadFileError(
            f"{path}: expected obs of shape (episodes, steps, size) with acs and {paid} of "
            f"as many steps, or the lengths of episodes in lens; got {obs.shape}, "
            f"{action.shape} and {reward.shape}."
        )
    else:
        episodes = list(zip(obs, action, reward))
        _warn_of_padding(path, episodes)
    return _converted(path, episodes, environment, "baselines", ("obs", "acs", paid))


def _cut(path, obs, action, reward, length, names):
    # Episodes as long as the file says, of padded arrays or of joined ones.
    paid, counted = names
    wrong = (
        f"{path}: expected {counted} to fit the other arrays, got obs of shape "
        f"{obs.shape}, acs of {action.shape}, {paid} of {reward.shape} and {counted} "
        f"{length[:5].tolist()}…"
    )
    if len(length) == 0 or length.min() < 0:
        raise BadFileError(wrong)
    if len(obs) == len(action) == sum(length.tolist()) and obs.ndim < 3:
        ends = numpy.cumsum(length)[:-1]
        obs, action = numpy.split(obs, ends), numpy.split(action, ends)
        if paid not in RETURNS:
            reward = numpy.split(reward.ravel(), ends)
    elif (
        not len(obs) == len(action) == len(reward) == len(length)
        or min(obs.ndim, action.ndim) < 2
        or length.max() > min(obs.shape[1], action.shape[1])
        or (paid not in RETURNS and reward.ndim < 2)
    ):
        raise BadFileError(wrong)
    if len(reward) != len(length):
        raise BadFileError(wrong)
    after = [n + (len(o) > len(a)) for o, a, n in zip(obs, action, length.tolist())]
    if paid in RETURNS:
        # The last pair is dropped where no observation follows it.
        returns, reward = reward.reshape(len(length), -1)[:, 0], []
        for total, m in zip(returns.tolist(), after):
            reward.append(numpy.zeros(max(m - 1, 0)))
            reward[-1][-1:] = total
    return [
        (o[:m], a[:n], numpy.asarray(r).ravel()[:n])
        for o, a, r, n, m in zip(obs, action, reward, length.tolist(), after)
    ]


def _warn_of_padding(path, episodes):
    found = []
    for i, (obs, action, reward) in enumerate(episodes):
        n = min(len(obs), len(action))
        rows = [numpy.asarray(x[:n]).reshape(n, -1) for x in (obs, action, reward)]
        (used,) = numpy.nonzero(numpy.concatenate(rows, 1).any(1))
        zeros = n - (used[-1] + 1 if len(used) else 0)
        if zeros:
            found.append(f"the last {zeros} of {n} steps of episode {i}")
    if found:
        more = f" (and so in {len(found) - 1} others)" if len(found) > 1 else ""
        warnings.warn(
            f"{path}: {found[0]}{more} are zero in all of obs, acs and rewards: probably "
            "padding, and then no expert did that. Add an array lens with the lengths of "
            "the episodes to the file.",
            PaddingWarning,
            stacklevel=3,
        )


def read_stable_baselines(path, environment, max_bytes=None):
    """Read Stable Baselines 2's ``.npz``: obs, actions, rewards, episode_starts.

    Parameters
    ----------
    path : str or os.PathLike
        The file; one with pickled arrays is refused.
    environment : dict
        From `environment_header`.
    max_bytes : int, optional
        See `read_npz`.

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
    arrays = read_npz(path, max_bytes=max_bytes)
    obs, action, reward, starts = _take(path, arrays, names)
    (at,) = numpy.nonzero(starts.ravel())
    sizes = {len(obs), len(action), reward.size, starts.size}
    if len(sizes) != 1 or 0 not in at:
        raise BadFileError(
            f"{path}: expected arrays of one length, the first row starting an episode."
        )
    parts = [numpy.split(x, at[1:]) for x in (obs, action, reward.ravel())]
    return _converted(path, zip(*parts), environment, "stable-baselines", names[:3])


def read_imitation(path, environment, max_bytes=None):
    """Read openai/imitation's ``.h5``: obs_B_T_Do, a_B_T_Da, r_B_T, len_B, padded.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    environment : dict
        From `environment_header`.
    max_bytes : int, optional
        See `read_npz`.

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
    FileNotFoundError
        It is missing.
    PermissionError
        It may not be read.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"openai/imitation's files need h5py: {pip_install('demos')}"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            arrays = {
                name: array[...]
                for name, array in _datasets(h5py, path, file, max_bytes).items()
            }
    except (BadFileError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # the library raises whatever it meets
        raise BadFileError(
            f"{path}: not readable as HDF5: {type(error).__name__}: {error}"
        ) from error
    obs, action, reward, length = _take(path, arrays, tuple(HDF5.values()))
    length = _whole_numbers(path, HDF5["length"], length)
    if reward.shape[:2] != action.shape[:2] or action.shape[:2] != obs.shape[:2]:
        raise BadFileError(f"{path}: expected len_B to fit the padded arrays.")
    names = (HDF5["reward"], HDF5["length"])
    episodes = _cut(path, obs, action, reward, length, names)
    fields = tuple(HDF5.values())[:3]
    return _converted(path, episodes, environment, "openai/imitation", fields)


def _datasets(h5py, path, file, max_bytes):
    # The arrays, not read: such as lie in this file, and fit into memory.
    found, total = {}, 0
    for name in HDF5.values():
        link = file.get(name, getlink=True)
        if link is None:
            continue
        data = file[name] if isinstance(link, h5py.HardLink) else None
        if not isinstance(data, h5py.Dataset):
            raise BadFileError(
                f"{path}: expected an array in {name}, got {type(link).__name__} to "
                "something else. Nothing outside of the file is read."
            )
        if data.external or data.is_virtual:
            raise BadFileError(
                f"{path}: expected the numbers of {name} in this file, got a reference to "
                "another one, which is not read."
            )
        if data.dtype.kind not in "fiub" or data.dtype.itemsize > 16:
            raise BadFileError(f"{path}: expected numbers in {name}, got {data.dtype}.")
        total += int(numpy.prod(data.shape, dtype=object)) * data.dtype.itemsize
        found[name] = data
    limit = max(MAX_BYTES, file.id.get_filesize()) if max_bytes is None else max_bytes
    if total > limit:
        raise too_large(path, total, limit)
    return found
