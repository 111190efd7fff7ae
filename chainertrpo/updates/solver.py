"""How (A + λI)x = g is solved for the direction of a natural step."""

import dataclasses
import typing

from chainertrpo._checks import at_least, whole
from chainertrpo.numerics import conjugate_gradient, damped


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

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("iterations", self.iterations, 1)
        if self.tol is not None:
            at_least("tol", self.tol, 0)
        for name in ("rtol", "start", "eps"):
            at_least(name, getattr(self, name), 0)

    def __call__(self, model, damping, gradient_norm, n, rng):
        """Solve for the direction.

        Parameters
        ----------
        model : LocalModel
            With g and the products.
        damping : float
            λ.
        gradient_norm : float
            ‖g‖₂.
        n : int
            The dimensions that the divergence is averaged over; A is n times that.
        rng : numpy.random.Generator or None
            Of the random start.

        Returns
        -------
        Solution
            x, of (A + λI)x = g, and how it was found.

        Raises
        ------
        ValueError
            A random start without `rng`.
        """
        g = model.gradient
        x0 = None
        if self.start:
            if rng is None:
                raise ValueError(
                    f"expected rng with start={self.start}, got None. Give a "
                    "numpy.random.Generator, or start from 0."
                )
            noise = (self.start * rng.standard_normal(g.shape)).astype(g.dtype)
            x0 = model.send(noise) / n
        tol = self.tol
        if self.rtol:
            tol = max(tol or 0.0, self.rtol * gradient_norm)
        product = damped(model.product, damping)
        return conjugate_gradient(product, g, self.iterations, tol, x0=x0, eps=self.eps)


SOLVERS = {"cg": CG}
