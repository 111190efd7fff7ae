"""One update with ``recurrent=True`` here and in ChainerRL 0.8, from equal parameters.

parity/recurrent/ holds what ChainerRL did (parity/record_chainerrl_recurrent.py).
"""

import pathlib

from chainertrpo import TRPO
from chainertrpo.chainerrl import distribution, links, policies
from chainertrpo.data import Path, read_npz
from chainertrpo.numerics import flatten
from chainertrpo.policies import EmpiricalNormalization

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from test_parity import TOLERANCE, errors, part

FOLDER = pathlib.Path(__file__).parent / "parity" / "recurrent"
SETTINGS = {
    "gamma": 0.995,
    "lambd": 0.97,
    "entropy_coef": 0,
    "max_kl": 0.01,
    "vf_epochs": 5,
    "vf_batch_size": 16,
    "conjugate_gradient_max_iter": 20,
    "conjugate_gradient_damping": 1e-1,
    "recurrent": True,
}


def gru():
    head = policies.GaussianHeadWithStateIndependentCovariance(
        2, "diagonal", lambda x: F.exp(2 * x)
    )
    build = links.StatelessRecurrentSequential
    core = L.NStepGRU(1, 8, 6, 0)
    policy = build(L.Linear(5, 8), F.tanh, core, L.Linear(6, 2), head)
    return policy, build(L.Linear(5, 8), F.tanh, L.Linear(8, 1))


def lstm():
    build = links.StatelessRecurrentSequential
    softmax = distribution.SoftmaxDistribution
    policy = build(L.NStepLSTM(2, 5, 6, 0), L.Linear(6, 3), softmax)
    return policy, build(L.NStepGRU(1, 5, 6, 0), L.Linear(6, 1))


RECORDS = {"gru": (gru, {}), "lstm": (lstm, {"max_recurrent_sequence_len": 7})}


class Orders:
    """A generator that shuffles as ChainerRL did."""

    def __init__(self, orders):
        self._orders = iter(orders)

    def permutation(self, n):
        order = next(self._orders)
        assert sorted(order) == list(range(n))
        return order


def updated(name, record, **changes):
    build, own = RECORDS[name]
    with chainer.using_config("dtype", np.float64):
        policy, vf = build()
        normalizer = EmpiricalNormalization(5, clip_threshold=5)
    for link, network in ((policy, "policy"), (vf, "vf")):
        for key, x in link.namedparams():
            x.array = record[f"before/{network}{key}"].copy()
    given = part(record, "given", "normalizer")
    chainer.serializers.NpzDeserializer(given).load(normalizer)
    optimizer = chainer.optimizers.Adam().setup(vf)
    agent = TRPO(policy, vf, optimizer, normalizer, **{**SETTINGS, **own, **changes})
    agent._streams["fit"] = Orders(part(record, "order", "vf").values())
    lengths = record["lengths"]
    ends = np.cumsum(lengths)[:-1]
    pieces = zip(
        np.split(record["obs"], np.cumsum(lengths + 1)[:-1]),
        np.split(record["action"], ends),
        np.split(record["reward"], ends),
        record["terminal"].tolist(),
        record["carry"],
    )
    agent.update([Path(*piece) for piece in pieces])
    assert agent.last_step.accepted
    return agent


def off(name, record, **changes):
    """{network: ‖ours − theirs‖ / ‖theirs − before‖}."""
    agent = updated(name, record, **changes)
    moved = {
        network: {
            key: x.array - record[f"before/{network}{key}"]
            for key, x in getattr(agent, network).namedparams()
        }
        for network in ("policy", "vf")
    }
    return errors(moved, record)


@pytest.mark.parametrize(
    "name, curvature", [("gru", "hessian"), ("lstm", "gauss_newton")]
)
def test_an_update_with_memory_is_chainerrls(name, curvature):
    record = read_npz(FOLDER / f"{name}.npz")
    found = off(name, record, curvature=curvature)
    print(name, curvature, *(f"{k} {error:.1e}" for k, error in found.items()))
    assert len(found) == 2 and max(found.values()) < TOLERANCE


@pytest.mark.long
@pytest.mark.parametrize(
    "name, change, network",
    [
        ("gru", {"gamma": 0.9951}, "policy"),
        ("lstm", {"max_recurrent_sequence_len": None}, "policy"),
    ],
)
def test_the_comparison_sees_a_change(name, change, network):
    record = read_npz(FOLDER / f"{name}.npz")
    if "max_recurrent_sequence_len" in change:  # values are shuffled in other pieces
        record = {k: x for k, x in record.items() if not k.startswith("order")}
        orders = np.tile(np.arange(4), (5, 1))
        record.update({f"order/vf/{i}": x for i, x in enumerate(orders)})
    assert off(name, record, **change)[network] > TOLERANCE


@pytest.mark.long
def test_the_comparison_sees_what_was_remembered():
    record = read_npz(FOLDER / "lstm.npz")
    assert record["carry"][0].all() and not record["carry"][1:].any()
    found = off("lstm", {**record, "carry": 0 * record["carry"]})
    assert min(found.values()) > TOLERANCE
    assert flatten(updated("lstm", record).vf).dtype == np.float64
