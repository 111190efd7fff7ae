"""The interface of policies, and the policies that older scripts found here."""

import abc

from chainertrpo.chainerrl._gone import refusals

__getattr__ = refusals(__name__)


class Policy(abc.ABC):
    """Observations -> distribution of actions."""

    @abc.abstractmethod
    def __call__(self, state):
        """Return the distribution for a batch of observations."""
