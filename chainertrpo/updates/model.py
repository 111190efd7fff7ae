"""A policy around its parameters on one batch: what the steps need to know of it.

There are two makers.  `closed` takes a network and a family whose derivatives are written
out (see `linearized`).  `graph` takes any link, through Chainer: its Hessian is the product
by double backprop that this project is named for.
"""

import typing

from chainertrpo import ranks
from chainertrpo.data.pieces import every_kth, spans, take
from chainertrpo.numerics import (
    at,
    flatten,
    gauss_newton_product,
    gradient,
    hessian_vector_product,
    named_params,
    unflatten,
)
from chainertrpo.policies import parts
from chainertrpo.policies.graph import look
from chainertrpo.updates.compatible import score_product
from chainertrpo.updates.linearized import KEEP_BYTES, Linearized, samples_of
from chainertrpo.updates.objectives import max_kl, mean_entropy, mean_kl

import chainer
import chainer.functions as F
import numpy
from chainer import backend

GRAPHS = 4  # a graph to differentiate again holds 1 to 3 times the forward pass


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
        θ of shape (P,) -> (gain, KL) there, floats.
    send : callable
        Array of the host -> array where g is.
    samples : callable or None
        () -> `Samples` of the rows, where these are written out.
    """

    gain: float
    gradient: typing.Any
    product: typing.Callable
    evaluate: typing.Callable
    send: typing.Callable = lambda x: x
    samples: typing.Optional[typing.Callable] = None


def local_model(policy, batch, objective, curvature, region, chunk_rows=25_000):
    """Describe a policy around its present parameters.

    Parameters
    ----------
    policy : chainer.Link
        Observations -> distribution.
    batch : Batch
        On the policy's device.
    objective : Surrogate or Likelihood
        What is maximised.
    curvature : Curvature
        ``gauss_newton`` and ``scores`` are written out where the policy is ours.
    region : TrustRegion
        Which divergence `evaluate` returns.
    chunk_rows : int
        The most rows worked on at a time.

    Returns
    -------
    LocalModel
        Valid until the policy's parameters change for good.
    """
    written_out = parts(policy) if curvature.kind != "hessian" else ()
    if len(written_out) == 1:
        return closed(
            policy, written_out[0], batch, objective, curvature, region, chunk_rows
        )
    return graph(policy, batch, objective, curvature, region, chunk_rows)


# Written out


def closed(policy, part, batch, objective, curvature, region, chunk_rows):
    """A `LocalModel` from derivatives that are written out.

    Parameters
    ----------
    policy : chainer.Link
        The policy.
    part : Part
        Of it.
    batch, objective, curvature, region, chunk_rows
        As in `local_model`.

    Returns
    -------
    LocalModel
        π_old is evaluated once, for the gradient, the products and the search.
    """
    params = {name: x.array for name, x in named_params(policy).items()}
    mask, kind = batch.mask, curvature.kind
    n = ranks.sum(len(batch.obs))
    lin = Linearized(part, params, batch.obs, mask, n, chunk_rows, memory=batch.memory)
    family, c = part.family, objective.entropy_coef
    chunks = [take(batch, pieces) for pieces in lin.pieces]
    gains = [None] * len(chunks)

    def gain_of(i, m):
        rows, slope = objective.rows(family.log_prob(m, chunks[i].action), chunks[i])
        gain = rows.sum()
        return gain + c * family.entropy(m).sum() if c else gain, slope

    def ascent(i, m, tape, room):
        gains[i], slope = gain_of(i, m)
        return family.pull(m, chunks[i].action, slope * (1 / n), c / n)

    g = lin.pull(ascent)
    some, action = lin, batch.action
    if curvature.stride > 1:
        every = every_kth(batch, curvature.stride)
        some, action = _of_some(part, params, every, chunk_rows), every.action
    product = some.fisher_product
    if kind == "scores":

        def product(v):
            return some.score_product(v, action)

    def say(i, m):
        kl = family.kl(*((lin.m[i], m) if region.side == "old_new" else (m, lin.m[i])))
        kl = kl.sum() if region.over == "mean" else _most(kl)
        return gain_of(i, m)[0], kl

    def evaluate(theta):
        totals, kls = zip(*lin.there(theta, say))
        kl = sum(kls) / n if region.over == "mean" else lin.xp.stack(kls).max()
        return _over_ranks(lin.xp, sum(totals) / n, kl, region.over)

    gain = float(ranks.sum(sum(gains))) / n
    taken = samples_of(policy, part, batch, objective) if kind == "scores" else None
    return LocalModel(gain, g, product, evaluate, policy.device.send, taken)


def _over_ranks(xp, gain, kl, over):
    """Gain and divergence of all ranks as floats, with one wait for the device."""
    gain, kl = xp.stack([gain, kl]).tolist()
    return ranks.sum(gain), ranks.sum(kl) if over == "mean" else ranks.largest(kl)


def _most(kl):
    """The largest divergence of some rows; 0 of none."""
    return kl.max() if len(kl) else kl.sum()


def _of_some(part, params, batch, chunk_rows):
    """The same on some of the rows."""
    n = ranks.sum(len(batch.obs))
    obs, memory = batch.obs.copy(), batch.memory
    return Linearized(part, params, obs, batch.mask, n, chunk_rows, memory=memory)


# Through Chainer


def kl_hessian(dist, old, params, action=None):
    """Return v -> ∇²KL(old ‖ π_θ) v by double backprop: for any policy.

    Parameters
    ----------
    dist, old : Distribution
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
    dist, old : Distribution
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
    metric = getattr(dist, "fisher", None)
    leaves = set(map(id, params.values()))
    # Constants (a fixed variance) do not move.
    outs = [y for y in dist.params if y.creator_node is not None or id(y) in leaves]
    if metric is None:  # of another library: its KL says its Fisher matrix
        kl = mean_kl(old=old, new=dist)
        product = hessian_vector_product(gradient(kl, outs, create_graph=True), outs)

        def metric(tangents):
            return unflatten(product(flatten(tangents)), outs)

    elif len(outs) < len(dist.params):
        fisher, moves = metric, [any(y is x for x in outs) for y in dist.params]

        def metric(tangents):
            given = iter(tangents)
            full = [
                next(given)
                if moved
                else backend.get_array_module(y.array).zeros_like(y.array)
                for y, moved in zip(dist.params, moves)
            ]
            return [x for x, moved in zip(fisher(full), moves) if moved]

    return gauss_newton_product(outs, params, metric)


def kl_scores(dist, old, params, action):
    """Return v -> E[∇log π ∇log πᵀ]v over the actions taken: see `score_product`.

    Parameters
    ----------
    dist, old : Distribution
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


PRODUCTS = {
    "hessian": kl_hessian,
    "gauss_newton": kl_gauss_newton,
    "scores": kl_scores,
}


def graph(policy, batch, objective, curvature, region, chunk_rows):
    """A `LocalModel` of any link, through Chainer's graph.

    Parameters
    ----------
    policy, batch, objective, curvature, region, chunk_rows
        As in `local_model`.

    Returns
    -------
    LocalModel
        Chunks of rows are worked through one after the other.  Their graphs are kept from
        product to product as long as they fit into `KEEP_BYTES`.
    """
    n, chunks = ranks.sum(len(batch.obs)), _chunks(batch, chunk_rows)
    shares = [len(chunk.obs) / n for chunk in chunks]
    params = named_params(policy)
    build = PRODUCTS[curvature.kind]

    def gain_of(dist, part):
        gain = F.mean(objective.rows(dist.log_prob(part.action), part)[0])
        c = objective.entropy_coef
        return gain + c * mean_entropy(dist) if c else gain

    gain, g, old = 0.0, 0 if chunks else 0 * flatten(policy), []
    for chunk, share in zip(chunks, shares):
        dist = look(policy, chunk.obs, chunk.mask, chunk.memory)
        old.append(dist.copy())
        value = gain_of(dist, chunk)
        g = g + share * flatten(gradient(value, params))
        gain = gain + share * value.array
    if ranks.size() == len(chunks) == curvature.stride == 1:
        one = build(dist, old[0], params, batch.action)

        def product(v):
            return one(v)

    else:
        every = every_kth(batch, curvature.stride)
        product = _chunked_product(policy, build, _chunks(every, chunk_rows), params)
    distance = mean_kl if region.over == "mean" else max_kl

    def evaluate(theta):
        if not chunks:
            return _over_ranks(numpy, 0.0, 0.0, region.over)
        # Sums stay on the device; one wait for it at the end.
        total, kls = 0, []
        with at(policy, theta), chainer.no_backprop_mode():
            for chunk, share, before in zip(chunks, shares, old):
                dist = look(policy, chunk.obs, chunk.mask, chunk.memory)
                total = total + share * gain_of(dist, chunk).array
                sides = (before, dist) if region.side == "old_new" else (dist, before)
                kls.append(distance(old=sides[0], new=sides[1]).array)
        if region.over == "mean":
            kl = sum(share * kl for share, kl in zip(shares, kls))
        else:
            kl = policy.xp.stack(kls).max()
        return _over_ranks(policy.xp, total, kl, region.over)

    return LocalModel(
        float(ranks.sum(float(gain))),
        ranks.sum(g),
        product,
        evaluate,
        policy.device.send,
    )


def _chunks(batch, most):
    return [take(batch, one) for _, one in spans(len(batch.obs), most, batch.starts)]


def _chunked_product(policy, build, chunks, params):
    """Σ of the chunks' products; graphs that are too much to keep are made anew."""
    n = ranks.sum(sum(len(chunk.obs) for chunk in chunks))
    left, kept = KEEP_BYTES, {}

    def of_chunk(i):
        nonlocal left
        if i in kept:
            return kept[i]
        chunk = chunks[i]
        dist = look(policy, chunk.obs, chunk.mask, chunk.memory)
        share = len(chunk.obs) / n
        found = share, build(dist, dist.copy(), params, chunk.action)
        size = graph_bytes(dist.params) * GRAPHS
        if size <= left:
            left -= size
            kept[i] = found
        return found

    def product(v):
        total = 0 if chunks else 0 * v
        for i in range(len(chunks)):
            share, one = of_chunk(i)
            total = total + share * one(v)
        return ranks.sum(total)

    return product


def graph_bytes(outputs):
    """The bytes of the arrays behind outputs that backward passes still need."""
    found, seen, todo = {}, set(), [y.node for y in outputs]
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.data is not None:
            found[id(node.data)] = node.data.nbytes
        if node.creator_node is not None:
            todo += node.creator_node.inputs
    return sum(found.values())
