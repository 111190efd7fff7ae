"""The agents, and the settings they had in history."""

from chainertrpo.agents.gail import GAIL
from chainertrpo.agents.gail_presets import GAIL_PRESETS, make_gail_agent
from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.presets import DEFAULT_PRESET, PRESETS, make_agent, settings_of
from chainertrpo.agents.pretraining import clone_expert
from chainertrpo.agents.variants import TRPO

__all__ = [
    "DEFAULT_PRESET",
    "GAIL",
    "GAIL_PRESETS",
    "clone_expert",
    "make_gail_agent",
    "PRESETS",
    "TRPO",
    "OnPolicyAgent",
    "make_agent",
    "settings_of",
]
