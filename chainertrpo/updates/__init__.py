"""One improvement of a link from one batch; each returns a report."""

from chainertrpo.updates.cloning import Cloning, CloningReport
from chainertrpo.updates.compatible import compatible_weights, score_product
from chainertrpo.updates.discriminator import Discriminator, DiscriminatorReport
from chainertrpo.updates.flat_adam import CorrectedEps
from chainertrpo.updates.gradient import GradientReport, GradientStep
from chainertrpo.updates.local import (
    CURVATURES,
    LocalModel,
    kl_gauss_newton,
    kl_hessian,
    local_model,
)
from chainertrpo.updates.natural import NaturalStep, StepReport
from chainertrpo.updates.natural_fit import NaturalFit
from chainertrpo.updates.objectives import (
    clipped_surrogate,
    likelihood,
    max_kl,
    mean_entropy,
    mean_kl,
    surrogate,
    value_loss,
)
from chainertrpo.updates.reward_forms import (
    REWARD_FORMS,
    TerminationBiasWarning,
    reward_of,
)
from chainertrpo.updates.rows import minibatches
from chainertrpo.updates.search import Backtrack
from chainertrpo.updates.value import FitReport, ValueFit, fitted_with_the_policy

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
    "CorrectedEps",
    "FitReport",
    "GradientReport",
    "GradientStep",
    "LocalModel",
    "NaturalFit",
    "NaturalStep",
    "StepReport",
    "ValueFit",
    "clipped_surrogate",
    "compatible_weights",
    "fitted_with_the_policy",
    "kl_gauss_newton",
    "kl_hessian",
    "likelihood",
    "local_model",
    "max_kl",
    "mean_entropy",
    "mean_kl",
    "minibatches",
    "score_product",
    "surrogate",
    "value_loss",
]
