"""Historical settings as plain data: dicts of constructor arguments, with their sources.

A preset has five parts, each the keyword arguments of one constructor: ``agent``,
``policy``, ``vf``, ``vf_optimizer`` (Adam) and ``obs_normalizer`` (None: no normaliser).
"""

import copy

from chainertrpo.agents.variants import TRPO
from chainertrpo.policies import (
    EmpiricalNormalization,
    GaussianPolicy,
    SoftmaxPolicy,
    ValueFunction,
)

import chainer

PARTS = ("agent", "policy", "vf", "vf_optimizer", "obs_normalizer")

_CHAINERRL_EXAMPLE_AGENT = {
    "update_interval": 5000,
    "gamma": 0.995,
    "lambd": 0.97,
    "max_kl": 0.01,
    "entropy_coef": 0.0,
    "conjugate_gradient_max_iter": 20,
    "conjugate_gradient_damping": 1e-1,
    "vf_epochs": 5,
    "vf_batch_size": 64,
}

PRESETS = {
    "chainerrl-reproduction": {
        # ChainerRL 0.8, examples/mujoco/reproduction/trpo/train_trpo.py
        "agent": _CHAINERRL_EXAMPLE_AGENT,
        "policy": {"init": "orthogonal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf": {"init": "orthogonal", "hidden_scale": 1.0, "last_scale": 1.0},
        "vf_optimizer": {"alpha": 1e-3},
        "obs_normalizer": {"clip_threshold": 5},
    },
    "chainerrl-example": {
        # ChainerRL 0.8, examples/mujoco/train_trpo_gym.py
        "agent": _CHAINERRL_EXAMPLE_AGENT,
        "policy": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf_optimizer": {"alpha": 1e-3},
        "obs_normalizer": {},
    },
    "chainerrl-class": {
        # ChainerRL 0.8, the defaults of chainerrl.agents.TRPO itself
        "agent": {},
        "policy": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf_optimizer": {"alpha": 1e-3},
        "obs_normalizer": None,
    },
}
DEFAULT_PRESET = "chainerrl-reproduction"


def settings_of(preset, **changes):
    """Return a preset's five dicts, with changes.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    **changes : dict
        By part: ``agent={"max_kl": 0.02}``.

    Returns
    -------
    dict of str to (dict or None)
        A copy.

    Raises
    ------
    ValueError
        No such preset, or no such part.
    """
    if preset not in PRESETS:
        raise ValueError(f"expected a preset of {sorted(PRESETS)}, got {preset!r}.")
    settings = copy.deepcopy(PRESETS[preset])
    for part, values in changes.items():
        if part not in PARTS:
            raise ValueError(f"expected parts of {PARTS}, got {part!r}.")
        settings[part] = {**(settings[part] or {}), **values}
    return settings


def make_agent(observation_space, action_space, settings, *, device=None, seed=None):
    """Build a TRPO agent and its networks for the spaces of an environment.

    Parameters
    ----------
    observation_space : object
        A Box.
    action_space : object
        A Box (a `GaussianPolicy`) or Discrete (a `SoftmaxPolicy`).
    settings : dict
        From `settings_of`.
    device : chainer.backend.Device, optional
        Of the networks; by default the CPU.
    seed : int, optional
        Of the initial weights, actions and minibatches.

    Returns
    -------
    TRPO
        Ready to train.
    """
    obs_size = 1
    for n in observation_space.shape:
        obs_size *= int(n)
    seeds = (None, None) if seed is None else (seed, seed + 1)
    if hasattr(action_space, "n"):
        build, n_actions = SoftmaxPolicy, int(action_space.n)
    else:
        build, n_actions = GaussianPolicy, int(action_space.shape[0])
    policy = build(obs_size, n_actions, seed=seeds[0], **settings["policy"])
    vf = ValueFunction(obs_size, seed=seeds[1], **settings["vf"])
    if device is not None:
        policy.to_device(device)
        vf.to_device(device)
    optimizer = chainer.optimizers.Adam(**settings["vf_optimizer"])
    optimizer.setup(vf)
    normalizer = settings["obs_normalizer"]
    if normalizer is not None:
        normalizer = EmpiricalNormalization(obs_size, **normalizer)
    return TRPO(policy, vf, optimizer, normalizer, seed=seed, **settings["agent"])
