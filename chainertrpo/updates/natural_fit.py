"""The value function fitted by a natural step, as a policy is improved."""

import dataclasses
import typing

from chainertrpo.policies import DiagonalGaussian, ScaledValueFunction
from chainertrpo.updates.natural import NaturalStep
from chainertrpo.updates.value import FitReport, finite, units_learned

import chainer
import chainer.functions as F


class _Belief(chainer.Chain):
    """N(V(s), σ²) over returns: what a natural step can improve."""

    def __init__(self, vf, log_std):
        super().__init__()
        with self.init_scope():
            self.vf = vf
        self.log_std = log_std
        self.to_device(vf.device)

    def forward(self, obs):
        return DiagonalGaussian(F.reshape(self.vf(obs), (-1, 1)), self.log_std)


@dataclasses.dataclass(frozen=True)
class NaturalFit:
    """minimise E[(V(s) − target)²] subject to E[(V − V_old)²] / 2σ² ≤ ε.

    V is taken for the mean of a Gaussian, whose log likelihood a `NaturalStep` raises
    within a trust region (Schulman et al. 2016, section 5).  Ho and Ermon's code fits its
    value function in this way.  A `ScaledValueFunction` learns its unit from the
    targets.

    Attributes
    ----------
    step : NaturalStep
        With the objective ``likelihood``; its max_kl is ε.
    variance : float or None
        σ², in squared units of the value function: openai/imitation's E[(V − V_old)²] ≤ ε
        is ½.  None takes the mean squared error before.
    """

    step: NaturalStep = NaturalStep(
        objective="likelihood", curvature="gauss_newton", damping=0.1
    )
    variance: typing.Optional[float] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        if self.step.objective != "likelihood":
            raise ValueError(
                "expected a step with the objective likelihood, got "
                f"{self.step.objective!r}: a value function has no importance weights."
            )
        if self.variance is not None and not self.variance > 0:
            raise ValueError(f"expected variance None or > 0, got {self.variance}.")

    def __call__(self, vf, optimizer, batch, rng):
        """Fit a value function in place.

        Parameters
        ----------
        vf : chainer.Link
            Observations -> values of shape (N, 1) or (N,).
        optimizer : None
            Not used.
        batch : Batch
            On the device of `vf`.
        rng : numpy.random.Generator
            For a step that draws.

        Returns
        -------
        FitReport
            Steps taken, and the mean squared error before.

        Raises
        ------
        FloatingPointError
            That error is not finite.
        """
        target = batch.value_target
        with units_learned(vf, target):
            return self._fit(vf, target, batch, rng)

    def _fit(self, vf, target, batch, rng):
        with chainer.no_backprop_mode():
            error = F.reshape(vf(batch.obs), target.shape).array - target
        loss = variance = (error * error).mean()
        if self.variance is not None:
            unit = vf.unit if isinstance(vf, ScaledValueFunction) else vf.xp.ones(1)
            variance = self.variance * unit**2
        log_std = 0.5 * vf.xp.log(variance + 1e-8).reshape(1).astype(target.dtype)
        belief = _Belief(vf, log_std)
        report = self.step(
            belief,
            batch._replace(
                action=target[:, None],
                advantage=vf.xp.ones_like(target),
                log_prob=target,
            ),
            rng=rng,
        )
        return FitReport(self.step.repeats * report.accepted, finite(float(loss)))
