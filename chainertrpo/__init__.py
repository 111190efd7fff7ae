"""Trust Region Policy Optimization on Chainer and CuPy.

Import this package before ``chainer``: it supplies what Chainer 7.8.1 lacks on today's
Python and NumPy (`chainertrpo._compat`).
"""

from chainertrpo import _compat  # noqa: F401  isort: skip  (before anything of Chainer)

from chainertrpo._version import __version__
from chainertrpo.agents import (
    GAIL,
    NPG,
    PPO,
    PRESETS,
    TRPO,
    NaturalActorCritic,
    PenaltyTRPO,
    PolicyGradient,
    make_agent,
    settings_of,
)
from chainertrpo.data import Batch, Path
from chainertrpo.policies import (
    ActorCritic,
    EmpiricalNormalization,
    GaussianPolicy,
    SoftmaxPolicy,
    ValueFunction,
)
from chainertrpo.updates import Discriminator, GradientStep, NaturalStep, ValueFit

__all__ = [
    "GAIL",
    "NPG",
    "PPO",
    "PRESETS",
    "TRPO",
    "ActorCritic",
    "Batch",
    "Discriminator",
    "EmpiricalNormalization",
    "GaussianPolicy",
    "GradientStep",
    "NaturalActorCritic",
    "NaturalStep",
    "PenaltyTRPO",
    "PolicyGradient",
    "Path",
    "SoftmaxPolicy",
    "ValueFit",
    "ValueFunction",
    "__version__",
    "make_agent",
    "settings_of",
]
