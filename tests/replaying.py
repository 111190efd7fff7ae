"""Our update from a record of parity/, and how far it is from the ancestor's."""

import json
import pathlib
import types

from chainertrpo import make_agent, settings_of
from chainertrpo.data import Path, read_npz

import chainer
import numpy as np

FOLDER = pathlib.Path(__file__).parent / "parity"
TOLERANCE = 1e-5  # of what the update moved, in float64
# In its file the ancestor's own wrappers normalised nothing.
BARE = {"obs_normalizer": None}


def record_of(name):
    """A record by the path of its file in parity/, with what it shares with another."""
    record = read_npz(FOLDER / f"{name}.npz")
    return {**record_of(str(record["base"])), **record} if "base" in record else record


class Dice:
    """A generator that gives what the ancestor drew."""

    def __init__(self, rows, start):
        self._rows = iter(rows.astype(int))
        self._start = start

    def permutation(self, n):
        order = next(self._rows, np.arange(n))  # of whole batches none was noted
        assert sorted(order) == list(range(n))
        return order

    def standard_normal(self, shape):
        assert self._start.shape == shape
        return self._start


def part(record, *names):
    """The arrays whose names begin with these, in the order of flat vectors."""
    begin = "/".join(names) + "/"
    return {
        name[len(begin) :]: x
        for name, x in sorted(record.items())
        if name.startswith(begin)
    }


def agent_of(settings, record, dtype=np.float64):
    """An agent with the spaces and the parameters of a record."""
    n_outputs = len(record["before/policy/mlp/2/b"])
    obs_space = types.SimpleNamespace(shape=record["obs"].shape[1:])
    bounds = {name: record.get(name, one) for name, one in (("low", -1), ("high", 1))}
    action_space = types.SimpleNamespace(shape=(n_outputs,), **bounds)
    if record["action"].dtype.kind == "i":
        action_space = types.SimpleNamespace(n=n_outputs)
    with chainer.using_config("dtype", dtype):
        agent = make_agent(obs_space, action_space, settings, seed=0)
    for name in ("policy", "vf"):
        put(getattr(agent, name), part(record, "before", name))
    return agent


def put(link, arrays):
    params = {name[1:]: x for name, x in link.namedparams()}
    assert params.keys() == arrays.keys()
    for name, x in params.items():
        x.array[...] = arrays[name]


def paths_of(record):
    ends = np.cumsum(record["lengths"])[:-1]
    pieces = zip(
        np.split(record["obs"], np.cumsum(record["lengths"] + 1)[:-1]),
        np.split(record["action"], ends),
        np.split(record["reward"], ends),
        record["terminal"].tolist(),
    )
    return [Path(*piece) for piece in pieces]


def ready(record, dtype=np.float64, **changes):
    """An agent of ours before the update of a record."""
    for name in ("policy", "vf"):
        changes[name] = {"hidden_sizes": [8, 8], **changes.get(name, {})}
    own = json.loads(str(record["changes"])) if "changes" in record else {}
    settings = settings_of(settings_of(str(record["preset"]), **own), **changes)
    given = part(record, "given", "normalizer")
    settings = {**settings, **({} if given else BARE)}
    agent = agent_of(settings, record, dtype)
    if given:
        chainer.serializers.NpzDeserializer(given).load(agent.obs_normalizer)
        agent.refresh()
    unit = part(record, "given", "unit")
    if unit:
        for name, x in unit.items():
            getattr(agent.vf, name)[...] = x
    start = part(record, "start", "policy").values()
    start = np.concatenate([x.ravel() for x in start]) if start else None
    agent._streams["fit"] = Dice(record["rows"], start)
    return agent


def updated(record, dtype=np.float64, **changes):
    """An agent of ours after the update of a record."""
    agent = ready(record, dtype, **changes)
    agent.update(paths_of(record))
    return agent


def replay(record, dtype=np.float64, **changes):
    """Our update from a record; {network: {name: what it moved by}}."""
    agent = updated(record, dtype, **changes)
    assert agent.last_step.accepted
    return moved(agent, record)


def moved(agent, record):
    """What an agent's parameters moved by since the record's; as `replay` returns it."""
    return {
        name: {
            key: x.array - record[f"before/{name}{key}"]
            for key, x in getattr(agent, name).namedparams()
        }
        for name in ("policy", "vf")
    }


def errors(moved, record):
    """{network: ‖ours − theirs‖ / ‖theirs − before‖} of what the record has an end of.

    Where theirs did not move at all it is 0 if ours did not either, and else infinite.
    """
    found = {}
    for name, parts in moved.items():
        before, after = part(record, "before", name), part(record, "after", name)
        if not after:
            continue
        theirs = np.concatenate([(after[k] - before[k]).ravel() for k in before])
        ours = np.concatenate([parts[f"/{k}"].ravel() for k in before])
        off, size = np.linalg.norm(ours - theirs), np.linalg.norm(theirs)
        found[name] = off / size if size else np.inf if off else 0.0
    return found
