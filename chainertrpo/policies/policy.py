"""A policy is a network and a family of distributions.

The same object acts on plain rows (`on_host`), is improved through derivatives that are
written out (`parts`), and is a Chainer link from observations to a distribution, through
which any derivative can be taken.
"""

from __future__ import annotations

import typing

from chainertrpo.policies.graph import NO_CARRY, Distribution, LinkOnHost
from chainertrpo.policies.models import MLP, RecurrentMLP

import chainer


class Part(typing.NamedTuple):
    """A network and a family whose derivatives are written out, as a link has them.

    Attributes
    ----------
    prefix : str
        What the names of its parameters begin with in the link, such as ``/vf``.
    network, family : object
        See `chainertrpo.policies.network` and `chainertrpo.policies.families`.
    constants : dict of str to array
        What the family needs beside its parameters, by name.
    """

    prefix: str
    network: typing.Any
    family: typing.Any
    constants: dict

    def theta(self, arrays):
        """Parameters and constants of this part, from those of the link by name."""
        n, prefix = len(self.prefix), self.prefix
        own = {k[n:]: x for k, x in arrays.items() if k.startswith(prefix)}
        return {**own, **self.constants}


def parts(link):
    """What of a link is written out.

    Parameters
    ----------
    link : chainer.Link
        Any.

    Returns
    -------
    tuple of Part
        One of a policy or a value function, both of an `ActorCritic`; empty for any other
        link, subclasses of ours with a ``forward`` of their own among them.
    """
    return getattr(link, "parts", ())


def computes_as(link, cls, *methods):
    """Whether no subclass of `cls`, nor the link itself, has put others in their place."""
    return all(
        getattr(type(link), name) is getattr(cls, name) and name not in vars(link)
        for name in methods
    )


class OnHost:
    """A policy as plain NumPy, without graph, device or Chainer a step.

    On the CPU it shares the arrays of the policy, so it is always current (`numerics.at`,
    Chainer's optimisers and loaders all write into the arrays they find).  From a GPU the
    parameters are copied; the agent makes a new copy after each change.

    Parameters
    ----------
    network, family : object
        Of the policy.
    theta : dict of str to array
        Parameters and constants, by name.
    """

    takes_rows = True  # a row as it is, without an axis for the batch

    def __init__(self, network, family, theta):
        self.network, self.family, self.theta = network, family, theta
        self._step = network.acting(theta)
        self._remembers = network.carry_size > 0

    def __reduce__(self):
        """By what it was made from: views of arrays would become copies of them."""
        return OnHost, (self.network, self.family, self.theta)

    def _at(self, obs, mask=None, carry=None):
        if not self._remembers:
            out, _ = self._step(obs)
        elif carry is None:
            raise ValueError(NO_CARRY)
        else:
            out, carry.now = self._step(obs, carry.now)
        return self.family.at(out, self.theta, mask)

    def sample(self, obs, rng, mask=None, carry=None):
        """Draw actions for obs of shape (S,) or (N, S): (A,) or (N, A), or indices."""
        return self.family.sample(self._at(obs, mask, carry), rng)

    def most_probable(self, obs, mask=None, carry=None):
        """The modes for obs of shape (S,) or (N, S)."""
        return self.family.mode(self._at(obs, mask, carry))


def on_host(policy, vf=None):
    """What acts like `policy` on the host.

    Parameters
    ----------
    policy : chainer.Link
        Any policy.
    vf : chainer.Link, optional
        See `LinkOnHost`.

    Returns
    -------
    OnHost or LinkOnHost
        With ``sample(obs, rng)`` and ``most_probable(obs)``; `LinkOnHost` where nothing is
        written out.
    """
    found = parts(policy)
    if not found:
        return LinkOnHost(policy, vf)
    send = chainer.backends.cuda.to_cpu
    theta = found[0].theta({name: x.array for name, x in policy.namedparams()})
    theta = {name: send(x) for name, x in theta.items()}
    return OnHost(found[0].network, found[0].family, theta)


class Policy(chainer.Chain):
    """Observations -> `family` at the outputs of `mlp`.

    Parameters
    ----------
    mlp : MLP
        A link whose ``network`` has ``family.width`` outputs; a subclass may have another.
    family : object
        One of `chainertrpo.policies.families`.
    own : dict of str to (float, tuple)
        Initial value and shape of the family's own parameters, by name without the slash.
    constants : dict of str to array
        What else the family needs, by name without the slash; saved with the link.
    """

    def __init__(self, mlp, family, own=None, constants=None):
        super().__init__()
        self.family = family
        self._constants = sorted(constants or {})
        with self.init_scope():
            self.mlp = mlp
            for name, x in (own or {}).items():
                setattr(self, name, chainer.Parameter(*x))
        for name, x in (constants or {}).items():
            self.add_persistent(name, x)
        network = getattr(mlp, "network", None)
        self._network = network and network.named("/mlp")
        self.carry_size: int = getattr(network, "carry_size", 0)

    def forward(self, obs, mask=None, carry=None, starts=None):
        """Return the distribution of actions.

        Parameters
        ----------
        obs : array or Variable, shape (N, S)
            Observations, normalised if the agent normalises.
        mask : array of bool, shape (N, M), optional
            What can be chosen in each state; see `chainertrpo.policies.families.masked`.
        carry : array, shape (K, C), optional
            With memory: the hidden state before each path, zero at an episode's start.
        starts : numpy.ndarray of int, shape (K,), optional
            With memory: in which rows paths begin.

        Returns
        -------
        Distribution
            Over actions, with ChainerRL's six names.

        Raises
        ------
        ValueError
            A policy with memory got no carry or no starts.
        """
        memory = (carry, starts) if self.carry_size else ()
        if any(x is None for x in memory):
            raise ValueError(
                "expected policy(obs, mask, carry, starts) of a policy with memory, got no "
                f"carry or no starts. carry (K, {self.carry_size}) is zero at an "
                "episode's start; starts (K,) says in which rows paths begin."
            )
        return self.distribution(self.mlp(obs, *memory), mask)

    def distribution(self, out, mask=None):
        """Return the distribution that outputs of the network stand for.

        Parameters
        ----------
        out : array or Variable, shape (N, width)
            Of the network.
        mask : array of bool, shape (N, M), optional
            As in `forward`.

        Returns
        -------
        Distribution
            Over actions, with ChainerRL's six names.
        """
        own = {name: getattr(self, name[1:]) for name in self.family.shapes}
        return Distribution(self.family, out, {**own, **self._given()}, mask)

    def _given(self):
        return {f"/{name}": getattr(self, name) for name in self._constants}

    @property
    def parts(self):
        """The policy written out; empty if a subclass computes something else."""
        own = computes_as(self, Policy, "forward", "distribution", "__call__")
        if not own or not any(
            isinstance(self.mlp, cls)
            and computes_as(self.mlp, cls, "forward", "__call__")
            for cls in (MLP, RecurrentMLP)
        ):
            return ()
        return (Part("", self._network, self.family, self._given()),)
