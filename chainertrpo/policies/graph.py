"""Chainer's view of policies: distributions as Variables, for links of any kind.

Here is what the curvature products by double backprop differentiate
(``chainer.grad(enable_double_backprop=True)``), what links of users give, and what the
derivatives that are written out are tested against.  A distribution has ChainerRL's six
names: ``sample``, ``log_prob``, ``entropy``, ``kl(other)``, ``most_probable``, ``copy``.
"""

from __future__ import annotations

import typing

from chainertrpo.policies.families import Gaussian, Softmax, normal
from chainertrpo.policies.sequences import carry_size, run, takes_sequences

import chainer
import numpy
from chainer import Variable, as_variable, backend


class _Legacy:
    """A generator of NumPy's old interface, such as the array module's global one."""

    def __init__(self, random):
        self._random = random

    def standard_normal(self, shape, dtype):
        return self._random.standard_normal(shape).astype(dtype)

    def standard_exponential(self, shape):
        return self._random.standard_exponential(shape)

    def random(self, shape):
        return self._random.random_sample(shape)


class Distribution:
    """A family's distributions over actions, one a state, as Variables.

    Parameters
    ----------
    family : object
        One of `chainertrpo.policies.families`.
    out : Variable or array, shape (N, width)
        Outputs of a network.
    theta : dict of str to (Variable or array)
        The family's own parameters and constants, by name.
    mask : array of bool, shape (N, mask_size), optional
        What can be chosen.

    Attributes
    ----------
    out : Variable
        The outputs.
    params : tuple of Variable
        What it depends on: μ and log σ of a Gaussian; else the outputs, and the family's
        own parameters.
    """

    def __init__(self, family, out, theta=None, mask=None):
        self.family, self._theta, self._mask = family, theta or {}, mask
        out = as_variable(out)
        own = [as_variable(self._theta[name]) for name in family.shapes]
        given = {**self._theta, **dict(zip(family.shapes, own))}
        self.out, self._m = out, family.at(out, given, mask)
        self.params = tuple(map(as_variable, getattr(self._m, "params", (out, *own))))

    def __getattr__(self, name):  # of what the outputs stand for
        known = {"all_log_prob": "log_p"}.get(name, name)
        if known in ("mean", "log_std", "logits", "log_p"):
            return as_variable(getattr(self._m, known))
        raise AttributeError(name)

    @property
    def most_probable(self):
        """The mode, a Variable without a graph."""
        return Variable(self.family.mode(self._detached()))

    @property
    def entropy(self):
        """H, in nats; Variable of shape (N,)."""
        return as_variable(self.family.entropy(self._m))

    def sample(self, rng=None):
        """Draw one action a state.

        Parameters
        ----------
        rng : numpy.random.Generator or cupy.random.Generator, optional
            By default the array module's global generator, which ChainerRL's
            ``set_random_seed`` seeds.

        Returns
        -------
        Variable
            Actions, without a graph.
        """
        if not hasattr(rng, "bit_generator"):
            xp = backend.get_array_module(self.out.array)
            rng = _Legacy(xp.random if rng is None else rng)
        return Variable(self.family.sample(self._detached(), rng))

    def log_prob(self, x):
        """Log p(x).

        Parameters
        ----------
        x : array or Variable, shape (N, A) or (N,)
            Actions.

        Returns
        -------
        Variable, shape (N,)
            Log densities or log-probabilities, in nats.
        """
        return self.family.log_prob(self._m, x)

    def kl(self, other):
        """KL(self ‖ other).

        Parameters
        ----------
        other : Distribution
            The second argument of the divergence, of the same family.

        Returns
        -------
        Variable, shape (N,)
            Divergences, in nats.
        """
        return as_variable(self.family.kl(self._m, other._m))

    def copy(self):
        """The same distributions, detached from the graph and owning their arrays.

        Returns
        -------
        Distribution
            With copies of the outputs and parameters.
        """
        theta = {name: chainer.as_array(x).copy() for name, x in self._theta.items()}
        out = self.out.array.copy()
        return Distribution(self.family, out, theta, self._mask)

    def _detached(self):
        """What the outputs stand for, as arrays."""
        theta = {name: chainer.as_array(x) for name, x in self._theta.items()}
        return self.family.at(self.out.array, theta, self._mask)

    def fisher(self, tangents, weight=1.0):
        """The Fisher matrix of the mean over states, in `params`, times a tangent.

        Parameters
        ----------
        tangents : sequence of array
            Shaped like `params`.
        weight : float
            A factor of the result.

        Returns
        -------
        list of array
            The product, shaped like `params`.
        """
        family, n = self.family, len(tangents[0])
        if hasattr(self._m, "fisher"):
            return self._m.fisher(tangents, weight / n)
        m = self._detached()
        dtheta = dict(zip(family.shapes, tangents[1:]))
        out, own = family.fisher(m, tangents[0], dtheta, weight / n)
        return [out, *(own[name] for name in family.shapes)]


class DiagonalGaussian(Distribution):
    """N(μ, diag σ²) for each state of a batch.

    Parameters
    ----------
    mean : Variable or array, shape (N, A)
        μ.
    log_std : Variable or array, shape (N, A) or (A,)
        log σ; of shape (A,) it is the same in every state and is never copied N times.
    """

    def __init__(self, mean: typing.Any, log_std: typing.Any) -> None:
        mean, log_std = as_variable(mean), as_variable(log_std)
        if log_std.shape not in (mean.shape, mean.shape[1:]):
            raise ValueError(
                f"expected log_std of shape {mean.shape} or {mean.shape[1:]}, "
                f"got {log_std.shape}."
            )
        self.family = Gaussian(mean.shape[1])
        self.out, self._m = mean, normal(mean, log_std)
        self.params = self._m.params

    def _detached(self):
        return normal(*(x.array for x in self.params))

    def copy(self):
        """The same distributions, detached from the graph and owning their arrays.

        Returns
        -------
        DiagonalGaussian
            With copies of mean and log_std.
        """
        return DiagonalGaussian(*(x.array.copy() for x in self.params))


class Categorical(Distribution):
    """A softmax distribution over action indices for each state of a batch.

    Parameters
    ----------
    logits : Variable or array, shape (N, A)
        Unnormalised log-probabilities.
    """

    def __init__(self, logits: typing.Any) -> None:
        super().__init__(Softmax(logits.shape[1]), logits)


def look(link, obs, mask=None, memory=()):
    """What a link says of states; links are called with a mask where there is one.

    With memory they are called with the carry and starts of `Batch.memory` too; what takes
    sequences has them of one row each without.
    """
    if takes_sequences(link):
        return _of_sequences(link, obs, mask, *(memory or _rows(link, obs)))[0]
    if memory:
        return link(obs, mask, *memory)
    return link(obs) if mask is None else link(obs, mask)


def _rows(link, obs):
    """Rows that nothing was before."""
    carry = link.xp.zeros((len(obs), carry_size(link)), obs.dtype)
    return carry, numpy.arange(len(obs))


def _of_sequences(link, obs, mask, carry, starts):
    if mask is not None:
        raise ValueError(
            f"expected no mask of actions for {type(link).__name__}: links with "
            "n_step_forward take none. Build a SoftmaxPolicy with core='gru'."
        )
    return run(link, obs, carry, starts)


class LinkOnHost:
    """Acting with any link: through Chainer, hence slower than plain arrays.

    Parameters
    ----------
    policy : chainer.Link
        Observation batch -> distribution with ChainerRL's names.
    vf : chainer.Link, optional
        A value function with a memory of its own, which goes on beside the policy's: its
        columns of the carry are the last ones.

    Raises
    ------
    ValueError
        The policy remembers, and does not take sequences.
    """

    takes_rows = False  # batches only

    def __init__(self, policy, vf=None):
        if not takes_sequences(policy) and carry_size(policy):
            raise ValueError(
                "expected a policy with memory of ours, or one that takes sequences, got "
                f"{type(policy).__name__}: what it remembers is not known. Build a "
                "GaussianPolicy or SoftmaxPolicy with core='gru', or give it ChainerRL's "
                "n_step_forward."
            )
        self.policy, self.vf = policy, vf
        self._links = [policy] if vf is None else [policy, vf]
        self._sizes = [carry_size(link) for link in self._links]

    def _act(self, obs, mask, carry, choose):
        send = self.policy.device.send
        obs, mask = send(obs), None if mask is None else send(mask)
        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            if any(self._sizes):
                dist = self._remembering(obs, mask, carry)
            else:
                dist = look(self.policy, obs, mask)
            action = choose(dist)
        return chainer.backends.cuda.to_cpu(chainer.as_array(action))

    def _remembering(self, obs, mask, carry):
        if carry is None:
            raise ValueError(NO_CARRY)
        ends = numpy.cumsum(self._sizes)[:-1].tolist()
        before = numpy.split(self.policy.device.send(carry.now), ends, axis=1)
        each, found = numpy.arange(len(obs)), []
        for link, own in zip(self._links, before):
            found.append(_of_sequences(link, obs, mask, own, each))
        after = self.policy.xp.concatenate([own for _, own in found], axis=1)
        carry.now = chainer.backends.cuda.to_cpu(after)
        return found[0][0]

    def sample(self, obs, rng, mask=None, carry=None):
        """Draw actions for a batch.

        ``dist.sample()`` draws from the global generator of its array module; NumPy's is
        seeded from `rng` for the while, so that the draw depends on `rng` only.
        """
        before = numpy.random.get_state()  # noqa: NPY002
        self.policy.xp.random.seed(int(rng.integers(2**32)))
        try:
            return self._act(obs, mask, carry, lambda dist: dist.sample())
        finally:
            numpy.random.set_state(before)  # noqa: NPY002

    def most_probable(self, obs, mask=None, carry=None):
        """The modes for a batch."""
        return self._act(obs, mask, carry, lambda dist: dist.most_probable)


NO_CARRY = (
    "expected a Carry of a policy with memory, got None. Give actor.carry() at an "
    "episode's start, and the same until its end."
)
