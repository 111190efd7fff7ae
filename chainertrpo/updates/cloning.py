"""Behaviour cloning: supervised learning of a policy from an expert's pairs."""

import dataclasses
import typing

from chainertrpo.numerics import at, flatten
from chainertrpo.updates.rows import minibatches

import chainer
import chainer.functions as F
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
        if self.epochs < 0 or self.batch_size < 1 or not 0 <= self.validation < 1:
            raise ValueError(
                "expected epochs >= 0, batch_size >= 1 and validation in [0, 1), got "
                f"{self}."
            )

    def __call__(self, policy, optimizer, obs, action, rng):
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

        Returns
        -------
        CloningReport
            Losses before and after are `loss`'s to compare.

        Raises
        ------
        FloatingPointError
            The loss is not finite; the policy is as it was.
        """
        order = rng.permutation(len(obs))
        held = int(self.validation * len(obs))
        train, test = order[held:], order[:held]
        send = policy.device.send
        obs, action = send(obs), send(action)

        def loss(rows):
            rows = send(rows)
            return -F.average(policy(obs[rows]).log_prob(action[rows]))

        def value(rows):
            with chainer.no_backprop_mode():
                return float(loss(rows).array) if len(rows) else numpy.nan

        start = flatten(policy)
        best = (value(test), 0, start)
        n_updates = 0
        for epoch in range(1, self.epochs + 1):
            size = min(self.batch_size, len(train))
            for rows in minibatches(len(train), size, 1, rng):
                policy.cleargrads()
                loss(train[rows]).backward()
                optimizer.update()
                n_updates += 1
            now = value(test)
            if not held or now < best[0]:
                best = (now, epoch, flatten(policy))
        theta, final = best[2], value(train)
        with at(policy, theta if numpy.isfinite(final) else start) as keep:
            final = value(train)
            keep()
        if not numpy.isfinite(final):
            raise FloatingPointError(
                "expected a finite loss of cloning. Lower the learning rate."
            )
        return CloningReport(n_updates, final, best[0], best[1])
