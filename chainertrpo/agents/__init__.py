"""The agents, and the settings they had in history."""

from chainertrpo.agents.batching import Estimation
from chainertrpo.agents.chainerrl_files import load_chainerrl
from chainertrpo.agents.gail import GAIL
from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.onnx_export import export_onnx
from chainertrpo.agents.ppo import PPO
from chainertrpo.agents.presets import (
    DEFAULT_PPO_PRESET,
    DEFAULT_PRESET,
    GAIL_PRESETS,
    PRESETS,
    describe_presets,
    make_agent,
    make_gail_agent,
    settings_of,
)
from chainertrpo.agents.pretraining import clone_expert, held_out_loss
from chainertrpo.agents.variants import (
    NPG,
    TRPO,
    NaturalActorCritic,
    PenaltyTRPO,
    PolicyGradient,
)

__all__ = [
    "DEFAULT_PPO_PRESET",
    "DEFAULT_PRESET",
    "GAIL",
    "GAIL_PRESETS",
    "clone_expert",
    "export_onnx",
    "held_out_loss",
    "load_chainerrl",
    "make_gail_agent",
    "NPG",
    "PPO",
    "PRESETS",
    "TRPO",
    "Estimation",
    "NaturalActorCritic",
    "OnPolicyAgent",
    "PenaltyTRPO",
    "PolicyGradient",
    "describe_presets",
    "make_agent",
    "settings_of",
]
