"""From observations to distributions of actions and to values."""

from chainertrpo.policies.bounded import BoundedGaussianPolicy, ScaledGaussianPolicy
from chainertrpo.policies.distributions import Categorical, DiagonalGaussian
from chainertrpo.policies.host import HostLink, host_policy
from chainertrpo.policies.joint import ActorCritic, halves
from chainertrpo.policies.linearized_mlp import LinearizedMLP, linearized
from chainertrpo.policies.linearized_policy import LinearizedPolicy, can_linearize
from chainertrpo.policies.models import MLP, GaussianPolicy, SoftmaxPolicy
from chainertrpo.policies.normalizer import EmpiricalNormalization
from chainertrpo.policies.values import ScaledValueFunction, ValueFunction

__all__ = [
    "MLP",
    "ActorCritic",
    "BoundedGaussianPolicy",
    "Categorical",
    "DiagonalGaussian",
    "EmpiricalNormalization",
    "GaussianPolicy",
    "HostLink",
    "LinearizedMLP",
    "LinearizedPolicy",
    "ScaledGaussianPolicy",
    "ScaledValueFunction",
    "SoftmaxPolicy",
    "ValueFunction",
    "can_linearize",
    "halves",
    "host_policy",
    "linearized",
]
