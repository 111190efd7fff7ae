"""Acting on the host: a policy as plain NumPy, without graph, device or Chainer per step.

A policy on the CPU shares its arrays with its host copy, so the copy is always current
(`numerics.at`, Chainer's optimisers and loaders all write into the arrays they find).
From a GPU the parameters are copied; the agent makes a new copy after each change.
"""

from chainertrpo.policies.bounded import BoundedGaussianPolicy, ScaledGaussianPolicy
from chainertrpo.policies.models import GaussianPolicy, SoftmaxPolicy

import chainer
import numpy


def relu(x):
    """max(x, 0).

    Parameters
    ----------
    x : array
        Any; a function of the module, so that actors can be sent to processes.

    Returns
    -------
    array
        Of the same shape.
    """
    return numpy.maximum(x, 0)


ACTIVATIONS = {"tanh": numpy.tanh, "relu": relu}


class HostMLP:
    """The layers of an `MLP` as NumPy arrays.

    Parameters
    ----------
    mlp : chainertrpo.policies.models.MLP
        The network.
    """

    def __init__(self, mlp):
        self.activate = ACTIVATIONS[mlp.activation]
        self.layers = [
            (_to_host(layer.W.array).T, _to_host(layer.b.array)) for layer in mlp
        ]

    def __call__(self, x):
        """Apply the layers to x of shape (S,) or (N, S)."""
        *hidden, (w, b) = self.layers
        for w_hidden, b_hidden in hidden:
            x = self.activate(x.dot(w_hidden) + b_hidden)
        return x.dot(w) + b


class HostGaussian:
    """A `GaussianPolicy` as NumPy.

    Parameters
    ----------
    policy : GaussianPolicy
        The policy.
    """

    def __init__(self, policy):
        self.mlp = HostMLP(policy.mlp)
        self.log_std = (
            None
            if policy.log_std_kind == "state_dependent"
            else _to_host(getattr(policy.log_std, "array", policy.log_std))
        )

    def _mean_and_log_std(self, obs):
        out = self.mlp(obs)
        if self.log_std is not None:
            return out, self.log_std
        size = out.shape[-1] // 2
        return out[..., :size], out[..., size:]

    def sample(self, obs, rng):
        """Draw actions for obs of shape (S,) or (N, S): shape (A,) or (N, A), float32."""
        mean, log_std = self._mean_and_log_std(obs)
        noise = rng.standard_normal(mean.shape, dtype=numpy.float32)
        return mean + numpy.exp(log_std) * noise

    def most_probable(self, obs):
        """The modes for obs of shape (S,) or (N, S)."""
        return self._mean_and_log_std(obs)[0]


class HostBoundedGaussian(HostGaussian):
    """A `BoundedGaussianPolicy` as NumPy.

    Parameters
    ----------
    policy : BoundedGaussianPolicy
        The policy.
    """

    def __init__(self, policy):
        super().__init__(policy)
        self.middle, self.reach = _to_host(policy.middle), _to_host(policy.reach)

    def _mean_and_log_std(self, obs):
        mean, log_std = super()._mean_and_log_std(obs)
        return self._placed(mean, log_std)

    def _placed(self, mean, log_std):
        return numpy.tanh(mean) * self.reach + self.middle, log_std


class HostScaledGaussian(HostBoundedGaussian):
    """A `ScaledGaussianPolicy` as NumPy.

    Parameters
    ----------
    policy : ScaledGaussianPolicy
        The policy.
    """

    def _placed(self, mean, log_std):
        return mean * self.reach + self.middle, log_std + numpy.log(self.reach)


class HostCategorical:
    """A `SoftmaxPolicy` as NumPy.

    Parameters
    ----------
    policy : SoftmaxPolicy
        The policy.
    """

    def __init__(self, policy):
        self.mlp = HostMLP(policy.mlp)

    def sample(self, obs, rng):
        """Draw indices for obs of shape (S,) or (N, S): shape () or (N,), int32."""
        logits = self.mlp(obs)
        # Gumbel-max: −log of an exponential variate is a Gumbel variate.
        noise = numpy.log(rng.standard_exponential(logits.shape))
        return (logits - noise).argmax(axis=-1).astype("i")

    def most_probable(self, obs):
        """The most probable indices for obs of shape (S,) or (N, S)."""
        return self.mlp(obs).argmax(axis=-1).astype("i")


class HostLink:
    """Any other policy, called through Chainer: slower, but any graph will do.

    Parameters
    ----------
    policy : chainer.Link
        Observation batch -> distribution with ChainerRL's names.
    """

    def __init__(self, policy):
        self.policy = policy

    def _act(self, obs, choose):
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            dist = self.policy(self.policy.device.send(obs))
        return _to_host(chainer.as_array(choose(dist)))

    def sample(self, obs, rng):
        """Draw actions for a batch.

        ``dist.sample()`` draws from the global generator of its array module; NumPy's is
        seeded from `rng` for the while, so that the draw depends on `rng` only.
        """
        before = numpy.random.get_state()  # noqa: NPY002
        self.policy.xp.random.seed(int(rng.integers(2**32)))
        try:
            return self._act(obs, lambda dist: dist.sample())
        finally:
            numpy.random.set_state(before)  # noqa: NPY002

    def most_probable(self, obs):
        """The modes for a batch."""
        return self._act(obs, lambda dist: dist.most_probable)


def _to_host(array):
    return chainer.backends.cuda.to_cpu(array)


def host_policy(policy):
    """Return what acts like `policy` on the host.

    Parameters
    ----------
    policy : chainer.Link
        A policy; a subclass of ours that overrides ``forward`` goes through Chainer.

    Returns
    -------
    HostGaussian, HostCategorical or HostLink
        With ``sample(obs, rng)`` and ``most_probable(obs)``.
    """
    known = {
        GaussianPolicy: HostGaussian,
        BoundedGaussianPolicy: HostBoundedGaussian,
        ScaledGaussianPolicy: HostScaledGaussian,
        SoftmaxPolicy: HostCategorical,
    }
    return known.get(type(policy), HostLink)(policy)
