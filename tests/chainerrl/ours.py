"""A plugin: ChainerRL's own tests find our TRPO and PPO where its own would be."""

import chainertrpo

import chainerrl
import chainerrl_parts  # noqa: F401  (ChainerRL, made importable)

chainerrl.agents.TRPO = chainertrpo.TRPO
chainerrl.agents.PPO = chainertrpo.PPO
