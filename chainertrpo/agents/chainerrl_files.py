"""Agents that ChainerRL saved, read into ours without its pickles."""

import itertools
import os

from chainertrpo.agents.storage import arrays_of, fill, shaped
from chainertrpo.data import BadFileError, check_arrays, read_npz


def load_chainerrl(agent, dirname):
    """Read what ``chainerrl.agents.TRPO`` or ``PPO`` saved into an agent of ours.

    ChainerRL's example and reproduction scripts wrote such folders.  Chainer's own reader
    of them can run code; this one cannot.  The agent must have networks like the saved
    ones: the same widths, and a state-independent log σ or a softmax.  ``var_param`` is
    taken for log σ, as all of ChainerRL's scripts mean it (their ``var_func`` is exp(2x);
    the file does not say).

    Parameters
    ----------
    agent : OnPolicyAgent
        With our own networks, or ChainerRL's.
    dirname : str or os.PathLike
        The folder, such as ``.../best`` or ``.../2000000_finish``.

    Raises
    ------
    FileNotFoundError
        The folder or one of the agent's files is missing.
    BadFileError
        A file is damaged, holds a pickle, or is of another model; then nothing has been
        changed.
    """
    objects = {name: getattr(agent, name) for name in agent.saved_attributes}
    objects = {name: x for name, x in objects.items() if x is not None}
    saved = {name[:-4] for name in os.listdir(dirname) if name.endswith(".npz")}
    if not saved <= objects.keys():
        raise BadFileError(
            f"{dirname}: the saved agent has {', '.join(sorted(saved - objects.keys()))}, "
            "this one has no use for it. Build the agent as the saved one was."
        )
    read = {}
    paths = {name: os.path.join(dirname, f"{name}.npz") for name in objects}
    for name, x in shaped(objects, paths).items():
        path, like = paths[name], arrays_of(x)
        read[name] = _renamed(read_npz(path), like)
        if read[name] is None:
            raise BadFileError(
                f"{path}: not of networks like this agent's. Build the agent with the "
                "layers and the kind of policy that the saved one had."
            )
        check_arrays(path, read[name], like)
    fill(objects, read)
    agent.refresh()


def _renamed(arrays, like):
    """ChainerRL's arrays under the names of `like`, or None where that cannot be."""
    # An optimiser has t and epoch of its own, and t, m and v of each parameter.
    is_optimizer = "epoch" in like

    def split(name):
        return name.rpartition("/")[::2] if is_optimizer else (name, "")

    ours, theirs = ({split(name)[0] for name in names} for names in (like, arrays))
    for spelling in _spellings(ours):
        names = {other: name for name, other in spelling.items()}
        if names.keys() == theirs and set(names.values()) == ours:
            moved = ((names[owner], leaf) for owner, leaf in map(split, arrays))
            return dict(
                zip(("/".join(filter(None, x)) for x in moved), arrays.values())
            )
    return None


def _spellings(ours):
    """{our name: ChainerRL's name} for each way in which its networks were built."""
    rest = {name: name for name in ours if "mlp/" not in name and "log_std" not in name}
    found = [{name: name for name in ours}]  # its own links, and the normaliser
    if any(name.startswith("policy/") for name in ours):  # ActorCritic, its Branched
        policies, vfs = (
            [
                {f"{mine}/{name}": f"{its}/{other}" for name, other in names.items()}
                for names in _networks({x.partition("/")[2] for x in ours if mine in x})
            ]
            for mine, its in (("policy", "0"), ("vf", "1"))
        )
        found += [{**rest, **a, **b} for a, b in itertools.product(policies, vfs)]
    else:
        found += [{**rest, **names} for names in _networks(ours)]
    return found


def _networks(ours):
    """The same for a policy or a value function alone."""
    n = sum(name.startswith("mlp/") and name.endswith("/W") for name in ours)
    gaussian = "log_std" in ours
    n_links = n + gaussian
    kept = [
        # chainer.Sequential puts every link after the first into second place.
        (["0", *(str(n_links - i) for i in range(1, n))], "1/var_param"),
        # FCGaussianPolicyWithStateIndependentCovariance
        ([f"hidden_layers/{i}" for i in range(n)], "var_param"),
        # FCSoftmaxPolicy and FCVFunction
        ([*(f"model/hidden_layers/{i}" for i in range(n - 1)), "model/output"], None),
    ]
    return [
        {
            **{f"mlp/{i}/{x}": f"{layers[i]}/{x}" for i in range(n) for x in "Wb"},
            **({"log_std": log_std} if gaussian else {}),
        }
        for layers, log_std in kept
    ]
