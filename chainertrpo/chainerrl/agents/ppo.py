"""ChainerRL's PPO."""

import chainertrpo
from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.agents._ported import Ported

__getattr__ = refusals(__name__)


class PPO(Ported, chainertrpo.PPO):
    """`chainertrpo.PPO`, whose `load` reads ChainerRL's folders too."""
