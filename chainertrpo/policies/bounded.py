"""A Gaussian policy whose means stay within the bounds of actions."""

from chainertrpo.policies.distributions import DiagonalGaussian
from chainertrpo.policies.models import GaussianPolicy

import chainer
import chainer.functions as F
import numpy


class BoundedGaussianPolicy(GaussianPolicy):
    """Means μ = c + h·tanh(MLP(s)), which cannot leave [c − h, c + h].

    It is ChainerRL's ``bound_mean``; c is the middle of the bounds.  Actions are drawn
    around μ, so they still leave the bounds.  Products and steps go through graphs; the
    written-out forms are for policies without bounds.

    Parameters
    ----------
    obs_size, action_size : int
        S and A.
    low, high : array, shape (A,)
        The bounds, finite.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    **settings
        Of `GaussianPolicy`.

    Raises
    ------
    ValueError
        A bound is infinite, or not below the other.
    """

    def __init__(
        self, obs_size, action_size, low, high, hidden_sizes=(64, 64), **settings
    ):
        low, high = (
            numpy.broadcast_to(numpy.asarray(x, "d"), (action_size,))
            for x in (low, high)
        )
        if not (numpy.isfinite(low) & numpy.isfinite(high) & (low < high)).all():
            raise ValueError(
                f"expected finite bounds of actions, low < high, got {low} and {high}. "
                "Use a GaussianPolicy, whose means are free."
            )
        super().__init__(obs_size, action_size, hidden_sizes, **settings)
        dtype = chainer.get_dtype()
        self.add_persistent("middle", ((low + high) / 2).astype(dtype))
        self.add_persistent("reach", ((high - low) / 2).astype(dtype))

    def distribution(self, out):
        """Return the distribution that outputs of the MLP stand for.

        Parameters
        ----------
        out : array or Variable, shape (N, A) or (N, 2A)
            Of the MLP.

        Returns
        -------
        DiagonalGaussian
            Over actions of shape (N, A).
        """
        free = super().distribution(out)
        reach, middle = (
            self.xp.broadcast_to(x, free.mean.shape) for x in (self.reach, self.middle)
        )
        return DiagonalGaussian(F.tanh(free.mean) * reach + middle, free.log_std)
