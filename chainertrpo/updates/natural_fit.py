"""The value function fitted by a natural step, as a policy is improved."""

import dataclasses
import typing

from chainertrpo._checks import positive
from chainertrpo.numerics.moments import of_all_ranks
from chainertrpo.policies import parts, takes_sequences
from chainertrpo.policies.families import Gaussian, Scaled
from chainertrpo.policies.graph import Distribution
from chainertrpo.updates.natural import NaturalStep
from chainertrpo.updates.objectives import Likelihood
from chainertrpo.updates.region import Curvature
from chainertrpo.updates.value import FitReport, finite, with_target_stats

import chainer
import chainer.functions as F


class _Returns(chainer.Chain):
    """N(V(s), σ²) of returns, σ a constant: what a natural step can improve."""

    def __init__(self, vf, log_std):
        super().__init__()
        with self.init_scope():
            self.vf = vf
        self._constants = {"/log_std": log_std}
        self.family = Gaussian(1, "fixed")
        self.to_device(vf.device)

    def forward(self, obs):
        out = F.reshape(self.vf(obs), (-1, 1))
        return Distribution(self.family, out, self._constants)

    @property
    def parts(self):
        """Written out where the value function is; V = m + d·out is a placement."""
        found = parts(self.vf)
        if not found or found[0].family.shapes:  # with a σ of its own, it is not moved
            return ()
        family, constants = self.family, dict(self._constants)
        if hasattr(self.vf, "in_units"):
            family = Gaussian(1, "fixed", Scaled())
            dtype = constants["/log_std"].dtype
            constants["/half_range"] = self.vf.scale.astype(dtype)
            constants["/loc"] = self.vf.loc.astype(dtype)
            constants["/log_std"] = constants["/log_std"] - self.vf.xp.log(
                constants["/half_range"]
            )
        return (found[0]._replace(prefix="/vf", family=family, constants=constants),)


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
        objective=Likelihood(), curvature=Curvature("gauss_newton", damping=0.1)
    )
    variance: typing.Optional[float] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        if not isinstance(self.step.objective, Likelihood):
            raise ValueError(
                "expected a step with the objective Likelihood(), got "
                f"{self.step.objective}: a value function has no importance weights."
            )
        if self.variance is not None:
            positive("variance", self.variance)

    def check(self, vf, optimizer):
        """Refuse a value function with a memory of its own."""  # noqa: DOC501
        if takes_sequences(vf):
            raise ValueError(
                "expected a ValueFit of a value function that takes sequences, got a "
                f"NaturalFit of {type(vf).__name__}. Give value_step=ValueFit() and an "
                "optimiser."
            )

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
        with with_target_stats(vf, target):
            return self._fit(vf, target, batch, rng)

    def _fit(self, vf, target, batch, rng):
        with chainer.no_backprop_mode():
            error = F.reshape(vf(batch.obs), target.shape).array - target
        loss = variance = vf.xp.asarray(of_all_ranks(error * error).mean())
        if self.variance is not None:
            variance = self.variance * getattr(vf, "scale", vf.xp.ones(1)) ** 2
        log_std = 0.5 * vf.xp.log(variance + 1e-8).reshape(1).astype(target.dtype)
        returns = _Returns(vf, log_std)
        report = self.step(
            returns,
            batch._replace(
                action=target[:, None],
                advantage=vf.xp.ones_like(target),
                log_prob=target,
            ),
            rng=rng,
        )
        return FitReport(self.step.schedule.n * report.accepted, finite(float(loss)))
