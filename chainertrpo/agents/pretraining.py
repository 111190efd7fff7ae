"""An agent that begins as a clone of an expert."""

import dataclasses

from chainertrpo.policies import carry_size
from chainertrpo.updates import Cloning

import chainer
import numpy


def clone_expert(
    agent,
    demonstrations,
    cloning=Cloning(),  # noqa: B008 (frozen)
    *,
    learning_rate=1e-3,
    log_std_floor=-1.0,
    seed=0,
):
    """Fit an agent's policy to demonstrations by behaviour cloning.

    The normaliser first learns from the demonstrations.  Afterwards a learned log σ is
    raised to a floor: cloning drives σ towards 0, where the policy explores nothing and
    its Fisher matrix is ill-conditioned.

    Parameters
    ----------
    agent : OnPolicyAgent
        Changed in place.
    demonstrations : Demonstrations
        Their kept pairs count, each as much as its episode's weight.
    cloning : Cloning
        How.
    learning_rate : float
        Adam's.
    log_std_floor : float or None
        Lowest log σ; None leaves it, as for a clone that is only evaluated.
    seed : int
        Of the held-out pairs and the shuffling.

    Returns
    -------
    CloningReport
        Of the policy before its log σ was raised.
    """
    policy = agent.policy
    if agent.obs_normalizer is not None:
        agent.obs_normalizer.experience(demonstrations.pairs()[0])
    optimizer = chainer.optimizers.Adam(alpha=learning_rate).setup(policy)
    report = _cloned(agent, demonstrations, cloning, optimizer, seed)
    for name, param in policy.namedparams():
        if name.endswith("/log_std") and log_std_floor is not None:
            param.array[...] = policy.xp.maximum(param.array, log_std_floor)
    agent.refresh()
    return report


def held_out_loss(
    agent,
    demonstrations,
    cloning=Cloning(),  # noqa: B008 (frozen)
    *,
    seed=0,
):
    """E[−log π(a|s)] of the pairs that `clone_expert` would hold out, for any agent.

    Parameters
    ----------
    agent : OnPolicyAgent
        Not changed.
    demonstrations : Demonstrations
        As for `clone_expert`.
    cloning : Cloning
        Its ``validation`` and ``seed`` say which pairs.
    seed : int
        Of `clone_expert`.

    Returns
    -------
    float
        Nats; nan where none are held out.
    """
    only_look = dataclasses.replace(cloning, epochs=0)
    return _cloned(agent, demonstrations, only_look, None, seed).validation_loss


def _cloned(agent, demonstrations, cloning, optimizer, seed):
    policy = agent.policy
    starts = _starts(demonstrations) if carry_size(policy) else None
    obs, action = demonstrations.pairs()
    if agent.obs_normalizer is not None:
        obs = chainer.as_array(agent.obs_normalizer(obs, update=False))
    return cloning(
        policy,
        optimizer,
        obs,
        action,
        numpy.random.default_rng([seed, 2]),
        demonstrations.masks(),
        starts,
        demonstrations.weights(),
    )


def _starts(demonstrations):
    """In which of the pairs episodes begin, for a policy with memory."""
    episodes = demonstrations.episodes
    if not all(len(e.action[e.kept]) == len(e.action) for e in episodes):
        raise ValueError(
            "expected whole episodes to clone into a policy with memory, got some of "
            "their pairs. Leave subsampling (--every) out."
        )
    lengths = [len(e.action) for e in episodes]
    return numpy.cumsum([0, *lengths[:-1]])
