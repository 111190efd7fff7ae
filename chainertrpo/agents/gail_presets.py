"""Historical settings of GAIL as plain data, with their sources.

``generator`` are the changes to a preset of `PRESETS` (the policy's side),
``discriminator`` the arguments of `Discriminator`, ``every`` the subsampling.
"""

import copy

from chainertrpo.agents.gail import GAIL
from chainertrpo.agents.presets import make_agent, settings_of
from chainertrpo.data import environment_header, subsample
from chainertrpo.updates import Discriminator

_HUNDRED = {"hidden_sizes": (100, 100)}
_DISCOUNTS = {"gamma": 0.995, "lambd": 0.97}
_STEP = {"max_kl": 0.01, "entropy_coef": 0.0, "cg_iterations": 10, "damping": 0.1}

GAIL_PRESETS = {
    "ho2016": {
        # openai/imitation, scripts/imitate_mj.py and pipelines/im_classic_pipeline.yaml;
        # 50000 steps an iteration and every 20th pair in MuJoCo, 5000 and 10 or 5 here
        "generator": {
            "agent": {**_DISCOUNTS, "update_interval": 5000},
            "step": _STEP,
            "policy": {**_HUNDRED, "last_scale": 0.0},
            "vf": {**_HUNDRED, "last_scale": 0.0},
        },
        "discriminator": {**_HUNDRED, "learning_rate": 1e-2, "entropy_coef": 1e-3},
        "every": 10,
    },
    "baselines": {
        # openai/baselines, gail/run_mujoco.py: the discriminator is fitted after every
        # third batch, on that batch
        "generator": {
            "agent": {**_DISCOUNTS, "update_interval": 1024},
            "step": _STEP,
            "policy": dict(_HUNDRED),
            "vf": dict(_HUNDRED),
        },
        "discriminator": {
            **_HUNDRED,
            "learning_rate": 3e-4,
            "entropy_coef": 1e-3,
            "fit_every": 3,
            "fit_first": False,
            "last_scale": 1.0,
        },
        "every": 1,
    },
    "stable-baselines": {
        # stable-baselines 2, gail/model.py: baselines' numbers, TRPO's defaults otherwise
        "generator": {
            "agent": {"gamma": 0.99, "lambd": 0.98, "update_interval": 1024},
            "step": _STEP,
        },
        "discriminator": {
            **_HUNDRED,
            "learning_rate": 3e-4,
            "entropy_coef": 1e-3,
            "fit_every": 3,
            "fit_first": False,
            "last_scale": 1.0,
        },
        "every": 1,
    },
}


def make_gail_agent(
    observation_space,
    action_space,
    demonstrations,
    preset="ho2016",
    *,
    reward="gail",
    discriminator=None,
    every=None,
    base="chainerrl-reproduction",
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
    preset : str
        A key of `GAIL_PRESETS`.
    reward : str
        See `Discriminator`.
    discriminator : dict, optional
        Changes to its arguments.
    every : int, optional
        Instead of the preset's subsampling.
    base : str
        The preset of `PRESETS` whose settings the generator otherwise has.
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
        What it was made with.

    Raises
    ------
    ValueError
        No such preset, or demonstrations of other spaces.
    """
    if preset not in GAIL_PRESETS:
        raise ValueError(
            f"expected a preset of {sorted(GAIL_PRESETS)}, got {preset!r}."
        )
    chosen = copy.deepcopy(GAIL_PRESETS[preset])
    for part, values in changes.items():
        chosen["generator"].setdefault(part, {}).update(values)
    generator = settings_of(base, **chosen["generator"])
    every = every or chosen["every"]
    gamma = generator["agent"].get("gamma", 0.99)
    arguments = {**chosen["discriminator"], "reward": reward, "gamma": gamma}
    arguments.update(discriminator or {})
    agent = make_agent(
        observation_space, action_space, generator, device=device, seed=seed
    )
    judge = Discriminator(
        subsample(demonstrations, every, seed), seed=seed, **arguments
    )
    if device is not None:
        judge.link.to_device(device)
    spaces = _Spaces(observation_space, action_space)
    agent = GAIL(agent, judge, environment_header(spaces))
    return agent, {**generator, "discriminator": arguments, "every": every}


class _Spaces:
    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space
