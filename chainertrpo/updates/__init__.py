"""One improvement of a link from one batch; each returns a report."""

from chainertrpo.updates.gradient import GradientReport, GradientStep, minibatches
from chainertrpo.updates.local import (
    CURVATURES,
    LocalModel,
    kl_gauss_newton,
    kl_hessian,
    local_model,
)
from chainertrpo.updates.natural import Backtrack, NaturalStep, StepReport
from chainertrpo.updates.objectives import (
    clipped_surrogate,
    likelihood,
    max_kl,
    mean_entropy,
    mean_kl,
    surrogate,
    value_loss,
)
from chainertrpo.updates.value import FitReport, ValueFit

__all__ = [
    "CURVATURES",
    "Backtrack",
    "FitReport",
    "GradientReport",
    "GradientStep",
    "LocalModel",
    "NaturalStep",
    "StepReport",
    "ValueFit",
    "clipped_surrogate",
    "kl_gauss_newton",
    "kl_hessian",
    "likelihood",
    "local_model",
    "max_kl",
    "mean_entropy",
    "mean_kl",
    "minibatches",
    "surrogate",
    "value_loss",
]
