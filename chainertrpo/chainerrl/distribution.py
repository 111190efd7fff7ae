"""Distributions of actions by ChainerRL's names: Gaussians by variance, softmax by β."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.policies import Categorical, DiagonalGaussian, Distribution

import chainer.functions as F
from chainer import as_variable

__getattr__ = refusals(__name__)


class GaussianDistribution(DiagonalGaussian):
    """N(μ, diag var) for each state of a batch.

    Parameters
    ----------
    mean : Variable or array, shape (N, A)
        μ.
    var : Variable or array, shape (N, A) or (A,)
        σ².
    """

    def __init__(self, mean, var):
        super().__init__(mean, 0.5 * F.log(as_variable(var)))

    @property
    def ln_var(self):
        """Log σ², Variable of the shape of the mean."""
        return F.broadcast_to(2 * self.log_std, self.mean.shape)

    @property
    def var(self):
        """σ², Variable of the shape of the mean."""
        return F.exp(self.ln_var)

    def prob(self, x):
        """p(x), Variable of shape (N,)."""
        return F.exp(self.log_prob(x))


class SoftmaxDistribution(Categorical):
    """p = (1 − n·m)·softmax(β·logits) + m over n indices, for each state of a batch.

    Parameters
    ----------
    logits : Variable or array, shape (N, n)
        Unnormalised log-probabilities.
    beta : float
        β, the inverse temperature.
    min_prob : float
        m, the smallest probability, at most 1/n.
    """

    def __init__(self, logits, beta=1.0, min_prob=0.0):
        logits, n = as_variable(logits), logits.shape[1]
        if not 0 <= min_prob * n <= 1:
            raise ValueError(f"expected min_prob in [0, 1/{n}], got {min_prob}.")
        if beta != 1:
            logits = beta * logits
        if min_prob:  # log p is a logit like any other
            logits = F.log((1 - n * min_prob) * F.softmax(logits) + min_prob)
        super().__init__(logits)

    @property
    def all_prob(self):
        """P of every index, Variable of shape (N, n)."""
        return F.exp(self.all_log_prob)

    def prob(self, x):
        """p(x), Variable of shape (N,)."""
        return F.exp(self.log_prob(x))


__all__ = ["Distribution", "GaussianDistribution", "SoftmaxDistribution"]
