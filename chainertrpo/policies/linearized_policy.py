"""A policy of ours around its present parameters: Gauss–Newton products on a batch.

Rows are worked through in blocks, several side by side; what is kept is bounded, and
beyond that the forward pass is made anew for each product.
"""

import typing

from chainertrpo._threads import row_lanes, side_by_side
from chainertrpo.numerics import flatten, named_params, unflatten
from chainertrpo.policies.bounded import BoundedGaussianPolicy, ScaledGaussianPolicy
from chainertrpo.policies.linearized_mlp import LinearizedMLP
from chainertrpo.policies.models import GaussianPolicy, SoftmaxPolicy

import chainer
import numpy
from chainer import Variable, backend

_OURS = (GaussianPolicy, ScaledGaussianPolicy, BoundedGaussianPolicy, SoftmaxPolicy)


class LinearizedPolicy:
    """A policy of ours around its present parameters, on a batch.

    Parameters
    ----------
    policy : GaussianPolicy, SoftmaxPolicy, or one with bounds
        See `can_linearize`.
    obs : array, shape (N, S)
        Observations.
    chunk_rows : int
        The most rows worked on at a time.  On the CPU blocks are smaller, so that what is
        worked on stays in the cache, and several of them are worked on side by side.
    keep_bytes : int
        The most that may be kept between products.

    Attributes
    ----------
    output : array, shape (N, O)
        Of the MLP.
    dist : distribution
        On all rows; its graph begins at `output`.
    """

    def __init__(self, policy, obs, *, chunk_rows=25_000, keep_bytes=2**29):
        self.policy, self._obs = policy, obs
        self._params = named_params(policy)
        self._layers = [(f"/mlp/{i}/W", f"/mlp/{i}/b") for i in range(len(policy.mlp))]
        names = {name for pair in self._layers for name in pair}
        self._heads = {k: p for k, p in self._params.items() if k not in names}
        self._columns = _used_columns(obs)
        lanes = row_lanes(obs, chunk_rows)
        self._blocks = [rows for lane in lanes for rows in lane]
        on_host = backend.get_array_module(obs) is numpy
        # The lengths of blocks differ by 1 at most.
        scratch_rows = lanes[0][0].stop + 1 if on_host else 0
        numbers = iter(range(len(self._blocks)))
        self._lanes = [
            _Lane(
                [next(numbers) for _ in lane],
                self.mlp(scratch_rows),
                self._room(),
                self._room(),
            )
            for lane in lanes
        ]
        mlp = self.mlp()
        width = 2 * sum(w.shape[0] for w, _ in mlp.weights[:-1])
        width += 0 if self._columns is None else len(self._columns)
        self._kept = [None] * len(self._blocks)
        keep = len(obs) * width * obs.dtype.itemsize <= keep_bytes
        self.output = self._forward(mlp, keep)
        self._leaf = Variable(self.output)
        self.dist = policy.distribution(self._leaf)
        with chainer.no_backprop_mode():
            self._dists = [
                policy.distribution(self.output[rows]) for rows in self._blocks
            ]

    def mlp(self, scratch_rows=0):
        """The policy's MLP at its parameters of the moment.

        Parameters
        ----------
        scratch_rows : int
            As in `LinearizedMLP`.

        Returns
        -------
        LinearizedMLP
            Without the weights of inputs that are zero on all rows.
        """
        weights = [(layer.W.array, layer.b.array) for layer in self.policy.mlp]
        if self._columns is not None:
            weights[0] = weights[0][0][:, self._columns], weights[0][1]
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
        parts = self._parts(total)
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
        parts = self._parts(v)
        layers = [(parts[w], parts[b]) for w, b in self._layers]
        if self._columns is not None:
            layers[0] = layers[0][0][:, self._columns], layers[0][1]

        def cotangent(mlp, i, kept):
            t = mlp.push(kept, layers)
            weight = len(t) / len(self._obs)
            return self.policy.fisher(self._dists[i], t, parts, weight)

        return self._pull(cotangent)

    def _parts(self, flat):
        return dict(zip(self._params, unflatten(flat, self._params.values())))

    def _room(self):
        xp = backend.get_array_module(self._obs)
        like = {name: param.array for name, param in self._params.items()}
        if self._columns is not None:
            first = self._layers[0][0]
            like[first] = like[first][:, self._columns]
        flat = xp.zeros(sum(x.size for x in like.values()), self._obs.dtype)
        parts = dict(zip(like, unflatten(flat, like.values())))
        return _Room(flat, parts, [(parts[w], parts[b]) for w, b in self._layers])

    def _inputs(self, i):
        x = self._obs[self._blocks[i]]
        return x if self._columns is None else x.take(self._columns, axis=1)

    def _forward(self, mlp, keep=False):
        xp = backend.get_array_module(self._obs)
        shape = (len(self._obs), len(mlp.weights[-1][1]))
        outputs = xp.empty(shape, self._obs.dtype)

        def work(lane):
            for i in lane.blocks:
                outputs[self._blocks[i]], kept = mlp.forward(self._inputs(i))
                if keep:
                    self._kept[i] = kept

        side_by_side(work, self._lanes)
        return outputs

    def _pull(self, cotangent):
        """Σ Jᵀu over the blocks.

        ``cotangent(mlp, i, kept)`` gives u for block i, and what that block adds to
        parameters beside the MLP's.
        """

        def work(lane):
            for i in lane.blocks:
                kept = self._kept[i] or lane.mlp.forward(self._inputs(i))[1]
                u, head = cotangent(lane.mlp, i, kept)
                room = lane.total if i == lane.blocks[0] else lane.part
                lane.mlp.pull(kept, u, room.layers)
                for name in self._heads:
                    room.parts[name][...] = head.get(name, 0)
                if room is lane.part:
                    lane.total.flat[...] += room.flat

        side_by_side(work, self._lanes)
        # In the order of lanes: the sum does not depend on the threads.
        flat, parts, _ = self._lanes[0].total
        for lane in self._lanes[1:]:
            flat[...] += lane.total.flat
        if self._columns is None:
            return flat.copy()
        first = self._layers[0][0]
        whole = numpy.zeros_like(self._params[first].array)
        whole[:, self._columns] = parts[first]
        return flatten([{**parts, first: whole}[name] for name in self._params])


class _Room(typing.NamedTuple):
    """A flat vector and views of it: parameters by name, (W, b) of each layer."""

    flat: typing.Any
    parts: dict
    layers: list


class _Lane(typing.NamedTuple):
    """Blocks that are worked on one after the other, and the room to do so."""

    blocks: typing.List[int]
    mlp: LinearizedMLP
    total: _Room
    part: _Room


def _used_columns(obs):
    """Columns that are not zero on all rows, or None if nearly all are used.

    Zeros add nothing to a product: of Humanoid-v4's 376 components 41 and more are always
    zero.  A GPU would have to be waited for, and takes all columns.
    """
    if backend.get_array_module(obs) is not numpy or obs.ndim != 2:
        return None
    used = numpy.flatnonzero(obs.any(axis=0))
    return used if len(used) < 0.95 * obs.shape[1] else None


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
    return type(policy) in _OURS
