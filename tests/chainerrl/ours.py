"""A plugin: ChainerRL's own tests find our TRPO and PPO where its own would be."""

import chainertrpo

from chainerrl_parts import chainerrl

chainerrl.agents.TRPO = chainertrpo.TRPO
chainerrl.agents.PPO = chainertrpo.PPO


def pytest_collection_modifyitems(config, items):
    """Leave out recurrent policies, which test_chainerrl_recurrent has."""
    out = [item for item in items if "recurrent=True" in item.nodeid]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]
