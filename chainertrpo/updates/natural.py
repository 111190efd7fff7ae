"""The natural step: objective, curvature, solver, region and search, and how often."""

import dataclasses
import math
import typing

from chainertrpo import ranks
from chainertrpo._checks import whole
from chainertrpo._threads import single_blas_thread
from chainertrpo.data.pieces import in_pieces, n_pieces, pieces_for, shared_out, take
from chainertrpo.numerics import ACCEPTED, at, backtrack, flatten
from chainertrpo.numerics.moments import of_all_ranks, standardize
from chainertrpo.policies import parts
from chainertrpo.updates.linearized import samples_of
from chainertrpo.updates.model import LocalModel, local_model
from chainertrpo.updates.objectives import Likelihood, Surrogate
from chainertrpo.updates.region import Curvature, TrustRegion
from chainertrpo.updates.said import said
from chainertrpo.updates.schedule import Minibatches, Repeats
from chainertrpo.updates.search import SMALLEST, Backtrack, Trial, check_finite
from chainertrpo.updates.solver import CG, Gram
from chainertrpo.updates.spelling import check_values, flat_arguments

import numpy


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
        Evaluations in the line search; of minibatches how many steps were taken.
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
    solver : CG or Gram
        For x.
    region : TrustRegion
        δ.
    search : Backtrack or None
        None takes the full step.
    schedule : Repeats or Minibatches
        Steps from one batch.  With `Minibatches` the search, if there is one, judges them
        together on the whole batch, once: what it does not accept is taken back.
    chunk_rows : int
        Rows worked on at a time; bounds the memory, not the result.
    piece_length : int or None
        Of a policy with memory: cut paths to pieces of at most so many steps, each with the
        hidden state of π_old before it, a constant.  None takes whole paths.  A curvature's
        stride and minibatches choose among the pieces.
    """

    objective: typing.Union[Surrogate, Likelihood] = Surrogate()
    curvature: Curvature = Curvature()
    solver: typing.Union[CG, Gram] = CG()
    region: TrustRegion = TrustRegion()
    search: typing.Optional[Backtrack] = Backtrack()
    schedule: typing.Union[Repeats, Minibatches] = Repeats()
    chunk_rows: int = 25_000
    piece_length: typing.Optional[int] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        check_values(self)
        whole("chunk_rows", self.chunk_rows, 1)
        if self.piece_length is not None:
            whole("piece_length", self.piece_length, 1)
        kind, stride = self.curvature.kind, self.curvature.stride
        c = self.objective.entropy_coef
        if self.solver.in_sample_space and (kind, stride, c) != ("scores", 1, 0):
            raise ValueError(
                "expected Curvature('scores') of every row and entropy_coef=0 with the "
                f"solver Gram, got {kind!r}, stride {stride} and {c}. Use CG for others."
            )

        if hasattr(self.schedule, "rows") and self.curvature.per_dimension:
            raise ValueError(
                "expected per_dimension=False with Minibatches, got True: their target_kl "
                "is the divergence of whole actions. Divide it instead."
            )

    def check(self, model, optimizer):
        """Refuse what several ranks cannot do; an optimiser is not needed."""  # noqa: DOC501
        if ranks.size() > 1 and self.solver.in_sample_space:
            raise ValueError(
                "expected the solver CG with several ranks (--mpi), got Gram: its matrix "
                "is of pairs of rows, which lie on different ranks. Take another preset, "
                "or in settings: policy_step={'solver': {'kind': 'cg'}}."
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
            Not used.
        rng : numpy.random.Generator, optional
            Of minibatches and of a solver's random start; else nothing is drawn.

        Returns
        -------
        StepReport
            Without acceptance the parameters are what they were, bit for bit.  Of several
            steps it is the last accepted one's; of minibatches that of the whole batch.
        """
        self.check(policy, optimizer)
        batch = in_pieces(batch, self.piece_length)
        # What is not finite is a reason in the report; NumPy need not warn of it too.
        with numpy.errstate(over="ignore", invalid="ignore"):
            if hasattr(self.schedule, "rows"):
                return self._minibatches(policy, batch, rng)
            report = self._step(policy, batch, rng)
            for _ in range(self.schedule.n - 1):
                if not report.accepted:
                    break
                following = self._step(policy, batch, rng)
                report = following if following.accepted else report
        return report

    def after(self, report):
        """The step of the next update.

        Parameters
        ----------
        report : StepReport
            Of this update.

        Returns
        -------
        NaturalStep
            With δ as the schedule adapts it.
        """
        if not math.isfinite(report.kl):
            return self
        max_kl = self.schedule.adapted_to(self.region.max_kl, report.kl)
        if max_kl == self.region.max_kl:
            return self
        region = dataclasses.replace(self.region, max_kl=max_kl)
        return dataclasses.replace(self, region=region)

    def adapted(self):
        """What has adapted, by the name of its file: δ, where it does."""
        adapts = hasattr(self.schedule, "target_kl")
        return {"region": self.region.max_kl} if adapts else {}

    def with_adapted(self, found):
        """The step with what `adapted` returned."""
        max_kl = found.get("region", self.region.max_kl)
        region = dataclasses.replace(self.region, max_kl=max_kl)
        return dataclasses.replace(self, region=region)

    def _length(self, quadratic, n):
        region = self.region
        return n * (region.step_size or 0) or math.sqrt(
            2 * n * region.max_kl / (quadratic + region.eps)
        )

    def _step(self, policy, batch, rng):
        curvature, region = self.curvature, self.region
        model = local_model(
            policy, batch, self.objective, curvature, region, self.chunk_rows
        )
        n = batch.action[0].size if curvature.per_dimension else 1
        way = self.solver.direction(model, n * curvature.damping, n, rng)
        if way.reason:
            return StepReport(way.reason, **way.cg)
        max_kl, theta = n * region.max_kl, flatten(policy)
        length = self._length(way.quadratic, n)
        step = length * way.x
        search = self.search or Backtrack(n_tries=1)
        part = 1.0  # of the improvement to first order that is expected of a try

        def evaluate(fraction):
            nonlocal part
            part = part * fraction if search.compound_expected else fraction
            gain, kl = model.evaluate(theta + fraction * step)
            return Trial(gain - model.gain, kl, part * length * way.slope)

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
        report = StepReport(found.reason, found.fraction, found.n_tries, **way.cg)
        if found.trial is None:
            return report
        return report._replace(gain=found.trial.gain, kl=found.trial.kl)

    def _minibatches(self, policy, batch, rng):
        """Steps of length δ from shuffled minibatches, one after the other."""
        schedule, theta = self.schedule, flatten(policy)
        old = self._said(policy, batch)
        steps, kl, reason = 0, 0.0, ACCEPTED
        try:
            for _ in range(schedule.epochs):
                order = rng.permutation(n_pieces(batch))
                size = min(pieces_for(batch, schedule.rows), len(order))
                order = order[: len(order) // size * size].reshape(-1, size)
                for index, _ in shared_out(order, batch, policy.device.send):
                    part = take(batch, index)
                    reason = self._minibatch(policy, part, rng)
                    if reason not in (ACCEPTED, "zero_gradient"):
                        break
                    steps += reason == ACCEPTED
                now = self._said(policy, batch)
                kl = self._divergence(old, now)
                if reason not in (ACCEPTED, "zero_gradient") or not (
                    kl <= 2 * schedule.target_kl
                ):
                    break
            gain = self._gain(now, batch) - self._gain(old, batch)
            trial = Trial(gain, kl)
            if reason in (ACCEPTED, "zero_gradient"):
                reason = check_finite(trial)
                if self.search is not None:
                    reason = self.search.accept(trial, schedule.target_kl)
        except BaseException:
            reason = "error"
            raise
        finally:
            if reason != ACCEPTED:
                with at(policy, theta) as commit:
                    commit()
        return StepReport(reason, float(reason == ACCEPTED), steps, gain, kl)

    def _minibatch(self, policy, part, rng):
        """One step; why there is none."""
        schedule = self.schedule
        if schedule.standardize_by is not None:
            advantage = standardize(
                part.advantage, schedule.standardize_eps, schedule.standardize_by
            )
            part = part._replace(advantage=advantage)
        written_out = parts(policy)
        if len(written_out) == 1 and self.solver.in_sample_space:
            samples = samples_of(policy, written_out[0], part, self.objective)
            model = LocalModel(0.0, None, None, None, samples=samples)
        else:
            model = local_model(
                policy,
                part,
                self.objective,
                self.curvature,
                self.region,
                self.chunk_rows,
            )
        way = self.solver.direction(model, self.curvature.damping, 1, rng)
        if way.reason:
            return way.reason
        step = self._length(way.quadratic, 1) * way.x
        with at(policy, flatten(policy) + step) as commit:
            commit()
        return ACCEPTED

    def _said(self, policy, batch):
        rows, memory = self.chunk_rows, batch.memory
        return said(policy, batch.obs, batch.mask, chunk_rows=rows, memory=memory)

    def _divergence(self, old, now):
        """Of the region, over the whole batch."""
        side = self.region.side
        rows = old.kl(now) if side == "old_new" else now.kl(old)
        rows = of_all_ranks(rows)
        return float(rows.mean() if self.region.over == "mean" else rows.max())

    def _gain(self, said_of, batch):
        rows, _ = self.objective.rows(said_of.log_prob(batch.action), batch)
        c = self.objective.entropy_coef
        gain = float(of_all_ranks(rows).mean())
        return gain + (c * float(of_all_ranks(said_of.entropy()).mean()) if c else 0)
