"""One improvement of a link from one batch; each returns a report."""

from chainertrpo.updates.adam import CorrectedEps
from chainertrpo.updates.cloning import Cloning, CloningReport
from chainertrpo.updates.compatible import compatible_weights, score_product
from chainertrpo.updates.discriminator import Discriminator
from chainertrpo.updates.gradient import GradientReport, GradientStep
from chainertrpo.updates.judge import DiscriminatorReport
from chainertrpo.updates.linearized import Linearized, outputs
from chainertrpo.updates.model import (
    LocalModel,
    kl_gauss_newton,
    kl_hessian,
    local_model,
)
from chainertrpo.updates.natural import NaturalStep, StepReport
from chainertrpo.updates.natural_fit import NaturalFit
from chainertrpo.updates.objectives import (
    Likelihood,
    Surrogate,
    clipped_surrogate,
    likelihood,
    max_kl,
    mean_entropy,
    mean_kl,
    surrogate,
    value_loss,
)
from chainertrpo.updates.region import CURVATURES, Curvature, TrustRegion
from chainertrpo.updates.reward_forms import (
    REWARD_FORMS,
    TerminationBiasWarning,
    reward_of,
)
from chainertrpo.updates.said import said
from chainertrpo.updates.schedule import Minibatches, OnePerBatch, Repeats
from chainertrpo.updates.search import Backtrack
from chainertrpo.updates.solver import CG, Gram
from chainertrpo.updates.value import FitReport, ValueFit, fitted_with_the_policy

__all__ = [
    "Cloning",
    "CloningReport",
    "DiscriminatorReport",
    "Discriminator",
    "outputs",
    "reward_of",
    "said",
    "TerminationBiasWarning",
    "REWARD_FORMS",
    "CG",
    "CURVATURES",
    "Backtrack",
    "Curvature",
    "CorrectedEps",
    "FitReport",
    "GradientReport",
    "GradientStep",
    "Gram",
    "Likelihood",
    "Linearized",
    "LocalModel",
    "Minibatches",
    "NaturalFit",
    "NaturalStep",
    "OnePerBatch",
    "Repeats",
    "StepReport",
    "Surrogate",
    "TrustRegion",
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
    "score_product",
    "surrogate",
    "value_loss",
]
