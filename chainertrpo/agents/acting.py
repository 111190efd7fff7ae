"""Acting: from an observation of the environment to an action for it, on the host."""

import functools

from chainertrpo.data import as_observation
from chainertrpo.policies import on_host

import chainer


class Actor:
    """A policy, normaliser and phi at this moment, in plain NumPy.

    An actor can be sent to another process, and acts there as here.
    """

    def __init__(self, policy, normalizer=None, phi=None):
        self.policy = on_host(policy)
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

    def features(self, obs):
        """Apply phi, copy to float32, and refuse what is not finite."""
        return as_observation(obs if self.phi is None else self.phi(obs))

    def sample(self, features, rng):
        """Draw an action."""
        if self._by_batch:
            return self.sample_batch(features[None], rng)[0]
        return self.sample_batch(features, rng)

    def sample_batch(self, features, rng):
        """Draw actions."""
        return self.policy.sample(self._normalized(features), rng)

    def most_probable(self, features):
        """The mode."""
        if self._by_batch:
            return self.most_probable_batch(features[None])[0]
        return self.most_probable_batch(features)

    def most_probable_batch(self, features):
        """The modes."""
        return self.policy.most_probable(self._normalized(features))

    def _normalized(self, features):
        return features if self.normalize is None else self.normalize(features)


def _normalize_by_link(normalizer, x):
    return chainer.as_array(normalizer(x, update=False))
