"""One way of minibatch steps: for policies, values, clones and the discriminator.

A link gives one or two heads: a policy, a value function, or both in one.  A loss looks at
what the heads say of a minibatch and pulls them: each head takes the derivative of

    Σ by_log_prob·log p(a) + by_entropy·H + by_kl·KL(old ‖ ·)

over its rows, which the optimiser then *descends*.  Where network and family are ours and
the optimiser is Chainer's Adam, that derivative is written out and Adam works on one flat
vector; everything else goes through Chainer's graph.  The results are equal, to rounding.
"""

from chainertrpo import ranks
from chainertrpo.data.pieces import row_index, take
from chainertrpo.numerics import at, flatten, unflatten
from chainertrpo.numerics.functions import functions
from chainertrpo.policies import parts
from chainertrpo.policies.families import Squared
from chainertrpo.policies.graph import Distribution, look
from chainertrpo.updates.adam import FlatAdam, can_be_flat
from chainertrpo.updates.linearized import outputs

import chainer
import chainer.functions as F
import numpy

_SQUARED = Squared()


def descend(link, optimizer, batches, loss, before=None, device=None):
    """Take one step of an optimiser a minibatch.

    Parameters
    ----------
    link : chainer.Link
        Moved in place.
    optimizer : chainer.Optimizer
        Set up with `link`; goes on from its state, and has the new one afterwards.
    batches : iterable
        What `loss` takes of each minibatch.
    loss : callable
        (heads, minibatch) -> tuple of scalars on the device; pulls the heads.  Both are
        sums over the rows of this rank, and are added up over all ranks.
    before : array, shape (P,), optional
        θ that ``head.old`` refers to; by default that of now.
    device : chainer.backend.Device, optional
        Where the steps are taken and what `loss` sees lies; by default that of the link.
        Another is for links whose steps `are_written_out`, without constants.

    Returns
    -------
    list of tuple of float
        What `loss` returned, each before its step.
    """
    descent = descent_of(link, optimizer, before, device)
    losses = []
    for batch in batches:
        losses.append(loss(descent.heads, batch))
        descent.step()
    descent.store()
    losses = on_host((device or link.device).xp, losses)
    if ranks.size() == 1 or not losses:
        return losses
    return list(map(tuple, ranks.sum(numpy.array(losses)).tolist()))


def on_host(xp, losses):
    """Tuples of scalars of the device as floats, with one wait for all of them."""
    if xp is numpy:
        return [tuple(map(float, row)) for row in losses]
    if not losses:
        return []
    n = len(losses[0])
    flat = xp.stack([xp.asarray(x) for row in losses for x in row]).tolist()
    return [tuple(flat[i : i + n]) for i in range(0, len(flat), n)]


def are_written_out(link, optimizer):
    """Whether the steps of an optimiser are taken without Chainer."""
    return bool(parts(link)) and can_be_flat(optimizer)


def descent_of(link, optimizer, before=None, device=None):
    """The steps of an optimiser, written out where they can be.

    Parameters
    ----------
    link, optimizer, before, device
        As in `descend`.

    Returns
    -------
    object
        With ``heads``, ``step()`` and ``store()``.

    Raises
    ------
    ValueError
        A joint model with memory and an optimiser that is not written out.
    """
    if are_written_out(link, optimizer):
        return _Closed(link, optimizer, before, device)
    found = parts(link)
    if len(found) > 1 and any(part.network.carry_size for part in found):
        raise ValueError(
            "expected plain chainer.optimizers.Adam for a joint model with memory, got "
            f"{type(optimizer).__name__}, or Adam with hooks. Fit values apart: an agent "
            "with policy, vf and an optimiser each."
        )
    return _Graph(link, optimizer, before)


class _Closed:
    def __init__(self, link, optimizer, before, device):
        self._adam = FlatAdam(link, optimizer, device)
        before = flatten(link) if before is None else before
        then = self._adam.by_name(before)
        self.heads = [
            _ClosedHead(part, self._adam.value, self._adam.grad, then)
            for part in parts(link)
        ]

    def step(self):
        if ranks.size() > 1:
            self._adam.gradient[...] = ranks.sum(self._adam.gradient)
        self._adam.step()

    def store(self):
        self._adam.store()


class _ClosedHead:
    """A network and a family at parameters that move."""

    def __init__(self, part, value, grad, before):
        self.network, self.family = part.network, part.family
        self._theta, self._into = part.theta(value), part.theta(grad)
        self._part, self._before, self._old = part, before, None

    def at(self, obs, mask=None, memory=()):
        """Look at rows."""
        out, self._tape, _ = self.network.forward(self._theta, obs, *memory)
        self.m = self.family.at(out, self._theta, mask)

    def log_prob(self, action):
        """Log p of actions in these rows, an array."""
        return self.family.log_prob(self.m, action)

    def sum_log_prob(self, action):
        """Σ log p of actions over these rows."""
        return self.family.sum_log_prob(self.m, action)

    def old(self, batch, index):
        """What the head said of rows of a batch at the parameters before."""
        if self._old is None:
            theta = self._part.theta(self._before)
            self._old = outputs(self._part, theta, batch.obs, *batch.memory), theta
        out, theta = self._old
        rows = row_index(batch, index)
        mask = None if batch.mask is None else batch.mask[rows]
        return self.family.at(out[rows], theta, mask)

    def pull(self, action, **by):
        """Put the derivative where the optimiser looks for it."""
        dout, own = self.family.pull(self.m, action, **by)
        self.network.vjp(self._tape, dout, self._into)
        for name, x in own.items():
            self._into[name][...] = x

    def penalize(self, obs, weight, n):
        """Add Σ(‖∂out/∂obs‖ − 1)²/n times a weight to what was pulled, and return it."""
        slope, pull = self.network.input_gradient(self._theta, obs)
        # √ has no derivative at 0, where a last layer of zeros begins.
        norm = functions(slope).sqrt((slope * slope).sum(axis=1) + 1e-12)
        excess = norm - 1
        along = slope * ((2 * weight / n) * excess / norm)[:, None]
        for name, x in pull(along).items():
            self._into[name][...] += x
        return (excess * excess).sum() * (1 / n)


class _Graph:
    def __init__(self, link, optimizer, before):
        self.link, self._optimizer, self.before = link, optimizer, before
        if before is None:
            self.before = flatten(link)
        self.loss, self._seen = 0, (None, None)
        self.heads = [_GraphHead(self, 0)]

    def look(self, obs, mask, memory):
        if self._seen[0] is not obs:
            self._seen = obs, distributions(self.link, obs, mask, memory)
            if len(self._seen[1]) > len(self.heads):  # known from the first look on
                self.heads.append(_GraphHead(self, 1))
        return self._seen[1]

    def step(self):
        self.link.cleargrads()
        self.loss.backward()
        if ranks.size() > 1:
            self._sum_gradients()
        self._optimizer.update()
        self.loss, self._seen = 0, (None, None)

    def _sum_gradients(self):
        grads = [x.grad for x in self.link.params() if x.grad is not None]
        for grad, whole in zip(grads, unflatten(ranks.sum(flatten(grads)), grads)):
            grad[...] = whole

    def store(self):
        """Everything is where it belongs."""


class _GraphHead:
    """What a link gives, through Chainer."""

    def __init__(self, descent, which):
        self._descent, self._which = descent, which

    def at(self, obs, mask=None, memory=()):
        """Look at rows."""
        self._dist = self._descent.look(obs, mask, memory)[self._which]
        out = getattr(self._dist, "out", None)
        self.m = None if out is None else out.array

    def log_prob(self, action):
        """Log p of actions in these rows, an array."""
        return self._dist.log_prob(action).array

    def sum_log_prob(self, action):
        """Σ log p of actions over these rows."""
        return self.log_prob(action).sum()

    def old(self, batch, index):
        """What the head said of rows of a batch at the parameters before."""
        descent = self._descent
        with at(descent.link, descent.before), chainer.no_backprop_mode():
            rows = take(batch, index)
            found = distributions(descent.link, rows.obs, rows.mask, rows.memory)
            return found[self._which].copy()

    def pull(self, action, by_log_prob=0, by_entropy=0, by_kl=0, old=None):
        """Add to what the optimiser descends."""
        dist, descent = self._dist, self._descent
        descent.loss = descent.loss + F.sum(dist.log_prob(action) * by_log_prob)
        if getattr(by_entropy, "ndim", 0) or by_entropy:
            descent.loss = descent.loss + F.sum(dist.entropy * by_entropy)
        if getattr(by_kl, "ndim", 0) or by_kl:
            descent.loss = descent.loss + F.sum(old.kl(dist) * by_kl)

    def penalize(self, obs, weight, n):
        """Add Σ(‖∂out/∂obs‖ − 1)²/n times a weight, and return it."""
        x = chainer.Variable(obs)
        out = F.sum(self._descent.link(x))
        (slope,) = chainer.grad([out], [x], enable_double_backprop=True)
        norm = F.sqrt(F.sum(slope * slope, axis=1) + 1e-12)
        penalty = F.sum((norm - 1) ** 2) * (1 / n)
        self._descent.loss = self._descent.loss + weight * penalty
        return penalty.array


def distributions(link, obs, mask=None, memory=()):
    """What a link says of states: distributions of actions, of returns, or both.

    Parameters
    ----------
    link : chainer.Link
        A policy, a value function, or both in one.
    obs : array, shape (N, S)
        Observations.
    mask : array, optional
        What can be chosen there.
    memory : tuple
        Of a link with memory: see `Batch.memory`.

    Returns
    -------
    list of Distribution
        With a graph.  Values are the outputs of the link's ``family``, by default of
        `Squared`, in its own units.
    """
    out = look(link, obs, mask, memory)
    together = isinstance(out, tuple)
    return [
        _distribution(None if together else link, x)
        for x in (out if together else (out,))
    ]


def _distribution(link, out):
    if hasattr(out, "log_prob"):
        return out
    out = F.reshape(getattr(link, "in_units", lambda value: value)(out), (-1, 1))
    family = getattr(link, "family", _SQUARED)
    own = {name: getattr(link, name[1:]) for name in family.shapes}
    return Distribution(family, out, own)
