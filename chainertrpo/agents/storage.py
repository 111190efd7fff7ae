"""An agent's folder: one npz an object and ``agent.json``, checked when read.

The npz have the names and keys of ChainerRL's, so ``chainer.serializers.load_npz`` reads
them.  ``agent.json`` lists each file's SHA-256, and is written last: a folder whose files
do not belong together is refused.
"""

import hashlib
import os

import chainertrpo
from chainertrpo.data import (
    BadFileError,
    check_arrays,
    read_json,
    read_npz,
    write_json,
    write_npz,
)

import chainer
import numpy

FORMAT = 1
# Names that arrays had in the files of an earlier release.
RENAMED = {"middle": "loc", "reach": "half_range"}


class Scalar(chainer.Link):
    """A number among the files of an agent.

    Parameters
    ----------
    value : float
        The number.
    """

    def __init__(self, value):
        super().__init__()
        self.add_persistent("value", numpy.array(value))


def arrays_of(x):
    """Return the state of a link or optimiser as arrays on the host.

    Parameters
    ----------
    x : chainer.Link or chainer.Optimizer
        An optimiser's lazily made states are made first.

    Returns
    -------
    dict of str to array
        Chainer's keys, such as ``mlp/0/W``; an optimiser's ``t``, ``epoch`` and
        ``/mlp/0/W/m``.
    """
    if isinstance(x, chainer.Optimizer):
        for param in x.target.params():
            rule = param.update_rule
            if rule is not None and rule.state is None:
                rule._init_states(param)  # no public way; Chainer 7.8.1 is the last
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(x)
    return {key: numpy.asarray(value) for key, value in serializer.target.items()}


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _renamed(arrays, like):
    """Arrays by today's names, where those are expected and the file has the old ones."""
    found = {}
    for name, x in arrays.items():
        owner, slash, leaf = name.rpartition("/")
        new = owner + slash + RENAMED.get(leaf, leaf)
        old = name not in like and new in like and new not in arrays
        found[new if old else name] = x
    return found


def save_objects(folder, objects):
    """Write links and optimisers to a folder.

    Parameters
    ----------
    folder : str or os.PathLike
        An existing folder; files of an earlier save are replaced one by one.
    objects : dict of str to (chainer.Link or chainer.Optimizer)
        By name; ``policy`` becomes ``policy.npz``.
    """
    digests = {}
    for name, x in objects.items():
        path = os.path.join(folder, f"{name}.npz")
        write_npz(path, arrays_of(x))
        digests[f"{name}.npz"] = _sha256(path)
    manifest = {
        "format": FORMAT,
        "chainertrpo": chainertrpo.__version__,
        "chainer": chainer.__version__,
        "numpy": numpy.__version__,
        "sha256": digests,
    }
    write_json(os.path.join(folder, "agent.json"), manifest)


def load_objects(folder, objects, only=None):
    """Read what `save_objects` wrote into links and optimisers of the same shapes.

    Everything is read and checked before anything is changed.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder.
    objects : dict of str to (chainer.Link or chainer.Optimizer)
        What to fill, by name.
    only : set of str, optional
        Names; whatever has another is neither read nor filled.

    Raises
    ------
    FileNotFoundError
        The folder or one of its files is missing.
    BadFileError
        A file is damaged, of another model, not finite, or not of this save.
    """
    manifest_path = os.path.join(folder, "agent.json")
    if not os.path.isfile(manifest_path):
        raise FileNotFoundError(
            f"expected a saved agent in {folder}, got no agent.json there. Give the "
            "folder that agent.save wrote, such as .../best or .../20000_finish. (What "
            "ChainerRL saved has none: chainertrpo.agents.load_chainerrl reads it.)"
        )
    manifest = read_json(manifest_path)
    digests = manifest.get("sha256") if isinstance(manifest, dict) else None
    if not isinstance(digests, dict) or manifest.get("format") != FORMAT:
        raise BadFileError(
            f"{manifest_path}: expected format {FORMAT} with sha256 sums, got "
            f"{str(manifest)[:80]}. A newer version of chainertrpo may have written it."
        )
    if only is not None:
        objects = {name: x for name, x in objects.items() if name in only}
        digests = {f: sha for f, sha in digests.items() if f[: -len(".npz")] in only}
    read = {}
    for name, x in objects.items():
        path = os.path.join(folder, f"{name}.npz")
        if f"{name}.npz" not in digests:
            raise BadFileError(
                f"{folder}: the saved agent has no {name}, this one has. Build the agent "
                "with the settings it was saved with (config.json of the run)."
            )
        like = arrays_of(x)
        read[name] = _renamed(read_npz(path), like)
        check_arrays(path, read[name], like)
        if _sha256(path) != digests[f"{name}.npz"]:
            raise BadFileError(
                f"{path}: does not belong to this save (SHA-256 differs from agent.json)."
            )
    unused = sorted(digests.keys() - {f"{name}.npz" for name in objects})
    if unused:
        raise BadFileError(
            f"{folder}: the saved agent has {', '.join(unused)}, this one has no use for "
            "it. Build the agent with the settings it was saved with."
        )
    for name, x in objects.items():
        chainer.serializers.NpzDeserializer(read[name]).load(x)
