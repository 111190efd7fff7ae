"""A stand-in for CuPy, for tests on a machine without a GPU: CuPy's rules on NumPy.

It refuses what CuPy refuses: implicit conversion to NumPy, mixing host and device arrays,
keywords and names that CuPy lacks.  Reductions give device arrays of no dimension; kernels
given as C++ text are compiled for the host.  Beyond CuPy it counts: `sim_counts`,
`sim_syncs`, `sim_reset`, `sim_trace`, `sim_where` (see ``_sim.py``).

It has the part of CuPy that Chainer's dense functions, links and optimisers use.  It says
nothing about speed, cuRAND's numbers, memory, several streams, the order of a GPU's sums,
undefined order of duplicate indices, or indices out of bounds (an error here, wrapped
around there).  On NumPy 1 it has the types of CuPy 13, on NumPy 2 those of CuPy 14.
Put its folder first on ``PYTHONPATH``.
"""

import numpy as _numpy

__version__ = "13.6.0" if _numpy.__version__.startswith("1.") else "14.2.0"

from cupy import _functions, cuda, linalg, random, testing
from cupy._array import ndarray
from cupy._kernel import ElementwiseKernel, ReductionKernel, fuse
from cupy._sim import sim_counts, sim_reset, sim_syncs, sim_trace, sim_where
from cupy._ufunc import UFUNCS as _UFUNCS
from cupy._ufunc import ufunc
from cupy._util import clear_memo, memoize
from cupy.cuda.memory import MemoryPool as _MemoryPool
from cupy.cuda.memory import PinnedMemoryPool as _PinnedMemoryPool

for _name in _functions.PUBLIC:
    globals()[_name] = getattr(_functions, _name)
globals().update(_UFUNCS)

bool_, dtype, finfo, iinfo = _numpy.bool_, _numpy.dtype, _numpy.finfo, _numpy.iinfo
int8, int16, int32, int64 = _numpy.int8, _numpy.int16, _numpy.int32, _numpy.int64
uint8, uint16, uint32 = _numpy.uint8, _numpy.uint16, _numpy.uint32
uint64, intp = _numpy.uint64, _numpy.intp
float16, float32, float64 = _numpy.float16, _numpy.float32, _numpy.float64
complex64, complex128 = _numpy.complex64, _numpy.complex128
generic, number, integer = _numpy.generic, _numpy.number, _numpy.integer
floating, inexact = _numpy.floating, _numpy.inexact
inf, nan, pi, e, newaxis = _numpy.inf, _numpy.nan, _numpy.pi, _numpy.e, None
promote_types, can_cast = _numpy.promote_types, _numpy.can_cast
issubdtype, broadcast_shapes = _numpy.issubdtype, _numpy.broadcast_shapes

_pool, _pinned = _MemoryPool(), _PinnedMemoryPool()


def get_default_memory_pool():
    """The pool of device memory."""
    return _pool


def get_default_pinned_memory_pool():
    """The pool of pinned memory."""
    return _pinned


def is_available():
    """Whether there is a device."""
    return cuda.is_available()
