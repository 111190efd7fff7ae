"""How many kernels an update starts on a GPU: the stand-in counts them exactly.

The table in docs/gpu.md holds what is measured here.
"""

import pathlib
import re

from chainertrpo import TRPO, GaussianPolicy, ValueFit, ValueFunction
from chainertrpo.data import Path
from chainertrpo.numerics import conjugate_gradient
from chainertrpo.updates import CG, Curvature, Discriminator, GradientStep, NaturalStep

import chainer
import numpy as np
import pytest
from test_demonstrations import demonstrations
from test_discriminator import agent_paths

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::chainertrpo.updates.TerminationBiasWarning"),
]
PAGE = pathlib.Path(__file__).parent.parent / "docs" / "gpu.md"
ROWS = 5000


@pytest.fixture
def count():
    """Launches and waits of a call, on the stand-in."""
    import cupy

    if not hasattr(cupy, "sim_counts"):
        pytest.skip("only the stand-in counts launches")

    def counted(function):
        cupy.sim_reset()
        function()
        found = cupy.sim_counts()
        return found["launches"], found["syncs"]

    return counted


def networks():
    policy = GaussianPolicy(17, 6, (64, 64), seed=0)
    vf = ValueFunction(17, (64, 64), seed=0)
    optimizers = [chainer.optimizers.Adam().setup(link) for link in (policy, vf)]
    for link in (policy, vf):
        link.to_device("@cupy:0")
    return policy, vf, optimizers


def paths(n_paths=5):
    rng, n = np.random.default_rng(0), ROWS // n_paths
    return [
        Path(
            rng.standard_normal((n + 1, 17)).astype("f"),
            rng.standard_normal((n, 6)).astype("f"),
            rng.standard_normal(n).astype("f"),
            False,
        )
        for _ in range(n_paths)
    ]


def update(**settings):
    policy, vf, (_, optimizer) = networks()
    agent = TRPO(policy, vf, optimizer, vf_epochs=5, vf_batch_size=64, **settings)
    return lambda _: agent.update(paths())


def value_fit(on_host):
    policy, vf, (_, optimizer) = networks()
    fit = ValueFit(5, 64, on_host=on_host)
    return lambda batch: fit(vf, optimizer, batch(policy), np.random.default_rng(0))


def natural(kind):
    policy, _, _ = networks()
    step = NaturalStep(curvature=Curvature(kind), solver=CG(10))
    return lambda batch: step(policy, batch(policy))


def ppo():
    policy, _, (optimizer, _) = networks()
    step = GradientStep(epochs=1, batch_size=64, clip_eps=0.2)
    return lambda batch: step(
        policy, batch(policy), optimizer, np.random.default_rng(0)
    )


def relabelling(n):
    made = Discriminator(demonstrations(True, (40, 40)), hidden_sizes=(16,))
    made.link.to_device("@cupy:0")
    return lambda _: made.relabel(agent_paths(lengths=(10,) * n))


CASES = {
    "a TRPO update, `hessian`": update,
    "its policy step": lambda: natural("hessian"),
    "its value fit, on the host": lambda: value_fit(None),
    "the value fit on the device": lambda: value_fit(False),
    "a policy step, `gauss_newton`": lambda: natural("gauss_newton"),
    "an epoch of PPO": ppo,
    "the rewards of 1,000 paths": lambda: relabelling(1000),
}


def documented():
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| (\d+) \|", PAGE.read_text(), re.M)
    return {
        name: (int(launches.replace(",", "")), int(syncs))
        for name, launches, syncs in rows
    }


@pytest.mark.parametrize("case", CASES)
def test_the_documented_numbers(count, make_batch, case):
    run, batches = CASES[case](), {}

    def batch(policy):
        if policy not in batches:
            batches[policy] = make_batch(policy, ROWS, obs_size=17)
        return batches[policy]

    run(batch)  # what is made once does not count
    assert count(lambda: run(batch)) == documented()[case]


def test_every_documented_number_is_measured():
    assert documented().keys() == CASES.keys()
    assert documented()["a TRPO update, `hessian`"][0] <= 2500


def test_conjugate_gradient_waits_at_the_end_only(count, xp):
    if xp is np:
        return
    b = xp.ones(30, "f")
    found = [
        count(lambda n=n: conjugate_gradient(lambda v: v * b, b, n)) for n in (5, 15)
    ]
    (few, waits), (many, waits_of_many) = found
    assert (many - few) / 10 - 1 <= 12  # without the product
    assert waits == waits_of_many == 3


def test_rows_of_a_minibatch_take_one_launch(count, xp, make_policy, make_batch):
    if xp is np:
        return
    from chainertrpo.data.pieces import take

    batch = make_batch(make_policy("state_independent", xp=xp))
    rows = xp.asarray([3, 1, 2, 3])
    assert count(lambda: take(batch, rows)) == (1, 0)


def test_a_gathered_batch_is_that_of_numpy(xp, rng):
    from chainertrpo.numerics.kernels import gather

    arrays = [
        rng.standard_normal((9, 4)).astype("f"),
        rng.integers(5, size=9).astype("i"),
        rng.standard_normal((9, 2, 3)),
        rng.random((9, 2)) < 0.5,
        np.zeros((9, 0), "f"),
    ]
    rows = rng.integers(9, size=6)
    found = gather([None, *map(xp.asarray, arrays)], xp.asarray(rows))
    assert found[0] is None
    for x, y in zip(found[1:], arrays):
        assert np.array_equal(chainer.backends.cuda.to_cpu(x), y[rows])
        assert x.dtype == y.dtype
