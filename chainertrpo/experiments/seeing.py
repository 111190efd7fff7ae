"""What an agent sees of an environment: features, and a mask of actions if there is one."""

from chainertrpo.data import MaskedObs, Space
from chainertrpo.data.spaces import MASK
from chainertrpo.experiments.packages import BadEnvironmentError

import numpy


def seen_of(seen, actions, obs, mask, env):
    """Make what the agent sees of an observation.

    Parameters
    ----------
    seen, actions : Space
        Of observations, and of actions.
    obs : object
        The environment's.
    mask : object or None
        The environment's; see `Space.flat_mask`.
    env : object
        Named in errors.

    Returns
    -------
    array, or MaskedObs
        Features.

    Raises
    ------
    BadEnvironmentError
        Observation or mask do not fit.
    """
    try:
        features = seen.features(obs)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BadEnvironmentError(
            f"the environment does not keep to its observation_space: {error}"
        ) from error
    if mask is None:
        return features
    try:
        return MaskedObs(features, actions.flat_mask(mask))
    except (ValueError, KeyError, TypeError) as error:
        raise BadEnvironmentError(
            f"the mask of actions of {env} does not fit: {error} Got {mask}."
        ) from error


def action_masks(env, observation_space):
    """How an environment says what can be chosen: (obs, info) -> mask or None.

    By an observation's ``action_mask`` (PettingZoo), a method ``action_masks`` of it or of
    a wrapper (sb3-contrib), or ``info["action_mask"]`` (gymnasium).

    Parameters
    ----------
    env : object
        The environment.
    observation_space : object
        Of it.

    Returns
    -------
    callable
        Asked after each reset and step.
    """
    if MASK in (getattr(observation_space, "spaces", None) or ()):
        return lambda obs, info: obs[MASK]
    inner = env
    while inner is not None:
        # A wrapper's __getattr__ would find it further in, and warn.
        if hasattr(type(inner), "action_masks") or "action_masks" in vars(inner):
            return lambda obs, info, inner=inner: inner.action_masks()
        inner = getattr(inner, "env", None)
    return lambda obs, info: (info or {}).get(MASK)


def check_spaces(env):
    """Read the spaces of an environment.

    Parameters
    ----------
    env : object
        With ``observation_space`` and ``action_space``.

    Returns
    -------
    Space
        What the policy sees.

    Raises
    ------
    BadEnvironmentError
        Nothing can be learned there; it says why.
    """
    obs, action = env.observation_space, env.action_space
    try:
        seen, acted = Space.observed(obs), Space.of(action)
    except ValueError as error:
        raise BadEnvironmentError(str(error)) from None
    for name, space in (("observation", seen), ("action", acted)):
        for leaf in space.leaves():
            if leaf.size < 1 or 0 in leaf.shape:
                raise BadEnvironmentError(
                    f"expected {name} spaces that are not empty, got {obs} and {action}."
                )
            if leaf.kind != "Box":
                continue
            if not all(hasattr(x, "shape") for x in (leaf.low, leaf.high)):
                raise BadEnvironmentError(
                    f"expected a Box of {name}s with low and high, got {leaf}."
                )
            if numpy.isnan(leaf.low).any() or numpy.isnan(leaf.high).any():
                raise BadEnvironmentError(
                    f"expected bounds of {name}s that are not NaN, got {leaf.low} and "
                    f"{leaf.high}. Use inf for none."
                )
            if name == "action" and not (leaf.low <= leaf.high).all():
                raise BadEnvironmentError(
                    f"expected actions with low <= high, got {leaf.low} and {leaf.high}."
                )
            if name == "observation" and len(leaf.shape) > 2 and not seen.is_image:
                raise BadEnvironmentError(
                    f"expected vectors or one image of bytes (H, W, C) as observations, "
                    f"got arrays {leaf.shape} in {obs}. Images stand alone, in uint8; for "
                    "others pass your own links and phi to TRPO."
                )
    return seen
