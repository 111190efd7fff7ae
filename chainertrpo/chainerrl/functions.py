"""The function of ChainerRL that policies use."""

from chainertrpo.chainerrl._gone import refusals

import chainer
import chainer.functions as F

__getattr__ = refusals(__name__)


def bound_by_tanh(x, low, high):
    """Return c + h·tanh(x), which cannot leave [low, high] = [c − h, c + h].

    Parameters
    ----------
    x : Variable, shape (N, A)
        Any numbers.
    low, high : array, shape (A,)
        The bounds.

    Returns
    -------
    Variable, shape (N, A)
        Inside the bounds.
    """
    device = chainer.backend.get_device_from_array(x.array)
    low, high = (device.send(bound).astype(x.dtype) for bound in (low, high))
    return F.tanh(x) * ((high - low) / 2) + (high + low) / 2


__all__ = ["bound_by_tanh"]
