"""What a policy says of the states of a batch, as plain arrays."""

import contextlib
import typing

from chainertrpo.data import Batch
from chainertrpo.data.pieces import spans, take
from chainertrpo.numerics import at, named_params, unflatten
from chainertrpo.policies import parts
from chainertrpo.policies.graph import look
from chainertrpo.updates.linearized import outputs

import chainer
from chainer import backend


class Said(typing.NamedTuple):
    """What a link said of the states of a batch.

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


def said(link, obs, mask=None, theta=None, chunk_rows=25_000, memory=()):
    """What a link says of actions in states, written out where it is ours.

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
    chunk_rows : int
        The most rows that Chainer works on at a time.
    memory : tuple
        Of a link with memory: see `Batch.memory`.

    Returns
    -------
    Said
        Nothing of it has a graph, or changes with the link.
    """
    found = parts(link)
    if not found:
        return _through_chainer(link, obs, mask, theta, chunk_rows, memory)
    params = {name: x.array for name, x in named_params(link).items()}
    if theta is not None:
        params = dict(zip(params, unflatten(theta, params.values())))
    part = found[0]
    own, family = part.theta(params), part.family
    own.update({name: own[name].copy() for name in family.shapes})
    m = family.at(outputs(part, own, obs, *memory), own, mask)
    return Said(
        lambda action: family.log_prob(m, action),
        lambda: family.entropy(m),
        lambda other: family.kl(m, other.m),
        m,
    )


def _through_chainer(link, obs, mask, theta, chunk_rows, memory):
    carry, starts = memory or (None, None)
    batch = Batch(obs, *[None] * 4, mask=mask, starts=starts, carry=carry)
    cuts = spans(len(obs), chunk_rows, starts) or [(slice(0, 0), slice(0, 0))]
    slices, pieces = zip(*cuts)
    here = contextlib.nullcontext() if theta is None else at(link, theta)
    dists = []
    with here, chainer.no_backprop_mode(), chainer.using_config("train", False):
        for chunk in (take(batch, one) for one in pieces):
            dist = look(link, chunk.obs, chunk.mask, chunk.memory)
            dists.append((dist[0] if isinstance(dist, tuple) else dist).copy())

    def join(values):
        arrays = [chainer.as_array(x) for x in values]
        xp = backend.get_array_module(arrays[0])
        return arrays[0] if len(arrays) == 1 else xp.concatenate(arrays)

    return Said(
        lambda action: join(d.log_prob(action[r]) for d, r in zip(dists, slices)),
        lambda: join(d.entropy for d in dists),
        lambda other: join(d.kl(e) for d, e in zip(dists, other.m)),
        dists,
    )
