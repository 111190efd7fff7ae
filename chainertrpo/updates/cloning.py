"""Behaviour cloning: supervised learning of a policy from an expert's pairs."""

import dataclasses
import math
import typing

from chainertrpo import ranks
from chainertrpo._checks import in_range, whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.data import Batch
from chainertrpo.data.pieces import (
    index_for,
    minibatches,
    n_pieces,
    pieces_for,
    shared_out,
    take,
)
from chainertrpo.numerics import at, flatten
from chainertrpo.policies import carry_size
from chainertrpo.updates.minibatch import descend
from chainertrpo.updates.said import said
from chainertrpo.updates.value import regression

import numpy


class CloningReport(typing.NamedTuple):
    """What a clone is like.

    Attributes
    ----------
    n_updates : int
        Steps of the optimiser.
    loss, validation_loss : float
        −E[log π(a|s)], nats, of the kept parameters; nan without validation pairs.
    best_epoch : int
        After which epoch they were kept; 0 is before the first.
    """

    n_updates: int
    loss: float
    validation_loss: float
    best_epoch: int

    def __str__(self):
        kept = f"after epoch {self.best_epoch}" if self.best_epoch else "the first ones"
        held_out = (
            ""
            if math.isnan(self.validation_loss)
            else f", of held-out pairs {self.validation_loss:.4f}"
        )
        return (
            f"{self.n_updates} minibatches; mean of −log π(a|s) {self.loss:.4f}{held_out}; "
            f"parameters kept: {kept}"
        )


@dataclasses.dataclass(frozen=True)
class Cloning:
    """minimise −E_E[log π(a|s)] over minibatches; keep the best parameters.

    Best is by held-out pairs, as in Ho and Ermon (2016, arXiv:1606.03476, section 6),
    who held out 30 %.

    Attributes
    ----------
    epochs : int
        Passes over the training pairs.
    batch_size : int
        Pairs a minibatch.
    validation : float
        Share of pairs held out, in [0, 1); 0 keeps the last parameters.
    """

    epochs: int = 100
    batch_size: int = 128
    validation: float = 0.3

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("epochs", self.epochs, 0)
        whole("batch_size", self.batch_size, 1)
        in_range("validation", self.validation, 0, below=1)

    @ranks.apart()  # all of them clone alike
    @single_blas_thread()
    def __call__(
        self,
        policy,
        optimizer,
        obs,
        action,
        rng,
        mask=None,
        starts=None,
        weight=None,
    ):
        """Fit a policy in place.

        Parameters
        ----------
        policy : chainer.Link
            Observations -> distribution.
        optimizer : chainer.Optimizer
            Set up with `policy`.
        obs : array, shape (N, S), float32
            On the host, normalised as the policy's.
        action : array, shape (N, A) or (N,)
            The expert's.
        rng : numpy.random.Generator
            Of the split and the shuffling.
        mask : array, shape (N, M), bool, optional
            What could be chosen.
        starts : array of int, shape (K,), optional
            In which rows episodes begin: a policy with memory needs them, and then whole
            episodes are held out and shuffled.
        weight : array, shape (N,), optional
            Of each pair in the mean, of mean 1; by default all count alike.

        Returns
        -------
        CloningReport
            With the losses of the parameters that were kept.

        Raises
        ------
        FloatingPointError
            The loss is not finite; the policy is as it was.
        """
        batch, send = (
            _batch(policy, obs, action, mask, starts, weight),
            policy.device.send,
        )
        order = rng.permutation(n_pieces(batch))
        held = int(self.validation * len(order))
        train, test = order[held:], order[:held]

        def value(chosen):
            if not len(chosen):
                return numpy.nan
            part = take(batch, index_for(batch, chosen, send))
            there = said(policy, part.obs, part.mask, memory=part.memory)
            log_prob, weight = there.log_prob(part.action), part.advantage
            if weight is None:
                return -float(log_prob.mean())
            return -float((log_prob * weight).sum() / weight.sum())

        loss = regression(batch.obs, batch.action, batch.mask)
        if batch.memory or weight is not None:
            loss = _regression_of_rows(batch)
        start = flatten(policy)
        best = (value(test), 0, start)
        n_updates = 0
        for epoch in range(1, self.epochs + 1):
            size = min(pieces_for(batch, self.batch_size), len(train))
            rows = train[minibatches(len(train), size, 1, rng)]
            rows = shared_out(rows, batch, send)
            n_updates += len(descend(policy, optimizer, rows, loss))
            now = value(test)
            if not held or now < best[0]:
                best = (now, epoch, flatten(policy))
        theta, final = best[2], value(train)
        with at(policy, theta if numpy.isfinite(final) else start) as commit:
            final = value(train)
            commit()
        if not numpy.isfinite(final):
            raise FloatingPointError(
                "expected a finite loss of cloning. Lower the learning rate."
            )
        return CloningReport(n_updates, final, best[0], best[1])


def _batch(policy, obs, action, mask, starts, weight):
    """The pairs on the policy's device; with memory its carry is zero at every start."""
    send, size = policy.device.send, carry_size(policy)
    weight = None if weight is None else weight.astype(obs.dtype)
    obs, action, mask, weight = (
        x if x is None else send(x) for x in (obs, action, mask, weight)
    )
    # To E[log π] a weight is what an advantage is to E[A log π].
    batch = Batch(obs, action, None, weight, None, mask=mask)
    if not size:
        return batch
    if starts is None:
        raise ValueError(
            "expected starts, the rows in which episodes begin, to clone into a policy "
            "with memory, got None. clone_expert gives those of its demonstrations."
        )
    carry = policy.xp.zeros((len(starts), size), obs.dtype)
    return batch._replace(starts=numpy.asarray(starts), carry=carry)


def _regression_of_rows(batch):
    """What `regression` is, for a policy with memory or pairs with weights."""

    def loss(heads, minibatch):
        part, head = take(batch, minibatch.index), heads[0]
        head.at(part.obs, part.mask, part.memory)
        share = -1 / minibatch.rows
        if part.advantage is None:
            head.pull(part.action, by_log_prob=share)
            return (head.sum_log_prob(part.action) * share,)
        share = part.advantage * part.advantage.dtype.type(share)
        head.pull(part.action, by_log_prob=share)
        return ((head.log_prob(part.action) * share).sum(),)

    return loss
