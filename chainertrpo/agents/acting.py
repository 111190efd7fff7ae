"""Acting: from an observation of the environment to an action for it, on the host."""

import functools

from chainertrpo.data import as_observation
from chainertrpo.policies import on_host

import chainer


class Actor:
    """A policy, normaliser and phi at this moment, in plain NumPy.

    An actor can be sent to another process, and acts there as here.

    Parameters
    ----------
    policy : chainer.Link
        The policy.
    normalizer : EmpiricalNormalization, optional
        Or any with ChainerRL's ``normalizer(batch, update=False)``.
    phi : callable, optional
        Applied to an observation before everything else.
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
        """Apply phi, copy to float32, and refuse what is not finite.

        Parameters
        ----------
        obs : array-like
            As the environment gave it.

        Returns
        -------
        array, shape (S,), float32
            A copy.
        """
        return as_observation(obs if self.phi is None else self.phi(obs))

    def sample(self, features, rng):
        """Draw an action.

        Parameters
        ----------
        features : array, shape (S,)
            From `features`.
        rng : numpy.random.Generator
            The random stream.

        Returns
        -------
        array, shape (A,) float32, or () int32
            The action.
        """
        if self._by_batch:
            return self.sample_batch(features[None], rng)[0]
        return self.sample_batch(features, rng)

    def sample_batch(self, features, rng):
        """Draw actions.

        Parameters
        ----------
        features : array, shape (N, S)
            From `features`.
        rng : numpy.random.Generator
            The random stream.

        Returns
        -------
        array, shape (N, A) float32, or (N,) int32
            Actions.
        """
        return self.policy.sample(self._normalized(features), rng)

    def most_probable(self, features):
        """The mode.

        Parameters
        ----------
        features : array, shape (S,)
            From `features`.

        Returns
        -------
        array, shape (A,) float32, or () int32
            The action.
        """
        if self._by_batch:
            return self.most_probable_batch(features[None])[0]
        return self.most_probable_batch(features)

    def most_probable_batch(self, features):
        """The modes.

        Parameters
        ----------
        features : array, shape (N, S)
            From `features`.

        Returns
        -------
        array, shape (N, A) float32, or (N,) int32
            Actions.
        """
        return self.policy.most_probable(self._normalized(features))

    def _normalized(self, features):
        return features if self.normalize is None else self.normalize(features)


def _normalize_by_link(normalizer, x):
    return chainer.as_array(normalizer(x, update=False))
