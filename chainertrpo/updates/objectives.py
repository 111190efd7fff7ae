"""Scalars of a policy on a batch: what is maximised, and what is bounded.

Everything called a gain is maximised; ``old`` and ``new`` are given by name, because
KL(old ‖ new) and KL(new ‖ old) share their Hessian at θ_old but not their values.
"""

import chainer.functions as F


def surrogate(dist, batch):
    """L(θ) = E[π_θ(a|s) / π_old(a|s) · A(s, a)]  (Schulman et al. 2015, eq. 14).

    Parameters
    ----------
    dist : distribution
        π_θ on ``batch.obs``.
    batch : Batch
        With log π_old and advantages.

    Returns
    -------
    Variable, shape ()
        To be maximised.
    """
    ratio = F.exp(dist.log_prob(batch.action) - batch.log_prob)
    return F.mean(ratio * batch.advantage)


def mean_entropy(dist):
    """E[H(π_θ(·|s))], in nats.

    Parameters
    ----------
    dist : distribution
        π_θ on the states of a batch.

    Returns
    -------
    Variable, shape ()
        The mean over states.
    """
    return F.mean(dist.entropy)


def mean_kl(*, old, new):
    """E[KL(π_old ‖ π_new)] over the states of a batch, in nats.

    Parameters
    ----------
    old, new : distribution
        On the same states.

    Returns
    -------
    Variable, shape ()
        The mean over states.
    """
    return F.mean(old.kl(new))


def max_kl(*, old, new):
    """maxₛ KL(π_old ‖ π_new), in nats: the constraint of TRPO's theory.

    Parameters
    ----------
    old, new : distribution
        On the same states.

    Returns
    -------
    Variable, shape ()
        The largest over states.
    """
    return F.max(old.kl(new))
