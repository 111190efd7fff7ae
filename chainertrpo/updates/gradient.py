"""Steps along a gradient: minibatches and a Chainer optimiser."""

import dataclasses
import math
import typing

from chainertrpo._threads import single_blas_thread
from chainertrpo.data import SCALES
from chainertrpo.numerics import ACCEPTED, at, flatten
from chainertrpo.updates.flat_step import can_step_flat, flat_steps
from chainertrpo.updates.objectives import (
    clipped_surrogate,
    mean_entropy,
    mean_kl,
    surrogate,
    value_loss,
)
from chainertrpo.updates.rows import minibatch, minibatches, take

import chainer
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

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        size = 1 if self.batch_size is None else self.batch_size
        if min(self.epochs, self.chunk_rows, size) < 1:
            raise ValueError(
                "expected epochs, chunk_rows >= 1 and batch_size None or >= 1, got "
                f"{self.epochs}, {self.chunk_rows}, {self.batch_size}."
            )
        if not (self.entropy_coef >= 0 and self.value_coef >= 0 and self.beta >= 0):
            raise ValueError(
                "expected entropy_coef, value_coef and beta >= 0, got "
                f"{self.entropy_coef}, {self.value_coef}, {self.beta}."
            )
        for name in ("clip_eps", "clip_eps_vf", "target_kl", "stop_kl"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"expected {name} None or > 0, got {value}.")
        if self.standardize_by not in (None, *SCALES) or not self.standardize_eps >= 0:
            raise ValueError(
                f"expected standardize_by None or of {sorted(SCALES)} and standardize_eps "
                f">= 0, got {self.standardize_by!r}, {self.standardize_eps}."
            )
        if self.stop_on not in STOPS:
            raise ValueError(f"expected stop_on of {STOPS}, got {self.stop_on!r}.")
        if self.target_kl is not None and self.beta == 0:
            raise ValueError(
                f"expected beta > 0 with target_kl={self.target_kl}: zero stays zero "
                "however often it is doubled. 1.0 is a usual start."
            )

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
        n = len(batch.obs)
        size = self.batch_size or n
        rows = minibatches(n, size, self.epochs, rng)
        theta, restore = flatten(model), _remember(optimizer)
        losses, kl, epoch = [], math.nan, 0
        try:
            # What is not finite is a reason in the report; NumPy need not warn of it too.
            with numpy.errstate(over="ignore", invalid="ignore"):
                for epoch in range(1, self.epochs + 1):
                    last = epoch == self.epochs or self._is_far(model, batch)
                    # A minibatch that runs over the end of an epoch belongs to it.
                    ends = len(losses), math.ceil(epoch * n / size)
                    losses += self._steps(
                        model, batch, optimizer, theta, rows[slice(*ends)]
                    )
                    if last or (self.stop_kl and self.stop_on == "divergence"):
                        kl = self._divergence(model, batch, theta)
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

    def _steps(self, model, batch, optimizer, theta, rows):
        """Step over minibatches; return their (policy loss, value loss), floats."""
        if can_step_flat(model, optimizer):
            losses = flat_steps(self, model, batch, optimizer, theta, rows)
        else:
            losses = []
            for index in rows:
                part = minibatch(self, batch, model.device.send(index))
                loss, parts = self._loss(model, part, theta)
                model.cleargrads()
                loss.backward()
                optimizer.update()
                losses.append(parts)
        # One wait for the device for all of them.
        xp = model.xp
        flat = xp.stack([x for pair in losses for x in pair]).tolist() if losses else []
        return list(zip(flat[::2], flat[1::2]))

    def _loss(self, model, part, theta):
        dist, value = both(model(part.obs))
        if self.clip_eps is None:
            gain = surrogate(dist, part)
        else:
            gain = clipped_surrogate(dist, part, self.clip_eps)
        loss, error = -gain, gain.array * 0
        if self.entropy_coef:
            loss = loss - self.entropy_coef * mean_entropy(dist)
        if self.beta:
            old = _distribution_at(model, theta, part.obs)
            loss = loss + self.beta * mean_kl(old=old, new=dist)
        if value is not None:
            error = value_loss(value, part, self.clip_eps_vf)
            loss = loss + self.value_coef * error
            error = error.array
        return loss, (-gain.array, error)

    def _is_far(self, model, batch):
        """Whether E[log π_old − log π] over the batch says that this is the last epoch."""
        if self.stop_kl is None or self.stop_on != "log_ratio":
            return False
        total, n = 0.0, len(batch.obs)
        for i in range(0, n, self.chunk_rows):
            part = take(batch, slice(i, i + self.chunk_rows))
            with chainer.no_backprop_mode():
                dist, _ = both(model(part.obs))
                log_prob = dist.log_prob(part.action).array
            total = total + (part.log_prob - log_prob).sum() / n
        return float(total) > self.stop_kl

    def _divergence(self, model, batch, theta):
        """E[KL(π_old ‖ π)] over the batch, a float."""
        total, n = 0.0, len(batch.obs)
        for i in range(0, n, self.chunk_rows):
            obs = batch.obs[i : i + self.chunk_rows]
            old = _distribution_at(model, theta, obs)
            with chainer.no_backprop_mode():
                new, _ = both(model(obs))
                total = total + mean_kl(old=old, new=new).array * (len(obs) / n)
        return float(total)


def both(output):
    """What a model gave as a pair.

    Parameters
    ----------
    output : distribution, or (distribution, Variable)
        Of a policy, or of a policy and a value function in one.

    Returns
    -------
    (distribution, Variable or None)
        The distribution and the values.
    """
    return output if isinstance(output, tuple) else (output, None)


def _distribution_at(model, theta, obs):
    with at(model, theta), chainer.no_backprop_mode():
        return both(model(obs))[0].copy()


def _remember(optimizer):
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
