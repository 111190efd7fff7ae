"""ChainerRL's own loops and links with this project's TRPO: ``make test-chainerrl``.

Where ChainerRL is not installed nothing here is collected.  This folder has no
``__init__.py``: it would be a package called chainerrl.
"""

import importlib.metadata
import sys
import types
import warnings

import pytest

try:
    # Not find_spec: with tests/ on the path this folder itself is a namespace package.
    importlib.metadata.version("chainerrl")
except importlib.metadata.PackageNotFoundError:
    collect_ignore_glob = ["*.py"]
else:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import chainertrpo  # noqa: F401  isort: skip  (before anything of Chainer)
        import gym

        if not hasattr(gym.wrappers, "Monitor"):
            # ChainerRL imports this recorder of videos unasked; gym has dropped it.
            stub = types.ModuleType("chainerrl.wrappers.monitor")
            stub.Monitor = None
            sys.modules[stub.__name__] = stub
        import chainerrl

    import chainer
    import chainer.functions as F


def _two_layers(build, *sizes, **options):
    return build(
        *sizes, n_hidden_layers=2, n_hidden_channels=16, nonlinearity=F.tanh, **options
    )


@pytest.fixture(autouse=True)
def _fixed_seed():
    if "chainerrl" in sys.modules:
        chainerrl.misc.set_random_seed(0)


@pytest.fixture(scope="session")
def chainerrl_policy():
    """Build a policy of ChainerRL for the spaces of an environment."""

    def build(env):
        n_obs = env.observation_space.shape[0]
        if hasattr(env.action_space, "n"):
            kind, n_out = chainerrl.policies.FCSoftmaxPolicy, env.action_space.n
            return _two_layers(kind, n_obs, n_out, last_wscale=0.01)
        return _two_layers(
            chainerrl.policies.FCGaussianPolicyWithStateIndependentCovariance,
            n_obs,
            env.action_space.shape[0],
            mean_wscale=0.01,
            var_type="diagonal",
            var_func=lambda x: F.exp(2 * x),
            var_param_init=0,
        )

    return build


@pytest.fixture(scope="session")
def chainerrl_vf():
    """Build a value function of ChainerRL, and Adam for it."""

    def build(env):
        vf = _two_layers(
            chainerrl.v_functions.FCVFunction, env.observation_space.shape[0]
        )
        optimizer = chainer.optimizers.Adam()
        optimizer.setup(vf)
        return vf, optimizer

    return build
