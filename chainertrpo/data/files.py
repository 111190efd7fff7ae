"""Arrays and JSON on disk: written whole or not at all, and read with suspicion.

Only ``.npz`` without pickles and ``.json`` exist here; nothing that is read can run code.
A file is written beside its target, flushed to the disk and renamed over it, so whoever
is killed in between leaves the old file.
"""

import contextlib
import io
import json
import math
import os
import re
import tempfile
import zipfile

import numpy

# What a file may hold, unless it is as large itself: a small file that expands to more is
# hostile, or compressed so well that its reader says so with `max_bytes`.
MAX_BYTES = 256 * 2**20
MAX_MEMBERS, MAX_JSON, CHUNK = 10_000, 64 * 2**20, 2**20
KINDS = "biufcUSMm"  # of dtypes; no Python objects and no records


class BadFileError(ValueError):
    """A file is not what it should be; the message says which file and in what.

    Parameters
    ----------
    text : str
        The message; the middle of a very long one, which quotes the file, is left out.
    """

    def __init__(self, text):
        if len(text) > 1500:
            text = f"{text[:1000]} … {text[-400:]}"
        super().__init__(text)


def file_name(env_id):
    """Name a file or folder after an environment: ``ALE/Pong-v5`` becomes ``ALE-Pong-v5``.

    Parameters
    ----------
    env_id : str
        Its id, perhaps with a namespace (``/``) and a module (``:``).

    Returns
    -------
    str
        Letters, digits and ``._+-``, everything else replaced by ``-``; never hidden and
        never empty, at most 150 characters.  What is a file's name already is kept.
    """
    name = re.sub(r"[^\w.+-]", "-", str(env_id))
    return (re.sub(r"^\.+", "-", name) or "-")[:150]


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
    """Flush the names in a folder to the disk, so that a rename survives a power cut."""
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


def read_npz(path, like=None, max_bytes=None):
    """Read named arrays, and check them against what is expected.

    Names, sizes and dtypes are checked before anything is expanded.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    like : dict of str to array, optional
        Arrays with the expected names, shapes and dtypes.  Then floats must be finite.
    max_bytes : int, optional
        What the arrays may take in all; by default 256 MiB, or the size of the file if it
        is larger.

    Returns
    -------
    dict of str to array
        The content.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    BadFileError
        The file is damaged, too large, holds a pickle, or differs from `like`.
    """
    with _opened_npz(path, max_bytes) as (archive, headers):
        if like is not None:
            _check_headers(path, headers, like)
        arrays = {
            name: _read_member(path, archive, name, header)
            for name, header in headers.items()
        }
    if like is not None:
        check_arrays(path, arrays, like)
    return arrays


def read_npz_shapes(path, max_bytes=None):
    """Read which arrays there are in an ``.npz``, without reading them.

    Parameters
    ----------
    path, max_bytes
        As in `read_npz`, which has the errors too.

    Returns
    -------
    dict of str to (tuple of int)
        Name -> shape.
    """
    with _opened_npz(path, max_bytes) as (_, headers):
        return {name: header.shape for name, header in headers.items()}


@contextlib.contextmanager
def _opened_npz(path, max_bytes):
    # The archive, and its headers by name, checked; whatever goes wrong names the file.
    try:
        # Opened once and not by NumPy, which would take any other file for a pickle.
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            size = os.fstat(file.fileno()).st_size
            members = _check_members(path, archive.infolist(), size, max_bytes)
            yield (
                archive,
                {
                    name: _read_header(path, archive, info)
                    for name, info in members.items()
                },
            )
    except (BadFileError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # headers and archives can be wrong in any way
        raise BadFileError(
            f"{path}: not a readable .npz of plain arrays: {error}"
        ) from error


def _check_members(path, infos, size, max_bytes):
    names = [info.filename for info in infos]
    wrong = [name for name in names if not name.endswith(".npy")]
    if wrong:
        raise BadFileError(f"{path}: expected only .npy members, got {wrong[0][:200]}.")
    if len(names) > MAX_MEMBERS or len(set(names)) < len(names):
        raise BadFileError(
            f"{path}: expected at most {MAX_MEMBERS} members, each of its own name, got "
            f"{len(names)}."
        )
    limit = max(MAX_BYTES, size) if max_bytes is None else max_bytes
    total = sum(info.file_size for info in infos)
    if total > limit:
        raise too_large(path, total, limit)
    return {info.filename[:-4]: info for info in infos}


def too_large(path, total, limit):
    """Return the error of a file that would take too much memory."""
    return BadFileError(
        f"{path}: expected at most {limit} bytes of arrays, got {total} in a file that is "
        "much smaller, or declares them without having them. If it is to be trusted, "
        "allow more: max_bytes (--max-load-bytes)."
    )


class _Header:
    """Shape, order and dtype of an array in a file, and where its numbers begin."""

    def __init__(self, member, size):
        version = numpy.lib.format.read_magic(member)
        readers = {
            (1, 0): numpy.lib.format.read_array_header_1_0,
            (2, 0): numpy.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"version {version} of the format .npy is not for numbers")
        self.shape, self.fortran, self.dtype = readers[version](member)
        if self.dtype.hasobject:
            raise ValueError("it holds Python objects (a pickle)")
        if self.dtype.kind not in KINDS:
            raise ValueError(f"its dtype is {self.dtype}")
        if any(n < 0 for n in self.shape):
            raise ValueError(f"its shape is {self.shape}")
        self.start = member.tell()
        self.n_bytes = math.prod(self.shape) * self.dtype.itemsize
        if self.start + self.n_bytes != size:
            raise ValueError(
                f"its shape {self.shape} of {self.dtype} is {self.n_bytes} bytes, but "
                f"there are {size - self.start}"
            )


def _read_header(path, archive, info):
    try:
        with archive.open(info) as member:
            return _Header(member, info.file_size)
    except Exception as error:
        raise BadFileError(
            f"{path}: not a readable .npz of plain arrays: {info.filename}: {error}"
        ) from error


def _read_member(path, archive, name, header):
    array = numpy.empty(math.prod(header.shape), header.dtype)
    with archive.open(f"{name}.npy") as member:
        member.read(header.start)
        to = array.view(numpy.uint8) if header.n_bytes else array
        for start in range(0, header.n_bytes, CHUNK):
            chunk = member.read(min(CHUNK, header.n_bytes - start))
            to[start : start + len(chunk)] = numpy.frombuffer(chunk, numpy.uint8)
        if member.read(1):  # the end, at which the checksum is compared
            raise BadFileError(f"{path}: {name} goes on behind its end.")
    return array.reshape(header.shape, order="F" if header.fortran else "C")


def _check_headers(path, headers, like):
    missing, extra = sorted(like.keys() - headers), sorted(headers.keys() - like.keys())
    if missing or extra:
        raise BadFileError(
            f"{path}: expected the arrays of another model. Missing: "
            f"{', '.join(missing) or 'none'}; not expected: {', '.join(extra) or 'none'}."
        )
    for name, want in like.items():
        got = headers[name]
        if tuple(got.shape) != tuple(want.shape):
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
    _check_headers(path, arrays, like)
    for name, got in arrays.items():
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
        It is not JSON, or too large.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_JSON:
                raise BadFileError(
                    f"{path}: expected at most {MAX_JSON} bytes of JSON, got {size}."
                )
            data = file.read()
    except IsADirectoryError as error:
        raise BadFileError(f"{path}: expected a file, got a folder.") from error
    try:
        return json.loads(data.decode())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise BadFileError(f"{path}: not readable as JSON: {error}") from error
