"""The agents."""

from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.variants import TRPO

__all__ = ["TRPO", "OnPolicyAgent"]
