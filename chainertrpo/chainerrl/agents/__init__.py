"""TRPO and PPO: this project's, which read ChainerRL's folders too."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.agents import a3c, ppo, trpo
from chainertrpo.chainerrl.agents.ppo import PPO
from chainertrpo.chainerrl.agents.trpo import TRPO

__getattr__ = refusals(__name__)

__all__ = ["PPO", "TRPO", "a3c", "ppo", "trpo"]
