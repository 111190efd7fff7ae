"""Value functions: from observations to expected returns."""

from __future__ import annotations

import typing

from chainertrpo._checks import widths
from chainertrpo._renamed import renamed_attribute
from chainertrpo.numerics.moments import merge, of_all_ranks
from chainertrpo.policies.families import Gaussian, Squared
from chainertrpo.policies.images import network_for
from chainertrpo.policies.models import MLP
from chainertrpo.policies.policy import Part, computes_as

import chainer
import numpy

LEARNS = ("before_fit", "after_fit")


class ValueFunction(chainer.Chain):
    """An MLP from observations to state values.

    Parameters
    ----------
    obs_size : int or tuple of int
        S; or (H, W, C) of images, as in `SpacePolicy`.
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
        obs_size: int,
        hidden_sizes: typing.Sequence[int] = (64, 64),
        *,
        log_std_init: typing.Any = None,
        activation: str = "tanh",
        init: str = "orthogonal",
        hidden_scale: float = 1.0,
        last_scale: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        with self.init_scope():
            self.mlp = network_for(
                obs_size,
                (*widths("hidden_sizes", hidden_sizes), 1),
                activation=activation,
                init=init,
                hidden_scale=hidden_scale,
                last_scale=last_scale,
                seed=seed,
            )
            if log_std_init is not None:
                self.log_std = chainer.Parameter(log_std_init, (1,))
        # What its MLP's outputs are fitted by; see `parts`.
        self.family = Squared() if log_std_init is None else Gaussian(1)
        network = getattr(self.mlp, "network", None)
        self._network = network and network.named("/mlp")

    @property
    def parts(self):
        """The MLP and the likelihood of returns by it, in its own units, written out.

        Empty if a subclass computes something else.
        """
        own = computes_as(self, ValueFunction, "forward", "__call__")
        if not own or not computes_as(self.mlp, MLP, "forward", "__call__"):
            return ()
        return (Part("", self._network, self.family, {}),)

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
        return self.value(self.mlp(obs))

    def value(self, out):
        """Return the values that outputs of the MLP stand for: themselves.

        Parameters
        ----------
        out : array or Variable, shape (N, 1)
            Of the MLP.

        Returns
        -------
        array or Variable, shape (N, 1)
            V(s).
        """
        return out


class ScaledValueFunction(ValueFunction):
    """Values in units of the returns seen so far: V(s) = m + d·MLP(s).

    The MLP need not grow to the size of returns, and steps of one length suit them all.
    m and d are the running mean and standard deviation of the targets, 0 and 1 before the
    first; with them every value moves, also where the MLP stays.  openai/imitation does
    this; Tianshou keeps m = 0, and merges the targets of a batch after fitting to them.

    Parameters
    ----------
    obs_size : int
        S.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    centered : bool
        False: m stays 0; d is what it is anyway.
    learns : str
        ``before_fit`` or ``after_fit``: when m and d take in the targets of a batch.
    **settings
        Of `ValueFunction`; its log σ is in these units.
    """

    def __init__(
        self,
        obs_size,
        hidden_sizes=(64, 64),
        *,
        centered=True,
        learns="before_fit",
        **settings,
    ):
        if learns not in LEARNS:
            raise ValueError(
                f"expected learns to be one of {sorted(LEARNS)}, got {learns!r}."
            )
        super().__init__(obs_size, hidden_sizes, **settings)
        self.centered, self.learns = centered, learns
        self.add_persistent("_mean", numpy.zeros(1))
        self.add_persistent("_var", numpy.ones(1))
        self.add_persistent("count", numpy.array(0))

    unit = renamed_attribute("unit", "scale")
    origin = renamed_attribute("origin", "loc")

    @property
    def scale(self):
        """d, array of shape (1,), float64; never 0."""
        return self.xp.sqrt(self._var) + 1e-6

    @property
    def loc(self):
        """m, array of shape (1,), float64."""
        return self._mean if self.centered else self._mean * 0

    @property
    def moments(self):
        """Mean and variance of the targets so far, and their number."""
        return self._mean.copy(), self._var.copy(), self.count.copy()

    @moments.setter
    def moments(self, moments):
        self._mean[...], self._var[...], self.count[...] = moments

    def experience(self, target):
        """Merge targets into m and d.

        Parameters
        ----------
        target : array, shape (N,)
            Returns; with several ranks those of this one, and all are merged.
        """
        xp = self.xp
        target = target.astype(numpy.float64)
        of_all = of_all_ranks(target)
        found = xp.stack([xp.asarray(x) for x in (of_all.mean(), of_all.var())])
        merged = merge(self._mean, self._var, self.count, *found[:, None], len(of_all))
        self._mean[...], self._var[...], self.count[...] = merged

    def value(self, out):
        """Return the values that outputs of the MLP stand for.

        Parameters
        ----------
        out : array or Variable, shape (N, 1)
            Of the MLP.

        Returns
        -------
        array or Variable, shape (N, 1)
            m + d·out.
        """
        loc, scale = (x.astype(out.dtype) for x in (self.loc, self.scale))
        return out * scale + loc

    def in_units(self, value):
        """Return the outputs of the MLP that stand for values, the inverse of `value`.

        Parameters
        ----------
        value : array or Variable, shape (N,)
            Values or returns.

        Returns
        -------
        array or Variable, shape (N,)
            (value − m)/d.
        """
        loc, scale = (x.astype(value.dtype) for x in (self.loc, self.scale))
        return (value - loc) / scale
