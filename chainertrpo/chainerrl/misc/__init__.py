"""Helpers of scripts."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.misc import env_modifiers
from chainertrpo.chainerrl.misc.batch_states import batch_states
from chainertrpo.chainerrl.misc.draw_computational_graph import (
    collect_variables,
    draw_computational_graph,
    is_graphviz_available,
)
from chainertrpo.chainerrl.misc.is_return_code_zero import is_return_code_zero
from chainertrpo.chainerrl.misc.random_seed import set_random_seed
from chainertrpo.numerics import conjugate_gradient as _conjugate_gradient

__getattr__ = refusals(__name__)


def conjugate_gradient(A_product_func, b, tol=1e-10, max_iter=10):
    """Solve Ax = b for a symmetric positive definite A.

    Parameters
    ----------
    A_product_func : callable
        v -> Av.
    b : array
        The right-hand side.
    tol : float
        Stop where the squared length of the residual is below this.
    max_iter : int
        Products at most.

    Returns
    -------
    array
        x.  `chainertrpo.numerics.conjugate_gradient` also says how well it solves.
    """
    return _conjugate_gradient(A_product_func, b, max_iter, tol**0.5).x


def namedpersistent(link):
    """Yield (path, value) of the persistent values of a link and those inside it.

    Parameters
    ----------
    link : chainer.Link
        Any.

    Yields
    ------
    (str, object)
        Such as ``("/_mean", array)``.
    """
    for path, inside in link.namedlinks():
        for name in sorted(inside._persistent):  # no public way; 7.8.1 is the last
            yield f"{path.rstrip('/')}/{name}", getattr(inside, name)


__all__ = [
    "batch_states",
    "collect_variables",
    "conjugate_gradient",
    "draw_computational_graph",
    "env_modifiers",
    "is_graphviz_available",
    "is_return_code_zero",
    "namedpersistent",
    "set_random_seed",
]
