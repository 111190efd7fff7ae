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


def likelihood(dist, batch):
    """E[log π_θ(a|s) · A(s, a)], whose gradient is the policy gradient.

    Sutton et al. 2000, theorem 1.  It has the gradient of the `surrogate` where π_θ is
    π_old, and A = 1 makes it the log likelihood of the actions.

    Parameters
    ----------
    dist : distribution
        π_θ on ``batch.obs``.
    batch : Batch
        With advantages.

    Returns
    -------
    Variable, shape ()
        To be maximised.
    """
    return F.mean(dist.log_prob(batch.action) * batch.advantage)


def clipped_surrogate(dist, batch, eps):
    """E[min(r·A, clip(r, 1 − ε, 1 + ε)·A)], r = π_θ/π_old  (Schulman et al. 2017, eq. 7).

    Parameters
    ----------
    dist : distribution
        π_θ on ``batch.obs``.
    batch : Batch
        With log π_old and advantages.
    eps : float
        ε > 0.

    Returns
    -------
    Variable, shape ()
        To be maximised; never more than the `surrogate`.
    """
    ratio = F.exp(dist.log_prob(batch.action) - batch.log_prob)
    clipped = F.clip(ratio, 1 - eps, 1 + eps)
    return F.mean(F.minimum(ratio * batch.advantage, clipped * batch.advantage))


def value_loss(value, batch, clip_eps=None):
    """E[(V(s) − target)²]; clipped, the larger of it and of it at clip(V, V_old ± ε).

    The clipped form is that of ChainerRL's and Baselines' PPO: a step gains nothing by
    moving a value further than ε from what it was.

    Parameters
    ----------
    value : Variable, shape (N, 1) or (N,)
        V(s).
    batch : Batch
        With value targets, and for clipping the values before the update.
    clip_eps : float, optional
        ε > 0, in units of return; None does not clip.

    Returns
    -------
    Variable, shape ()
        To be minimised.
    """
    value = F.reshape(value, batch.value_target.shape)
    loss = F.square(value - batch.value_target)
    if clip_eps is not None:
        low, high = batch.value - clip_eps, batch.value + clip_eps
        near = F.minimum(F.maximum(value, low), high)
        loss = F.maximum(loss, F.square(near - batch.value_target))
    return F.mean(loss)


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
