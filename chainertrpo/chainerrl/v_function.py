"""The interface of value functions."""

import abc

from chainertrpo.chainerrl._gone import refusals

__getattr__ = refusals(__name__)


class VFunction(abc.ABC):
    """Observations -> values."""

    @abc.abstractmethod
    def __call__(self, x):
        """Return the values (N, 1) of a batch of observations."""
