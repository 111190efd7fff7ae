"""ChainerRL 0.8, and its links for an environment; skips who imports it without ChainerRL.

Not a conftest.py: tests/conftest.py is imported by that name.
"""

import importlib.metadata
import sys
import types
import warnings

import pytest

try:
    # Not importorskip: with tests/ on the path this folder is a package called chainerrl.
    importlib.metadata.version("chainerrl")
except importlib.metadata.PackageNotFoundError:
    pytest.skip("needs ChainerRL (make test-chainerrl)", allow_module_level=True)

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
    from chainerrl.envs.abc import ABC  # noqa: F401

import chainer
import chainer.functions as F


def _two_layers(build, *sizes, **options):
    return build(
        *sizes, n_hidden_layers=2, n_hidden_channels=16, nonlinearity=F.tanh, **options
    )


def make_policy(obs_size, action_size, discrete):
    """A policy of ChainerRL, as its TRPO examples build it."""
    if discrete:
        build, options = chainerrl.policies.FCSoftmaxPolicy, {"last_wscale": 0.01}
    else:
        build = chainerrl.policies.FCGaussianPolicyWithStateIndependentCovariance
        options = {
            "mean_wscale": 0.01,
            "var_type": "diagonal",
            "var_func": lambda x: F.exp(2 * x),
        }
    return _two_layers(build, obs_size, action_size, **options)


def make_vf(obs_size):
    """A value function of ChainerRL."""
    return _two_layers(chainerrl.v_functions.FCVFunction, obs_size)


def make_agent(cls, env, **settings):
    """An agent of either library from ChainerRL's links alone."""
    (obs_size,) = env.observation_space.shape
    discrete = hasattr(env.action_space, "n")
    action_size = env.action_space.n if discrete else env.action_space.shape[0]
    vf = make_vf(obs_size)
    return cls(
        make_policy(obs_size, action_size, discrete),
        vf,
        chainer.optimizers.Adam().setup(vf),
        chainerrl.links.EmpiricalNormalization(obs_size, clip_threshold=5),
        update_interval=64,
        vf_batch_size=32,
        **settings,
    )
