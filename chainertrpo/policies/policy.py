"""A policy is a network and a family of distributions.

The same object acts on plain rows (`on_host`), is improved through derivatives that are
written out (`parts`), and is a Chainer link from observations to a distribution, through
which any derivative can be taken.
"""

from __future__ import annotations

import typing

from chainertrpo.data.spaces import Space
from chainertrpo.policies.graph import Distribution, LinkOnHost
from chainertrpo.policies.heads import head_for
from chainertrpo.policies.images import network_for
from chainertrpo.policies.models import MLP, RecurrentMLP

import chainer
import numpy


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
            raise ValueError(
                "expected a Carry of a policy with memory, got None. Give actor.carry() at "
                "an episode's start, and the same until its end."
            )
        else:
            out, carry.now = self._step(obs, carry.now)
        return self.family.at(out, self.theta, mask)

    def sample(self, obs, rng, mask=None, carry=None):
        """Draw actions for obs of shape (S,) or (N, S): (A,) or (N, A), or indices."""
        return self.family.sample(self._at(obs, mask, carry), rng)

    def most_probable(self, obs, mask=None, carry=None):
        """The modes for obs of shape (S,) or (N, S)."""
        return self.family.mode(self._at(obs, mask, carry))


def on_host(policy):
    """What acts like `policy` on the host.

    Parameters
    ----------
    policy : chainer.Link
        Any policy.

    Returns
    -------
    OnHost or LinkOnHost
        With ``sample(obs, rng)`` and ``most_probable(obs)``; `LinkOnHost` where nothing is
        written out.
    """
    found = parts(policy)
    if not found:
        return LinkOnHost(policy)
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


class SpacePolicy(Policy):
    """An MLP from observations, or images, to the family of a space of actions.

    A Gaussian for a Box, a softmax for a choice, independent bits; and the product of these
    for spaces of several parts, which are independent given the state.

    Parameters
    ----------
    obs_size : int or tuple of int
        S; or (H, W, C) of images, for which an `ImageMLP` stands in the place of the MLP.
    action_space : Space or object
        Of actions.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    log_std, log_std_init, placement
        Of every Gaussian; see `chainertrpo.policies.heads.gaussian`.
    activation, init, hidden_scale, last_scale, seed
        As in `MLP`; a small last layer makes the initial mean nearly 0, and choices nearly
        uniform.
    core : str or None
        What it remembers with: ``gru``, behind the hidden layers; None: nothing.
    core_size : int, optional
        Width of the hidden state, by default 64.

    Attributes
    ----------
    carry_size : int
        C: the width of what it remembers; 0 without memory.
    """

    def __init__(
        self,
        obs_size: int,
        action_space: typing.Any,
        hidden_sizes: typing.Sequence[int] = (64, 64),
        *,
        log_std: str = "state_independent",
        log_std_init: float = 0.0,
        placement: typing.Any = "free",
        activation: str = "tanh",
        init: str = "orthogonal",
        hidden_scale: float = 1.0,
        last_scale: float = 0.01,
        seed: int | None = None,
        core: str | None = None,
        core_size: int | None = None,
    ) -> None:
        head = head_for(
            action_space,
            log_std=log_std,
            log_std_init=log_std_init,
            placement=placement,
        )
        mlp = network_for(
            obs_size,
            (*hidden_sizes, head.family.width),
            core=core,
            core_size=core_size,
            activation=activation,
            init=init,
            hidden_scale=hidden_scale,
            last_scale=last_scale,
            seed=seed,
        )
        mlp[-1].b.array[...] = head.bias
        super().__init__(mlp, head.family, head.own, head.constants)


class GaussianPolicy(SpacePolicy):
    """An MLP from observations to a Gaussian with a diagonal covariance.

    Parameters
    ----------
    obs_size, action_size : int
        S and A.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    log_std : str
        ``state_independent``: one learned vector (the usual TRPO policy);
        ``state_dependent``: a second half of the last layer; ``shared``: one learned
        number for all dimensions (garage); ``fixed``: a constant.
    log_std_init : float
        The initial (or constant) log σ; 0 is σ = 1.
    **settings
        Of `SpacePolicy`.
    """

    def __init__(
        self,
        obs_size: int,
        action_size: int,
        hidden_sizes: typing.Sequence[int] = (64, 64),
        *,
        log_std: str = "state_independent",
        log_std_init: float = 0.0,
        **settings: typing.Any,
    ) -> None:
        box = Space("Box", (action_size,), low=-numpy.inf, high=numpy.inf)
        self._set_up(obs_size, box, hidden_sizes, log_std, log_std_init, settings)

    def _set_up(self, obs_size, box, hidden_sizes, log_std, log_std_init, settings):
        settings.update(log_std=log_std, log_std_init=log_std_init)
        SpacePolicy.__init__(self, obs_size, box, hidden_sizes, **settings)
        self.log_std_kind, self.action_size = log_std, box.shape[0]


class _KnowsBounds(GaussianPolicy):
    """[c − h, c + h]: c and h are beside the parameters, ``loc`` and ``half_range``."""

    placement: str | None = None

    def __init__(
        self,
        obs_size,
        action_size,
        low,
        high,
        hidden_sizes=(64, 64),
        *,
        log_std="state_independent",
        log_std_init=0.0,
        **settings,
    ):
        box = Space("Box", (action_size,), low=low, high=high)
        settings["placement"] = self.placement
        self._set_up(obs_size, box, hidden_sizes, log_std, log_std_init, settings)


class ScaledGaussianPolicy(_KnowsBounds):
    """Actions in units of half their range: μ = c + h·MLP(s) and σ = h·exp(log_std).

    It is what others have by stretching [−1, 1] onto the actions of an environment
    (Tianshou's ``action_scaling``, the ``normalize`` of rllab and garage).  Where bounds
    are not ±1 the first σ is another one: Humanoid's are ±0.4, and most actions drawn with
    σ = 1 are clipped there.  A natural step is the same in any unit, but for the damping.
    Actions that are drawn may leave the bounds.

    Parameters
    ----------
    obs_size, action_size, low, high, hidden_sizes
        As in `BoundedGaussianPolicy`.
    **settings
        Of `GaussianPolicy`.
    """

    placement = "scaled"


class BoundedGaussianPolicy(_KnowsBounds):
    """Means μ = c + h·tanh(MLP(s)), which cannot leave [c − h, c + h].

    It is ChainerRL's ``bound_mean``; σ is not scaled, and actions that are drawn may leave
    the bounds.

    Parameters
    ----------
    obs_size, action_size : int
        S and A.
    low, high : array, shape (A,)
        The bounds, finite.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    **settings
        Of `GaussianPolicy`.

    Raises
    ------
    ValueError
        A bound is infinite, or not below the other.
    """

    placement = "bounded"


class SoftmaxPolicy(SpacePolicy):
    """An MLP from observations to a softmax over indices.

    Parameters
    ----------
    obs_size, n_actions : int
        S and the number of actions.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    **settings
        Of `SpacePolicy`.
    """

    def __init__(
        self,
        obs_size: int,
        n_actions: int,
        hidden_sizes: typing.Sequence[int] = (64, 64),
        **settings: typing.Any,
    ) -> None:
        space = Space("Discrete", choices=(n_actions,), start=(0,))
        super().__init__(obs_size, space, hidden_sizes, **settings)


def policy_over(obs_size, action_space, hidden_sizes=(64, 64), **settings):
    """Make the policy for a space of actions.

    Parameters
    ----------
    obs_size : int
        S.
    action_space : object
        Any that `Space` knows.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    **settings
        Of `SpacePolicy`.

    Returns
    -------
    SpacePolicy
        A `GaussianPolicy` (`ScaledGaussianPolicy`, `BoundedGaussianPolicy`) or a
        `SoftmaxPolicy` where the space is one Box or Discrete.
    """
    space = Space.of(action_space)
    if space.kind == "Discrete":
        return SoftmaxPolicy(obs_size, space.n, hidden_sizes, **settings)
    if space.kind != "Box":
        return SpacePolicy(obs_size, space, hidden_sizes, **settings)
    placement = settings.pop("placement", "free")
    if placement == "free":
        return GaussianPolicy(obs_size, space.size, hidden_sizes, **settings)
    cls = {"scaled": ScaledGaussianPolicy, "bounded": BoundedGaussianPolicy}[placement]
    bounds = numpy.ravel(space.low), numpy.ravel(space.high)
    return cls(obs_size, space.size, *bounds, hidden_sizes, **settings)
