"""Value functions: from observations to expected returns."""

from chainertrpo.policies.models import MLP

import chainer
import numpy


class ValueFunction(chainer.Chain):
    """An MLP from observations to state values.

    Parameters
    ----------
    obs_size : int
        S.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    log_std_init : float, optional
        Where log σ of N(V(s), σ²) starts, a parameter: a `ValueFit` is then by likelihood
        (garage).  None: there is no σ.
    activation, init, hidden_scale, last_scale, seed
        As in `MLP`.
    """

    def __init__(
        self,
        obs_size,
        hidden_sizes=(64, 64),
        *,
        log_std_init=None,
        activation="tanh",
        init="orthogonal",
        hidden_scale=1.0,
        last_scale=1.0,
        seed=None,
    ):
        super().__init__()
        with self.init_scope():
            self.mlp = MLP(
                (obs_size, *hidden_sizes, 1),
                activation=activation,
                init=init,
                hidden_scale=hidden_scale,
                last_scale=last_scale,
                seed=seed,
            )
            if log_std_init is not None:
                self.log_std = chainer.Parameter(log_std_init, (1,))

    def forward(self, obs):
        """Return the values of states.

        Parameters
        ----------
        obs : array or Variable, shape (N, S)
            Observations, normalised if the agent normalises.

        Returns
        -------
        Variable, shape (N, 1)
            V(s).
        """
        return self.mlp(obs)


class ScaledValueFunction(ValueFunction):
    """Values in units of the returns seen so far: V(s) = m + d·MLP(s)  (openai/imitation).

    The MLP need not grow to the size of returns, and steps of one length suit them all.
    m and d are the running mean and standard deviation of the targets, 0 and 1 before the
    first; with them every value moves, also where the MLP stays.

    Parameters
    ----------
    obs_size : int
        S.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    **settings
        Of `ValueFunction`.
    """

    def __init__(self, obs_size, hidden_sizes=(64, 64), **settings):
        super().__init__(obs_size, hidden_sizes, **settings)
        self.add_persistent("_mean", numpy.zeros(1))
        self.add_persistent("_var", numpy.ones(1))
        self.add_persistent("count", numpy.array(0))

    @property
    def unit(self):
        """d, array of shape (1,), float64; never 0."""
        return self.xp.sqrt(self._var) + 1e-6

    def experience(self, target):
        """Merge targets into m and d.

        Parameters
        ----------
        target : array, shape (N,)
            Returns.
        """
        target = target.astype(numpy.float64)
        self.count += len(target)
        rate = len(target) / self.count
        delta = target.mean() - self._mean
        self._mean += rate * delta
        self._var += rate * (target.var() - self._var) + rate * (1 - rate) * delta**2

    def forward(self, obs):
        """Return the values of states.

        Parameters
        ----------
        obs : array or Variable, shape (N, S)
            Observations, normalised if the agent normalises.

        Returns
        -------
        Variable, shape (N, 1)
            V(s).
        """
        out = self.mlp(obs)
        mean, unit = (x.astype(out.dtype) for x in (self._mean, self.unit))
        return out * unit + mean
