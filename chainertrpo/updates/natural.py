"""The natural step: direction × length × search."""

import dataclasses
import math
import typing

from chainertrpo._threads import single_blas_thread
from chainertrpo.numerics import (
    ACCEPTED,
    at,
    backtrack,
    conjugate_gradient,
    damped,
    flatten,
)
from chainertrpo.updates.local import (
    CONSTRAINTS,
    CURVATURES,
    KL_SIDES,
    OBJECTIVES,
    local_model,
)
from chainertrpo.updates.search import SMALLEST, Backtrack, Trial, check_finite

import chainer
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


@dataclasses.dataclass(frozen=True)
class NaturalStep:
    """maximise L(θ) + c·H(θ)  subject to  KL(π_old ‖ π_θ) ≤ δ, to second order.

    With g the gradient and A the Hessian of the mean KL at θ_old, plus damping λ: solve
    Ax = g by conjugate gradient; the full step is βx with β = √(2δ / (xᵀAx + ε)), so that
    ½ (βx)ᵀA(βx) = δ; then the search (Schulman et al. 2015, appendix C).  Without a
    search the full step is taken: the truncated natural policy gradient.

    Attributes
    ----------
    max_kl : float
        δ > 0, nats.
    cg_iterations : int
        Iterations of conjugate gradient, one product each.
    cg_tol : float or None
        Residual norm at which it stops early.
    cg_rtol : float
        The same, as a part of ‖g‖ (SciPy's 1e-5 in openai/imitation); the larger counts.
    damping : float
        λ ≥ 0.
    entropy_coef : float
        c, the weight of the mean entropy.
    curvature : str
        ``hessian`` (double backprop), ``gauss_newton``, or ``scores``: E[∇log π ∇log πᵀ]
        over the actions taken, whose step is the weights of the compatible critic.
    constraint : str
        ``mean_kl`` or ``max_kl`` over states: what the search holds below δ.
    curvature_every : int
        Take every so-manieth row for the curvature (Baselines' 5).
    chunk_rows : int
        Rows worked on at a time; bounds the memory, not the result.
    length_eps : float
        ε.
    search : Backtrack or None
        None takes the full step.
    step_size : float or None
        α: the full step is αx instead of βx (Tianshou's and pg_travel's NPG).
    objective : str
        ``surrogate``, or ``likelihood``: E[log π_θ · A].
    kl_side : str
        ``old_new``, or ``new_old``: what the search holds below δ is KL(π_θ ‖ π_old)
        (sb3-contrib).  The direction does not depend on it.
    repeats : int
        Steps from one batch; after the first the importance weights are not 1, and each
        has the policy before it as its π_old.
    cg_start : float
        Deviation of the normal variates that conjugate gradient starts from (sb3-contrib's
        1e-4); 0 starts from 0.
    cg_eps : float
        Added to pᵀAp in conjugate gradient (Spinning Up's 1e-8).
    kl_per_dimension : bool
        Average the divergence over the dimensions of an action too (sb3-contrib): with n
        of them δ and λ count n-fold.
    """

    max_kl: float = 0.01
    cg_iterations: int = 10
    cg_tol: typing.Optional[float] = None
    cg_rtol: float = 0.0
    damping: float = 1e-2
    entropy_coef: float = 0.0
    curvature: str = "hessian"
    curvature_every: int = 1
    constraint: str = "mean_kl"
    chunk_rows: int = 25_000
    length_eps: float = 1e-8
    search: typing.Optional[Backtrack] = Backtrack()
    step_size: typing.Optional[float] = None
    objective: str = "surrogate"
    kl_side: str = "old_new"
    repeats: int = 1
    cg_start: float = 0.0
    cg_eps: float = 0.0
    kl_per_dimension: bool = False

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        tables = {
            "curvature": CURVATURES,
            "constraint": CONSTRAINTS,
            "objective": OBJECTIVES,
            "kl_side": KL_SIDES,
        }
        for name, table in tables.items():
            if getattr(self, name) not in table:
                raise ValueError(
                    f"expected {name} to be one of {sorted(table)}, got "
                    f"{getattr(self, name)!r}."
                )
        if self.curvature_every < 1 or self.chunk_rows < 1 or self.cg_iterations < 1:
            raise ValueError(
                "expected curvature_every, chunk_rows and cg_iterations >= 1, got "
                f"{self.curvature_every}, {self.chunk_rows}, {self.cg_iterations}."
            )
        if self.repeats < 1:
            raise ValueError(f"expected repeats >= 1, got {self.repeats}.")
        for name in ("cg_start", "cg_eps", "cg_rtol"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"expected {name} >= 0, got {getattr(self, name)}.")
        if self.step_size is not None and not self.step_size > 0:
            raise ValueError(f"expected step_size None or > 0, got {self.step_size}.")
        if not self.max_kl > 0 or not self.damping >= 0 or not self.length_eps >= 0:
            raise ValueError(
                f"expected max_kl > 0, damping >= 0 and length_eps >= 0, got "
                f"max_kl={self.max_kl}, damping={self.damping}, "
                f"length_eps={self.length_eps}."
            )

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
            Not used: a natural step has its own length.
        rng : numpy.random.Generator, optional
            Of the random start; a step without one draws nothing.

        Returns
        -------
        StepReport
            Without acceptance the parameters are what they were, bit for bit.  Of several
            steps it is the last accepted one's.
        """
        # What is not finite is a reason in the report; NumPy need not warn of it too.
        with numpy.errstate(over="ignore", invalid="ignore"):
            report = self._step(policy, batch, rng)
            for _ in range(self.repeats - 1):
                if not report.accepted:
                    break
                following = self._step(policy, batch, rng)
                report = following if following.accepted else report
        return report

    def after(self, report):
        """The step of the next update: this one.

        Parameters
        ----------
        report : StepReport
            Of this update.

        Returns
        -------
        NaturalStep
            Itself; nothing adapts.
        """
        return self

    def _step(self, policy, batch, rng):
        model = local_model(
            policy,
            batch,
            entropy_coef=self.entropy_coef,
            curvature=self.curvature,
            curvature_every=self.curvature_every,
            constraint=self.constraint,
            chunk_rows=self.chunk_rows,
            objective=self.objective,
            kl_side=self.kl_side,
        )
        g = model.gradient
        gradient_norm = float(backend.get_array_module(g).linalg.norm(g))
        if not math.isfinite(gradient_norm):
            return StepReport("nonfinite", gradient_norm=gradient_norm)
        if gradient_norm == 0:
            return StepReport("zero_gradient", gradient_norm=0.0)

        n = batch.action[0].size if self.kl_per_dimension else 1
        max_kl = n * self.max_kl
        product = damped(model.product, n * self.damping)
        x0 = self._start(g, policy.device, rng) / n if self.cg_start else None
        tol = self.cg_tol
        if self.cg_rtol:
            tol = max(tol or 0.0, self.cg_rtol * gradient_norm)
        solution = conjugate_gradient(
            product, g, self.cg_iterations, tol, x0=x0, eps=self.cg_eps
        )
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
        length = n * (self.step_size or 0) or math.sqrt(
            2 * max_kl / (quadratic + self.length_eps)
        )
        step = length * x
        slope = float(g.dot(step))  # the gain of the full step, to first order
        search = self.search or Backtrack(n_tries=1)
        promised = 1.0

        def evaluate(fraction):
            nonlocal promised
            promised = promised * fraction if search.compound_expected else fraction
            with at(policy, theta + fraction * step), chainer.no_backprop_mode():
                gain, kl = model.evaluate()
            return Trial(gain - model.gain, kl, promised * slope)

        def accept(trial):
            return (
                check_finite(trial)
                if self.search is None
                else search.accept(trial, max_kl)
            )

        found = backtrack(
            evaluate, accept, shrink=search.shrink, n_tries=search.n_tries
        )
        if search.on_failure == SMALLEST and found.reason in ("kl", "no_gain"):
            fraction = search.shrink**search.n_tries
            trial = evaluate(fraction)
            if check_finite(trial) == ACCEPTED:
                found = found._replace(fraction=fraction, reason=SMALLEST, trial=trial)
        if found.fraction > 0:
            with at(policy, theta + found.fraction * step) as keep:
                keep()
        report = report._replace(
            reason=found.reason, fraction=found.fraction, n_tries=found.n_tries
        )
        if found.trial is None:
            return report
        return report._replace(gain=found.trial.gain, kl=found.trial.kl)

    def _start(self, g, device, rng):
        if rng is None:
            raise ValueError(
                f"expected rng with cg_start={self.cg_start}, got None. Give a "
                "numpy.random.Generator, or start from 0."
            )
        return device.send(
            (self.cg_start * rng.standard_normal(g.shape)).astype(g.dtype)
        )
