"""From observations to distributions of actions and to values."""

from chainertrpo.policies.distributions import Categorical, DiagonalGaussian
from chainertrpo.policies.host import HostLink, host_policy
from chainertrpo.policies.linearized_mlp import LinearizedMLP, linearized
from chainertrpo.policies.linearized_policy import LinearizedPolicy, can_linearize
from chainertrpo.policies.models import (
    MLP,
    GaussianPolicy,
    SoftmaxPolicy,
    ValueFunction,
)
from chainertrpo.policies.normalizer import EmpiricalNormalization

__all__ = [
    "MLP",
    "Categorical",
    "DiagonalGaussian",
    "EmpiricalNormalization",
    "GaussianPolicy",
    "HostLink",
    "LinearizedMLP",
    "LinearizedPolicy",
    "SoftmaxPolicy",
    "ValueFunction",
    "can_linearize",
    "host_policy",
    "linearized",
]
