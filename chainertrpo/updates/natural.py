"""The natural step: objective, curvature, solver, region and search, and how often."""

import dataclasses
import math
import typing

from chainertrpo._checks import whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.numerics import ACCEPTED, at, backtrack, flatten
from chainertrpo.updates.model import local_model
from chainertrpo.updates.objectives import Likelihood, Surrogate
from chainertrpo.updates.region import Curvature, TrustRegion
from chainertrpo.updates.schedule import Repeats
from chainertrpo.updates.search import SMALLEST, Backtrack, Trial, check_finite
from chainertrpo.updates.solver import CG
from chainertrpo.updates.spelling import flat_arguments

import numpy
from chainer import backend


class StepReport(typing.NamedTuple):
    """What a step did.  A numerical failure is a result here, not an exception.

    Attributes
    ----------
    reason : str
        ``accepted``, or ``smallest`` (see `Backtrack`); or why the parameters are as they
        were, bit for bit: ``kl`` (every try left the trust region), ``no_gain`` (the last
        one lost), ``nonfinite``, ``zero_gradient``, ``nonpositive_curvature``.
    fraction : float
        Of the full step, in (0, 1]; 0 if nothing changed.
    n_tries : int
        Evaluations in the line search.
    gain : float
        Objective after minus before, at the last try.
    kl : float
        Divergence from the old policy at the last try, in nats.
    cg_iterations : int
        Iterations of conjugate gradient.
    cg_residual : float
        ‖g − Ax‖₂.
    cg_reason : str
        Why conjugate gradient ended (see `Solution`).
    gradient_norm : float
        ‖g‖₂.
    """

    reason: str
    fraction: float = 0.0
    n_tries: int = 0
    gain: float = math.nan
    kl: float = math.nan
    cg_iterations: int = 0
    cg_residual: float = math.nan
    cg_reason: str = ""
    gradient_norm: float = math.nan

    @property
    def accepted(self):
        """Whether the parameters changed."""
        return self.reason in (ACCEPTED, SMALLEST)


@flat_arguments
@dataclasses.dataclass(frozen=True)
class NaturalStep:
    """maximise L(θ) + c·E[H]  subject to  KL(π_old ‖ π_θ) ≤ δ, to second order.

    With g the gradient of the objective and A the curvature at θ_old, damped: the solver
    solves Ax = g; the region gives the full step βx with β = √(2δ / (xᵀAx + ε)), so that
    ½ (βx)ᵀA(βx) = δ; then the search (Schulman et al. 2015, appendix C).  Without a
    search the full step is taken: the truncated natural policy gradient.

    Attributes
    ----------
    objective : Surrogate or Likelihood
        L and c.
    curvature : Curvature
        A.
    solver : CG
        For x.
    region : TrustRegion
        δ.
    search : Backtrack or None
        None takes the full step.
    schedule : Repeats
        Steps from one batch.
    chunk_rows : int
        Rows worked on at a time; bounds the memory, not the result.
    """

    objective: typing.Union[Surrogate, Likelihood] = Surrogate()
    curvature: Curvature = Curvature()
    solver: CG = CG()
    region: TrustRegion = TrustRegion()
    search: typing.Optional[Backtrack] = Backtrack()
    schedule: Repeats = Repeats()
    chunk_rows: int = 25_000

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("chunk_rows", self.chunk_rows, 1)

    def check(self, model, optimizer):
        """Nothing is asked of an optimiser: a natural step has its own length."""

    @single_blas_thread()
    def __call__(self, policy, batch, optimizer=None, rng=None):
        """Improve a policy in place.

        Parameters
        ----------
        policy : chainer.Link
            Observations -> distribution; only functions with second derivatives.
        batch : Batch
            On the policy's device.
        optimizer : None
            Not used.
        rng : numpy.random.Generator, optional
            Of a solver's random start; a step without one draws nothing.

        Returns
        -------
        StepReport
            Without acceptance the parameters are what they were, bit for bit.  Of several
            steps it is the last accepted one's.
        """
        # What is not finite is a reason in the report; NumPy need not warn of it too.
        with numpy.errstate(over="ignore", invalid="ignore"):
            report = self._step(policy, batch, rng)
            for _ in range(self.schedule.n - 1):
                if not report.accepted:
                    break
                following = self._step(policy, batch, rng)
                report = following if following.accepted else report
        return report

    def _step(self, policy, batch, rng):
        curvature, region = self.curvature, self.region
        model = local_model(
            policy, batch, self.objective, curvature, region, self.chunk_rows
        )
        g = model.gradient
        gradient_norm = float(backend.get_array_module(g).linalg.norm(g))
        if not math.isfinite(gradient_norm):
            return StepReport("nonfinite", gradient_norm=gradient_norm)
        if gradient_norm == 0:
            return StepReport("zero_gradient", gradient_norm=0.0)

        n = batch.action[0].size if curvature.per_dimension else 1
        max_kl = n * region.max_kl
        solution = self.solver(model, n * curvature.damping, gradient_norm, n, rng)
        x = solution.x
        quadratic = float(x.dot(g - solution.r))  # xᵀAx
        finite = math.isfinite(quadratic) and solution.reason != "nonfinite"
        report = StepReport(
            "nonpositive_curvature" if finite else "nonfinite",
            cg_iterations=solution.n_iter,
            cg_residual=solution.residual,
            cg_reason=solution.reason,
            gradient_norm=gradient_norm,
        )
        if not 0 < quadratic < math.inf:
            return report

        theta = flatten(policy)
        length = n * (region.step_size or 0) or math.sqrt(
            2 * max_kl / (quadratic + region.eps)
        )
        step = length * x
        slope = float(g.dot(step))  # the improvement by the full step, to first order
        search = self.search or Backtrack(n_tries=1)
        part = 1.0  # of that improvement which is expected of a try

        def evaluate(fraction):
            nonlocal part
            part = part * fraction if search.compound_expected else fraction
            gain, kl = model.evaluate(theta + fraction * step)
            return Trial(gain - model.gain, kl, part * slope)

        def accept(trial):
            if self.search is None:
                return check_finite(trial)
            return search.accept(trial, max_kl)

        found = backtrack(
            evaluate, accept, shrink=search.shrink, n_tries=search.n_tries
        )
        if search.on_failure == SMALLEST and found.reason in ("kl", "no_gain"):
            fraction = search.shrink**search.n_tries
            trial = evaluate(fraction)
            if check_finite(trial) == ACCEPTED:
                found = found._replace(fraction=fraction, reason=SMALLEST, trial=trial)
        if found.fraction > 0:
            with at(policy, theta + found.fraction * step) as commit:
                commit()
        report = report._replace(
            reason=found.reason, fraction=found.fraction, n_tries=found.n_tries
        )
        if found.trial is None:
            return report
        return report._replace(gain=found.trial.gain, kl=found.trial.kl)
