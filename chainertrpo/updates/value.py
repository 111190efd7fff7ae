"""Fits of a value function to the targets of a batch."""

import contextlib
import dataclasses
import math
import typing

from chainertrpo import ranks
from chainertrpo._checks import whole
from chainertrpo._renamed import renamed_function
from chainertrpo._threads import single_blas_thread
from chainertrpo.data.pieces import in_pieces, minibatches, runs, shared_out
from chainertrpo.numerics.kernels import gather
from chainertrpo.updates.gradient import remember
from chainertrpo.updates.minibatch import are_written_out, descend
from chainertrpo.updates.target import check_target

import chainer
import numpy

# A minibatch of so many weights times rows takes the host no longer than 20 launches.
ON_HOST = 1_000_000


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
    """Check a loss."""  # noqa: DOC501
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"expected a finite loss of the value function, got {loss}. Lower the "
            "learning rate, or clip observations and rewards."
        )
    return loss


@contextlib.contextmanager
def with_target_stats(vf, target):
    """Have a value function that knows its scale learn it from targets when it is to.

    On an error it has the statistics of before.
    """  # noqa: DOC402
    learns = getattr(vf, "learns", None)
    if learns is None:
        yield target
        return
    before = vf.moments
    if learns == "before_fit":
        vf.experience(target)
    try:
        yield vf.in_units(target)
    except BaseException:
        vf.moments = before
        raise
    if learns == "after_fit":
        vf.experience(target)


units_learned = renamed_function("units_learned", with_target_stats)


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
        Rows a minibatch; None takes them all.  Of a V with a memory of its own (ChainerRL's
        recurrent links) these are rows of paths in shuffled order, one after the other.
    on_host : bool or None
        Where V is on a GPU: fit it on the host, where a step of a small network takes less
        time than launching its kernels.  None does so up to `ON_HOST` weights times rows
        a minibatch (docs/gpu.md).  Links and optimisers of others stay where they are.
    piece_length : int or None
        Of a V with a memory of its own: paths are cut to so many rows before they are
        shuffled (ChainerRL's ``max_recurrent_sequence_len``).
    """

    epochs: int = 3
    batch_size: typing.Optional[int] = 64
    on_host: typing.Optional[bool] = None
    piece_length: typing.Optional[int] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("epochs", self.epochs, 0)
        for name in ("batch_size", "piece_length"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), 1)

    def check(self, vf, optimizer):
        """Check that the optimiser is set up with the value function."""
        check_target("vf_optimizer", optimizer, vf)

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
        ValueError
            V has a memory of its own, and there are several ranks.
        """
        n = ranks.sum(len(batch.obs))
        size = self.batch_size or n
        if batch.memory:
            if ranks.size() > 1:
                raise ValueError(
                    "expected a vf without a memory of its own on several ranks, got "
                    f"{type(vf).__name__}. Use ValueFunction of [observation, hidden "
                    "state], or one rank."
                )
            batch = in_pieces(batch, self.piece_length)
            rows, device = runs(batch, size, self.epochs, rng), vf.device
        else:
            rows = minibatches(n, size, self.epochs, rng)
            device = self._device(vf, optimizer, size)
            rows, obs = shared_out(rows, batch, device.send), device.send(batch.obs)
        restore = remember(optimizer)
        try:
            with with_target_stats(vf, batch.value_target) as target:
                # What is not finite is an error below.
                with numpy.errstate(over="ignore", invalid="ignore"):
                    loss = regression_of_pieces
                    if not batch.memory:
                        loss = regression(obs, device.send(target[:, None]))
                    losses = descend(vf, optimizer, rows, loss, device=device)
                loss = finite(sum(x for (x,) in losses) / max(len(losses), 1))
        except BaseException:
            restore()
            raise
        return FitReport(len(losses), loss)

    def _device(self, vf, optimizer, size):
        """Where the steps are taken."""
        if vf.xp is numpy or not are_written_out(vf, optimizer):
            return vf.device
        weights = sum(param.size for param in vf.params())
        small = weights * size <= ON_HOST
        host = small if self.on_host is None else self.on_host
        return chainer.get_device("@numpy") if host else vf.device


def regression(obs, target, mask=None):
    """The loss −E[log p(target)] of minibatches, for `descend`."""

    def loss(heads, minibatch):
        rows, n = minibatch
        head, (seen, wanted, valid) = heads[0], gather((obs, target, mask), rows)
        head.at(seen, valid)
        share = -1 / n
        loss = head.sum_log_prob(wanted) * share
        head.pull(wanted, by_log_prob=share)
        return (loss,)

    return loss


def regression_of_pieces(heads, part):
    """The loss −E[log p(target)] of the pieces in a batch, for `descend`."""
    head, share, wanted = heads[0], -1 / len(part.obs), part.value_target[:, None]
    head.at(part.obs, None, part.memory)
    loss = head.sum_log_prob(wanted) * share
    head.pull(wanted, by_log_prob=share)
    return (loss,)
