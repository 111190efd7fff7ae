"""Links that policies and value functions are built of."""

import inspect

from chainertrpo.chainerrl import stateless_recurrent
from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.stateless_recurrent import (
    StatelessRecurrent,
    StatelessRecurrentBranched,
    StatelessRecurrentChainList,
    StatelessRecurrentSequential,
)
from chainertrpo.policies import EmpiricalNormalization

import chainer
import chainer.functions as F
import chainer.links as L
from chainer.initializers import LeCunNormal

__getattr__ = refusals(__name__)


class MLP(chainer.Chain):
    """Fully connected layers, the last one linear; σ of the weights is 1/√fan_in.

    Parameters
    ----------
    in_size : int or None
        S; None is taken from the first input.
    out_size : int
        Width of the output.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    nonlinearity : callable
        Between layers.
    last_wscale : float
        A factor of the last layer's initial weights.
    """

    def __init__(
        self, in_size, out_size, hidden_sizes, nonlinearity=F.relu, last_wscale=1
    ):
        super().__init__()
        self.in_size, self.out_size = in_size, out_size
        self.hidden_sizes, self.nonlinearity = tuple(hidden_sizes), nonlinearity
        widths = (in_size, *self.hidden_sizes)
        with self.init_scope():
            if self.hidden_sizes:
                layers = [L.Linear(*pair) for pair in zip(widths, widths[1:])]
                self.hidden_layers = chainer.ChainList(*layers)
            initial = LeCunNormal(last_wscale)
            self.output = L.Linear(widths[-1], out_size, initialW=initial)

    def __call__(self, x):
        """Apply the layers to a batch."""
        for layer in self.hidden_layers if self.hidden_sizes else ():
            x = self.nonlinearity(layer(x))
        return self.output(x)


class Sequence(chainer.ChainList):
    """Links and functions, one after the other.

    Parameters
    ----------
    *layers : callable
        Keyword arguments of a call go to those that have them.
    """

    def __init__(self, *layers):
        super().__init__(*(x for x in layers if isinstance(x, chainer.Link)))
        self.layers = list(layers)

    def __call__(self, x, **kwargs):
        """Apply the layers to a batch."""
        for layer in self.layers:
            known = inspect.signature(layer).parameters if kwargs else {}
            x = layer(x, **{k: v for k, v in kwargs.items() if k in known})
        return x


class Branched(chainer.ChainList):
    """Links side by side: a call gives the tuple of what each of them gives.

    Parameters
    ----------
    *links : chainer.Link
        A policy and a value function, for PPO.
    """

    def __call__(self, *args, **kwargs):
        """Call each link."""
        return tuple(link(*args, **kwargs) for link in self)


__all__ = [
    "MLP",
    "Branched",
    "EmpiricalNormalization",
    "Sequence",
    "StatelessRecurrent",
    "StatelessRecurrentBranched",
    "StatelessRecurrentChainList",
    "StatelessRecurrentSequential",
    "stateless_recurrent",
]
