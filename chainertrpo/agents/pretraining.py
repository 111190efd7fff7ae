"""An agent that begins as a clone of an expert."""

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
    starts = _starts(demonstrations) if carry_size(policy) else None
    obs, action = demonstrations.pairs()
    if agent.obs_normalizer is not None:
        agent.obs_normalizer.experience(obs)
        obs = chainer.as_array(agent.obs_normalizer(obs, update=False))
    optimizer = chainer.optimizers.Adam(alpha=learning_rate).setup(policy)
    rng = numpy.random.default_rng([seed, 2])
    masks = demonstrations.masks()
    weights = demonstrations.weights()
    report = cloning(policy, optimizer, obs, action, rng, masks, starts, weights)
    for name, param in policy.namedparams():
        if name.endswith("/log_std") and log_std_floor is not None:
            param.array[...] = policy.xp.maximum(param.array, log_std_floor)
    agent.refresh()
    return report


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
