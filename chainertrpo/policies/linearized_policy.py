"""A policy of ours around its present parameters: Gauss–Newton products on a batch.

Rows are worked through in blocks, several side by side; what is kept is bounded, and
beyond that the forward pass is made anew for each product.
"""

import math
import typing

from chainertrpo.numerics import named_params, side_by_side, unflatten
from chainertrpo.policies.linearized_mlp import LinearizedMLP
from chainertrpo.policies.models import GaussianPolicy, SoftmaxPolicy

import chainer
import numpy
from chainer import Variable, backend

# On the CPU: rows of a block; from how many rows on a lane of their own; lanes at most.
BLOCK_ROWS, LANE_ROWS, MAX_LANES = 1000, 512, 16


class LinearizedPolicy:
    """A `GaussianPolicy` or `SoftmaxPolicy` around its present parameters, on a batch.

    Parameters
    ----------
    policy : GaussianPolicy or SoftmaxPolicy
        The policy.
    obs : array, shape (N, S)
        Observations.
    chunk_rows : int
        The most rows worked on at a time.  On the CPU blocks are smaller, so that what is
        worked on stays in the cache, and several of them are worked on side by side.
    keep_bytes : int
        The most that may be kept between products.

    Attributes
    ----------
    dist : distribution
        On all rows; its graph begins at the MLP's outputs.
    """

    def __init__(self, policy, obs, *, chunk_rows=25_000, keep_bytes=2**28):
        self.policy, self._obs = policy, obs
        self._params = named_params(policy)
        self._layers = [(f"/mlp/{i}/W", f"/mlp/{i}/b") for i in range(len(policy.mlp))]
        names = {name for pair in self._layers for name in pair}
        self._heads = {k: p for k, p in self._params.items() if k not in names}
        self._blocks, lanes = _lanes(obs, chunk_rows)
        rows = max(rows.stop - rows.start for rows in self._blocks)
        on_host = backend.get_array_module(obs) is numpy
        self._lanes = [
            _Lane(blocks, self.mlp(rows if on_host else 0), self._room(), self._room())
            for blocks in lanes
        ]
        mlp = self.mlp()
        width = sum(w.shape[0] for w, _ in mlp.weights[:-1])
        keep = 2 * len(obs) * width * obs.dtype.itemsize <= keep_bytes
        self._kept = [None] * len(self._blocks)
        outputs = self._forward(mlp, keep)
        self._leaf = Variable(outputs)
        self.dist = policy.distribution(self._leaf)
        with chainer.no_backprop_mode():
            self._dists = [policy.distribution(outputs[rows]) for rows in self._blocks]

    def mlp(self, scratch_rows=0):
        """The policy's MLP at its parameters of the moment.

        Parameters
        ----------
        scratch_rows : int
            As in `LinearizedMLP`.

        Returns
        -------
        LinearizedMLP
            It refers to the parameters.
        """
        weights = [(layer.W.array, layer.b.array) for layer in self.policy.mlp]
        return LinearizedMLP(weights, self.policy.mlp.activation, scratch_rows)

    def outputs(self):
        """The MLP's outputs on all rows at the policy's parameters of the moment.

        Returns
        -------
        array, shape (N, O)
            What ``policy.distribution`` takes.
        """
        return self._forward(self.mlp())

    def gradient(self, y):
        """∂y/∂θ of a scalar computed from `dist`: Chainer up to the outputs, then Jᵀ.

        Parameters
        ----------
        y : Variable, shape ()
            For example the surrogate of `dist`.

        Returns
        -------
        array, shape (P,)
            The gradient.
        """
        u, *head_grads = chainer.grad([y], [self._leaf, *self._heads.values()])
        total = self._pull(lambda mlp, i, kept: (u.array[self._blocks[i]], {}))
        parts = self._cut(total).parts
        for name, grad in zip(self._heads, head_grads):
            if grad is not None:
                parts[name][...] = grad.array
        return total

    def fisher_product(self, v):
        """JᵀFJ·v with F the Fisher matrix of the mean over states.

        Parameters
        ----------
        v : array, shape (P,)
            A vector.

        Returns
        -------
        array, shape (P,)
            The product.
        """
        _, parts, layers = self._cut(v)

        def cotangent(mlp, i, kept):
            t = mlp.push(kept, layers)
            weight = len(t) / len(self._obs)
            return self.policy.fisher(self._dists[i], t, parts, weight)

        return self._pull(cotangent)

    def _cut(self, flat):
        parts = dict(zip(self._params, unflatten(flat, self._params.values())))
        return _Cut(flat, parts, [(parts[w], parts[b]) for w, b in self._layers])

    def _room(self):
        size = sum(param.size for param in self._params.values())
        xp = backend.get_array_module(self._obs)
        return self._cut(xp.zeros(size, self._obs.dtype))

    def _forward(self, mlp, keep=False):
        xp = backend.get_array_module(self._obs)
        shape = (len(self._obs), len(mlp.weights[-1][1]))
        outputs = xp.empty(shape, self._obs.dtype)

        def work(lane):
            for i in lane.blocks:
                rows = self._blocks[i]
                outputs[rows], kept = mlp.forward(self._obs[rows])
                if keep:
                    self._kept[i] = kept

        self._each(work)
        return outputs

    def _pull(self, cotangent):
        """Σ Jᵀu over the blocks.

        ``cotangent(mlp, i, kept)`` gives u for block i, and what that block adds to
        parameters beside the MLP's.
        """

        def work(lane):
            for i in lane.blocks:
                kept = self._kept[i] or lane.mlp.forward(self._obs[self._blocks[i]])[1]
                u, head = cotangent(lane.mlp, i, kept)
                room = lane.total if i == lane.blocks[0] else lane.part
                lane.mlp.pull(kept, u, room.layers)
                for name in self._heads:
                    room.parts[name][...] = head.get(name, 0)
                if room is lane.part:
                    lane.total.flat[...] += room.flat

        self._each(work)
        total = self._lanes[0].total.flat.copy()
        for lane in self._lanes[1:]:  # in order: the sum does not depend on the threads
            total += lane.total.flat
        return total

    def _each(self, work):
        if backend.get_array_module(self._obs) is numpy:
            return side_by_side(work, self._lanes)
        return [work(lane) for lane in self._lanes]


class _Cut(typing.NamedTuple):
    """A flat vector and views of it: parameters by name, (W, b) of each layer."""

    flat: typing.Any
    parts: dict
    layers: list


class _Lane(typing.NamedTuple):
    """Blocks that are worked on one after the other, and the room to do so."""

    blocks: range
    mlp: LinearizedMLP
    total: _Cut
    part: _Cut


def _lanes(obs, chunk_rows):
    """Slices of rows, and which of them make a lane.

    They depend on the number of rows only.  A GPU takes all rows of a chunk at once.
    """
    n, n_lanes, rows = len(obs), 1, chunk_rows
    if backend.get_array_module(obs) is numpy:
        rows = min(chunk_rows, BLOCK_ROWS)
        while n_lanes < MAX_LANES and n >= 2 * n_lanes * LANE_ROWS:
            n_lanes *= 2
    a_lane = max(1, math.ceil(n / (n_lanes * rows)))
    ends = numpy.linspace(0, n, n_lanes * a_lane + 1).astype(int).tolist()
    blocks = [slice(*pair) for pair in zip(ends, ends[1:])]
    return blocks, [range(i, i + a_lane) for i in range(0, len(blocks), a_lane)]


def can_linearize(policy):
    """Whether a policy is ours, unchanged by a subclass.

    Parameters
    ----------
    policy : chainer.Link
        Any policy.

    Returns
    -------
    bool
        `LinearizedPolicy` takes it.
    """
    return type(policy) in (GaussianPolicy, SoftmaxPolicy)
