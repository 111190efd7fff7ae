"""Arrays and JSON on disk: written whole or not at all, and read with suspicion.

Only ``.npz`` without pickles and ``.json`` exist here; nothing that is read can run code.
A file is written beside its target, flushed to the disk and renamed over it, so whoever
is killed in between leaves the old file.
"""

import contextlib
import io
import json
import os
import re
import tempfile
import zipfile

import numpy


class BadFileError(ValueError):
    """A file is not what it should be; the message says which file and in what."""


def file_name(env_id):
    """Name a file or folder after an environment: ``ALE/Pong-v5`` becomes ``ALE-Pong-v5``.

    Parameters
    ----------
    env_id : str
        Its id, perhaps with a namespace (``/``) and a module (``:``).

    Returns
    -------
    str
        Letters, digits and ``._-``, everything else replaced by ``-``; never hidden and
        never empty.  An id that is a file's name already is left as it is.
    """
    name = re.sub(r"[^\w.-]", "-", env_id)
    return re.sub(r"^\.+", "-", name) or "-"


def write_atomically(path, data):
    """Write bytes to a file: temporary file, fsync, rename.

    Parameters
    ----------
    path : str or os.PathLike
        The target; its folder must exist.
    data : bytes
        The content.
    """
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        sync_folder(folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sync_folder(folder):
    """Flush the names in a folder to the disk, so that a rename outlives a power cut.

    Parameters
    ----------
    folder : str
        The folder.
    """
    if os.name != "posix":  # a folder cannot be opened elsewhere
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_npz(path, arrays):
    """Write named arrays, atomically and without pickles.

    Parameters
    ----------
    path : str or os.PathLike
        The target.
    arrays : dict of str to array
        Numbers, booleans or strings; keys may hold slashes.

    Raises
    ------
    TypeError
        An array holds Python objects.
    """
    for name, array in arrays.items():
        if numpy.asarray(array).dtype.hasobject:
            raise TypeError(f"expected numbers, got Python objects in {name!r}.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # Sorted: the same arrays make the same bytes (Chainer iterates over a set).
        for name, array in sorted(arrays.items()):
            # ZipInfo's own date is 1980, whenever this is; numpy.savez takes names as
            # keywords, and so refuses some.
            info = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(info, "w", force_zip64=True) as member:
                numpy.lib.format.write_array(
                    member, numpy.asanyarray(array), allow_pickle=False
                )
    write_atomically(path, buffer.getvalue())


def read_npz(path, like=None):
    """Read named arrays, and check them against what is expected.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    like : dict of str to array, optional
        Arrays with the expected names, shapes and dtypes.  Then floats must be finite.

    Returns
    -------
    dict of str to array
        The content.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    BadFileError
        The file is damaged, holds a pickle, or differs from `like`.
    """
    try:
        # Opened once and not by NumPy, which would take any other file for a pickle.
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise BadFileError(f"{path}: {damaged} is damaged (checksum).")
            arrays = {}
            for name in archive.namelist():
                if not name.endswith(".npy"):
                    raise BadFileError(
                        f"{path}: expected only .npy members, got {name}."
                    )
                with archive.open(name) as member:
                    arrays[name[:-4]] = numpy.lib.format.read_array(
                        member, allow_pickle=False
                    )
    except BadFileError:
        raise
    except FileNotFoundError:
        raise
    except Exception as error:  # headers and archives can be wrong in any way
        raise BadFileError(
            f"{path}: not a readable .npz of plain arrays: {error}"
        ) from error
    if like is not None:
        check_arrays(path, arrays, like)
    return arrays


def check_arrays(path, arrays, like):
    """Check arrays against what is expected.

    Parameters
    ----------
    path : str or os.PathLike
        Named in errors.
    arrays : dict of str to array
        What was read.
    like : dict of str to array
        Arrays with the expected names, shapes and dtypes; floats must be finite.

    Raises
    ------
    BadFileError
        They are of another model, or not finite.
    """
    missing, extra = sorted(like.keys() - arrays), sorted(arrays.keys() - like.keys())
    if missing or extra:
        raise BadFileError(
            f"{path}: expected the arrays of another model. Missing: "
            f"{', '.join(missing) or 'none'}; not expected: {', '.join(extra) or 'none'}."
        )
    for name, want in like.items():
        got = arrays[name]
        if got.shape != want.shape:
            raise BadFileError(
                f"{path}: expected {name} of shape {want.shape}, got {got.shape}. The "
                "file belongs to a model of other sizes."
            )
        if (
            got.dtype.kind != want.dtype.kind
            or got.dtype.itemsize > want.dtype.itemsize
        ):
            raise BadFileError(
                f"{path}: expected {name} of dtype {want.dtype}, got {got.dtype}."
            )
        if got.dtype.kind == "f" and not numpy.isfinite(got).all():
            raise BadFileError(
                f"{path}: expected finite numbers in {name}, got NaN or inf."
            )


def write_json(path, value):
    """Write a JSON file, atomically, indented, keys in the given order.

    Parameters
    ----------
    path : str or os.PathLike
        The target.
    value : dict or list
        Anything that JSON holds.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())


def read_json(path):
    """Read a JSON file.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    dict or list
        The content.

    Raises
    ------
    BadFileError
        It is not JSON.
    """
    with open(path, "rb") as file:
        data = file.read()
    try:
        return json.loads(data.decode())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadFileError(f"{path}: not readable as JSON: {error}") from error
