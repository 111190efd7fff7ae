"""From observations to distributions of actions and to values."""

from chainertrpo.policies.by_space import (
    BoundedGaussianPolicy,
    GaussianPolicy,
    ScaledGaussianPolicy,
    SoftmaxPolicy,
    SpacePolicy,
    policy_over,
)
from chainertrpo.policies.graph import (
    Categorical,
    DiagonalGaussian,
    Distribution,
    LinkOnHost,
)
from chainertrpo.policies.joint import ActorCritic, halves
from chainertrpo.policies.models import MLP
from chainertrpo.policies.normalizer import EmpiricalNormalization
from chainertrpo.policies.policy import OnHost, Part, Policy, on_host, parts
from chainertrpo.policies.sequences import carry_size, takes_sequences
from chainertrpo.policies.values import ScaledValueFunction, ValueFunction

__all__ = [
    "MLP",
    "ActorCritic",
    "BoundedGaussianPolicy",
    "Categorical",
    "DiagonalGaussian",
    "Distribution",
    "EmpiricalNormalization",
    "GaussianPolicy",
    "LinkOnHost",
    "OnHost",
    "Part",
    "Policy",
    "ScaledGaussianPolicy",
    "ScaledValueFunction",
    "SoftmaxPolicy",
    "SpacePolicy",
    "ValueFunction",
    "carry_size",
    "halves",
    "on_host",
    "parts",
    "policy_over",
    "takes_sequences",
]
