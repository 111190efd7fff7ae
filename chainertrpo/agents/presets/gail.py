"""Historical settings of GAIL as plain data, with their sources.

``base`` is the preset of `PRESETS` that the generator begins with and ``generator`` the
changes to it, by part; ``discriminator`` are the arguments of `Discriminator`, ``reward``
the form that was paid and ``every`` the subsampling.
"""

import copy

from chainertrpo.agents.gail import GAIL
from chainertrpo.agents.presets.settings import (
    PRESETS,
    make_agent,
    respelt,
    settings_of,
)
from chainertrpo.data import environment_header, subsample
from chainertrpo.updates import Discriminator
from chainertrpo.updates.spelling import merged

_HUNDRED = {"hidden_sizes": (100, 100)}
_ZERO = {**_HUNDRED, "last_scale": 0.0}
_DISCOUNTS = {"gamma": 0.995, "lambd": 0.97}
_STEP = {
    "region": {"max_kl": 0.01},
    "objective": {"entropy_coef": 0.0},
    "solver": {"iterations": 10},
    "curvature": {"damping": 0.1},
}
# Fitted after every third batch, on that batch.
_OF_BASELINES = {
    **_HUNDRED,
    "learning_rate": 3e-4,
    "entropy_coef": 1e-3,
    "fit_every": 3,
    "fit_first": False,
    "normalize": "observations",
    "last_scale": 1.0,
}
_RELU = {"hidden_sizes": (64, 64), "activation": "relu"}
_PAPER = {
    # 50000 steps an iteration and every 20th pair in MuJoCo, 5000 and 10 or 5 here
    "source": "openai/imitation, scripts/imitate_mj.py, im_classic_pipeline.yaml",
    "base": "chainerrl-reproduction",
    "generator": {
        "agent": {**_DISCOUNTS, "update_interval": 5000},
        "policy_step": _STEP,
        "policy": _ZERO,
        "vf": _ZERO,
    },
    # Their 1e-3 is of the sum of both halves' mean entropies.
    "discriminator": {**_HUNDRED, "learning_rate": 1e-2, "entropy_coef": 2e-3},
    "reward": "gail",
    "every": 10,
}

GAIL_PRESETS = {
    "ho2016": _PAPER,
    "ho2016-npg": {
        **_PAPER,
        "source": "the same with a step of full length, not searched, in place of TRPO's",
        "base": "npg",
    },
    "ho2016-ppo": {
        **_PAPER,
        "source": "the same with PPO in place of TRPO",
        "base": "chainerrl-ppo-reproduction",
        "generator": {**_PAPER["generator"], "policy_step": {}},
    },
    "baselines": {
        "source": "openai/baselines, gail/run_mujoco.py",
        "base": "chainerrl-reproduction",
        "generator": {
            "agent": {**_DISCOUNTS, "update_interval": 1024},
            "policy_step": _STEP,
            "policy": _HUNDRED,
            "vf": _HUNDRED,
        },
        "discriminator": _OF_BASELINES,
        "reward": "gail",
        "every": 1,
    },
    "stable-baselines": {
        "source": "stable-baselines 2, gail/model.py; TRPO's defaults otherwise",
        "base": "chainerrl-reproduction",
        "generator": {
            "env": {"clip_actions": True},
            "agent": {"gamma": 0.99, "lambd": 0.98, "update_interval": 1024},
            "policy_step": _STEP,
        },
        "discriminator": _OF_BASELINES,
        "reward": "gail",
        "every": 1,
    },
    "cartpole-ppo": {
        # It shared the first layers of policy and values, and did not say how wide
        # they were; here they are apart.
        "source": "a GAIL for CartPole in TensorFlow 2: PPO, ReLU, reward D, ten "
        "episodes of 200 steps",
        "base": "chainerrl-ppo-class",
        "generator": {"policy": _RELU, "vf": _RELU},
        "discriminator": {
            **_RELU,
            "learning_rate": 1e-3,
            "entropy_coef": 0.0,
            "steps": 10,
            "batch_size": 256,
            "last_scale": 1.0,
        },
        "reward": "d",
        "every": 1,
    },
}


def make_gail_agent(
    observation_space,
    action_space,
    demonstrations,
    preset="ho2016",
    *,
    reward=None,
    discriminator=None,
    every=None,
    device=None,
    seed=0,
    **changes,
):
    """Build an imitator with the settings of a preset.

    Parameters
    ----------
    observation_space, action_space : object
        Of the environment; the demonstrations must fit.
    demonstrations : Demonstrations
        Whole ones: they are subsampled here.
    preset : str or dict
        A key of `GAIL_PRESETS`; or settings, as they are returned.
    reward : str, optional
        A form of `reward_of`, instead of the preset's.
    discriminator : dict, optional
        Changes to its arguments.
    every : int, optional
        Instead of the preset's subsampling.
    device : chainer.backend.Device, optional
        Of all networks; by default the CPU.
    seed : int
        Of everything random.
    **changes : dict
        To the generator, by part, as in `settings_of`.

    Returns
    -------
    agent : OnPolicyAgent
        Paid by its `rewards`, a `Discriminator`.
    settings : dict
        What it was made with: ``generator`` (as `settings_of` returns), ``discriminator``
        (arguments) and ``every``.

    Raises
    ------
    ValueError
        No such preset, part or key, or demonstrations of other spaces.
    """
    chosen = _chosen(preset)
    generator = generator_of(preset, **changes)
    every = every or chosen["every"]
    agent = make_agent(
        observation_space, action_space, generator, device=device, seed=seed
    )
    arguments = {
        **chosen["discriminator"],
        "reward": reward or chosen["reward"],
        "gamma": agent.gamma,
        **(discriminator or {}),
    }
    judge = Discriminator(
        subsample(demonstrations, every, seed), seed=seed, **arguments
    )
    if device is not None:
        judge.link.to_device(device)
    spaces = _Spaces(observation_space, action_space)
    agent = GAIL(agent, judge, environment_header(spaces))
    settings = {"generator": generator, "discriminator": arguments, "every": every}
    return agent, settings


def generator_of(preset, **changes):
    """Settings of who imitates, without whom it is judged by.

    Parameters
    ----------
    preset, **changes : str or dict, dict
        See `make_gail_agent`.

    Returns
    -------
    dict
        As `settings_of` returns them.
    """
    chosen = _chosen(preset)
    for part, values in changes.items():
        chosen["generator"][part] = merged(chosen["generator"].get(part), values, part)
    return settings_of(chosen["base"], **chosen["generator"])


def changes_of(preset, changes):
    """Changes to a preset of `PRESETS` or `GAIL_PRESETS`, in today's words.

    Parameters
    ----------
    preset : str
        Its name.
    changes : dict
        By part, perhaps as an earlier release spelt them.

    Returns
    -------
    dict
        The same changes.
    """
    base = GAIL_PRESETS[preset]["base"] if preset in GAIL_PRESETS else preset
    return respelt(changes, PRESETS[base]) if base in PRESETS else changes


def _chosen(preset):
    if isinstance(preset, dict):
        judge = preset["discriminator"]
        own = {"base": preset["generator"], "generator": {}, "reward": judge["reward"]}
        return copy.deepcopy({**preset, **own})
    if preset not in GAIL_PRESETS:
        raise ValueError(
            f"expected a preset of {sorted(GAIL_PRESETS)}, got {preset!r}."
        )
    return copy.deepcopy(GAIL_PRESETS[preset])


class _Spaces:
    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space
