"""Hooks of optimisers; the optimisers are Chainer's."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.optimizers import nonbias_weight_decay
from chainertrpo.chainerrl.optimizers.nonbias_weight_decay import NonbiasWeightDecay

__getattr__ = refusals(__name__)

__all__ = ["NonbiasWeightDecay", "nonbias_weight_decay"]
