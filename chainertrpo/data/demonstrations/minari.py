"""Exchange with Minari: data sets that lie on this machine; nothing is downloaded."""

import os
import re
import warnings

from chainertrpo._extras import pip_install
from chainertrpo.data.demonstrations.records import (
    Demonstrations,
    Episode,
    check_environment,
    environment_header,
)
from chainertrpo.data.files import MAX_BYTES, BadFileError, too_large
from chainertrpo.data.spaces import MASK, Space, columns_of, element

import numpy


def import_minari():
    """Import Minari, or say how it is installed."""  # noqa: DOC501
    try:
        import minari
    except ImportError as error:
        raise ImportError(
            "Minari's data sets need minari (Python 3.9 or newer): "
            + pip_install("demos")
        ) from error
    return minari


def _load(dataset_id):
    minari = import_minari()
    _check_name(dataset_id)
    try:
        return minari.load_dataset(dataset_id, download=False)
    except (FileNotFoundError, ValueError) as error:
        raise BadFileError(
            f"expected a data set of Minari on this machine, got {dataset_id!r}. "
            "`minari list local` shows them, MINARI_DATASETS_PATH says where they lie, "
            f"`minari download {dataset_id}` fetches one."
        ) from error


def _check_name(dataset_id):
    # Minari makes a folder before it finds that a name has no version.
    if not re.fullmatch(r"([-\w]+/)*[-\w]+-v\d+", dataset_id):
        raise ValueError(
            "expected the name of a data set of Minari, such as cartpole/mine-v0, got "
            f"{dataset_id!r}."
        )


def minari_environment(dataset_id):
    """Say which environment a data set of Minari was made in.

    Parameters
    ----------
    dataset_id : str
        Such as ``cartpole/expert-v0``, below MINARI_DATASETS_PATH.

    Returns
    -------
    str or None
        Its id; None if the data set does not say.
    """
    spec = _load(dataset_id).env_spec
    return None if spec is None else spec.id


def read_minari(dataset_id, environment, max_bytes=None):
    """Read a data set of Minari.

    Parameters
    ----------
    dataset_id : str
        Such as ``cartpole/expert-v0``, below MINARI_DATASETS_PATH.
    environment : dict
        From `environment_header`.
    max_bytes : int, optional
        What its files may take; by default 256 MiB, or their size if it is larger.

    Returns
    -------
    Demonstrations
        Whole episodes with their ends, and their seeds where there are any.

    Raises
    ------
    BadFileError
        There is no such data set, or it is of another environment.
    """
    dataset = _load(dataset_id)
    theirs = dataset.env_spec and dataset.env_spec.id
    if None not in (theirs, environment.get("id")) and theirs != environment["id"]:
        raise BadFileError(
            f"{dataset_id}: expected demonstrations of {environment['id']}, got some of "
            f"{theirs}."
        )
    try:
        seen, acted = map(Space.of, (dataset.observation_space, dataset.action_space))
    except ValueError as error:
        raise BadFileError(f"{dataset_id}: {error}") from error
    _check_size(dataset_id, dataset, max_bytes)
    seeds = [
        about.get("seed")
        for about in dataset.storage.get_episode_metadata(dataset.episode_indices)
    ]
    episodes = [
        Episode(
            _rows(e.observations, len(e.rewards) + 1, seen.features),
            _rows(e.actions, len(e.rewards), acted.encode),
            numpy.asarray(e.rewards),
            bool(e.terminations[-1]),
            bool(e.truncations[-1]),
            -1 if seed is None else int(seed),
        )
        for e, seed in zip(dataset.iterate_episodes(), seeds)
    ]
    made_by = {"kind": "converted", "from": "minari", "id": dataset_id}
    try:
        return Demonstrations(episodes, environment, made_by)
    except ValueError as error:
        raise BadFileError(f"{dataset_id}: {error}") from error


def _rows(columns, n, one):
    return numpy.stack([one(element(columns, i)) for i in range(n)])


def _check_size(dataset_id, dataset, max_bytes):
    # Steps times what a step is, which the data set declares, before anything is read.
    leaves = [
        leaf
        for space in (dataset.observation_space, dataset.action_space)
        for leaf in Space.of(space).leaves()
    ]
    step = sum(
        (1 if leaf.is_image else 8) * int(numpy.prod(leaf.shape, dtype=object))
        for leaf in leaves
    )
    total = int(dataset.total_steps) * (step + 16)
    folder = getattr(dataset.storage, "data_path", None)
    on_disk = 0
    for root, _, names in os.walk(folder or os.devnull):
        on_disk += sum(os.path.getsize(os.path.join(root, name)) for name in names)
    limit = max(MAX_BYTES, on_disk) if max_bytes is None else max_bytes
    if total > limit:
        raise too_large(dataset_id, total, limit)


def write_minari(dataset_id, demonstrations, env):
    """Write demonstrations as a local data set of Minari.

    Parameters
    ----------
    dataset_id : str
        Such as ``cartpole/mine-v0``.
    demonstrations : Demonstrations
        Written whole: Minari knows no kept pairs.
    env : object
        A gymnasium environment, for its id and its spaces.

    Raises
    ------
    ValueError
        The environment is another one, the name has no version, or the data set exists.
    """
    minari = import_minari()
    from minari.data_collector import EpisodeBuffer

    _check_name(dataset_id)
    demonstrations.pairs()  # that there are actions
    header = environment_header(env, id=env.spec and env.spec.id)
    check_environment(demonstrations, header)
    seen, acted = map(Space.of, (env.observation_space, env.action_space))
    if MASK in (seen.parts or ()):
        raise ValueError(
            "expected observations without an action_mask, got "
            f"{env.observation_space}: Minari has no place for what was recorded of it."
        )
    buffers = []
    for i, e in enumerate(demonstrations.episodes):
        ends = numpy.zeros((2, len(e.reward)), bool)
        ends[:, -1] = e.terminated, e.truncated or not e.terminated
        buffers.append(
            EpisodeBuffer(
                id=i,
                seed=None if e.seed < 0 else e.seed,
                observations=columns_of([seen.from_features(x) for x in e.obs]),
                actions=columns_of([acted.decode(a) for a in e.action]),
                rewards=e.reward,
                terminations=ends[0],
                truncations=ends[1],
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would like to know authors and a homepage
        minari.create_dataset_from_buffers(
            dataset_id,
            buffer=buffers,
            env=env,
            algorithm_name=str(demonstrations.made_by.get("kind", "unknown")),
            data_format="hdf5",
        )
