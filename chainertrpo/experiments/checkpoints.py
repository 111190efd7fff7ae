"""Checkpoints of a run: whole or not there, and exact enough to go on bit for bit.

A checkpoint is a folder ``checkpoints/<steps>`` with the agent's files and
``state.json``.  It is written under another name and renamed when complete, so what has
its name is whole; the last two are kept.
"""

import hashlib
import json
import os
import shutil

from chainertrpo.data import BadFileError, read_json, read_npz, write_json, write_npz
from chainertrpo.data.files import sync_folder

FOLDER = "checkpoints"
KEEP = 2
ARRAYS = "collection.npz"


def save_checkpoint(outdir, t, agent, state, tables=(), arrays=None):
    """Write a checkpoint.

    Parameters
    ----------
    outdir : str
        The run's folder.
    t : int
        Steps done; the checkpoint's name.
    agent : object
        With ``save`` and ``get_state``.
    state : dict
        Whatever else goes on; JSON.
    tables : sequence of str
        Names of files in `outdir` that only grow; their sizes are remembered, and they
        are cut back to them by `load_checkpoint`.
    arrays : dict of str to array, optional
        Whatever else goes on and is no JSON.

    Returns
    -------
    str
        The checkpoint's folder.
    """
    parent = os.path.join(outdir, FOLDER)
    path, writing = os.path.join(parent, str(t)), os.path.join(parent, ".writing")
    shutil.rmtree(writing, ignore_errors=True)
    agent.save(writing)
    sizes = {name: os.path.getsize(os.path.join(outdir, name)) for name in tables}
    content = {"t": t, "state": state, "agent": agent.get_state(), "tables": sizes}
    if arrays is not None:
        write_npz(os.path.join(writing, ARRAYS), arrays)
        content["arrays"] = _file_digest(os.path.join(writing, ARRAYS))
    content["sha256"] = _digest(content)
    write_json(os.path.join(writing, "state.json"), content)
    shutil.rmtree(path, ignore_errors=True)
    os.rename(writing, path)
    sync_folder(parent)
    for old in _names(outdir)[:-KEEP]:
        shutil.rmtree(os.path.join(parent, old), ignore_errors=True)
    return path


def _digest(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file_digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def newest_checkpoint(outdir):
    """Return the folder of the newest checkpoint; None if there is none."""
    names = _names(outdir)
    return os.path.join(outdir, FOLDER, names[-1]) if names else None


def remove_checkpoints(outdir):
    """Remove all checkpoints of a run's folder."""
    shutil.rmtree(os.path.join(outdir, FOLDER), ignore_errors=True)


def _names(outdir):
    """Checkpoints in the order of their steps."""
    try:
        names = os.listdir(os.path.join(outdir, FOLDER))
    except FileNotFoundError:
        return []
    return sorted((name for name in names if name.isdigit()), key=int)


def load_checkpoint(outdir, agent):
    """Go on from the newest checkpoint that can be read.

    Parameters
    ----------
    outdir : str
        The run's folder.
    agent : object
        With ``load`` and ``set_state``; built as it was.

    Returns
    -------
    dict or None
        What `save_checkpoint` was given, with ``t``, and ``arrays`` if there are any; None
        if there is no checkpoint.

    Raises
    ------
    BadFileError
        There are checkpoints, but none can be read; the message is that of the newest.
    """
    first_error = None
    for name in reversed(_names(outdir)):
        path = os.path.join(outdir, FOLDER, name)
        try:
            content = _read_state(outdir, path)
            arrays = _read_arrays(path, content)
            agent.load(path)
            agent.set_state(content["agent"])
            state = {**content["state"], "t": content["t"], **arrays}
        except (BadFileError, FileNotFoundError, KeyError, TypeError) as error:
            first_error = first_error or error
            continue
        for table, size in content["tables"].items():
            os.truncate(os.path.join(outdir, os.path.basename(table)), size)
        return state
    if first_error is not None:
        raise BadFileError(
            f"{outdir}: no checkpoint can be read: {first_error}"
        ) from first_error
    return None


def _read_arrays(path, content):
    if "arrays" not in content:
        return {}
    path = os.path.join(path, ARRAYS)
    if _file_digest(path) != content["arrays"]:
        raise BadFileError(f"{path}: damaged (SHA-256).")
    return {"arrays": read_npz(path)}


def _read_state(outdir, path):
    path = os.path.join(path, "state.json")
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("sha256", None) != _digest(content):
        raise BadFileError(f"{path}: damaged (SHA-256).")
    for table, size in content["tables"].items():
        table_path = os.path.join(outdir, os.path.basename(table))
        if not os.path.exists(table_path) or os.path.getsize(table_path) < size:
            raise BadFileError(
                f"{table_path}: expected at least {size} bytes, as when {path} was "
                "written; rows have been lost."
            )
    return content
