"""What the recorders of this folder share: an experience, and the form of their files.

A recorder runs in its ancestor's environment, so this file knows NumPy only.  One file is
one update: what was experienced, the parameters before and after it under our names, and
what the ancestor drew at random (the order of rows, where conjugate gradient started).
"""

import importlib.metadata
import json
import pathlib
import platform
import typing

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


def write(
    preset,
    data,
    before,
    after,
    packages,
    rows=(),
    copy=None,
    case=None,
    folder=FOLDER,
    **more,
):
    """Write <preset>.npz; `before` and `after` are {"policy": arrays, "vf": arrays}.

    A network that is not in `after` is not compared.  `copy` is {repository: commit} of an
    ancestor that is not a package.  A `Case` is written as cases/<preset>.<case>.npz, and
    without the arrays that are those of <preset>.npz.
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
        if case is None or case.fraction > 0 or network == "vf"
    ]
    stays = case is not None and not case.moves
    assert stays or min(moved) > 0, "every array is meant to move"
    path = folder / f"{preset}.npz"
    if case is not None:
        path = FOLDER / "cases" / f"{preset}.{case.name}.npz"
        arrays = {**_but(arrays, FOLDER / f"{preset}.npz"), **case.arrays()}
    numpy.savez_compressed(path, **arrays)
    said = f" {case.n_tries} tries, {case.fraction} of the step;" if case else ""
    print(
        f"{path.stem}:{said} moved by {min(moved):.1e} to {max(moved):.1e}; {versions}"
    )


class Case(typing.NamedTuple):
    """An update under settings that are not the preset's, and what its search did.

    `changes` are ours: by part, as `settings_of` takes them.  `cg_iterations` is None
    where the ancestor does not let them be counted.  Without `moves` the step is so small
    that no parameter changes.
    """

    name: str
    changes: dict
    n_tries: int
    fraction: float
    cg_iterations: typing.Optional[int] = None
    moves: bool = True

    def arrays(self):
        """What of it is written beside the update."""
        found = {
            "case": numpy.array(self.name),
            "changes": numpy.array(json.dumps(self.changes)),
            "n_tries": numpy.array(self.n_tries),
            "fraction": numpy.array(self.fraction),
        }
        if self.cg_iterations is not None:
            found["cg_iterations"] = numpy.array(self.cg_iterations)
        return found


def start_of(preset, network):
    """What a network of <preset>.npz began with: its cases begin there too."""
    begin = f"before/{network}/"
    with numpy.load(FOLDER / f"{preset}.npz") as base:
        return {
            name[len(begin) :]: base[name]
            for name in base.files
            if name.startswith(begin)
        }


def _but(arrays, path):
    """The arrays that the file at `path` does not have; all, if it has others."""
    with numpy.load(path) as base:
        if not set(base.files) <= set(arrays):
            return arrays
        own = {
            name: x
            for name, x in arrays.items()
            if name not in base.files or not numpy.array_equal(base[name], x)
        }
    return {**own, "preset": arrays["preset"], "base": arrays["preset"]}
