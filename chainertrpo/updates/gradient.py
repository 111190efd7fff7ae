"""Steps along a gradient: minibatches and a Chainer optimiser."""

import dataclasses
import math
import typing

from chainertrpo._checks import at_least, one_of, positive, whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.data.pieces import (
    in_pieces,
    minibatches,
    n_pieces,
    pieces_for,
    shared_out,
    take,
)
from chainertrpo.numerics import ACCEPTED, flatten
from chainertrpo.numerics.moments import SCALES, of_all_ranks, standardize
from chainertrpo.updates.minibatch import descend
from chainertrpo.updates.objectives import Surrogate, squared_errors
from chainertrpo.updates.said import said
from chainertrpo.updates.target import check_target

import numpy

STOPS = ("divergence", "log_ratio")


class GradientReport(typing.NamedTuple):
    """What a `GradientStep` did.

    Attributes
    ----------
    reason : str
        ``accepted``; or ``nonfinite``, and model and optimiser are as they were.
    kl : float
        E[KL(π_old ‖ π)] after the last minibatch, in nats.
    n_updates : int
        Steps of the optimiser.
    policy_losses : tuple of float
        Minus the policy's objective, without entropy and penalty; one a minibatch, before
        its step.
    value_losses : tuple of float
        Of the value function, likewise; 0 without one.
    epochs : int
        Epochs begun; fewer than asked for after an early stop.
    """

    reason: str
    kl: float = math.nan
    n_updates: int = 0
    policy_losses: tuple = ()
    value_losses: tuple = ()
    epochs: int = 0

    def __str__(self):
        """Say it on one line, however many minibatches there were."""
        losses = (self.policy_losses, self.value_losses)
        first, last = ([x[i] if x else math.nan for x in losses] for i in (0, -1))
        return (
            f"{self.reason}, KL {self.kl:.4g}, {self.n_updates} minibatches in "
            f"{self.epochs} epochs, loss of the policy {first[0]:.4g} to {last[0]:.4g}, "
            f"of values {first[1]:.4g} to {last[1]:.4g}"
        )

    @property
    def accepted(self):
        """Whether the parameters changed."""
        return self.reason == ACCEPTED

    @property
    def fraction(self):
        """Of the step: all of it, or nothing."""
        return float(self.accepted)


@dataclasses.dataclass(frozen=True)
class GradientStep:
    """maximise L(θ) + c·E[H] − β·E[KL(π_old ‖ π_θ)] − c_V·E[(V − target)²] by an optimiser.

    L is the surrogate, clipped if `clip_eps` is given; minibatches are drawn as Chainer's
    ``SerialIterator`` does.  With one epoch of one batch it is a plain policy gradient
    step; with clipping it is PPO, with the penalty TRPO's unconstrained form (Schulman et
    al. 2017, sections 3 and 4; Schulman et al. 2015, section 4).

    Attributes
    ----------
    epochs : int
        Passes over the batch.
    batch_size : int or None
        Rows a minibatch; None takes them all.
    clip_eps : float or None
        ε of the clipped surrogate; None does not clip.
    entropy_coef : float
        c.
    value_coef : float
        c_V, where the model gives values too.
    clip_eps_vf : float or None
        ε of the clipped value loss, in units of return; None does not clip.
    beta : float
        β ≥ 0, per nat.
    target_kl : float or None
        β is halved after a step of less than 2/3 of this KL divergence and doubled after
        one of more than 3/2 of it; None keeps it.
    stop_kl : float or None
        No further epoch after one with more of what `stop_on` names, nats.
    stop_on : str
        ``divergence``: E[KL(π_old ‖ π)] where the epoch ends; ``log_ratio``: its estimate
        E[log π_old − log π] by the actions taken, where the epoch begins (Spinning Up: the
        step after too much of it is taken all the same).
    chunk_rows : int
        Rows worked on at a time for the KL divergence of the report.
    standardize_by : str or None
        Bring the advantages of every minibatch to mean 0 and this to 1: ``std``
        (Baselines), ``unbiased_std`` (Stable-Baselines3, CleanRL); None leaves them.
    standardize_eps : float
        Added to it.
    piece_length : int or None
        Of a policy with memory: minibatches are made of pieces of paths of at most so many
        steps, so many that they have `batch_size` rows on average.  Each begins with the
        hidden state of π_old.  None takes whole paths.
    """

    epochs: int = 10
    batch_size: typing.Optional[int] = 64
    clip_eps: typing.Optional[float] = None
    entropy_coef: float = 0.0
    value_coef: float = 1.0
    clip_eps_vf: typing.Optional[float] = None
    beta: float = 0.0
    target_kl: typing.Optional[float] = None
    stop_kl: typing.Optional[float] = None
    chunk_rows: int = 25_000
    standardize_by: typing.Optional[str] = None
    standardize_eps: float = 1e-8
    stop_on: str = "divergence"
    piece_length: typing.Optional[int] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        for name in ("epochs", "chunk_rows"):
            whole(name, getattr(self, name), 1)
        for name in ("batch_size", "piece_length"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), 1)
        for name in ("entropy_coef", "value_coef", "beta", "standardize_eps"):
            at_least(name, getattr(self, name), 0)
        for name in ("clip_eps", "clip_eps_vf", "target_kl", "stop_kl"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        one_of("standardize_by", self.standardize_by, (None, *SCALES))
        one_of("stop_on", self.stop_on, STOPS)
        if self.target_kl is not None and self.beta == 0:
            raise ValueError(
                f"expected beta > 0 with target_kl={self.target_kl}: zero stays zero "
                "however often it is doubled. 1.0 is a usual start."
            )

    def check(self, model, optimizer):
        """Check that the optimiser is set up with the model."""
        check_target("optimizer", optimizer, model)

    @single_blas_thread()
    def __call__(self, model, batch, optimizer, rng):
        """Improve a policy in place, and a value function that comes with it.

        Parameters
        ----------
        model : chainer.Link
            Observations -> distribution, or (distribution, values).
        batch : Batch
            On the model's device.
        optimizer : chainer.Optimizer
            Set up with `model`.
        rng : numpy.random.Generator
            Of the shuffling.

        Returns
        -------
        GradientReport
            If a loss is not finite, model and optimiser are left as they were, bit for
            bit; so they are by an exception.
        """
        batch = in_pieces(batch, self.piece_length)
        n, size = n_pieces(batch), pieces_for(batch, self.batch_size)
        rows = minibatches(n, size, self.epochs, rng)
        rows = shared_out(rows, batch, model.device.send)
        theta, restore = flatten(model), remember(optimizer)
        losses, kl, epoch, old = [], math.nan, 0, None
        try:
            # What is not finite is a reason in the report; NumPy need not warn of it too.
            with numpy.errstate(over="ignore", invalid="ignore"):
                # Where nothing stops it early all epochs are one descent.
                first = 1 if self.stop_kl else self.epochs
                for epoch in range(first, self.epochs + 1):
                    last = epoch == self.epochs or self._is_far(model, batch)
                    # A minibatch that runs over the end of an epoch belongs to it.
                    ends = len(losses), math.ceil(epoch * n / size)
                    losses += descend(
                        model,
                        optimizer,
                        rows[slice(*ends)],
                        lambda heads, part: self._pull(heads, *part, batch),
                        theta,
                    )
                    if last or (self.stop_kl and self.stop_on == "divergence"):
                        old = old or self._said(model, batch, theta)
                        now = self._said(model, batch)
                        kl = float(of_all_ranks(old.kl(now)).mean())
                        last = last or kl > self.stop_kl
                    if last:
                        break
        except BaseException:
            restore()
            raise
        policy_losses, value_losses = zip(*losses)
        if not all(map(math.isfinite, (kl, sum(policy_losses)))):
            restore()
            return GradientReport("nonfinite", epochs=epoch)
        return GradientReport(
            ACCEPTED, kl, len(losses), policy_losses, value_losses, epoch
        )

    def after(self, report):
        """The step of the next update.

        Parameters
        ----------
        report : GradientReport
            Of this update.

        Returns
        -------
        GradientStep
            With β adapted (Schulman et al. 2017, section 4).
        """
        if self.target_kl is None or not report.accepted:
            return self
        factor = 1.0
        if report.kl < self.target_kl / 1.5:
            factor = 0.5
        elif report.kl > self.target_kl * 1.5:
            factor = 2.0
        return dataclasses.replace(self, beta=factor * self.beta)

    def adapted(self):
        """What has adapted, by the name of its file: β, where it does."""
        return {} if self.target_kl is None else {"penalty": self.beta}

    def with_adapted(self, found):
        """The step with what `adapted` returned."""
        return dataclasses.replace(self, beta=found.get("penalty", self.beta))

    def _pull(self, heads, index, n, batch):
        """The losses of a minibatch: of the policy, and of values that come with it."""
        part = take(batch, index)
        if self.standardize_by is not None:
            advantage = standardize(
                part.advantage, self.standardize_eps, self.standardize_by
            )
            part = part._replace(advantage=advantage)
        policy = heads[0]
        policy.at(part.obs, part.mask, part.memory)
        gain, slope = Surrogate(clip_eps=self.clip_eps).rows(
            policy.log_prob(part.action), part
        )
        policy.pull(
            part.action,
            by_log_prob=slope * (-1 / n),
            by_entropy=-self.entropy_coef / n,
            by_kl=self.beta / n,
            old=policy.old(batch, index) if self.beta else None,
        )
        loss = gain.sum() * (-1 / n)
        if len(heads) == 1:
            return loss, loss * 0
        values = heads[1]
        values.at(part.for_values().obs)
        errors, moves = squared_errors(values.m, part, self.clip_eps_vf)
        weight = errors.dtype.type(self.value_coef * (-1 / n))
        values.pull(part.value_target[:, None], by_log_prob=moves * weight)
        return loss, errors.sum() * (1 / n)

    def _said(self, model, batch, theta=None):
        return said(model, batch.obs, batch.mask, theta, self.chunk_rows, batch.memory)

    def _is_far(self, model, batch):
        """Whether E[log π_old − log π] over the batch says that this is the last epoch."""
        if self.stop_kl is None or self.stop_on != "log_ratio":
            return False
        log_prob = self._said(model, batch).log_prob(batch.action)
        return float(of_all_ranks(batch.log_prob - log_prob).mean()) > self.stop_kl


def remember(optimizer):
    """Return what puts an optimiser and its target back, in the arrays they have now."""
    t = optimizer.t
    params = []
    for param in optimizer.target.params():
        rule = param.update_rule
        state = None if rule is None or rule.state is None else rule.state
        moments = state and {
            k: None if v is None else v.copy() for k, v in state.items()
        }
        params.append((param, param.array.copy(), rule, moments, rule and rule.t))

    def restore():
        optimizer.t = t
        for param, array, rule, moments, count in params:
            param.array[...] = array
            if rule is not None:
                rule.t, rule._state = count, moments

    return restore
