"""Acting: from an observation of the environment to an action for it, on the host."""

import functools

from chainertrpo.agents.memory import memory_size
from chainertrpo.data import MaskedObs, as_observation, mask_of, unmasked
from chainertrpo.policies import on_host, takes_sequences

import chainer
import numpy


class Streams:
    """Generators as one: row i of what is drawn comes from the i-th, as if it drew alone.

    Parameters
    ----------
    rngs : sequence of numpy.random.Generator or None
        None for rows that nobody looks at: they are 1, of which a logarithm can be taken.
    """

    def __init__(self, rngs):
        self._rngs = rngs

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)

        def draw(shape, *args):
            drawn = None
            for row, rng in enumerate(self._rngs):
                if rng is not None:
                    one = getattr(rng, name)(shape[1:], *args)
                    if drawn is None:
                        drawn = numpy.ones(shape, one.dtype)
                    drawn[row] = one
            return drawn

        return draw


class Carry:
    """Hidden states of running episodes: zero at their start, else what acting left.

    Parameters
    ----------
    *shape : int
        (C,) of one episode, or (E, C) of several; C = 0 without memory.

    Attributes
    ----------
    now : array or None
        Before the next action; acting puts another array there.  None without memory.
    """

    def __init__(self, *shape):
        self.now = numpy.zeros(shape, numpy.float32) if shape[-1] else None

    def reset(self, episodes=slice(None)):
        """Forget, at the start of an episode, or of some of several."""
        if self.now is not None:
            self.now = self.now.copy()  # a path may hold the one before
            self.now[episodes] = 0


class Actor:
    """A policy, normaliser and phi at this moment, in plain NumPy.

    An actor can be sent to another process, and acts there as here.  A value function
    `vf` with a memory of its own sees what the policy sees.
    """

    def __init__(self, policy, normalizer=None, phi=None, vf=None):
        self.carry_size = memory_size(policy, vf)
        beside = vf is not None and takes_sequences(vf)
        apart = beside and self.carry_size > memory_size(policy)
        self.policy = on_host(policy, vf if apart else None)
        self.phi = phi
        if normalizer is None:
            self.normalize = None
        elif hasattr(normalizer, "snapshot"):
            self.normalize = normalizer.snapshot()
        else:
            self.normalize = functools.partial(_normalize_by_link, normalizer)
        # Links take batches only; plain NumPy takes one observation as it is.
        plain = normalizer is None or hasattr(normalizer, "snapshot")
        self._by_batch = not (self.policy.takes_rows and plain)

    def carry(self, *episodes):
        """A `Carry` for one new episode, or for so many."""
        return Carry(*episodes, self.carry_size)

    def features(self, obs):
        """Apply phi, copy to float32, and refuse what is not finite; keep a mask."""
        if type(obs) is MaskedObs:
            return MaskedObs(self.features(obs.obs), obs.mask)
        return as_observation(obs if self.phi is None else self.phi(obs))

    def sample(self, features, rng, carry=None):
        """Draw an action; with memory `carry` becomes what is remembered after it."""
        if self._by_batch:
            return self._one(self.sample_batch, features, rng, carry)
        return self.sample_batch(features, rng, carry)

    def sample_each(self, features, rngs, carry=None):
        """Draw an action for each of several environments, from its own stream.

        A policy that is acted with through Chainer, and one environment, are acted on row
        by row; the others in one matrix product, with the same draws.

        Parameters
        ----------
        features : array, shape (n, S), or MaskedObs of two
            A row for each.
        rngs : list of numpy.random.Generator or None
            n of them; None for rows that nobody looks at.
        carry : Carry, optional
            Of n episodes; with memory it becomes what is remembered after the actions.

        Returns
        -------
        sequence
            n actions; those that nobody looks at are anything.
        """
        if self._by_batch or len(rngs) == 1:
            return [
                None if rng is None else self._sample_row(row, rng, carry, i)
                for i, (row, rng) in enumerate(zip(unstack(features), rngs))
            ]
        return self.sample_batch(features, Streams(rngs), carry)

    def _sample_row(self, row, rng, carry, i):
        if not self.carry_size:
            return self.sample(row, rng)
        own = self.carry()
        own.now = carry.now[i]
        action = self.sample(row, rng, own)
        carry.now[i] = own.now
        return action

    def sample_batch(self, features, rng, carry=None):
        """Draw actions."""
        x = self._normalized(features)
        return self.policy.sample(x, rng, mask_of(features), carry)

    def most_probable(self, features, carry=None):
        """The mode; with memory `carry` becomes what is remembered after it."""
        if self._by_batch:
            return self._one(self.most_probable_batch, features, carry)
        return self.most_probable_batch(features, carry)

    def most_probable_batch(self, features, carry=None):
        """The modes."""
        x = self._normalized(features)
        return self.policy.most_probable(x, mask_of(features), carry)

    def _one(self, act, features, *rest):
        """One observation as a batch of one."""
        carry = rest[-1]
        if not self.carry_size or carry is None:
            return act(stack([features]), *rest)[0]
        many = self.carry(1)
        many.now = carry.now[None]
        action = act(stack([features]), *rest[:-1], many)[0]
        carry.now = many.now[0]
        return action

    def _normalized(self, features):
        x = unmasked(features)
        return x if self.normalize is None else self.normalize(x)


def stack(features):
    """Rows of several observations, with their masks if they have them."""
    obs = numpy.stack([unmasked(x) for x in features])
    if type(features[0]) is not MaskedObs:
        return obs
    return MaskedObs(obs, numpy.stack([x.mask for x in features]))


def unstack(features):
    """Several observations, of their rows."""
    return map(MaskedObs, *features) if type(features) is MaskedObs else features


def with_mask(obs, mask):
    """An observation with a mask, if there is one."""
    if mask is None:
        return obs
    return MaskedObs(unmasked(obs), numpy.asarray(mask).ravel().astype(bool))


def _normalize_by_link(normalizer, x):
    return chainer.as_array(normalizer(x, update=False))
