"""What the recorders of this folder share: an experience, and the form of their files.

A recorder runs in its ancestor's environment, so this file knows NumPy only.  One file is
one update: what was experienced, the parameters before and after it under our names, and
what the ancestor drew at random (the order of rows, where conjugate gradient started).
"""

import importlib.metadata
import json
import pathlib
import platform

import numpy

OBS_SIZE, ACTION_SIZE, HIDDEN = 5, 2, 8
LENGTHS = (60, 100, 40, 56)  # 256 steps in all: minibatches divide them
FOLDER = pathlib.Path(__file__).parent


def experience(seed=0, n_actions=None, terminal=(True, False, True, False)):
    """Observations, actions and rewards, all of them float32 numbers held in float64."""
    rng = numpy.random.RandomState(seed)
    n = sum(LENGTHS)
    obs = rng.normal(1, 2, (n + len(LENGTHS), OBS_SIZE))
    action = rng.standard_normal((n, ACTION_SIZE))
    reward = rng.standard_normal(n)
    if n_actions is not None:
        action = rng.randint(n_actions, size=n).astype("i")
    round_ = (lambda x: x) if n_actions else _to_float32
    return {
        "obs": _to_float32(obs),
        "action": round_(action),
        "reward": _to_float32(reward),
        "lengths": numpy.array(LENGTHS),
        "terminal": numpy.array(terminal),
    }


def _to_float32(x):
    return x.astype("f").astype("d")


def shaken(array, rng):
    """Parameters away from zero: biases and log σ count then too."""
    return array + 0.1 * rng.standard_normal(array.shape)


def episodes(data):
    """The experience as ChainerRL's and PFRL's lists of transitions, with their rows."""
    found, row = [], 0
    for i, n in enumerate(data["lengths"]):
        episode = []
        for t in range(n):
            last = t == n - 1
            episode.append(
                {
                    "index": row,
                    "state": data["obs"][row + i],
                    "next_state": data["obs"][row + i + 1],
                    "action": data["action"][row],
                    "reward": float(data["reward"][row]),
                    "nonterminal": 0.0 if last and data["terminal"][i] else 1.0,
                }
            )
            row += 1
        found.append(episode)
    return found


def named(layers, log_std=None):
    """Our names of an MLP's arrays: layers are (W, b), W of shape (out, in)."""
    arrays = {}
    for i, (weight, bias) in enumerate(layers):
        arrays[f"mlp/{i}/W"], arrays[f"mlp/{i}/b"] = weight, bias
    if log_std is not None:
        arrays["log_std"] = log_std
    return {name: numpy.array(x, dtype="d") for name, x in arrays.items()}


def write(preset, data, before, after, packages, rows=(), copy=None, **more):
    """Write <preset>.npz; `before` and `after` are {"policy": arrays, "vf": arrays}.

    A network that is not in `after` is not compared.  `copy` is {repository: commit} of an
    ancestor that is not a package.
    """
    versions = {name: importlib.metadata.version(name) for name in packages}
    versions = {"python": platform.python_version(), **versions, **(copy or {})}
    arrays = {
        "preset": numpy.array(preset),
        "versions": numpy.array(json.dumps(versions)),
        "rows": numpy.array(rows, "i2").reshape(-1, sum(LENGTHS)),
        **data,
    }
    for when, networks in (("before", before), ("after", after), *more.items()):
        for network, parts in networks.items():
            for name, array in parts.items():
                arrays[f"{when}/{network}/{name}"] = array
    moved = [
        numpy.abs(x - before[network][name]).max()
        for network, parts in after.items()
        for name, x in parts.items()
    ]
    assert min(moved) > 0, "every array is meant to move"
    numpy.savez_compressed(FOLDER / f"{preset}.npz", **arrays)
    print(f"{preset}: moved by {min(moved):.1e} to {max(moved):.1e}; {versions}")
