"""Trust Region Policy Optimization on Chainer and CuPy.

Import this package before ``chainer``: it supplies what Chainer 7.8.1 lacks on today's
Python and NumPy (`chainertrpo._compat`).
"""

from chainertrpo import _compat  # noqa: F401  isort: skip  (before anything of Chainer)

__version__ = "0.1.0"

from chainertrpo.agents import GAIL, PRESETS, TRPO, make_agent, settings_of
from chainertrpo.data import Batch, Path
from chainertrpo.policies import (
    EmpiricalNormalization,
    GaussianPolicy,
    SoftmaxPolicy,
    ValueFunction,
)
from chainertrpo.updates import Discriminator, NaturalStep, ValueFit

__all__ = [
    "GAIL",
    "PRESETS",
    "TRPO",
    "Batch",
    "Discriminator",
    "EmpiricalNormalization",
    "GaussianPolicy",
    "NaturalStep",
    "Path",
    "SoftmaxPolicy",
    "ValueFit",
    "ValueFunction",
    "make_agent",
    "settings_of",
]
