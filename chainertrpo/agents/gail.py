"""GAIL: an agent of any kind, paid by a discriminator."""

from __future__ import annotations

import typing


def GAIL(
    agent: typing.Any, discriminator: typing.Any, environment: typing.Any = None
) -> typing.Any:
    """Generative Adversarial Imitation Learning (Ho and Ermon 2016, arXiv:1606.03476).

    The generator is any on-policy agent: TRPO as in the paper, or another.  The same is
    had by giving the discriminator as ``rewards`` to the agent's constructor; this also
    checks that the two fit together.

    Parameters
    ----------
    agent : OnPolicyAgent
        The generator, not yet trained.
    discriminator : Discriminator
        With the expert's demonstrations.
    environment : dict, optional
        Of `environment_header`; demonstrations of another one are refused.

    Returns
    -------
    OnPolicyAgent
        `agent`, with `discriminator` as its rewards.

    Raises
    ------
    ValueError
        Discounts differ, or an environment that is not the demonstrations'.
    """
    if discriminator.absorbing_horizon and discriminator.gamma != agent.gamma:
        raise ValueError(
            f"expected the agent's gamma={agent.gamma} in the discriminator, whose "
            f"absorbing states are discounted by it, got {discriminator.gamma}."
        )
    if environment is not None:
        discriminator.check(environment)
    agent.rewards = discriminator
    return agent
