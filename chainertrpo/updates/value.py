"""Fits of a value function to the targets of a batch."""

import contextlib
import dataclasses
import math
import typing

from chainertrpo._threads import single_blas_thread
from chainertrpo.policies import DiagonalGaussian, ScaledValueFunction
from chainertrpo.updates.regression import can_fit_flat, fit_flat
from chainertrpo.updates.rows import minibatches

import chainer.functions as F
import numpy


class FitReport(typing.NamedTuple):
    """What a fit did.

    Attributes
    ----------
    n_updates : int
        Steps of the optimiser.
    loss : float
        Mean loss over the minibatches, each before its step: of a `ScaledValueFunction` in
        its units.  Of a `NaturalFit` the mean squared error before it.
    """

    n_updates: int
    loss: float


def fitted_with_the_policy(vf, optimizer, batch, rng):
    """The fit of a value function that the policy's step has moved already: nothing.

    Parameters
    ----------
    vf, optimizer, batch, rng : object
        As for `ValueFit`.

    Returns
    -------
    FitReport
        No updates.
    """
    return FitReport(0, math.nan)


def finite(loss):
    """Check a loss.

    Parameters
    ----------
    loss : float
        Of a value function.

    Returns
    -------
    float
        The same.

    Raises
    ------
    FloatingPointError
        It is not finite.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"expected a finite loss of the value function, got {loss}. Lower the "
            "learning rate, or clip observations and rewards."
        )
    return loss


@contextlib.contextmanager
def units_learned(vf, target):
    """Have a `ScaledValueFunction` learn its units from targets when it is to.

    On an error it has the units of before.

    Parameters
    ----------
    vf : chainer.Link
        Any value function.
    target : array, shape (N,)
        Returns.

    Yields
    ------
    array, shape (N,)
        The targets in its units; of any other value function, as they are.
    """
    if not isinstance(vf, ScaledValueFunction):
        yield target
        return
    before = vf.moments
    if vf.learns == "before_fit":
        vf.experience(target)
    try:
        yield vf.in_units(target)
    except BaseException:
        vf.moments = before
        raise
    if vf.learns == "after_fit":
        vf.experience(target)


@dataclasses.dataclass(frozen=True)
class ValueFit:
    """minimise E[(V(s) − target)²] over minibatches.

    Of a value function with a ``log_std`` (see `ValueFunction`) it is
    E[−log N(target; V(s), σ²)], and σ is fitted with it.  A `ScaledValueFunction` is fitted
    in its units, and learns them here.

    Attributes
    ----------
    epochs : int
        Passes over the batch.
    batch_size : int or None
        Rows a minibatch; None takes them all.
    """

    epochs: int = 3
    batch_size: typing.Optional[int] = 64

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        if self.epochs < 0 or (self.batch_size is not None and self.batch_size < 1):
            raise ValueError(
                f"expected epochs >= 0 and batch_size >= 1, got epochs={self.epochs}, "
                f"batch_size={self.batch_size}."
            )

    @single_blas_thread()
    def __call__(self, vf, optimizer, batch, rng):
        """Fit a value function in place.

        Parameters
        ----------
        vf : chainer.Link
            Observations -> values of shape (N, 1) or (N,).
        optimizer : chainer.Optimizer
            Set up with `vf`.
        batch : Batch
            On the device of `vf`.
        rng : numpy.random.Generator
            Of the shuffling.

        Returns
        -------
        FitReport
            The number of steps and the mean loss.

        Raises
        ------
        FloatingPointError
            The loss is not finite.
        """
        size = self.batch_size or len(batch.obs)
        rows = minibatches(len(batch.obs), size, self.epochs, rng)
        rows = vf.device.send(numpy.array(rows, dtype=int).reshape(-1, size))
        fit = fit_flat if can_fit_flat(vf, optimizer) else _fit_by_graphs
        with units_learned(vf, batch.value_target) as target:
            with numpy.errstate(
                over="ignore", invalid="ignore"
            ):  # it is an error below
                total = fit(vf, optimizer, batch.obs, target, rows)
            loss = finite(float(total) / max(len(rows), 1))
        return FitReport(len(rows), loss)


def _fit_by_graphs(vf, optimizer, obs, target, batches):
    total = 0.0
    in_units = getattr(vf, "in_units", lambda value: value)
    for index in batches:
        y = target[index]
        value = in_units(F.reshape(vf(obs[index]), y.shape))
        if getattr(vf, "log_std", None) is None:
            loss = F.mean_squared_error(value, y)
        else:
            dist = DiagonalGaussian(value[:, None], vf.log_std)
            loss = -F.mean(dist.log_prob(y[:, None]))
        vf.cleargrads()
        loss.backward()
        optimizer.update()
        total = total + loss.array
    return total
