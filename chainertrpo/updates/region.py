"""Which metric measures a natural step, and how far it may go in it."""

import dataclasses
import typing

from chainertrpo._checks import at_least, flag, one_of, positive, whole

CURVATURES = ("hessian", "gauss_newton", "scores")


@dataclasses.dataclass(frozen=True)
class Curvature:
    """A, the metric of a natural step, plus λI.

    Attributes
    ----------
    kind : str
        ``hessian``: ∇²E[KL] by double backprop, for any policy; ``gauss_newton``: JᵀFJ,
        the same matrix, written out where the policy is ours; ``scores``:
        E[∇log π ∇log πᵀ] over the actions taken, whose step is the weights of the
        compatible critic.
    damping : float
        λ ≥ 0.
    stride : int
        Take every k-th row for the curvature (Baselines' 5).
    per_dimension : bool
        Average the divergence over the dimensions of an action too (sb3-contrib): with n
        of them δ and λ count n-fold.
    """

    kind: str = "hessian"
    damping: float = 1e-2
    stride: int = 1
    per_dimension: bool = False

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        one_of("curvature", self.kind, CURVATURES)
        at_least("damping", self.damping, 0)
        whole("stride", self.stride, 1)
        flag("per_dimension", self.per_dimension)


@dataclasses.dataclass(frozen=True)
class TrustRegion:
    """KL(π_old ‖ π_θ) ≤ δ: the full step is βx with β = √(2δ / (xᵀAx + ε)).

    Attributes
    ----------
    max_kl : float
        δ > 0, nats.
    over : str
        ``mean`` or ``max`` over states: what the search holds below δ.
    side : str
        ``old_new``, or ``new_old``: what the search holds below δ is KL(π_θ ‖ π_old)
        (sb3-contrib).  The direction does not depend on it.
    eps : float
        ε ≥ 0.
    step_size : float or None
        α: the full step is αx instead of βx (Tianshou's and pg_travel's NPG).
    """

    max_kl: float = 0.01
    over: str = "mean"
    side: str = "old_new"
    eps: float = 1e-8
    step_size: typing.Optional[float] = None

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        positive("max_kl", self.max_kl)
        one_of("over", self.over, ("mean", "max"))
        one_of("side", self.side, ("old_new", "new_old"))
        at_least("eps", self.eps, 0)
        if self.step_size is not None:
            positive("step_size", self.step_size)
