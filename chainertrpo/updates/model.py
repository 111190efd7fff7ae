"""A policy around its parameters on one batch: what the steps need to know of it.

There are two makers.  `closed` takes a network and a family whose derivatives are written
out, and works on blocks of rows, several side by side, so that the memory needed does not
grow with the batch.  `graph` takes any link, through Chainer: its Hessian is the product
by double backprop that this project is named for.
"""

import contextlib
import math
import typing

from chainertrpo import ranks
from chainertrpo._threads import parallel_map, row_shards
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
from chainertrpo.policies.network import Room, views
from chainertrpo.updates.compatible import score_product
from chainertrpo.updates.objectives import max_kl, mean_entropy, mean_kl

import chainer
import chainer.functions as F
import numpy
from chainer import backend

KEEP_BYTES = 2**29  # of forward passes, between products


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


class Samples(typing.NamedTuple):
    """The scores J = ∇log π of the rows of a batch, without J.

    Attributes
    ----------
    pairs : list of (array, array)
        (ā, h) of each layer.
    others : list of array
        Scores by the family's own parameters, (N, …).
    weight : array, shape (N,)
        w: the objective's derivatives by log π.
    pull : callable
        y of shape (N,) -> Jᵀy, (P,).
    """

    pairs: list
    others: list
    weight: typing.Any
    pull: typing.Callable


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


class _Shard(typing.NamedTuple):
    """Blocks that one thread works on, and what it writes to."""

    blocks: typing.List[int]
    room: Room
    total: numpy.ndarray
    share: numpy.ndarray


class Linearized:
    """A network and a family at θ on the rows of a batch: a forward pass, kept.

    Rows are worked through in blocks, several side by side; what is kept is bounded, and
    beyond that the forward pass is made anew for each product.

    Parameters
    ----------
    part : Part
        Network, family and constants.
    params : dict of str to array
        θ by name, sorted.
    obs : array, shape (N, S)
        Observations.
    mask : array or None
        Of a family that knows masks.
    n : int
        Rows that means are taken over: those of all ranks.
    chunk_rows, keep_bytes : int
        The most rows worked on at a time; the most that is kept between products.
    """

    def __init__(
        self,
        part,
        params,
        obs,
        mask=None,
        n=None,
        chunk_rows=25_000,
        keep_bytes=KEEP_BYTES,
    ):
        params = {name[len(part.prefix) :]: x for name, x in params.items()}
        part = part._replace(prefix="")
        self.part, self.obs, self.mask = part, obs, mask
        self.n = n or len(obs)
        self.xp = backend.get_array_module(obs)
        self.columns = _used_columns(obs)
        self.shapes = {name: x.shape for name, x in params.items()}
        self.theta = self._narrow(part.theta(params))
        narrow = {name: self.theta[name].shape for name in params}
        self.narrow_shapes, size = narrow, sum(map(_size, narrow.values()))
        shards = row_shards(obs, chunk_rows)
        self.blocks = [rows for shard in shards for rows in shard]
        # The lengths of blocks differ by 1 at most.
        rows = shards[0][0].stop + 1 if self.xp is numpy else 0
        numbers = iter(range(len(self.blocks)))
        self.shards = [
            _Shard(
                [next(numbers) for _ in shard],
                Room(rows),
                *(self.xp.zeros(size, obs.dtype) for _ in range(2)),
            )
            for shard in shards
        ]
        width = part.network.kept_columns
        width += 0 if self.columns is None else len(self.columns)
        self._keep = len(obs) * width * obs.dtype.itemsize <= keep_bytes
        self._tapes = [None] * len(self.blocks)
        self.m = [None] * len(self.blocks)

    def _narrow(self, theta):
        """Without the weights of inputs that are zero on all rows."""
        if self.columns is None:
            return theta
        first = self.part.network.first
        return {**theta, first: theta[first][:, self.columns]}

    def _inputs(self, i):
        x = self.obs[self.blocks[i]]
        return x if self.columns is None else x.take(self.columns, axis=1)

    def _at(self, out, theta, i):
        mask = None if self.mask is None else self.mask[self.blocks[i]]
        return self.part.family.at(out, theta, mask)

    def tape(self, i):
        """Of block i; with it m is there."""
        if self._tapes[i] is not None:
            return self._tapes[i]
        out, tape, _ = self.part.network.forward(self.theta, self._inputs(i))
        if self.m[i] is None:
            self.m[i] = self._at(out, self.theta, i)
        if self._keep:
            self._tapes[i] = tape
        return tape

    def there(self, flat, say):
        """[say(i, m)] of every block at other parameters."""
        theta = self._narrow({**self.part.constants, **views(flat, self.shapes)})
        found = [None] * len(self.blocks)

        def work(shard):
            for i in shard.blocks:
                out, _, _ = self.part.network.forward(
                    theta, self._inputs(i), keep=False
                )
                found[i] = say(i, self._at(out, theta, i))

        parallel_map(work, self.shards)
        return found

    def pull(self, cotangent):
        """Σ of the blocks' Jᵀu, shape (P,).

        ``cotangent(i, m, tape, room)`` gives u of block i, and what that block adds to the
        family's own parameters.
        """

        def work(shard):
            for i in shard.blocks:
                tape = self.tape(i)
                u, own = cotangent(i, self.m[i], tape, shard.room)
                flat = shard.total if i == shard.blocks[0] else shard.share
                into = views(flat, self.narrow_shapes)
                self.part.network.vjp(tape, u, into, shard.room)
                for name in self.part.family.shapes:
                    into[name][...] = own[name]
                if flat is shard.share:
                    shard.total[...] += flat

        parallel_map(work, self.shards)
        # In the order of shards: the sum does not depend on the threads.
        flat = self.shards[0].total.copy()
        for shard in self.shards[1:]:
            flat += shard.total
        return ranks.sum(self.widen(flat))

    def widen(self, flat):
        """With zeros for the weights of inputs that are zero on all rows."""
        if self.columns is None:
            return flat
        found, first = views(flat, self.narrow_shapes), self.part.network.first
        whole = self.xp.zeros(self.shapes[first], flat.dtype)
        whole[:, self.columns] = found[first]
        return flatten(list({**found, first: whole}.values()))

    def fisher_product(self, v):
        """JᵀFJ·v with F the Fisher matrix of the mean over states, shape (P,)."""
        dtheta = self._narrow(views(v, self.shapes))
        network, family = self.part.network, self.part.family

        def cotangent(i, m, tape, room):
            return family.fisher(m, network.jvp(tape, dtheta, room), dtheta, 1 / self.n)

        return self.pull(cotangent)

    def score_product(self, v, action):
        """E[∇log π ∇log πᵀ]·v over the actions, shape (P,)."""
        dtheta = self._narrow(views(v, self.shapes))
        network, family = self.part.network, self.part.family

        def cotangent(i, m, tape, room):
            dout, own = family.score(m, action[self.blocks[i]])
            along = (dout * network.jvp(tape, dtheta, room)).sum(axis=1)
            for name, rows in own.items():
                along += rows.dot(dtheta[name])
            along = along[:, None] * (1 / self.n)
            summed = {name: (rows * along).sum(axis=0) for name, rows in own.items()}
            return dout * along, summed

        return self.pull(cotangent)


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
    lin = Linearized(part, params, batch.obs, mask, n, chunk_rows)
    family, c = part.family, objective.entropy_coef
    chunks = [
        batch._make(x if x is None else x[rows] for x in batch) for rows in lin.blocks
    ]
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
        some = _every(part, params, lin, curvature.stride, chunk_rows)
        action = action[:: curvature.stride]
    product = some.fisher_product
    if kind == "scores":

        def product(v):
            return some.score_product(v, action)

    def say(i, m):
        kl = family.kl(*((lin.m[i], m) if region.side == "old_new" else (m, lin.m[i])))
        kl = kl.sum() if region.over == "mean" else kl.max()
        return gain_of(i, m)[0], kl

    def evaluate(theta):
        totals, kls = zip(*lin.there(theta, say))
        gain = ranks.sum(sum(totals)) / n
        if region.over == "mean":
            kl = ranks.sum(sum(kls)) / n
        else:
            kl = ranks.largest(lin.xp.stack(kls).max())
        return tuple(lin.xp.stack([gain, kl]).tolist())  # one wait for the device

    gain = float(ranks.sum(sum(gains))) / n
    taken = samples_of(policy, part, batch, objective) if kind == "scores" else None
    return LocalModel(gain, g, product, evaluate, policy.device.send, taken)


def samples_of(policy, part, batch, objective):
    """What the `Gram` solver takes of a batch, at the policy's parameters of the moment.

    Parameters
    ----------
    policy : chainer.Link
        The policy.
    part : Part
        Of it.
    batch : Batch
        On its device.
    objective : Surrogate or Likelihood
        What is maximised.

    Returns
    -------
    callable
        () -> `Samples`.
    """

    def samples():
        params = {name: x.array for name, x in named_params(policy).items()}
        lin = Linearized(part, params, batch.obs, batch.mask, keep_bytes=math.inf)
        network, family = part.network, part.family
        found = [None] * len(lin.blocks)

        def work(shard):
            for i in shard.blocks:
                rows, tape = lin.blocks[i], lin.tape(i)
                m, action = lin.m[i], batch.action[rows]
                score, own = family.score(m, action)
                chunk = batch._make(x if x is None else x[rows] for x in batch)
                weight = objective.rows(family.log_prob(m, action), chunk)[1]
                found[i] = own, weight, network.scores(tape, score)

        parallel_map(work, lin.shards)
        xp = lin.xp
        join = (lambda x: x[0]) if len(found) == 1 else xp.concatenate
        owns, weights, layers = zip(*found)
        own = {name: join([x[name] for x in owns]) for name in family.shapes}
        pairs = [tuple(map(join, zip(*of_layer))) for of_layer in zip(*layers)]

        def pull(y):
            into = views(xp.empty(sum(map(_size, narrow.values())), y.dtype), narrow)
            for (w, b), (delta, h) in zip(network.layers, pairs):
                delta = delta * y[:, None]
                xp.dot(delta.T, h, out=into[w])
                into[b][...] = delta.sum(axis=0)
            for name, x in own.items():
                into[name][...] = y.dot(x)
            return lin.widen(flatten(list(into.values())))

        narrow = lin.narrow_shapes
        return Samples(pairs, list(own.values()), join(weights), pull)

    return samples


def _every(part, params, lin, stride, chunk_rows):
    """The same on every k-th row."""
    obs = lin.obs[::stride].copy()
    mask = None if lin.mask is None else lin.mask[::stride]
    return Linearized(part, params, obs, mask, ranks.sum(len(obs)), chunk_rows)


def outputs(part, theta, obs):
    """A network's outputs on any number of rows, blocks of them side by side.

    Parameters
    ----------
    part : Part
        With the network.
    theta : dict of str to array
        Its parameters by name.
    obs : array, shape (N, S)
        Inputs.

    Returns
    -------
    array, shape (N, width)
        Outputs.
    """
    xp = backend.get_array_module(obs)
    out = xp.empty((len(obs), part.network.width), obs.dtype)

    def work(shard):
        for rows in shard:
            out[rows] = part.network.forward(theta, obs[rows], keep=False)[0]

    parallel_map(work, row_shards(obs, 25_000))
    return out


class Said(typing.NamedTuple):
    """What a link said of the states of a batch, as plain arrays.

    Attributes
    ----------
    log_prob : callable
        Actions -> log π, (N,).
    entropy : callable
        () -> H, (N,).
    kl : callable
        Another of these -> KL(this ‖ other), (N,).
    m : object
        The distributions.
    """

    log_prob: typing.Callable
    entropy: typing.Callable
    kl: typing.Callable
    m: typing.Any


def said(link, obs, mask=None, theta=None, which=0):
    """What a link says of states, written out where it is ours.

    Parameters
    ----------
    link : chainer.Link
        A policy, or policy and values in one.
    obs : array, shape (N, S)
        Observations.
    mask : array, optional
        Of valid actions.
    theta : array, shape (P,), optional
        Parameters of the link; by default its own.
    which : int
        0: of actions.

    Returns
    -------
    Said
        Nothing of it has a graph.
    """
    found = parts(link)
    if found:
        params = {name: x.array for name, x in named_params(link).items()}
        if theta is not None:
            params = dict(zip(params, unflatten(theta, params.values())))
        part = found[which]
        own, family = part.theta(params), part.family
        m = family.at(outputs(part, own, obs), own, mask)
        return Said(
            lambda action: family.log_prob(m, action),
            lambda: family.entropy(m),
            lambda other: family.kl(m, other.m),
            m,
        )
    here = contextlib.nullcontext() if theta is None else at(link, theta)
    with here, chainer.no_backprop_mode(), chainer.using_config("train", False):
        dist = link(obs)
        dist = (dist[which] if isinstance(dist, tuple) else dist).copy()
    as_array = chainer.as_array
    return Said(
        lambda action: as_array(dist.log_prob(action)),
        lambda: as_array(dist.entropy),
        lambda other: as_array(dist.kl(other.m)),
        dist,
    )


def _size(shape):
    return int(numpy.prod(shape))


def _used_columns(obs):
    """Columns that are not zero on all rows, or None if nearly all are used.

    Zeros add nothing to a product: of Humanoid-v4's 376 components 41 and more are always
    zero.  A GPU would have to be waited for, and takes all columns.
    """
    if backend.get_array_module(obs) is not numpy or obs.ndim != 2:
        return None
    used = numpy.flatnonzero(obs.any(axis=0))
    return used if len(used) < 0.95 * obs.shape[1] else None


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
        Chunks of rows are worked through one after the other.
    """
    rows, n = len(batch.obs), ranks.sum(len(batch.obs))
    slices = [slice(i, i + chunk_rows) for i in range(0, rows, chunk_rows)]
    chunks = [batch._make(x if x is None else x[one] for x in batch) for one in slices]
    shares = [len(chunk.obs) / n for chunk in chunks]
    params = named_params(policy)
    build = PRODUCTS[curvature.kind]

    def gain_of(dist, part):
        gain = F.mean(objective.rows(dist.log_prob(part.action), part)[0])
        c = objective.entropy_coef
        return gain + c * mean_entropy(dist) if c else gain

    gain = g = 0
    old = []
    for chunk, share in zip(chunks, shares):
        dist = policy(chunk.obs)
        old.append(dist.copy())
        value = gain_of(dist, chunk)
        g = g + share * flatten(gradient(value, params))
        gain = gain + share * value.array
    if len(chunks) == 1 and curvature.stride == 1:
        one = build(dist, old[0], params, batch.action)

        def product(v):
            return ranks.sum(shares[0] * one(v) if shares[0] != 1 else one(v))

    else:
        product = _chunked_product(
            policy,
            build,
            batch.obs[:: curvature.stride],
            batch.action[:: curvature.stride],
            chunk_rows,
            params,
        )
    distance = mean_kl if region.over == "mean" else max_kl

    def evaluate(theta):
        # Sums stay on the device; one wait for it at the end.
        total, kls = 0, []
        with at(policy, theta), chainer.no_backprop_mode():
            for chunk, share, before in zip(chunks, shares, old):
                dist = policy(chunk.obs)
                total = total + share * gain_of(dist, chunk).array
                sides = (before, dist) if region.side == "old_new" else (dist, before)
                kls.append(distance(old=sides[0], new=sides[1]).array)
        xp = backend.get_array_module(total)
        if region.over == "mean":
            kl = ranks.sum(sum(share * kl for share, kl in zip(shares, kls)))
        else:
            kl = ranks.largest(xp.stack(kls).max())
        return tuple(xp.stack([ranks.sum(total), kl]).tolist())

    return LocalModel(
        float(ranks.sum(gain)), ranks.sum(g), product, evaluate, policy.device.send
    )


def _chunked_product(policy, build, obs, action, chunk_rows, params):
    """Σ of the chunks' products; each chunk's graph is made anew and forgotten."""
    n = ranks.sum(len(obs))

    def product(v):
        total = 0
        for i in range(0, len(obs), chunk_rows):
            rows = obs[i : i + chunk_rows]
            dist = policy(rows)
            taken = action[i : i + chunk_rows]
            share = len(rows) / n
            total = total + share * build(dist, dist.copy(), params, taken)(v)
        return ranks.sum(total)

    return product
