"""Products of a curvature matrix with a vector, v -> Av, without forming the matrix.

Here a curvature is a plain function of a flat vector.  Three ways to make one stand side
by side, and two wrappers:

- `hessian_vector_product`: differentiate a gradient (Pearlmutter 1994; exact, general);
- `gauss_newton_product`: Jᵀ M J v (Schraudolph 2002; exact for the Hessian of a KL
  divergence at the point where the divergence is zero);
- `finite_difference_product`: difference of two gradients; what one had before
  Chainer v3 could differentiate a gradient, kept as the thing compared against;
- `damped` adds λI, `dense` writes the matrix out.
"""

from __future__ import annotations

import typing

from chainertrpo.numerics.flat import flatten, unflatten

import chainer
import numpy
from chainer import Variable, backend


def _named(params):
    """Split a dict, or number a sequence: (names, list of Variables)."""
    if hasattr(params, "items"):
        return list(params), list(params.values())
    params = list(params)
    return [f"number {i}" for i in range(len(params))], params


def _check_used(grads, names, what):
    unused = [name for name, grad in zip(names, grads) if grad is None]
    if unused:
        raise ValueError(
            f"expected every parameter to take part in {what}, but it does not depend on "
            f"{', '.join(unused)}. Remove unused parameters from the link, or leave them "
            "out of `params`."
        )


def gradient(y, params, *, create_graph=False):
    """∂y/∂params, every entry present.

    Parameters
    ----------
    y : chainer.Variable, shape ()
        A scalar.
    params : sequence of chainer.Variable, or dict of str to chainer.Variable
        What to differentiate with respect to; names appear in errors.
    create_graph : bool
        Keep the graph of the gradient, so that it can be differentiated again
        (``enable_double_backprop``).

    Returns
    -------
    list of chainer.Variable
        The gradients, shaped like `params`.

    Raises
    ------
    ValueError
        `y` does not depend on some of the `params`; they are named.
    TypeError
        The graph holds an old-style function (see `check_differentiable_twice`).
    """
    if create_graph:
        check_differentiable_twice([y])
    names, params = _named(params)
    grads = chainer.grad([y], params, enable_double_backprop=create_graph)
    _check_used(grads, names, "the differentiated value")
    return grads


def check_differentiable_twice(outputs):
    """Raise a TypeError if the graph behind `outputs` holds an old-style function.

    Chainer wraps a ``chainer.Function`` (its style before v3) in an adapter whose
    gradient has no graph: the second derivative through it is silently wrong or None
    (chainer issue 4114).  Hence the graph is walked and the culprits are named.

    Parameters
    ----------
    outputs : sequence of chainer.Variable
        The ends of the graph.

    Raises
    ------
    TypeError
        Names the old-style functions, and the remedy.
    """
    found, seen, todo = set(), set(), [y.creator_node for y in outputs]
    while todo:
        node = todo.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, chainer.function.FunctionAdapter):
            found.add(type(node.function).__name__)
        todo.extend(x.creator_node for x in node.inputs)
    if found:
        raise TypeError(
            "expected functions that can be differentiated twice, got old-style "
            f"chainer.Function {', '.join(sorted(found))}. Rewrite each as a "
            "chainer.FunctionNode whose backward uses chainer.functions."
        )


def hessian_vector_product(
    grads: typing.Any, params: typing.Sequence
) -> typing.Callable:
    """Return v -> Hv with H = ∂²y/∂θ², by differentiating the gradient once more.

    Hv = ∇θ(vᵀ∇θ y) (Pearlmutter 1994, "Fast exact multiplication by the Hessian").  The
    vector enters as the seed of the backward pass through the gradient's graph, so a
    product costs one backward pass and the graph is built once for all products.

    Parameters
    ----------
    grads : sequence of chainer.Variable
        ∂y/∂params with its graph: ``gradient(y, params, create_graph=True)``.
    params : sequence of chainer.Variable, or dict of str to chainer.Variable
        The parameters, in the order of `grads`; names appear in errors.

    Returns
    -------
    callable
        ``product(v)``: v of shape (P,) -> Hv of shape (P,), dtype and device of `v`.
        A parameter on which the gradient does not depend has zero rows.

    Raises
    ------
    ValueError
        An entry of `grads` is None: y does not depend on that parameter.
    """
    grads, (names, params) = list(grads), _named(params)
    _check_used(grads, names, "the gradient")

    def product(v):
        seeds = [Variable(part) for part in unflatten(v, params)]
        rows = chainer.grad(grads, params, grad_outputs=seeds)
        return _flatten_rows(rows, params)

    return product


def _flatten_rows(rows, params):
    """Flatten gradients in which None stands for zeros."""
    xp = backend.get_array_module(*[p.array for p in params])
    return flatten(
        [
            xp.zeros_like(param.array) if row is None else row
            for row, param in zip(rows, params)
        ]
    )


def gauss_newton_product(
    outputs: typing.Any, params: typing.Any, metric: typing.Callable
) -> typing.Callable:
    """Return v -> JᵀMJv, where J = ∂outputs/∂params and M is the curvature of the outputs.

    For the mean KL divergence at θ_old the Hessian is exactly this product with M the
    Fisher matrix of the distribution's own parameters, because the KL's gradient with
    respect to the outputs is zero there (Martens 2020, "New insights and perspectives on
    the natural gradient method", section 9.2).

    Jv is got by differentiating u -> Jᵀu, which is linear in u, so the forward mode that
    Chainer lacks comes from two backward passes (the "R-op by two L-ops" trick).

    Parameters
    ----------
    outputs : sequence of chainer.Variable
        The model's outputs, for example a policy's mean and log σ, with their graph.
    params : sequence of chainer.Variable, or dict of str to chainer.Variable
        The model's parameters; names appear in errors.
    metric : callable
        M: list of arrays shaped like `outputs` -> list of arrays of the same shapes.

    Returns
    -------
    callable
        ``product(v)``: v of shape (P,) -> JᵀMJv of shape (P,).

    Raises
    ------
    ValueError
        The outputs do not depend on some parameter.
    """
    outputs, (names, params) = list(outputs), _named(params)
    check_differentiable_twice(outputs)
    xp = backend.get_array_module(outputs[0].array)
    dummies = [Variable(xp.zeros_like(y.array)) for y in outputs]
    pulled = chainer.grad(
        outputs, params, grad_outputs=dummies, enable_double_backprop=True
    )
    _check_used(pulled, names, "the outputs")

    def product(v):
        seeds = [Variable(part) for part in unflatten(v, params)]
        pushed = chainer.grad(pulled, dummies, grad_outputs=seeds)
        tangents = [
            xp.zeros_like(y.array) if t is None else t.array
            for t, y in zip(pushed, outputs)
        ]
        cotangents = [Variable(c) for c in metric(tangents)]
        return _flatten_rows(
            chainer.grad(outputs, params, grad_outputs=cotangents), params
        )

    return product


def finite_difference_product(
    gradient_at: typing.Callable, theta: typing.Any, eps: float
) -> typing.Callable:
    """Return v -> (∇y(θ + εv̂) − ∇y(θ − εv̂)) ‖v‖ / 2ε with v̂ = v/‖v‖: central differences.

    The error is O(ε²) from truncation plus O(machine precision / ε) from rounding, so
    the best ε is near the cube root of the precision: about 5e-3 in float32 and 6e-6 in
    float64 for parameters of order one.

    Parameters
    ----------
    gradient_at : callable
        θ of shape (P,) -> ∇y(θ) of shape (P,).
    theta : array, shape (P,)
        The point.
    eps : float
        The length of the displacement, in the units of θ.

    Returns
    -------
    callable
        ``product(v)``: v of shape (P,) -> approximately Hv; zeros for v = 0.
    """
    xp = backend.get_array_module(theta)
    eps = float(eps)  # a numpy.float64 would promote float32 under NumPy 2

    def product(v):
        norm = xp.linalg.norm(v).item()
        if norm == 0:
            return xp.zeros_like(v)
        step = v * (eps / norm)
        difference = gradient_at(theta + step) - gradient_at(theta - step)
        return difference * (norm / (2 * eps))

    return product


def damped(product: typing.Callable, damping: float) -> typing.Callable:
    """Return v -> Av + λv.

    Parameters
    ----------
    product : callable
        v -> Av.
    damping : float
        λ ≥ 0; makes a positive semi-definite A positive definite.

    Returns
    -------
    callable
        The damped product; `product` itself if λ is 0.

    Raises
    ------
    ValueError
        λ is negative.
    """
    if damping < 0:
        raise ValueError(
            f"expected damping >= 0, got {damping}. Values of 0.01 to 0.1 are usual."
        )
    damping = float(damping)  # a numpy.float64 would promote float32 under NumPy 2
    if damping == 0:
        return product
    return lambda v: product(v) + damping * v


def dense(
    product: typing.Callable,
    n: int,
    *,
    xp: typing.Any = numpy,
    dtype: typing.Any = "float64",
) -> typing.Any:
    """Write the matrix of a product out, one column a product: for tests and notebooks.

    Parameters
    ----------
    product : callable
        v of shape (n,) -> Av of shape (n,).
    n : int
        The dimension.
    xp : module
        numpy or cupy: where the product wants its vectors.
    dtype : str or numpy.dtype
        The dtype that the product wants.

    Returns
    -------
    array, shape (n, n)
        A; symmetric up to rounding if A is.
    """
    columns = [product(column) for column in xp.eye(n, dtype=dtype)]
    return xp.stack(columns, axis=1)
