"""A network and a family around their parameters, on the rows of a batch.

Rows are worked through in blocks, several side by side, so that the memory needed does
not grow with the batch.
"""

import math
import typing

from chainertrpo import ranks
from chainertrpo._threads import MAX_SHARDS, parallel_map, row_shards
from chainertrpo.data.pieces import spans, take
from chainertrpo.numerics import flatten, named_params
from chainertrpo.policies.network import Room, views

import numpy
from chainer import backend

KEEP_BYTES = 2**29  # of forward passes, between products


SHARD_PATHS, SHARD_ROWS = 16, 2048  # with memory: at least so much for a thread


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
    memory : tuple
        Of a network with memory: carry (K, C) and starts (K,), see `Batch.memory`.
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
        memory=(),
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
        shards = _shards(obs, memory, chunk_rows)
        self.blocks = [rows for shard in shards for rows, _ in shard]
        self.pieces = [pieces for shard in shards for _, pieces in shard]
        self.memories = [_part(memory, pieces) for pieces in self.pieces]
        longest = max(rows.stop - rows.start for rows in self.blocks)
        rows = longest if self.xp is numpy else 0
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
        out, tape, _ = self.part.network.forward(
            self.theta, self._inputs(i), *self.memories[i]
        )
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
                    theta, self._inputs(i), *self.memories[i], keep=False
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
        if part.network.carry_size:  # a row's part of Jᵀu is no outer product
            raise ValueError(
                "expected a policy without memory for the solver Gram, got one with a "
                f"carry of {part.network.carry_size}. Use the solver CG."
            )
        params = {name: x.array for name, x in named_params(policy).items()}
        lin = Linearized(part, params, batch.obs, batch.mask, keep_bytes=math.inf)
        network, family = part.network, part.family
        found = [None] * len(lin.blocks)

        def work(shard):
            for i in shard.blocks:
                rows, tape = lin.blocks[i], lin.tape(i)
                m, action = lin.m[i], batch.action[rows]
                score, own = family.score(m, action)
                chunk = take(batch, rows)
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


def outputs(part, theta, obs, *memory):
    """A network's outputs on any number of rows, blocks of them side by side.

    Parameters
    ----------
    part : Part
        With the network.
    theta : dict of str to array
        Its parameters by name.
    obs : array, shape (N, S)
        Inputs.
    *memory : array
        Of a network with memory: see `Batch.memory`.

    Returns
    -------
    array, shape (N, width)
        Outputs.
    """
    xp = backend.get_array_module(obs)
    out = xp.empty((len(obs), part.network.width), obs.dtype)

    def work(shard):
        for rows, pieces in shard:
            own = _part(memory, pieces)
            out[rows] = part.network.forward(theta, obs[rows], *own, keep=False)[0]

    parallel_map(work, _shards(obs, memory, 25_000))
    return out


def _shards(obs, memory, most):
    """Lists of (rows, pieces) for `parallel_map`; with memory of many whole pieces."""
    if not len(obs):  # another rank has all rows
        return [[(slice(0, 0), slice(0, 0))]]
    if not memory:
        return [[(rows, rows) for rows in shard] for shard in row_shards(obs, most)]
    n, (_, starts) = len(obs), memory
    count = 1
    if backend.get_array_module(obs) is numpy:
        count = min(MAX_SHARDS, n // SHARD_ROWS, len(starts) // SHARD_PATHS) or 1
    a_block = math.ceil(n / (count * math.ceil(n / (count * most))))
    blocks = spans(n, a_block, starts)
    per = math.ceil(len(blocks) / count)
    return [blocks[i : i + per] for i in range(0, len(blocks), per)]


def _part(memory, pieces):
    """Of some pieces that follow each other."""
    if not memory:
        return ()
    carry, starts = (x[pieces] for x in memory)
    return carry, starts - starts[:1].sum()


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
