"""What is maximised and what is bounded: formulas of one row each, with their slopes.

Everything called a gain is maximised; ``old`` and ``new`` are given by name, because
KL(old ‖ new) and KL(new ‖ old) share their Hessian at θ_old but not their values.
"""

import dataclasses
import math
import typing

from chainertrpo._checks import at_least, in_range, positive
from chainertrpo.numerics.functions import data, functions
from chainertrpo.policies.families import Squared

import chainer.functions as F


@dataclasses.dataclass(frozen=True)
class Surrogate:
    """E[π_θ(a|s)/π_old(a|s) · A(s, a)] + c·E[H]  (Schulman et al. 2015, eq. 14).

    Attributes
    ----------
    entropy_coef : float
        c ≥ 0.
    clip_eps : float or None
        ε > 0: min(r·A, clip(r, 1 − ε, 1 + ε)·A) instead of r·A (Schulman et al. 2017,
        eq. 7); None does not clip.
    max_ratio : float or None
        Ratios count as this at most, and as its inverse at least; their slopes stay.
    """

    entropy_coef: float = 0.0
    clip_eps: typing.Optional[float] = None
    max_ratio: typing.Optional[float] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        at_least("entropy_coef", self.entropy_coef, 0)
        if self.clip_eps is not None:
            positive("clip_eps", self.clip_eps)
        if self.max_ratio is not None:
            in_range("max_ratio", self.max_ratio, above=1)

    def rows(self, log_prob, batch):
        """The gain of each row, and its derivative by log π (an array)."""
        xp = functions(log_prob)
        change = log_prob - batch.log_prob
        if self.max_ratio is not None:
            most = math.log(self.max_ratio)
            change = xp.clip(change, -most, most)
        ratio = xp.exp(change)
        gain = ratio * batch.advantage
        slope = data(gain)
        if self.clip_eps is None:
            return gain, slope
        low, high = 1 - self.clip_eps, 1 + self.clip_eps
        clipped = xp.clip(ratio, low, high) * batch.advantage
        slope = slope * (slope <= data(clipped))  # elsewhere a constant is the smaller
        return xp.minimum(gain, clipped), slope


@dataclasses.dataclass(frozen=True)
class Likelihood:
    """E[log π_θ(a|s) · A(s, a)] + c·E[H]: its gradient is the policy gradient.

    Sutton et al. 2000, theorem 1.  It has the gradient of the `Surrogate` where π_θ is
    π_old, and A = 1 makes it the log likelihood of the actions.

    Attributes
    ----------
    entropy_coef : float
        c ≥ 0.
    """

    entropy_coef: float = 0.0

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        at_least("entropy_coef", self.entropy_coef, 0)

    def rows(self, log_prob, batch):
        """The gain of each row, and its derivative by log π (an array)."""
        return log_prob * batch.advantage, batch.advantage


OBJECTIVES = {"surrogate": Surrogate, "likelihood": Likelihood}
_SQUARED = Squared()


def squared_errors(value, batch, clip_eps=None):
    """(V − target)² of each row, and where a step of V changes it.

    Clipped, the larger of it and of it at clip(V, V_old ± ε), as in ChainerRL's and
    Baselines' PPO: a step gains nothing by moving a value further than ε from what it was.

    Parameters
    ----------
    value : array or Variable, shape (N, 1)
        V(s).
    batch : Batch
        With value targets, and for clipping the values before the update.
    clip_eps : float, optional
        ε > 0, in units of return; None does not clip.

    Returns
    -------
    errors : array or Variable, shape (N,)
        Squared.
    moves : array of bool, shape (N,), or 1
        Whether the error depends on V.
    """
    target = batch.value_target[:, None]
    error = -_SQUARED.log_prob(value, target)
    if clip_eps is None:
        return error, 1
    xp, old = functions(value), batch.value[:, None]
    near = xp.maximum(xp.minimum(value, old + clip_eps), old - clip_eps)
    near = -_SQUARED.log_prob(near, target)
    return xp.maximum(error, near), data(error) >= data(near)


# The same as scalars of Chainer


def surrogate(dist, batch):
    """E[π_θ(a|s) / π_old(a|s) · A(s, a)], see `Surrogate`.

    Parameters
    ----------
    dist : Distribution
        π_θ on ``batch.obs``.
    batch : Batch
        With log π_old and advantages.

    Returns
    -------
    Variable, shape ()
        To be maximised.
    """
    return F.mean(Surrogate().rows(dist.log_prob(batch.action), batch)[0])


def clipped_surrogate(dist, batch, eps):
    """E[min(r·A, clip(r, 1 − ε, 1 + ε)·A)], r = π_θ/π_old, see `Surrogate`.

    Parameters
    ----------
    dist : Distribution
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
    objective = Surrogate(clip_eps=eps)
    return F.mean(objective.rows(dist.log_prob(batch.action), batch)[0])


def likelihood(dist, batch):
    """E[log π_θ(a|s) · A(s, a)], see `Likelihood`.

    Parameters
    ----------
    dist : Distribution
        π_θ on ``batch.obs``.
    batch : Batch
        With advantages.

    Returns
    -------
    Variable, shape ()
        To be maximised.
    """
    return F.mean(Likelihood().rows(dist.log_prob(batch.action), batch)[0])


def value_loss(value, batch, clip_eps=None):
    """E[(V(s) − target)²], clipped as `squared_errors` says.

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
    return F.mean(squared_errors(F.reshape(value, (-1, 1)), batch, clip_eps)[0])


def mean_entropy(dist):
    """E[H(π_θ)], in nats.

    Parameters
    ----------
    dist : Distribution
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
    old, new : Distribution
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
    old, new : Distribution
        On the same states.

    Returns
    -------
    Variable, shape ()
        The largest over states.
    """
    return F.max(old.kl(new))
