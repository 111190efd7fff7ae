"""What the parts of a preset make: optimisers, networks, steps, environments."""

from chainertrpo.policies import (
    BoundedGaussianPolicy,
    GaussianPolicy,
    ScaledGaussianPolicy,
    ScaledValueFunction,
    SoftmaxPolicy,
    ValueFunction,
)
from chainertrpo.updates import Backtrack, CorrectedEps, NaturalFit, NaturalStep

import chainer


def adam(
    alpha=1e-3,
    eps=1e-8,
    weight_decay=0.0,
    max_grad_norm=None,
    corrected_eps=False,
    decay_biases=True,
):
    """Build the optimiser of a preset.

    Parameters
    ----------
    alpha, eps : float
        Step size and ε of ``chainer.optimizers.Adam``.
    weight_decay : float
        Weight of ½‖θ‖² in the loss.
    max_grad_norm : float, optional
        Shrink longer gradients to this norm.
    corrected_eps : bool
        Add ε as PyTorch does: see `CorrectedEps`.
    decay_biases : bool
        Whether biases count in ‖θ‖²; in ChainerRL's ``NonbiasWeightDecay`` they do not.

    Returns
    -------
    callable
        Link -> optimiser set up with it.
    """

    def setup(link):
        optimizer = chainer.optimizers.Adam(alpha, eps=eps).setup(link)
        if weight_decay and decay_biases:
            optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(weight_decay))
        elif weight_decay:
            for param in link.params():
                if param.name != "b":
                    decay = chainer.optimizer_hooks.WeightDecay(weight_decay)
                    param.update_rule.add_hook(decay)
        if corrected_eps:
            optimizer.add_hook(CorrectedEps(eps))
        if max_grad_norm is not None:
            optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(max_grad_norm))
        return optimizer

    return setup


def policy_for(obs_size, action_space, *, bound_mean=False, scaled=False, **settings):
    """Build the policy of a preset.

    Parameters
    ----------
    obs_size : int
        S.
    action_space : object
        A Box or Discrete.
    bound_mean : bool
        Whether means stay within a Box: a `BoundedGaussianPolicy`.
    scaled : bool
        Whether actions are in units of half a Box: a `ScaledGaussianPolicy`.
    **settings
        Of `GaussianPolicy`; a `SoftmaxPolicy` takes those that are not about σ.

    Returns
    -------
    GaussianPolicy or SoftmaxPolicy
        Not on a device yet.

    Raises
    ------
    ValueError
        Both `bound_mean` and `scaled`, or bounds that are not finite.
    """
    if bound_mean and scaled:
        raise ValueError(
            "expected bound_mean or scaled, got both: bounded means are in units of half "
            "a range already. Set one of them to False (--no-scale-actions)."
        )
    if hasattr(action_space, "n"):
        settings = {k: v for k, v in settings.items() if not k.startswith("log_std")}
        return SoftmaxPolicy(obs_size, int(action_space.n), **settings)
    sizes = obs_size, int(action_space.shape[0])
    if bound_mean or scaled:
        cls = BoundedGaussianPolicy if bound_mean else ScaledGaussianPolicy
        return cls(*sizes, action_space.low, action_space.high, **settings)
    return GaussianPolicy(*sizes, **settings)


def value_function(obs_size, *, scaled=False, **settings):
    """Build the value function of a preset.

    Parameters
    ----------
    obs_size : int
        S.
    scaled : bool
        Whether it is a `ScaledValueFunction`.
    **settings
        Of `ValueFunction`, or of `ScaledValueFunction`.

    Returns
    -------
    ValueFunction
        Not on a device yet.

    Raises
    ------
    ValueError
        Settings that only a `ScaledValueFunction` has, without `scaled`.
    """
    if scaled:
        return ScaledValueFunction(obs_size, **settings)
    only = {"centered", "learns"} & settings.keys()
    if only:
        raise ValueError(
            f"expected {sorted(only)} of vf with scaled=True only, got them without. Set "
            "it, or leave them out."
        )
    return ValueFunction(obs_size, **settings)


def natural_step(**step):
    """Build the step of a preset.

    Parameters
    ----------
    **step
        Of `NaturalStep`; a search is a dict, of `Backtrack`, or None.

    Returns
    -------
    NaturalStep
        The step.
    """
    if step.get("search"):
        step["search"] = Backtrack(**step["search"])
    return NaturalStep(**step)


def natural_fit(*, variance=None, **step):
    """Build the natural step that fits values.

    Parameters
    ----------
    variance : float or None
        Of `NaturalFit`.
    **step
        Of its `NaturalStep`.

    Returns
    -------
    NaturalFit
        The fit.
    """
    return NaturalFit(natural_step(**step, objective="likelihood"), variance)


def environment(*, clip_actions=True, bootstrap_time_limits=True):
    """What a preset says of environments, for whoever makes them; agents do not need it.

    Parameters
    ----------
    clip_actions, bootstrap_time_limits : bool
        Of `chainertrpo.experiments.make_env`.

    Returns
    -------
    dict
        The same.
    """
    return {
        "clip_actions": clip_actions,
        "bootstrap_time_limits": bootstrap_time_limits,
    }
