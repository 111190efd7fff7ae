"""What the parts of a preset make: optimisers, networks, steps, environments."""

from chainertrpo._checks import at_least, positive
from chainertrpo.data.spaces import Space
from chainertrpo.policies import (
    ScaledValueFunction,
    ValueFunction,
    policy_over,
)
from chainertrpo.updates import CorrectedEps, NaturalFit, NaturalStep, ValueFit
from chainertrpo.updates.spelling import make

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
    positive("alpha", alpha)
    at_least("eps", eps, 0)
    at_least("weight_decay", weight_decay, 0)
    if max_grad_norm is not None:
        positive("max_grad_norm", max_grad_norm)

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
        Any that `Space` knows.
    bound_mean : bool
        Whether means stay within a Box: a `BoundedGaussianPolicy`.
    scaled : bool
        Whether actions are in units of half a Box: a `ScaledGaussianPolicy`.
    **settings
        Of `GaussianPolicy`; policies without a Gaussian take those that are not about σ.

    Returns
    -------
    Policy
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
    space = Space.of(action_space)
    if not space.is_continuous:
        settings = {k: v for k, v in settings.items() if not k.startswith("log_std")}
    elif bound_mean or scaled:
        settings["placement"] = "bounded" if bound_mean else "scaled"
    return policy_over(obs_size, space, **settings)


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
    """Build a `NaturalStep`: its values are dicts, or None for no search."""
    return NaturalStep(
        **{
            k: x if k in ("chunk_rows", "piece_length") else make(k, x)
            for k, x in step.items()
        }
    )


def value_step(*, kind="fit", variance=None, **settings):
    """Build the step that fits values.

    Parameters
    ----------
    kind : str
        ``fit``: a `ValueFit`; ``natural``: a `NaturalFit`.
    variance : float or None
        Of `NaturalFit`.
    **settings
        Of `ValueFit`, or of the `NaturalStep` of a `NaturalFit`.

    Returns
    -------
    ValueFit or NaturalFit
        The step.

    Raises
    ------
    ValueError
        Another kind.
    """
    if kind == "fit":
        return ValueFit(**settings)
    if kind != "natural":
        raise ValueError(f"expected value_step's kind of fit, natural, got {kind!r}.")
    step = natural_step(**settings, objective={"kind": "likelihood"})
    return NaturalFit(step, variance)


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
