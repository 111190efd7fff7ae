"""Historical settings as plain data: dicts of constructor arguments, with their sources.

A preset's parts are each the keyword arguments of one constructor (see `PARTS`); a part
that is absent or None is not built, or built with its defaults.  Besides these it has
``source``, ``differs`` (what of its source is not reproduced), ``algorithm`` (the class)
and ``schedules``: {attribute of the agent: [value at the start, at the end]}.
"""

import copy
import difflib
import inspect

from chainertrpo.agents.batching import Estimation
from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.ppo import PPO
from chainertrpo.agents.preset_parts import (
    adam,
    environment,
    natural_fit,
    natural_step,
    policy_for,
    value_function,
)
from chainertrpo.agents.presets_family import FAMILY_PRESETS
from chainertrpo.agents.presets_ppo import PPO_PRESETS
from chainertrpo.agents.presets_trpo import TRPO_PRESETS
from chainertrpo.agents.rewards import ScaledRewards, environment_rewards
from chainertrpo.agents.variants import (
    NPG,
    TRPO,
    NaturalActorCritic,
    PenaltyTRPO,
    PolicyGradient,
)
from chainertrpo.policies import (
    ActorCritic,
    EmpiricalNormalization,
    GaussianPolicy,
    ScaledValueFunction,
    ValueFunction,
)
from chainertrpo.updates import (
    Backtrack,
    GradientStep,
    NaturalStep,
    ValueFit,
)

PRESETS = {**TRPO_PRESETS, **FAMILY_PRESETS, **PPO_PRESETS}
DEFAULT_PRESET = "chainerrl-reproduction"
DEFAULT_PPO_PRESET = "chainerrl-ppo-reproduction"
ALGORITHMS = {
    cls.__name__: cls
    for cls in (TRPO, NPG, NaturalActorCritic, PenaltyTRPO, PolicyGradient, PPO)
}

# What each part is given to, and through it.  The step of a gradient algorithm is a
# GradientStep.
PARTS = {
    "agent": OnPolicyAgent,
    "step": NaturalStep,
    "fit": ValueFit,
    "natural_fit": (natural_fit, NaturalStep),
    "estimation": Estimation,
    "rewards": ScaledRewards,
    "policy": (policy_for, GaussianPolicy),
    "vf": (value_function, ScaledValueFunction, ValueFunction),
    "optimizer": adam,
    "vf_optimizer": adam,
    "obs_normalizer": EmpiricalNormalization,
    "env": environment,
}


def settings_of(preset, **changes):
    """Return a preset with changes.

    Parameters
    ----------
    preset : str or dict
        A key of `PRESETS`; or settings, such as those in a run's config.json.
    **changes : dict
        By part: ``step={"max_kl": 0.02}``; or ``schedules={"max_kl": [0.01, 0.001]}``.

    Returns
    -------
    dict
        A copy.

    Raises
    ------
    ValueError
        No such preset, part or key.
    """
    if not isinstance(preset, dict) and preset not in PRESETS:
        raise ValueError(
            f"expected a preset of {sorted(PRESETS)}, got {preset!r}."
            + _did_you_mean(preset, PRESETS)
        )
    settings = copy.deepcopy(preset if isinstance(preset, dict) else PRESETS[preset])
    known = sorted([*PARTS, "schedules"])
    for part, values in changes.items():
        if part not in known:
            raise ValueError(
                f"expected parts of {known}, got {part!r}." + _did_you_mean(part, known)
            )
        settings[part] = {**(settings.get(part) or {}), **values}
    check_keys(settings)
    return settings


def check_keys(settings):
    """Check that every part, and every key of it, is one that its constructor knows.

    Parameters
    ----------
    settings : dict
        A preset.

    Raises
    ------
    ValueError
        A misspelt part or key.
    """
    known = [*PARTS, "source", "differs", "algorithm", "schedules"]
    for part, values in settings.items():
        if part not in known:
            raise ValueError(
                f"expected parts of {known}, got {part!r}." + _did_you_mean(part, known)
            )
        if part not in PARTS or values is None:
            continue
        target = (
            GradientStep if part == "step" and _is_gradient(settings) else PARTS[part]
        )
        _check_names(part, values, target)
        if isinstance(values.get("search"), dict):
            _check_names(f"{part}'s search", values["search"], Backtrack)


def _check_names(part, values, target):
    names = _keywords(target)
    for key in values:
        if key not in names:
            raise ValueError(
                f"expected keys of {part} among {names}, got {key!r}."
                + _did_you_mean(key, names)
            )


def _keywords(target):
    """Names of the arguments of a constructor, or of several of them."""
    return [
        name
        for one in (target if isinstance(target, tuple) else (target,))
        for name, x in inspect.signature(one).parameters.items()
        if x.kind != x.VAR_KEYWORD
    ]


def _did_you_mean(word, words):
    close = difflib.get_close_matches(word, list(words), 1)
    return f" Did you mean {close[0]}?" if close else ""


def _is_gradient(settings):
    return isinstance(ALGORITHMS[settings["algorithm"]].IMPROVE, GradientStep)


def make_agent(observation_space, action_space, settings, *, device=None, seed=None):
    """Build an agent and its networks for the spaces of an environment.

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
    OnPolicyAgent
        Of the class that ``settings["algorithm"]`` names, ready to train.

    Raises
    ------
    ValueError
        Settings that do not go together, or with these spaces.
    """
    check_keys(settings)
    parts = {name: settings.get(name) for name in PARTS}
    obs_size = 1
    for n in observation_space.shape:
        obs_size *= int(n)
    seeds = (None, None) if seed is None else (seed, seed + 1)
    policy = policy_for(
        obs_size, action_space, seed=seeds[0], **(parts["policy"] or {})
    )
    vf = value_function(obs_size, seed=seeds[1], **(parts["vf"] or {}))
    for link in (policy, vf) if device is not None else ():
        link.to_device(device)
    normalizer = parts["obs_normalizer"]
    if normalizer is not None:
        normalizer = EmpiricalNormalization(obs_size, **normalizer)
    rewards = parts["rewards"]
    cls, step = ALGORITHMS[settings["algorithm"]], parts["step"] or {}
    given = {
        **(parts["agent"] or {}),
        "improve": (GradientStep if _is_gradient(settings) else natural_step)(**step),
        "estimation": Estimation(**(parts["estimation"] or {})),
        "rewards": environment_rewards if rewards is None else ScaledRewards(**rewards),
        "seed": seed,
    }
    if cls is PPO:
        model = ActorCritic(policy, vf)
        return PPO(model, adam(**parts["optimizer"])(model), normalizer, **given)
    if parts["optimizer"] is not None:
        given["optimizer"] = adam(**parts["optimizer"])(policy)
    vf_optimizer = parts["vf_optimizer"]
    if vf_optimizer is not None:
        vf_optimizer = adam(**vf_optimizer)(vf)
    if parts["natural_fit"] is not None:
        given["fit"] = natural_fit(**parts["natural_fit"])
    else:
        given["fit"] = ValueFit(**(parts["fit"] or {}))
    return cls(policy, vf, vf_optimizer, normalizer, **given)


def describe_presets(presets=PRESETS):
    """Return a line a preset: its name, its algorithm and its source.

    Parameters
    ----------
    presets : dict
        `PRESETS`, or others that have a ``base`` among them.

    Returns
    -------
    str
        For people.
    """
    width = max(map(len, presets))
    lines = []
    for name, preset in presets.items():
        algorithm = PRESETS.get(preset.get("base"), preset)["algorithm"]
        lines.append(f"{name:<{width}}  {algorithm:<18}  {preset['source']}")
    return "\n".join(lines)
