"""How (A + λI)x = g is solved for the direction of a natural step."""

import dataclasses
import math
import typing

from chainertrpo import ranks
from chainertrpo._checks import at_least, whole
from chainertrpo.numerics import conjugate_gradient, damped
from chainertrpo.numerics.sample_space import gram_matrix, solve_shifted

from chainer import backend


class Direction(typing.NamedTuple):
    """Which way a natural step goes.

    Attributes
    ----------
    x : array, shape (P,)
        Of (A + λI)x = g.
    quadratic : float
        xᵀ(A + λI)x.
    slope : float
        gᵀx.
    reason : str
        Why there is none: ``nonfinite``, ``zero_gradient``, ``nonpositive_curvature``; ""
        where there is one.
    cg : dict
        Of a `StepReport`: how conjugate gradient went, and ‖g‖.
    """

    x: typing.Any = None
    quadratic: float = math.nan
    slope: float = math.nan
    reason: str = ""
    cg: dict = {}


@dataclasses.dataclass(frozen=True)
class CG:
    """Conjugate gradient, one product v -> Av an iteration.

    Attributes
    ----------
    iterations : int
        At most; 10 are enough for a TRPO step (Schulman et al. 2015, appendix C.1).
    tol : float or None
        Residual norm at which it stops early.
    rtol : float
        The same, as a part of ‖g‖ (SciPy's 1e-5 in openai/imitation); the larger counts.
    start : float
        Deviation of the normal variates that it starts from (sb3-contrib's 1e-4); 0 starts
        from 0.
    eps : float
        Added to pᵀAp (Spinning Up's 1e-8).
    """

    iterations: int = 10
    tol: typing.Optional[float] = None
    rtol: float = 0.0
    start: float = 0.0
    eps: float = 0.0

    in_sample_space = False

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("iterations", self.iterations, 1)
        if self.tol is not None:
            at_least("tol", self.tol, 0)
        for name in ("rtol", "start", "eps"):
            at_least(name, getattr(self, name), 0)

    def direction(self, model, damping, n, rng):
        """Solve for the direction.

        Parameters
        ----------
        model : LocalModel
            With g and the products.
        damping : float
            λ.
        n : int
            The dimensions that the divergence is averaged over; A is n times that.
        rng : numpy.random.Generator or None
            Of the random start.

        Returns
        -------
        Direction
            Of the solution so far.

        Raises
        ------
        ValueError
            A random start without `rng`.
        """
        g = model.gradient
        norm = float(backend.get_array_module(g).linalg.norm(g))
        if not math.isfinite(norm):
            return Direction(reason="nonfinite", cg={"gradient_norm": norm})
        if norm == 0:
            return Direction(reason="zero_gradient", cg={"gradient_norm": norm})
        x0, tol = None, self.tol
        if self.start:
            if rng is None:
                raise ValueError(
                    f"expected rng with start={self.start}, got None. Give a "
                    "numpy.random.Generator, or start from 0."
                )
            noise = (self.start * rng.standard_normal(g.shape)).astype(g.dtype)
            x0 = model.send(noise) / n
        if self.rtol:
            tol = max(tol or 0.0, self.rtol * norm)
        product = damped(model.product, damping)
        found = conjugate_gradient(
            product, g, self.iterations, tol, x0=x0, eps=self.eps
        )
        quadratic = float(found.x.dot(g - found.r))
        reason = ""
        if not math.isfinite(quadratic) or found.reason == "nonfinite":
            reason = "nonfinite"
        elif quadratic <= 0:
            reason = "nonpositive_curvature"
        cg = {
            "cg_iterations": found.n_iter,
            "cg_residual": found.residual,
            "cg_reason": found.reason,
            "gradient_norm": norm,
        }
        slope = float(g.dot(found.x))
        # BLAS may add up a dot product in another order on another machine.
        x, *rest = ranks.agreed(found.x), quadratic, slope, reason, cg
        return Direction(x, *ranks.agreed(tuple(rest)))


@dataclasses.dataclass(frozen=True)
class Gram:
    """The same x of the ``scores`` curvature exactly, from an n × n system of n rows.

    x = Jᵀ(JJᵀ + nλI)⁻¹w with J the scores ∇log π of the rows and w the objective's
    derivatives by log π (see `chainertrpo.numerics.sample_space`): cheaper than conjugate
    gradient for minibatches, because one product of n rows with all n replaces its
    iterations.  For our own policies.
    """

    in_sample_space = True

    def direction(self, model, damping, n, rng):
        """Solve for the direction.

        Parameters
        ----------
        model : LocalModel
            With ``samples``.
        damping : float
            λ > 0.
        n : int
            As in `CG`.
        rng : None
            Not used.

        Returns
        -------
        Direction
            Of the solution.

        Raises
        ------
        ValueError
            The policy is not ours, or λ is 0.
        """
        if model.samples is None:
            raise ValueError(
                "expected the curvature 'scores' and a policy of ours for the solver "
                "Gram, got another. Use the solver CG."
            )
        if not damping > 0:
            raise ValueError(
                f"expected damping > 0 with the solver Gram, got {damping}."
            )
        samples = model.samples()
        rows = len(samples.weight)
        k = gram_matrix(samples.pairs, samples.others)
        y, shift = solve_shifted(k, samples.weight, rows * damping)
        ky = k.dot(y)
        # xᵀ(JᵀJ/n)x + λ‖x‖² and wᵀKy/n, with x = Jᵀy.
        quadratic = float(ky.dot(ky)) / rows + shift / rows * float(y.dot(ky))
        if not math.isfinite(quadratic):
            return Direction(reason="nonfinite")
        if quadratic <= 0:
            return Direction(reason="zero_gradient")
        slope = float(samples.weight.dot(ky)) / rows
        return Direction(samples.pull(y), quadratic, slope)


SOLVERS = {"cg": CG, "gram": Gram}
