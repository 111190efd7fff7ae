"""One improvement of a link from one batch; each returns a report."""

from chainertrpo.updates.gradient import FitReport, ValueFit, minibatches
from chainertrpo.updates.natural import (
    CURVATURES,
    Backtrack,
    NaturalStep,
    StepReport,
    kl_gauss_newton,
    kl_hessian,
)
from chainertrpo.updates.objectives import max_kl, mean_entropy, mean_kl, surrogate

__all__ = [
    "CURVATURES",
    "Backtrack",
    "FitReport",
    "NaturalStep",
    "StepReport",
    "ValueFit",
    "kl_gauss_newton",
    "kl_hessian",
    "max_kl",
    "mean_entropy",
    "mean_kl",
    "minibatches",
    "surrogate",
]
