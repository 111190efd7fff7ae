"""Value functions."""

from chainertrpo.chainerrl import v_function
from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.links import MLP
from chainertrpo.chainerrl.v_function import VFunction

import chainer
import chainer.functions as F

__getattr__ = refusals(__name__)


class SingleModelVFunction(chainer.Chain, VFunction):
    """V(s) of a link.

    Parameters
    ----------
    model : chainer.Link
        Observations -> values (N, 1).
    """

    def __init__(self, model):
        super().__init__()
        with self.init_scope():
            self.model = model

    def __call__(self, x):
        """Return the values (N, 1) of a batch of observations."""
        return self.model(x)


class FCVFunction(SingleModelVFunction):
    """V(s) of fully connected layers.

    Parameters
    ----------
    n_input_channels : int
        S.
    n_hidden_layers, n_hidden_channels : int
        How many hidden layers, and how wide.
    nonlinearity : callable
        Between layers.
    last_wscale : float
        A factor of the last layer's initial weights.
    """

    def __init__(
        self,
        n_input_channels,
        n_hidden_layers=0,
        n_hidden_channels=None,
        nonlinearity=F.relu,
        last_wscale=1,
    ):
        super().__init__(
            MLP(
                n_input_channels,
                1,
                (n_hidden_channels,) * n_hidden_layers,
                nonlinearity,
                last_wscale,
            )
        )


# Older scripts find them there too.
v_function.SingleModelVFunction = SingleModelVFunction
v_function.FCVFunction = FCVFunction

__all__ = ["FCVFunction", "SingleModelVFunction"]
