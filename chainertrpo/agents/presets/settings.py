"""Historical settings as plain data: dicts of constructor arguments, with their sources.

A preset's parts are each the keyword arguments of one constructor (see `PARTS`); a part
that is absent or None is not built, or built with its defaults.  Besides these it has
``source``, ``differs`` (what of its source is not reproduced), ``algorithm`` (the class)
and ``schedules``: {attribute of the agent: [value at the start, at the end]}.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import typing

from chainertrpo._checks import one_of
from chainertrpo.agents.batching import Estimation
from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.ppo import PPO
from chainertrpo.agents.presets.family import FAMILY_PRESETS
from chainertrpo.agents.presets.ours import OUR_PRESETS
from chainertrpo.agents.presets.parts import (
    adam,
    environment,
    natural_step,
    policy_for,
    value_function,
    value_step,
)
from chainertrpo.agents.presets.ppo import PPO_PRESETS
from chainertrpo.agents.presets.trpo import TRPO_PRESETS
from chainertrpo.agents.rewards import ScaledRewards, environment_rewards
from chainertrpo.agents.variants import (
    NPG,
    TRPO,
    NaturalActorCritic,
    PenaltyTRPO,
    PolicyGradient,
)
from chainertrpo.data.spaces import Space
from chainertrpo.policies import (
    ActorCritic,
    EmpiricalNormalization,
    ScaledValueFunction,
    SpacePolicy,
    ValueFunction,
)
from chainertrpo.updates import GradientStep, NaturalStep, ValueFit
from chainertrpo.updates.spelling import FLAT, VALUES, merged, nested

PRESETS = {**TRPO_PRESETS, **FAMILY_PRESETS, **PPO_PRESETS, **OUR_PRESETS}
DEFAULT_PRESET = "chainerrl-reproduction"
DEFAULT_PPO_PRESET = "chainerrl-ppo-reproduction"
ALGORITHMS = {
    cls.__name__: cls
    for cls in (TRPO, NPG, NaturalActorCritic, PenaltyTRPO, PolicyGradient, PPO)
}

# Whose keyword arguments each part holds: the function it is given to first, then what
# that passes the rest on to.  The policy step of a gradient algorithm is a GradientStep.
PARTS = {
    "agent": OnPolicyAgent,
    "policy_step": NaturalStep,
    "value_step": (value_step, ValueFit, NaturalStep),
    "estimation": Estimation,
    "rewards": ScaledRewards,
    "policy": (policy_for, SpacePolicy),
    "vf": (value_function, ScaledValueFunction, ValueFunction),
    "optimizer": adam,
    "vf_optimizer": adam,
    "obs_normalizer": EmpiricalNormalization,
    "env": environment,
}
# The steps of values, by kind.
VALUE_STEPS = {"fit": ValueFit, "natural": NaturalStep}


def settings_of(preset: str | dict, **changes: typing.Any) -> dict:
    """Return a preset with changes.

    Parameters
    ----------
    preset : str or dict
        A key of `PRESETS`; or settings, such as those in a run's config.json.
    **changes : dict
        By part: ``policy_step={"region": {"max_kl": 0.02}}``, merged as `merged` does; or
        ``schedules={"max_kl": [0.01, 0.001]}``.  Old spellings are read.

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
    settings = respelt(settings, settings)
    known = sorted([*PARTS, "schedules"])
    for part, values in respelt(changes, settings).items():
        if part not in known:
            raise ValueError(
                f"expected parts of {known}, got {part!r}." + _did_you_mean(part, known)
            )
        settings[part] = merged(settings.get(part) or {}, values, part)
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
        _check_names(part, values, _made_of(part, values, settings))
        for name, fields in values.items():
            if part in ("policy_step", "value_step") and isinstance(fields, dict):
                _check_names(f"{part}'s {name}", fields, _kinds(name))


def _made_of(part, values, settings):
    """Whose keyword arguments a part holds, by the algorithm or its kind."""
    if part == "policy_step" and _is_gradient(settings):
        return GradientStep
    if part == "value_step":
        kind = one_of("value_step's kind", values.get("kind", "fit"), VALUE_STEPS)
        return (value_step, VALUE_STEPS[kind])
    return PARTS[part]


def _kinds(name):
    """What may become of one value of a natural step."""
    made = VALUES[name]
    return tuple(made.values()) if isinstance(made, dict) else made


def respelt(settings, of):
    """Settings, or changes of them, whose parts and steps may have their old names.

    Parameters
    ----------
    settings : dict
        By part, such as an earlier run's config.json has them.
    of : dict
        Settings that say the algorithm.

    Returns
    -------
    dict
        By today's parts.
    """
    found = dict(settings)
    natural = found.pop("natural_fit", None)
    for old, new in (("step", "policy_step"), ("fit", "value_step")):
        if old in found:
            found[new] = merged(found.get(new), found.pop(old), new)
    if natural is not None:
        found["value_step"] = {"kind": "natural", **natural}
    gradient = "algorithm" in of and _is_gradient(of)
    for part in ("policy_step", "value_step"):
        if found.get(part) and not (part == "policy_step" and gradient):
            found[part] = nested(found[part])
    return found


def _check_names(part, values, target):
    names = _keywords(target)
    for key in values:
        if key not in names:
            raise ValueError(
                f"expected keys of {part} among {names}, got {key!r}."
                + _did_you_mean(key, [*names, *(FLAT if "region" in names else ())])
            )


def _keywords(target):
    """Names of the arguments of a constructor, or of several of them."""
    several = isinstance(target, tuple) and target in map(_kinds, VALUES)
    return ["kind"] * several + [
        name
        for one in (target if isinstance(target, tuple) else (target,))
        for name, x in inspect.signature(one).parameters.items()
        if x.kind != x.VAR_KEYWORD
    ]


def _did_you_mean(word, words):
    close = difflib.get_close_matches(word, list(words), 1)
    return f" Did you mean {close[0]}?" if close else ""


def _is_gradient(settings):
    step = ALGORITHMS[settings["algorithm"]].POLICY_STEP
    return step.__class__ is GradientStep


def make_agent(
    observation_space: typing.Any,
    action_space: typing.Any,
    settings: str | dict,
    *,
    device: typing.Any = None,
    seed: int | None = None,
) -> OnPolicyAgent:
    """Build an agent and its networks for the spaces of an environment.

    Parameters
    ----------
    observation_space, action_space : object
        Of the environment: any that `Space` knows.
    settings : str or dict
        A key of `PRESETS`, or from `settings_of`.
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
    settings = settings_of(settings)
    parts = {name: settings.get(name) for name in PARTS}
    seen = Space.observed(observation_space)
    obs_size = seen.shape if seen.is_image else seen.size
    seeds = (None, None) if seed is None else (seed, seed + 1)
    policy = policy_for(
        obs_size, action_space, seed=seeds[0], **(parts["policy"] or {})
    )
    # V sees what the policy remembers; a policy of images remembers nothing.
    memory = policy.carry_size
    vf_size = obs_size + memory if memory else obs_size
    vf = value_function(vf_size, seed=seeds[1], **(parts["vf"] or {}))
    for link in (policy, vf) if device is not None else ():
        link.to_device(device)
    normalizer = parts["obs_normalizer"]
    if normalizer is not None and seen.is_image:
        normalizer = None  # the network brings bytes to [0, 1]
    if normalizer is not None:
        normalizer = EmpiricalNormalization(obs_size, **normalizer)
    rewards = parts["rewards"]
    cls, step = ALGORITHMS[settings["algorithm"]], parts["policy_step"] or {}
    given = {
        **(parts["agent"] or {}),
        "policy_step": (GradientStep if _is_gradient(settings) else natural_step)(
            **step
        ),
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
    given["value_step"] = value_step(**(parts["value_step"] or {}))
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
