"""Whatever environments users have, with the interface of the agent protocol."""

import inspect

from chainertrpo.experiments.envs import Env
from chainertrpo.experiments.gym_vector import GymVectorEnv
from chainertrpo.experiments.interface import Adapted, Foreign
from chainertrpo.experiments.packages import BadEnvironmentError, package_of


def adapt(env):
    """Give any environment the interface of the agent protocol.

    Parameters
    ----------
    env : object
        An environment of gym or gymnasium, or any object with ``reset`` and ``step``, of
        their interface or ChainerRL's.

    Returns
    -------
    Adapted
        With ``reset() -> obs`` and ``step(action) -> obs, reward, done, info``; what has
        been adapted already is given back.

    Raises
    ------
    BadEnvironmentError
        It is a vector of environments, or none, or its spaces are not supported.
    """
    if isinstance(env, Adapted):
        return env
    if is_several(env):
        _refuse_several(env)
    methods = (getattr(env, name, None) for name in ("reset", "step"))
    if isinstance(env, type) or not all(map(callable, methods)):
        raise BadEnvironmentError(
            f"expected an environment with reset and step, got {env!r}. make_env makes "
            "one by its id."
        )
    return Foreign(env) if package_of(env) is None else Env(env)


def is_several(env):
    """Whether it is a vector of environments, wrapped or not."""
    return hasattr(getattr(env, "unwrapped", env), "num_envs")


def _refuse_several(env):
    raise BadEnvironmentError(
        f"expected one environment, or a SerialVectorEnv of several for train_agent_batch "
        f"and evaluations, got {env}. Give their makers to SerialVectorEnv, or one "
        "make_env to train_agent_parallel, which has workers of its own."
    )


def adapt_many(env):
    """Give a vector of environments the interface of `SerialVectorEnv`, ChainerRL's.

    Parameters
    ----------
    env : object
        Of that interface, or of gymnasium (see `GymVectorEnv`).

    Returns
    -------
    object
        With ``reset(mask)`` and ``step(actions)``.

    Raises
    ------
    BadEnvironmentError
        They come as a vector of another library, or are one.
    """
    if not is_several(env):
        adapt(env)
        raise BadEnvironmentError(
            f"expected several environments, got {env}. Wrap them: SerialVectorEnv([env])."
        )
    if "mask" in inspect.signature(env.reset).parameters:
        return env
    if hasattr(env, "single_action_space"):
        return GymVectorEnv(env)
    return _refuse_several(env)  # they begin episodes when they like


def adapt_any(env):
    """Adapt one environment, or check several."""
    return adapt_many(env) if is_several(env) else adapt(env)
