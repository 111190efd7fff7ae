"""One improvement of a link from one batch; each returns a report."""

from chainertrpo.updates.cloning import Cloning, CloningReport
from chainertrpo.updates.discriminator import Discriminator, DiscriminatorReport
from chainertrpo.updates.gradient import FitReport, ValueFit, minibatches
from chainertrpo.updates.local import (
    CURVATURES,
    LocalModel,
    kl_gauss_newton,
    kl_hessian,
    local_model,
)
from chainertrpo.updates.natural import Backtrack, NaturalStep, StepReport
from chainertrpo.updates.objectives import max_kl, mean_entropy, mean_kl, surrogate
from chainertrpo.updates.reward_forms import (
    REWARD_FORMS,
    TerminationBiasWarning,
    reward_of,
)

__all__ = [
    "Cloning",
    "CloningReport",
    "DiscriminatorReport",
    "Discriminator",
    "reward_of",
    "TerminationBiasWarning",
    "REWARD_FORMS",
    "CURVATURES",
    "Backtrack",
    "FitReport",
    "LocalModel",
    "NaturalStep",
    "StepReport",
    "ValueFit",
    "kl_gauss_newton",
    "kl_hessian",
    "local_model",
    "max_kl",
    "mean_entropy",
    "mean_kl",
    "minibatches",
    "surrogate",
]
