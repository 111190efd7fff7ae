"""What ChainerRL's agents have in common, for classes of users."""

import abc
import os

from chainertrpo.agents.storage import load_objects, save_objects
from chainertrpo.chainerrl._gone import refusals

__getattr__ = refusals(__name__)


class Agent(abc.ABC):
    """The agent protocol; the training loops ask for the methods only."""

    @abc.abstractmethod
    def act_and_train(self, obs, reward):
        """Choose an action, learn from the reward of the one before."""

    @abc.abstractmethod
    def act(self, obs):
        """Choose an action without learning."""

    @abc.abstractmethod
    def stop_episode_and_train(self, state, reward, done=False):
        """Learn from the last reward of an episode."""

    @abc.abstractmethod
    def stop_episode(self):
        """End an episode of `act`."""

    @abc.abstractmethod
    def save(self, dirname):
        """Write the agent to a folder."""

    @abc.abstractmethod
    def load(self, dirname):
        """Read what `save` wrote."""

    @abc.abstractmethod
    def get_statistics(self):
        """List of (name, number)."""


class BatchAgent(Agent):
    """An agent that acts in several environments at once."""

    @abc.abstractmethod
    def batch_act(self, batch_obs):
        """Choose an action in each environment without learning."""

    @abc.abstractmethod
    def batch_act_and_train(self, batch_obs):
        """Choose an action in each environment."""

    @abc.abstractmethod
    def batch_observe(self, batch_obs, batch_reward, batch_done, batch_reset):
        """Follow `batch_act`."""

    @abc.abstractmethod
    def batch_observe_and_train(self, batch_obs, batch_reward, batch_done, batch_reset):
        """Learn from what followed `batch_act_and_train`."""


class AttributeSavingMixin:
    """``save`` and ``load`` of the links and optimisers named in ``saved_attributes``.

    The files are this project's: they cannot run code.
    """

    saved_attributes = ()

    def _own(self):
        own = {name: getattr(self, name) for name in self.saved_attributes}
        own = {name: x for name, x in own.items() if x is not None}
        nested = {k: x for k, x in own.items() if isinstance(x, AttributeSavingMixin)}
        return {k: x for k, x in own.items() if k not in nested}, nested

    def save(self, dirname):
        """Write them to a folder; those that have some of their own to one inside it."""
        objects, nested = self._own()
        save_objects(dirname, objects)
        for name, x in nested.items():
            x.save(os.path.join(dirname, name))

    def load(self, dirname):
        """Read what `save` wrote."""
        objects, nested = self._own()
        load_objects(dirname, objects)
        for name, x in nested.items():
            x.load(os.path.join(dirname, name))
