"""A run's folder has one owner, and what a run has left there is not overwritten."""

import contextlib
import json
import logging
import os
import re
import shutil
import socket
import threading

from chainertrpo import ranks

LOCK, OWNER = ".run.lock", ".run.owner"
TABLES = ("scores.txt", "episodes.txt")
AGENTS = re.compile(r"\d+_(checkpoint|except|finish)")
_owned = {}  # real path -> [thread, how often]


class FolderInUseError(OSError):
    """Another process trains in this folder; the message names it."""


class FolderHoldsRunError(FileExistsError):
    """A run would overwrite another; the message says what is there, and the remedy."""


@contextlib.contextmanager
def owned_folder(outdir, *, goes_on=False, overwrite=False):
    """Own a run's folder, which is made if missing, until the end of a ``with``.

    Whoever owns it already, in the same thread, owns it once more: then nothing is
    checked or removed.  The system gives the folder free when its owner ends, however it
    does.  Of several ranks the first owns it for all, and the others do nothing here.

    Parameters
    ----------
    outdir : str or os.PathLike
        The folder.
    goes_on : bool
        The run that is there is continued.
    overwrite : bool
        Otherwise: remove what a run has left.

    Raises
    ------
    FolderInUseError
        Somebody else owns it.
    FolderHoldsRunError
        It holds a run.
    """
    if ranks.rank():
        yield
        return
    os.makedirs(outdir, exist_ok=True)
    path, thread = os.path.realpath(outdir), threading.get_ident()
    if path in _owned:
        if _owned[path][0] != thread:
            raise FolderInUseError(f"{outdir}: another thread of this process uses it.")
        yield
        return
    with _locked(path, outdir):
        _owned[path] = [thread]
        try:
            if not goes_on:
                _make_room(outdir, overwrite)
            yield
        finally:
            del _owned[path]


@contextlib.contextmanager
def _locked(path, outdir):
    import filelock  # only for who trains: it looks at every import and file from then on

    lock = filelock.FileLock(os.path.join(path, LOCK))
    owner = os.path.join(path, OWNER)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise FolderInUseError(
            f"{outdir}: in use by {_holder(owner)}. Wait for its end, end it, or use "
            "another folder."
        ) from error
    except NotImplementedError as error:  # a file system without locks
        logging.getLogger(__name__).warning("%s cannot be locked: %s", outdir, error)
        yield
        return
    try:
        with open(owner, "w") as file:
            json.dump({"pid": os.getpid(), "host": socket.gethostname()}, file)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(owner)
        lock.release()


def _holder(path):
    try:
        with open(path) as file:
            about = json.load(file)
        return f"process {int(about['pid'])} on {str(about['host'])[:100]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def what_holds(outdir):
    """Say what a run has left in a folder.

    Parameters
    ----------
    outdir : str or os.PathLike
        The folder; it need not exist.

    Returns
    -------
    list of str
        Names; a table that has no row but its header is none.
    """
    try:
        names = sorted(os.listdir(outdir))
    except FileNotFoundError:
        return []
    found = [name for name in names if AGENTS.fullmatch(name) or name == "best"]
    if os.path.isdir(os.path.join(outdir, "checkpoints")):
        found += ["checkpoints"] if os.listdir(f"{outdir}/checkpoints") else []
    for name in TABLES:
        if name in names:
            with open(os.path.join(outdir, name), "rb") as file:
                found += [name] if file.read().count(b"\n") > 1 else []
    return found


def _make_room(outdir, overwrite):
    found = what_holds(outdir)
    if found and not overwrite:
        raise FolderHoldsRunError(
            f"{outdir}: holds a run already ({', '.join(found)}). Give another folder, "
            "or overwrite=True to remove it."
        )
    if overwrite:
        for name in [*found, *TABLES, "checkpoints"]:
            path = os.path.join(outdir, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
