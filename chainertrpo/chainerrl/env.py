"""ChainerRL's interfaces of environments, for classes of users."""

import abc

from chainertrpo.chainerrl._gone import refusals

__getattr__ = refusals(__name__)


class Env(abc.ABC):
    """One environment: the training loops ask for the methods only."""

    @abc.abstractmethod
    def step(self, action):
        """Take a step: obs, reward, done, info."""

    @abc.abstractmethod
    def reset(self):
        """Start an episode: obs."""

    @abc.abstractmethod
    def close(self):
        """Give its resources back."""


class VectorEnv(abc.ABC):
    """Several environments; ``num_envs`` says how many."""

    @abc.abstractmethod
    def step(self, action):
        """Take a step in each: sequences of obs, reward, done, info."""

    @abc.abstractmethod
    def reset(self, mask=None):
        """Start episodes where the mask is False: the current observations."""

    @abc.abstractmethod
    def seed(self, seeds):
        """Seed each."""

    @abc.abstractmethod
    def close(self):
        """Close all."""

    @property
    def unwrapped(self):
        """The vector itself."""
        return self
