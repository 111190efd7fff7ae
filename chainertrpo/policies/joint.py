"""A policy and a value function in one link, and such a link taken apart."""

from __future__ import annotations

import typing

from chainertrpo.policies.graph import look
from chainertrpo.policies.policy import computes_as, parts
from chainertrpo.policies.sequences import takes_sequences
from chainertrpo.policies.values import ScaledValueFunction

import chainer


class ActorCritic(chainer.Chain):
    """A policy and a value function with one optimiser: observations -> (π, V).

    Parameters
    ----------
    policy : chainer.Link
        Observations -> distribution.
    vf : chainer.Link
        Observations -> values, without a σ or a unit of their own.

    Raises
    ------
    ValueError
        `vf` has a ``log_std``, or is a `ScaledValueFunction`.
    """

    def __init__(self, policy: typing.Any, vf: typing.Any) -> None:
        if isinstance(vf, ScaledValueFunction):
            raise ValueError(
                "expected a vf that is not scaled, got a ScaledValueFunction: a joint "
                "model's values are fitted as they are. Scale rewards instead: "
                "ScaledRewards, or rewards={'scale': 0.01} in a preset."
            )
        if getattr(vf, "log_std", None) is not None:
            raise ValueError(
                "expected a vf without log_std, got one with it: a joint model's values "
                "are fitted by squared error. Leave log_std_init out."
            )
        super().__init__()
        with self.init_scope():
            self.policy, self.vf = policy, vf
        self.to_device(policy.device)

    def forward(self, obs, mask=None):
        """Return distribution and values.

        Parameters
        ----------
        obs : array or Variable, shape (N, S)
            Observations.
        mask : array of bool, shape (N, M), optional
            Of the policy.

        Returns
        -------
        (distribution, Variable of shape (N, 1))
            Of both links.
        """
        return look(self.policy, obs, mask), self.vf(obs)

    @property
    def halves(self):
        """Policy and value function, or None if a subclass computes something else."""
        own = computes_as(self, ActorCritic, "forward", "__call__")
        return (self.policy, self.vf) if own else None

    @property
    def parts(self):
        """Policy and value function written out; empty unless both are."""
        found = self.halves and (parts(self.policy), parts(self.vf))
        if not found or not all(found):
            return ()
        (policy,), (vf,) = found
        return policy._replace(prefix="/policy"), vf._replace(prefix="/vf")


class Half(chainer.Chain):
    """One of the two things that a joint model gives."""

    def __init__(self, model, which):
        super().__init__()
        with self.init_scope():
            self.model = model
        self.which = which
        self.to_device(model.device)

    def forward(self, obs, mask=None):
        """Return the distribution, or the values."""
        return look(self.model, obs, mask)[self.which]


class HalfOfSequences(Half):
    """The same of a joint model that takes sequences; both remember all that it does."""

    @property
    def recurrent_children(self):
        """The model, as what remembers."""
        return (self.model,)

    def n_step_forward(self, sequences, state, output_mode):
        """Return one of the model's outputs for sequences, and its next state."""
        out, state = self.model.n_step_forward(sequences, state[0], output_mode)
        return out[self.which], (state,)


def halves(model):
    """A joint model as a policy and a value function that share its parameters.

    Parameters
    ----------
    model : chainer.Link
        An `ActorCritic`, or any link from observations to (distribution, values) such as
        ChainerRL's A3C models and ``Branched``.

    Returns
    -------
    policy, vf : chainer.Link
        The parts of an `ActorCritic` themselves, otherwise a half each.
    """
    own = getattr(model, "halves", None)
    half = HalfOfSequences if takes_sequences(model) else Half
    return own or (half(model, 0), half(model, 1))
