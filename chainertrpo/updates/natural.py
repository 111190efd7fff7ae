"""The natural step: direction × length × search."""

import dataclasses
import math
import typing

from chainertrpo.numerics import (
    ACCEPTED,
    at,
    backtrack,
    conjugate_gradient,
    damped,
    flatten,
    gauss_newton_product,
    gradient,
    hessian_vector_product,
    named_params,
    unflatten,
)
from chainertrpo.updates.objectives import max_kl, mean_entropy, mean_kl, surrogate

import chainer
from chainer import backend

CONSTRAINTS = {"mean_kl": mean_kl, "max_kl": max_kl}


class StepReport(typing.NamedTuple):
    """What a step did.  A numerical failure is a result here, not an exception.

    Attributes
    ----------
    reason : str
        ``accepted``; or why the parameters are as they were, bit for bit: ``kl``
        (every try left the trust region), ``no_gain`` (the last one lost), ``nonfinite``,
        ``zero_gradient``, ``nonpositive_curvature``.
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
        return self.reason == ACCEPTED


class Trial(typing.NamedTuple):
    """A try of the line search: the objective gained and the divergence reached."""

    gain: float
    kl: float


@dataclasses.dataclass(frozen=True)
class Backtrack:
    """The line search of a natural step; ChainerRL's by default.

    Attributes
    ----------
    shrink : float
        Factor between tries.
    n_tries : int
        The full step and ten halvings are 11.
    """

    shrink: float = 0.5
    n_tries: int = 11


def kl_hessian(dist, old, params):
    """V -> ∇²KL(old ‖ π_θ) v by double backprop: for any policy.

    Parameters
    ----------
    dist, old : distribution
        π_θ with its graph, and its detached copy.
    params : dict of str to chainer.Parameter
        θ, by name.

    Returns
    -------
    callable
        The product.
    """
    kl = mean_kl(old=old, new=dist)
    return hessian_vector_product(gradient(kl, params, create_graph=True), params)


def kl_gauss_newton(dist, old, params):
    """V -> JᵀFJv, equal to `kl_hessian` at θ_old.

    Parameters
    ----------
    dist, old : distribution
        π_θ with its graph, and its detached copy.
    params : dict of str to chainer.Parameter
        θ, by name.

    Returns
    -------
    callable
        The product.
    """
    outputs = list(dist.params)
    metric = getattr(dist, "fisher", None)
    if (
        metric is None
    ):  # a distribution of another library: its KL says its Fisher matrix
        kl = mean_kl(old=old, new=dist)
        product = hessian_vector_product(
            gradient(kl, outputs, create_graph=True), outputs
        )

        def metric(tangents):
            return unflatten(product(flatten(tangents)), outputs)

    return gauss_newton_product(outputs, params, metric)


CURVATURES = {"hessian": kl_hessian, "gauss_newton": kl_gauss_newton}


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
    damping : float
        λ ≥ 0.
    entropy_coef : float
        c, the weight of the mean entropy.
    curvature : str
        ``hessian`` (double backprop) or ``gauss_newton``.
    constraint : str
        ``mean_kl`` or ``max_kl`` over states: what the search holds below δ.
    length_eps : float
        ε.
    search : Backtrack or None
        None takes the full step.
    """

    max_kl: float = 0.01
    cg_iterations: int = 10
    cg_tol: typing.Optional[float] = None
    damping: float = 1e-2
    entropy_coef: float = 0.0
    curvature: str = "hessian"
    constraint: str = "mean_kl"
    length_eps: float = 1e-8
    search: typing.Optional[Backtrack] = Backtrack()

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        for name, table in (("curvature", CURVATURES), ("constraint", CONSTRAINTS)):
            if getattr(self, name) not in table:
                raise ValueError(
                    f"expected {name} to be one of {sorted(table)}, got "
                    f"{getattr(self, name)!r}."
                )
        if not self.max_kl > 0 or not self.damping >= 0 or not self.length_eps >= 0:
            raise ValueError(
                f"expected max_kl > 0, damping >= 0 and length_eps >= 0, got "
                f"max_kl={self.max_kl}, damping={self.damping}, "
                f"length_eps={self.length_eps}."
            )

    def __call__(self, policy, batch):
        """Improve a policy in place.

        Parameters
        ----------
        policy : chainer.Link
            Observations -> distribution; only functions with second derivatives.
        batch : Batch
            On the policy's device.

        Returns
        -------
        StepReport
            Without acceptance the parameters are what they were, bit for bit.
        """
        dist = policy(batch.obs)
        old = dist.copy()
        params = named_params(policy)
        gain = self._gain(dist, batch)
        g = flatten(gradient(gain, params))
        gradient_norm = float(backend.get_array_module(g).linalg.norm(g))
        if not math.isfinite(gradient_norm):
            return StepReport("nonfinite", gradient_norm=gradient_norm)
        if gradient_norm == 0:
            return StepReport("zero_gradient", gradient_norm=0.0)

        build = CURVATURES[self.curvature]
        product = damped(build(dist, old, params), self.damping)
        solution = conjugate_gradient(product, g, self.cg_iterations, self.cg_tol)
        x = solution.x
        quadratic = float(x.dot(product(x)))
        report = StepReport(
            "nonfinite" if not math.isfinite(quadratic) else "nonpositive_curvature",
            cg_iterations=solution.n_iter,
            cg_residual=solution.residual,
            cg_reason=solution.reason,
            gradient_norm=gradient_norm,
        )
        if not 0 < quadratic < math.inf:
            return report

        theta = flatten(params.values())
        step = math.sqrt(2 * self.max_kl / (quadratic + self.length_eps)) * x
        if self.search is None:
            search = Backtrack(n_tries=1)
            accept = _finite
        else:
            search = self.search
            accept = self._accept
        with chainer.no_backprop_mode():
            gain_before = float(gain.array)

            def evaluate(fraction):
                with at(policy, theta + fraction * step):
                    return self._trial(policy, batch, old, gain_before)

            found = backtrack(
                evaluate, accept, shrink=search.shrink, n_tries=search.n_tries
            )
        if found.fraction > 0:
            with at(policy, theta + found.fraction * step) as keep:
                keep()
        return report._replace(
            reason=found.reason,
            fraction=found.fraction,
            n_tries=found.n_tries,
            **(found.trial._asdict() if found.trial else {}),
        )

    def _gain(self, dist, batch):
        gain = surrogate(dist, batch)
        if self.entropy_coef:
            gain += self.entropy_coef * mean_entropy(dist)
        return gain

    def _trial(self, policy, batch, old, gain_before):
        dist = policy(batch.obs)
        gain = self._gain(dist, batch).array
        kl = CONSTRAINTS[self.constraint](old=old, new=dist).array
        xp = backend.get_array_module(gain)
        gain, kl = xp.stack([gain, kl]).tolist()  # one wait for the device, not two
        return Trial(gain - gain_before, kl)

    def _accept(self, trial):
        if _finite(trial) != ACCEPTED:
            return _finite(trial)
        if trial.kl > self.max_kl:
            return "kl"
        return "no_gain" if trial.gain < 0 else ACCEPTED


def _finite(trial):
    return ACCEPTED if all(map(math.isfinite, trial)) else "nonfinite"
