"""Settings of ancestors and of our own as plain data, and agents made from them."""

from chainertrpo.agents.presets.gail import (
    GAIL_PRESETS,
    changes_of,
    generator_of,
    make_gail_agent,
)
from chainertrpo.agents.presets.settings import (
    ALGORITHMS,
    DEFAULT_PPO_PRESET,
    DEFAULT_PRESET,
    PARTS,
    PRESETS,
    check_keys,
    describe_presets,
    make_agent,
    settings_of,
)

__all__ = [
    "ALGORITHMS",
    "DEFAULT_PPO_PRESET",
    "DEFAULT_PRESET",
    "GAIL_PRESETS",
    "PARTS",
    "PRESETS",
    "changes_of",
    "check_keys",
    "describe_presets",
    "generator_of",
    "make_agent",
    "make_gail_agent",
    "settings_of",
]
