"""Policies for spaces of actions: networks, heads and how they begin."""

from __future__ import annotations

import typing

from chainertrpo._checks import widths
from chainertrpo.data.spaces import Space
from chainertrpo.policies.heads import head_for
from chainertrpo.policies.images import network_for
from chainertrpo.policies.policy import Policy

import numpy


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
            (*widths("hidden_sizes", hidden_sizes), head.family.width),
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
