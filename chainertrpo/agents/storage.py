"""An agent's folder: one npz an object and ``agent.json``, checked when read.

The npz have the names and keys of ChainerRL's, so ``chainer.serializers.load_npz`` reads
them.  ``agent.json`` lists each file's SHA-256.  A folder is written under another name,
flushed and renamed, so that whoever is killed meanwhile leaves the old one whole; a folder
whose files do not belong together is refused.
"""

import copy
import hashlib
import os
import shutil
import uuid

from chainertrpo._version import __version__
from chainertrpo.data import (
    BadFileError,
    read_json,
    read_npz,
    write_json,
    write_npz,
)
from chainertrpo.data.files import read_npz_shapes, sync_folder

import chainer
import numpy

FORMAT = 1
# Names that arrays had in the files of an earlier release.
RENAMED = {"middle": "loc", "reach": "half_range"}


class NotFiniteError(ArithmeticError):
    """Parameters have become NaN or infinite; nothing has been saved of them."""


class Scalar(chainer.Link):
    """A number among the files of an agent."""

    def __init__(self, value):
        super().__init__()
        self.add_persistent("value", numpy.array(value))


def arrays_of(x):
    """Return the state of a link or optimiser as arrays on the host."""  # noqa: DOC501
    for name in _uninitialized(x):
        raise ValueError(
            f"expected networks that have been called once, got {name} without a shape. "
            "Call the agent's act, or the network, with an observation first."
        )
    if isinstance(x, chainer.Optimizer):
        for param in x.target.params():
            rule = param.update_rule
            if rule is not None and rule.state is None:
                rule._init_states(param)  # no public way; Chainer 7.8.1 is the last
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(x)
    return {key: numpy.asarray(value) for key, value in serializer.target.items()}


def digest(arrays):
    """Return the SHA-256 of arrays by name: of names, types, shapes and bits."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        x = numpy.ascontiguousarray(arrays[name])
        found.update(f"{name} {x.dtype.str} {x.shape}".encode())
        found.update(x.tobytes())
    return found.hexdigest()


def _uninitialized(x):
    """Names of parameters that have no shape yet."""
    link = x.target if isinstance(x, chainer.Optimizer) else x
    return [name for name, param in link.namedparams() if not param.is_initialized]


def check_finite(link, what="policy"):
    """Refuse parameters that are not finite."""  # noqa: DOC501
    arrays = [p.array for p in link.params() if p.array is not None]
    if arrays and not numpy.isfinite(float(sum((x.sum() for x in arrays), 0.0))):
        wrong = [
            name
            for name, p in link.namedparams()
            if p.array is not None and not bool(p.xp.isfinite(p.array).all())
        ]
        if wrong:
            raise NotFiniteError(
                f"expected finite parameters, got NaN or inf in the {what}'s "
                f"{', '.join(wrong)}. Go on from an earlier checkpoint, with a smaller "
                "step or learning rate."
            )


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _read(path, like):
    """A file's arrays by today's names, checked before anything of it is expanded."""
    names = {}
    for name in read_npz_shapes(path):
        owner, slash, leaf = name.rpartition("/")
        new = owner + slash + RENAMED.get(leaf, leaf)
        old = name not in like and new in like
        names[new if old else name] = name
    found = read_npz(path, like={names.get(name, name): x for name, x in like.items()})
    return {name: found[names[name]] for name in like}


def save_objects(folder, objects):
    """Write links and optimisers to a folder, whole or not at all."""  # noqa: DOC501
    arrays = {name: arrays_of(x) for name, x in objects.items()}
    for name, content in arrays.items():
        for key, array in content.items():
            if array.dtype.kind == "f" and not numpy.isfinite(array).all():
                raise NotFiniteError(
                    f"expected finite numbers to save, got NaN or inf in {name}'s {key}. "
                    "What was saved before stays: go on from there."
                )
    folder = os.path.abspath(folder)
    if not set(_names(folder)) <= {"agent.json", *(f"{n}.npz" for n in arrays)}:
        _write(folder, arrays)
        return
    parent, name = os.path.split(folder)
    os.makedirs(parent, exist_ok=True)
    writing = os.path.join(parent, f".writing-{uuid.uuid4().hex[:8]}")
    try:
        os.mkdir(writing)
        _write(writing, arrays)
        _replace(folder, writing)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise


def _names(folder):
    return os.listdir(folder) if os.path.isdir(folder) else []


def _write(folder, arrays):
    digests = {}
    for name, content in arrays.items():
        path = os.path.join(folder, f"{name}.npz")
        write_npz(path, content)
        digests[f"{name}.npz"] = _sha256(path)
    manifest = {
        "format": FORMAT,
        "chainertrpo": __version__,
        "chainer": chainer.__version__,
        "numpy": numpy.__version__,
        "sha256": digests,
    }
    write_json(os.path.join(folder, "agent.json"), manifest)


def _previous(folder):
    # Where the old folder is while the new one takes its name; read if a kill came between.
    parent, name = os.path.split(os.path.abspath(folder))
    return os.path.join(parent, f".{name}.previous")


def _replace(folder, writing):
    # No system renames a folder over one that is not empty.
    old = _previous(folder)
    if _names(folder):
        shutil.rmtree(old, ignore_errors=True)
        os.rename(folder, old)
    elif os.path.isdir(folder):
        os.rmdir(folder)
    try:
        os.replace(writing, folder)
    except BaseException:
        if not os.path.exists(folder) and os.path.isdir(old):
            os.rename(old, folder)
        raise
    sync_folder(os.path.dirname(folder))
    shutil.rmtree(old, ignore_errors=True)


def load_objects(folder, objects, only=None):
    """Read what `save_objects` wrote into links and optimisers of the same shapes.

    Everything is read and checked before anything is changed.  A parameter that has no
    shape yet, because its network has never been called, gets that of the file.
    """  # noqa: DOC501
    if not os.path.isdir(folder) and os.path.isdir(_previous(folder)):
        folder = _previous(folder)
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
    paths = {name: os.path.join(folder, f"{name}.npz") for name in objects}
    for name in objects:
        if f"{name}.npz" not in digests:
            raise BadFileError(
                f"{folder}: the saved agent has no {name}, this one has. Build the agent "
                "with the settings it was saved with (config.json of the run)."
            )
    read = {}
    for name, x in shaped(objects, paths).items():
        path = paths[name]
        read[name] = _read(path, arrays_of(x))
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
    fill(objects, read)


def fill(objects, read):
    """Load arrays that have been checked."""
    for name, x in objects.items():
        if not isinstance(x, chainer.Optimizer):
            for key, param in x.namedparams():
                if not param.is_initialized:
                    param.initialize(read[name][key.lstrip("/")].shape)
            chainer.serializers.NpzDeserializer(read[name]).load(x)
    for name, x in objects.items():
        if isinstance(x, chainer.Optimizer):
            arrays_of(x)  # makes its states
            chainer.serializers.NpzDeserializer(read[name]).load(x)


def shaped(objects, paths, shapes_of=read_npz_shapes):
    """Return the objects, or copies whose parameters have the shapes of the files."""  # noqa: DOC501
    if not any(map(_uninitialized, objects.values())):
        return objects
    copies = copy.deepcopy(objects)  # at once: an optimiser's target stays its own
    for name, x in copies.items():
        if isinstance(x, chainer.Optimizer):
            continue
        shapes, links = shapes_of(paths[name]), dict(x.namedlinks())
        for key, param in x.namedparams():
            if not param.is_initialized:
                owner, key = links[key.rpartition("/")[0] or "/"], key.lstrip("/")
                _check_shape(paths[name], owner, key, shapes.get(key))
                param.initialize(shapes[key])
    return copies


def _check_shape(path, link, key, shape):
    # What is known of the shape although the number of inputs is not.
    n_out = getattr(link, "out_size", None) or getattr(link, "out_channels", None)
    good = shape is not None and len(shape) > 0 and 0 not in shape
    if not good or (n_out is not None and shape[0] != n_out):
        want = "any shape" if n_out is None else f"shape ({n_out}, ...)"
        raise BadFileError(
            f"{path}: expected {key} of {want}, got {shape}. The file belongs to a model "
            "of other sizes."
        )
