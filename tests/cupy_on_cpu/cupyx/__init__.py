"""`cupyx` of the stand-in: `scatter_add`, `rsqrt`, `errstate`."""

import contextlib

from cupy import _sim
from cupy._array import wrap
from cupy._functions import scatter_add
from cupy._ufunc import host


def rsqrt(x):
    _sim.launch("rsqrt")
    inner = host(x)
    return wrap((1 / inner**0.5).astype(inner.dtype))


@contextlib.contextmanager
def errstate(
    *, divide=None, over=None, under=None, invalid=None, linalg=None, fallback_mode=None
):
    yield


__all__ = ["errstate", "rsqrt", "scatter_add"]
