"""Policies, with ChainerRL's arguments and names of parameters."""

from chainertrpo.chainerrl import policy
from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.distribution import (
    GaussianDistribution,
    SoftmaxDistribution,
)
from chainertrpo.chainerrl.functions import bound_by_tanh
from chainertrpo.chainerrl.links import MLP, Sequence
from chainertrpo.chainerrl.policy import Policy

import chainer
import chainer.functions as F
import chainer.links as L
import numpy
from chainer.initializers import LeCunNormal

__getattr__ = refusals(__name__)


class SoftmaxPolicy(chainer.Chain, Policy):
    """A softmax of what a link gives.

    Parameters
    ----------
    model : chainer.Link
        Observations -> logits.
    beta, min_prob : float
        See `SoftmaxDistribution`.
    """

    def __init__(self, model, beta=1.0, min_prob=0.0):
        super().__init__()
        self.beta, self.min_prob = beta, min_prob
        with self.init_scope():
            self.model = model

    def __call__(self, x):
        """Return the distribution for a batch of observations."""
        return SoftmaxDistribution(self.model(x), self.beta, self.min_prob)


class FCSoftmaxPolicy(SoftmaxPolicy):
    """A softmax of fully connected layers.

    Parameters
    ----------
    n_input_channels, n_actions : int
        S and the number of actions.
    n_hidden_layers, n_hidden_channels : int
        How many hidden layers, and how wide.
    beta, min_prob : float
        See `SoftmaxDistribution`.
    nonlinearity : callable
        Between layers.
    last_wscale : float
        A factor of the last layer's initial weights.
    """

    def __init__(
        self,
        n_input_channels,
        n_actions,
        n_hidden_layers=0,
        n_hidden_channels=None,
        beta=1.0,
        nonlinearity=F.relu,
        last_wscale=1.0,
        min_prob=0.0,
    ):
        hidden = (n_hidden_channels,) * n_hidden_layers
        model = MLP(n_input_channels, n_actions, hidden, nonlinearity, last_wscale)
        super().__init__(model, beta, min_prob)


def _var_size(var_type, action_size):
    sizes = {"spherical": 1, "diagonal": action_size}
    if var_type not in sizes:
        raise ValueError(
            f"expected var_type to be one of {sorted(sizes)}, got {var_type!r}."
        )
    return sizes[var_type]


def _mean_layers(policy, n_in, mean_wscale):
    """The layers of a policy's mean: hidden ones, the last one, and its bound."""
    widths = (n_in, *(policy.n_hidden_channels,) * policy.n_hidden_layers)
    layers = []
    for pair in zip(widths, widths[1:]):
        layers += [L.Linear(*pair), policy.nonlinearity]
    initial = LeCunNormal(mean_wscale)
    layers.append(L.Linear(widths[-1], policy.action_size, initialW=initial))
    if policy.bound_mean:
        layers.append(lambda x: bound_by_tanh(x, policy.min_action, policy.max_action))
    return layers


class FCGaussianPolicy(chainer.ChainList, Policy):
    """A Gaussian whose mean and variance are of the state: σ² = softplus(·) + min_var.

    Parameters
    ----------
    n_input_channels, action_size : int
        S and A.
    n_hidden_layers, n_hidden_channels : int
        How many hidden layers, and how wide.
    min_action, max_action : array, shape (A,)
        Of the mean, with `bound_mean`.
    bound_mean : bool
        Keep the mean inside them, by a tanh.
    var_type : str
        ``spherical``: one variance a state; ``diagonal``: one a dimension too.
    nonlinearity : callable
        Between layers.
    mean_wscale, var_wscale, var_bias, min_var : float
        Factors of initial weights, the initial bias of the variance, and its least value.
    """

    def __init__(
        self,
        n_input_channels,
        action_size,
        n_hidden_layers=0,
        n_hidden_channels=None,
        min_action=None,
        max_action=None,
        bound_mean=False,
        var_type="spherical",
        nonlinearity=F.relu,
        mean_wscale=1,
        var_wscale=1,
        var_bias=0,
        min_var=0,
    ):
        var_size = _var_size(var_type, action_size)
        self.min_action, self.max_action = min_action, max_action
        self.bound_mean, self.min_var = bound_mean, min_var
        self.nonlinearity = nonlinearity
        widths = (n_input_channels, *(n_hidden_channels,) * n_hidden_layers)
        self.hidden_layers = [L.Linear(*pair) for pair in zip(widths, widths[1:])]
        self.mean_layer = L.Linear(
            widths[-1], action_size, initialW=LeCunNormal(mean_wscale)
        )
        self.var_layer = L.Linear(
            widths[-1],
            var_size,
            initialW=LeCunNormal(var_wscale),
            initial_bias=var_bias,
        )
        super().__init__(self.mean_layer, self.var_layer, *self.hidden_layers)

    def compute_mean_and_var(self, x):
        """Return μ and σ² of a batch, Variables of shape (N, A)."""
        for layer in self.hidden_layers:
            x = self.nonlinearity(layer(x))
        mean, var = self.mean_layer(x), F.softplus(self.var_layer(x)) + self.min_var
        if self.bound_mean:
            mean = bound_by_tanh(mean, self.min_action, self.max_action)
        return mean, F.broadcast_to(var, mean.shape)

    def __call__(self, x):
        """Return the distribution for a batch of observations."""
        return GaussianDistribution(*self.compute_mean_and_var(x))


class FCGaussianPolicyWithStateIndependentCovariance(chainer.Chain, Policy):
    """A Gaussian whose mean is of the state, and whose variance is a parameter.

    Parameters
    ----------
    n_input_channels, action_size, n_hidden_layers, n_hidden_channels, min_action
        As in `FCGaussianPolicy`.
    max_action, bound_mean, var_type, nonlinearity, mean_wscale
        Likewise.
    var_func : callable
        The parameter -> σ²; ``lambda x: F.exp(2 * x)`` makes the parameter log σ.
    var_param_init : float
        Where the parameter begins.
    """

    def __init__(
        self,
        n_input_channels,
        action_size,
        n_hidden_layers=0,
        n_hidden_channels=None,
        min_action=None,
        max_action=None,
        bound_mean=False,
        var_type="spherical",
        nonlinearity=F.relu,
        mean_wscale=1,
        var_func=F.softplus,
        var_param_init=0,
    ):
        super().__init__()
        self.n_input_channels, self.action_size = n_input_channels, action_size
        self.n_hidden_layers, self.n_hidden_channels = (
            n_hidden_layers,
            n_hidden_channels,
        )
        self.min_action, self.max_action = min_action, max_action
        self.bound_mean, self.nonlinearity = bound_mean, nonlinearity
        self.var_func = var_func
        size = _var_size(var_type, action_size)
        with self.init_scope():
            self.hidden_layers = Sequence(
                *_mean_layers(self, n_input_channels, mean_wscale)
            )
            self.var_param = chainer.Parameter(var_param_init, (size,))

    def __call__(self, x):
        """Return the distribution for a batch of observations."""
        mean = self.hidden_layers(x)
        var = F.broadcast_to(self.var_func(self.var_param), mean.shape[1:])
        return GaussianDistribution(mean, var)


class FCGaussianPolicyWithFixedCovariance(Sequence, Policy):  # type: ignore[misc]
    """A Gaussian whose mean is of the state, and whose variance stays.

    Parameters
    ----------
    n_input_channels, action_size, n_hidden_layers, n_hidden_channels, min_action
        As in `FCGaussianPolicy`.
    var : float or array, shape (A,)
        σ².
    max_action, bound_mean, nonlinearity, mean_wscale
        As in `FCGaussianPolicy`.
    """

    def __init__(
        self,
        n_input_channels,
        action_size,
        var,
        n_hidden_layers=0,
        n_hidden_channels=None,
        min_action=None,
        max_action=None,
        bound_mean=False,
        nonlinearity=F.relu,
        mean_wscale=1,
    ):
        self.n_input_channels, self.action_size = n_input_channels, action_size
        self.n_hidden_layers, self.n_hidden_channels = (
            n_hidden_layers,
            n_hidden_channels,
        )
        self.min_action, self.max_action = min_action, max_action
        self.bound_mean, self.nonlinearity = bound_mean, nonlinearity
        self.var = numpy.broadcast_to(numpy.asarray(var, "f"), (action_size,))
        layers = _mean_layers(self, n_input_channels, mean_wscale)
        super().__init__(*layers, self._around)

    def _around(self, mean):
        return GaussianDistribution(mean, self.device.send(self.var))


class GaussianHeadWithStateIndependentCovariance(chainer.Chain):
    """The last layer of a policy: from its mean to a Gaussian, whose variance it learns.

    Parameters
    ----------
    action_size : int
        A.
    var_type : str
        ``spherical``: one variance; ``diagonal``: one a dimension.
    var_func : callable
        The parameter -> σ²; ``lambda x: F.exp(2 * x)`` makes the parameter log σ.
    var_param_init : float
        Where the parameter begins.
    """

    def __init__(
        self,
        action_size,
        var_type="spherical",
        var_func=F.softplus,
        var_param_init=0,
    ):
        super().__init__()
        self.var_func = var_func
        size = _var_size(var_type, action_size)
        with self.init_scope():
            self.var_param = chainer.Parameter(var_param_init, (size,))

    def __call__(self, mean):
        """Return the distribution around means of shape (N, A)."""
        var = F.broadcast_to(self.var_func(self.var_param), mean.shape[1:])
        return GaussianDistribution(mean, var)


# Older scripts find them there too.
policy.SoftmaxPolicy = SoftmaxPolicy
policy.FCSoftmaxPolicy = FCSoftmaxPolicy
policy.FCGaussianPolicy = FCGaussianPolicy

__all__ = [
    "FCGaussianPolicy",
    "FCGaussianPolicyWithFixedCovariance",
    "FCGaussianPolicyWithStateIndependentCovariance",
    "FCSoftmaxPolicy",
    "GaussianHeadWithStateIndependentCovariance",
    "SoftmaxPolicy",
]
