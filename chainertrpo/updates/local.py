"""A policy's objective and divergence around its present parameters, on one batch.

What a natural step needs to know: the objective's gradient g, the products v -> Av with
the Hessian of the KL divergence, and both values at other parameters.  Rows are worked
through in chunks, so that the memory needed does not grow with the batch.
"""

import typing

from chainertrpo.numerics import (
    flatten,
    gauss_newton_product,
    gradient,
    hessian_vector_product,
    named_params,
    unflatten,
)
from chainertrpo.policies import LinearizedPolicy, can_linearize
from chainertrpo.updates.compatible import score_product
from chainertrpo.updates.objectives import (
    likelihood,
    max_kl,
    mean_entropy,
    mean_kl,
    surrogate,
)

import chainer
from chainer import backend


def kl_hessian(dist, old, params, action=None):
    """Return v -> ∇²KL(old ‖ π_θ) v by double backprop: for any policy.

    Parameters
    ----------
    dist, old : distribution
        π_θ with its graph, and its detached copy.
    params : dict of str to chainer.Parameter
        θ, by name.
    action : None
        Not used; `kl_scores` needs it.

    Returns
    -------
    callable
        The product.
    """
    kl = mean_kl(old=old, new=dist)
    return hessian_vector_product(gradient(kl, params, create_graph=True), params)


def kl_gauss_newton(dist, old, params, action=None):
    """Return v -> JᵀFJv, equal to `kl_hessian` at θ_old: for any policy.

    Parameters
    ----------
    dist, old : distribution
        π_θ with its graph, and its detached copy.
    params : dict of str to chainer.Parameter
        θ, by name.
    action : None
        Not used; `kl_scores` needs it.

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
        # Constants among its parameters (a fixed variance) do not move.
        outputs = [
            y
            for y in outputs
            if y.creator_node is not None or isinstance(y, chainer.Parameter)
        ]
        kl = mean_kl(old=old, new=dist)
        product = hessian_vector_product(
            gradient(kl, outputs, create_graph=True), outputs
        )

        def metric(tangents):
            return unflatten(product(flatten(tangents)), outputs)

    return gauss_newton_product(outputs, params, metric)


def kl_scores(dist, old, params, action):
    """Return v -> E[∇log π ∇log πᵀ]v over the actions taken: see `score_product`.

    Parameters
    ----------
    dist, old : distribution
        π_θ with its graph, and its detached copy.
    params : dict of str to chainer.Parameter
        θ, by name.
    action : array
        The actions.

    Returns
    -------
    callable
        The product; its expectation over actions of π_θ is that of `kl_hessian`.
    """
    return score_product(dist.log_prob(action), params)


CURVATURES = {
    "hessian": kl_hessian,
    "gauss_newton": kl_gauss_newton,
    "scores": kl_scores,
}
OBJECTIVES = {"surrogate": surrogate, "likelihood": likelihood}
KL_SIDES = ("old_new", "new_old")
CONSTRAINTS = {"mean_kl": mean_kl, "max_kl": max_kl}


class LocalModel(typing.NamedTuple):
    """A policy around θ_old on a batch.

    Attributes
    ----------
    gain : float
        The objective at θ_old.
    gradient : array, shape (P,)
        Its gradient g.
    product : callable
        v -> Av, without damping.
    evaluate : callable
        () -> (gain, kl) at the policy's parameters of the moment, floats.
    """

    gain: float
    gradient: typing.Any
    product: typing.Callable
    evaluate: typing.Callable


def local_model(
    policy,
    batch,
    *,
    entropy_coef=0.0,
    curvature="hessian",
    curvature_every=1,
    constraint="mean_kl",
    chunk_rows=25_000,
    objective="surrogate",
    kl_side="old_new",
):
    """Describe a policy around its present parameters.

    Parameters
    ----------
    policy : chainer.Link
        Observations -> distribution.
    batch : Batch
        On the policy's device.
    entropy_coef : float
        Weight of the mean entropy in the objective.
    curvature : str
        ``hessian``, ``gauss_newton`` (through `LinearizedPolicy` where the policy is ours,
        otherwise through Chainer's graph), or ``scores``.
    curvature_every : int
        Take every so-manieth row for the curvature only.
    constraint : str
        ``mean_kl`` or ``max_kl`` over states.
    chunk_rows : int
        Rows worked on at a time.
    objective : str
        ``surrogate`` or ``likelihood``.
    kl_side : str
        ``old_new`` is KL(π_old ‖ π_θ), ``new_old`` KL(π_θ ‖ π_old); at θ_old they have the
        same Hessian.

    Returns
    -------
    LocalModel
        Valid until the policy's parameters change for good.
    """
    n = len(batch.obs)
    slices = [slice(i, i + chunk_rows) for i in range(0, n, chunk_rows)]
    chunks = [
        batch._make(x if x is None else x[rows] for x in batch) for rows in slices
    ]
    shares = [len(chunk.obs) / n for chunk in chunks]
    params = named_params(policy)

    def gain_of(dist, part):
        gain = OBJECTIVES[objective](dist, part)
        return gain + entropy_coef * mean_entropy(dist) if entropy_coef else gain

    if curvature == "gauss_newton" and can_linearize(policy):
        linear = LinearizedPolicy(policy, batch.obs, chunk_rows=chunk_rows)
        gain = gain_of(linear.dist, batch)
        g = linear.gradient(gain)
        gain, product = gain.array, linear.fisher_product

        def distributions(output=None):
            output = linear.outputs() if output is None else output
            return (policy.distribution(output[rows]) for rows in slices)

        with chainer.no_backprop_mode():
            old = [dist.copy() for dist in distributions(linear.output)]
        if curvature_every > 1:
            rows = batch.obs[::curvature_every].copy()
            product = LinearizedPolicy(
                policy, rows, chunk_rows=chunk_rows
            ).fisher_product
    else:
        build = CURVATURES[curvature]
        gain = g = 0
        old = []

        def distributions():
            return (policy(chunk.obs) for chunk in chunks)

        for dist, chunk, share in zip(distributions(), chunks, shares):
            old.append(dist.copy())
            value = gain_of(dist, chunk)
            g = g + share * flatten(gradient(value, params))
            gain = gain + share * value.array
        if len(chunks) == 1 and curvature_every == 1:
            product = build(dist, old[0], params, batch.action)
        else:
            product = _chunked_product(
                policy,
                build,
                batch.obs[::curvature_every],
                batch.action[::curvature_every],
                chunk_rows,
                params,
            )

    def evaluate():
        # Sums stay on the device; one wait for it at the end.
        total, kls = 0, []
        for dist, chunk, share, before in zip(distributions(), chunks, shares, old):
            total = total + share * gain_of(dist, chunk).array
            sides = (before, dist) if kl_side == "old_new" else (dist, before)
            kl = CONSTRAINTS[constraint](old=sides[0], new=sides[1])
            kls.append(kl.array)
        xp = backend.get_array_module(total)
        if constraint == "mean_kl":
            kl = sum(share * kl for share, kl in zip(shares, kls))
        else:
            kl = xp.stack(kls).max()
        return tuple(xp.stack([total, kl]).tolist())

    return LocalModel(float(gain), g, product, evaluate)


def _chunked_product(policy, build, obs, action, chunk_rows, params):
    """Σ of the chunks' products; each chunk's graph is made anew and forgotten."""

    def product(v):
        total = 0
        for i in range(0, len(obs), chunk_rows):
            rows = obs[i : i + chunk_rows]
            dist = policy(rows)
            share = len(rows) / len(obs)
            taken = action[i : i + chunk_rows]
            total = total + share * build(dist, dist.copy(), params, taken)(v)
        return total

    return product
