"""What a discriminator pays: four forms of reward, computed from its logits.

l is the logit, D = σ(l) the probability that a pair is the expert's.  None of them has
an ε inside a logarithm, so none saturates at 18 nats.
"""

import warnings

from chainertrpo._checks import one_of

import numpy


class TerminationBiasWarning(UserWarning):
    """The reward form itself pays or punishes staying alive."""


def _softplus(x):
    return numpy.maximum(x, 0) + numpy.log1p(numpy.exp(-numpy.abs(x)))


def _sigmoid(x):
    small = numpy.exp(-numpy.abs(x))
    return numpy.where(x >= 0, 1 / (1 + small), small / (1 + small))


REWARD_FORMS = {
    "d": _sigmoid,  # D, in (0, 1)
    "gail": _softplus,  # −log(1 − D), ≥ 0  (Ho and Ermon 2016)
    "logd": lambda x: -_softplus(-x),  # log D, ≤ 0
    "airl": lambda x: x,  # log D − log(1 − D)
}
BIAS = {
    "d": "is never negative, so every further step pays, whatever is done in it",
    "gail": "is never negative, so every further step pays, whatever is done in it",
    "logd": "is never positive, so ending the episode early pays, whatever was done",
    "airl": "has the sign of the discriminator's opinion, so while the agent is found "
    "out every further step costs, and ending the episode early pays",
}


def reward_of(logit, form):
    """The reward of pairs whose logits are l.

    Parameters
    ----------
    logit : array
        l; any float64.
    form : str
        ``d`` (D), ``gail`` (−log(1 − D)), ``logd`` (log D) or ``airl`` (l).

    Returns
    -------
    array, float64
        In nats, except ``d``, which is a probability.

    Raises
    ------
    ValueError
        There is no such form.
    """
    one_of("the reward form", form, sorted(REWARD_FORMS))
    return REWARD_FORMS[form](numpy.asarray(logit, numpy.float64))


def warn_of_termination_bias(form, why):
    """Say what the reward form does where episodes end early, and the remedies.

    Parameters
    ----------
    form : str
        A key of `REWARD_FORMS`.
    why : str
        What was seen.
    """
    warnings.warn(
        f"{why}, and the reward {form!r} {BIAS[form]}. An agent may score by the length "
        "of its episodes alone. Where ending is failure 'gail' suits, where ending is "
        "success 'logd'; to remove the bias give absorbing_horizon (--absorbing), or wrap "
        "the environment in FixedHorizon (--fixed-horizon).",
        TerminationBiasWarning,
        stacklevel=3,
    )
