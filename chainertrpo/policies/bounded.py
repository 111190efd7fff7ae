"""Gaussian policies that know the bounds of actions.

With bounds [c − h, c + h] an MLP's outputs can be in units of h around c.  Actions that are
drawn may leave the bounds all the same.
"""

from chainertrpo.policies.distributions import DiagonalGaussian
from chainertrpo.policies.models import GaussianPolicy

import chainer
import chainer.functions as F
import numpy


class _InBounds(GaussianPolicy):
    # c and h are beside the parameters: ``middle`` and ``reach``.

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
                "Use a GaussianPolicy: in a preset neither policy={'scaled': True} "
                "(--no-scale-actions) nor bound_mean."
            )
        super().__init__(obs_size, action_size, hidden_sizes, **settings)
        dtype = chainer.get_dtype()
        self.add_persistent("middle", ((low + high) / 2).astype(dtype))
        self.add_persistent("reach", ((high - low) / 2).astype(dtype))

    def _placed(self, x):
        reach, middle = (
            self.xp.broadcast_to(a, x.shape) for a in (self.reach, self.middle)
        )
        return x * reach + middle

    def _slope(self, dist):
        """The derivative of means by the MLP's outputs."""
        raise NotImplementedError

    def fisher(self, dist, tangent, parts, weight):
        """The Fisher matrix in the MLP's outputs and log σ, times a tangent.

        Parameters
        ----------
        dist, tangent, parts, weight
            As in `GaussianPolicy.fisher`.

        Returns
        -------
        array, dict of str to array
            As there: a mean moves ∂μ/∂output times as far as its output.
        """
        slope = self.xp.broadcast_to(self._slope(dist), dist.mean.shape)
        if self.log_std_kind == "state_dependent":
            slope = self.xp.concatenate([slope, self.xp.ones_like(slope)], axis=1)
        u, heads = super().fisher(dist, tangent * slope, parts, weight)
        return u * slope, heads


class ScaledGaussianPolicy(_InBounds):
    """Actions in units of half their range: μ = c + h·MLP(s) and σ = h·exp(log_std).

    It is what others have by stretching [−1, 1] onto the actions of an environment
    (Tianshou's ``action_scaling``, the ``normalize`` of rllab and garage).  Where bounds
    are not ±1 the first σ is another one: Humanoid's are ±0.4, and most actions drawn with
    σ = 1 are clipped there.  A natural step is the same in any unit, but for the damping.

    Parameters
    ----------
    obs_size, action_size, low, high, hidden_sizes
        As in `BoundedGaussianPolicy`.
    **settings
        Of `GaussianPolicy`.
    """

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
        unit = super().distribution(out)
        log_reach = self.xp.broadcast_to(self.xp.log(self.reach), unit.log_std.shape)
        return DiagonalGaussian(self._placed(unit.mean), unit.log_std + log_reach)

    def _slope(self, dist):
        return self.reach


class BoundedGaussianPolicy(_InBounds):
    """Means μ = c + h·tanh(MLP(s)), which cannot leave [c − h, c + h].

    It is ChainerRL's ``bound_mean``; σ is not scaled.

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
        return DiagonalGaussian(self._placed(F.tanh(free.mean)), free.log_std)

    def _slope(self, dist):
        unit = (dist.mean.array - self.middle) / self.reach
        return self.reach * (1 - unit * unit)
