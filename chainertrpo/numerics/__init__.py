"""Arrays and callables: flat vectors, curvature products, conjugate gradient, search."""

from chainertrpo.numerics.conjugate_gradient import Solution, conjugate_gradient
from chainertrpo.numerics.curvature import (
    check_differentiable_twice,
    damped,
    dense,
    finite_difference_product,
    gauss_newton_product,
    gradient,
    hessian_vector_product,
)
from chainertrpo.numerics.flat import at, flatten, named_params, unflatten
from chainertrpo.numerics.line_search import ACCEPTED, Search, backtrack
from chainertrpo.numerics.threads import (
    row_lanes,
    side_by_side,
    single_blas_thread,
    thread_count,
)

__all__ = [
    "ACCEPTED",
    "Search",
    "Solution",
    "at",
    "backtrack",
    "check_differentiable_twice",
    "conjugate_gradient",
    "damped",
    "dense",
    "finite_difference_product",
    "flatten",
    "gauss_newton_product",
    "gradient",
    "hessian_vector_product",
    "named_params",
    "row_lanes",
    "side_by_side",
    "single_blas_thread",
    "thread_count",
    "unflatten",
]
