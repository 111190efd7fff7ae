"""Models with a policy and values, which PPO takes; A3C itself is not here."""

from chainertrpo.chainerrl._gone import refusals

import chainer

__getattr__ = refusals(__name__)


class A3CModel(chainer.Link):
    """A link from observations to (distribution, values), by `pi_and_v`."""

    def pi_and_v(self, obs):
        """Return distribution and values of a batch of observations."""
        raise NotImplementedError(
            f"expected {type(self).__name__} to define pi_and_v(obs)."
        )

    def __call__(self, obs):
        """Return the same."""
        return self.pi_and_v(obs)


class A3CSeparateModel(chainer.Chain, A3CModel):
    """A policy and a value function side by side.

    Parameters
    ----------
    pi, v : chainer.Link
        Observations -> distribution, and -> values (N, 1).
    """

    def __init__(self, pi, v):
        super().__init__()
        with self.init_scope():
            self.pi, self.v = pi, v

    def pi_and_v(self, obs):
        """Return both of a batch of observations."""
        return self.pi(obs), self.v(obs)


class A3CSharedModel(chainer.Chain, A3CModel):
    """A policy and a value function on common features.

    Parameters
    ----------
    shared : chainer.Link
        Observations -> features.
    pi, v : chainer.Link
        Features -> distribution, and -> values (N, 1).
    """

    def __init__(self, shared, pi, v):
        super().__init__()
        with self.init_scope():
            self.shared, self.pi, self.v = shared, pi, v

    def pi_and_v(self, obs):
        """Return both of a batch of observations."""
        features = self.shared(obs)
        return self.pi(features), self.v(features)
