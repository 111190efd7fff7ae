"""What the tests share: array modules, seeds, and small policies with their batches."""

import multiprocessing.forkserver
import os
import pathlib
import sys

from chainertrpo import GaussianPolicy, SoftmaxPolicy
from chainertrpo.data import Batch

import chainer
import numpy as np
import pytest

GAUSSIAN_KINDS = ("state_independent", "state_dependent", "shared", "fixed")
POLICY_KINDS = (*GAUSSIAN_KINDS, "categorical")


def _cupy():
    try:
        import cupy
    except Exception as error:  # a missing driver has no one type of its own
        pytest.skip(f"needs CuPy, which cannot be imported: {error}")
    if not cupy.cuda.is_available():
        pytest.skip("needs a CUDA device, and CuPy finds none")
    return cupy


@pytest.fixture(params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    """The array module: numpy and, marked `gpu`, cupy."""
    return np if request.param == "numpy" else _cupy()


@pytest.fixture(autouse=True)
def seeds():
    """Seed NumPy's global generator; whatever a test draws it draws every time."""
    np.random.seed(0)  # noqa: NPY002  (Chainer and policies draw from it)


@pytest.fixture(scope="session")
def quick_workers():
    """Let the process of which workers are forks import our environments too, once."""
    if sys.platform != "linux":
        return
    here = pathlib.Path(__file__).parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(here.parent), str(here)]))
        patch.setenv("OMP_NUM_THREADS", "1")
        multiprocessing.set_forkserver_preload(["collecting"])
        multiprocessing.forkserver.ensure_running()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def float64():
    """New links hold float64 parameters."""
    with chainer.using_config("dtype", np.float64):
        yield np.float64


def _place(link, xp):
    if xp is not np:
        link.to_device("@cupy:0")
    return link


@pytest.fixture
def make_policy():
    """Build a policy whose parameters, biases and log σ too, are all away from zero."""

    def make(
        kind,
        hidden=(8, 6),
        obs_size=4,
        n_out=2,
        seed=0,
        xp=np,
        cls=GaussianPolicy,
        **settings,
    ):
        if kind == "categorical":
            policy = SoftmaxPolicy(obs_size, n_out + 1, hidden, seed=seed, **settings)
        else:
            high = 0.5 + np.arange(n_out)
            bounds = () if cls is GaussianPolicy else (-0.3 * high, high)
            policy = cls(
                obs_size,
                n_out,
                *bounds,
                hidden,
                log_std=kind,
                log_std_init=-0.3,
                seed=seed,
                **settings,
            )
        rng = np.random.default_rng(seed)
        for _, param in sorted(policy.namedparams()):
            param.array += 0.3 * rng.standard_normal(param.shape)
        return _place(policy, xp)

    return make


@pytest.fixture
def make_batch():
    """Build a batch on a policy's device: its own actions, random advantages."""

    def make(policy, n=40, seed=0, obs_size=4, scale=1.0):
        rng = np.random.default_rng(seed)
        xp, dtype = policy.xp, next(policy.params()).dtype

        def normal(*shape):
            return xp.asarray(rng.standard_normal(shape).astype(dtype))

        obs = normal(n, obs_size)
        with chainer.no_backprop_mode():
            dist = policy(obs)
            if hasattr(dist, "logits"):
                n_actions = dist.logits.shape[1]
                action = xp.asarray(rng.integers(n_actions, size=n).astype("i"))
            else:
                mean, log_std = dist.mean.array, dist.log_std.array
                action = mean + xp.exp(log_std) * normal(*mean.shape)
            log_prob = dist.log_prob(action).array
        return Batch(obs, action, log_prob, scale * normal(n), normal(n), normal(n))

    return make


def pytest_collection_modifyitems(items):
    """The longest first: then none of several processes works alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_notebooks.py")
