"""ChainerRL's TRPO."""

import chainertrpo
from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.agents._ported import Ported

__getattr__ = refusals(__name__)


class TRPO(Ported, chainertrpo.TRPO):
    """`chainertrpo.TRPO`, whose `load` reads ChainerRL's folders too."""
