"""`cupy.linalg`: results stay on the device; solvers wait to see whether they worked."""

import numpy as _numpy
from cupy import _sim
from cupy._array import ndarray as _ndarray
from cupy._array import wrap as _wrap
from cupy._functions import need as _need


def norm(x, ord=None, axis=None, keepdims=False):
    if not isinstance(x, _ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    _sim.launch("norm", 3)  # a square, a sum and a root
    with _numpy.errstate(all="ignore"):
        return _wrap(_numpy.linalg.norm(x._host, ord, axis, keepdims))


def _solver(name, waits=True, launches=3):
    function = getattr(_numpy.linalg, name)

    def call(*args, **kwargs):
        arrays = [a for a in args if not _numpy.isscalar(a)]
        _need(*arrays)
        _sim.launch(name, launches)
        if waits:
            _sim.sync(f"linalg.{name}")
        found = function(*[getattr(a, "_host", a) for a in args], **kwargs)
        return tuple(map(_wrap, found)) if isinstance(found, tuple) else _wrap(found)

    call.__name__ = name
    return call


LinAlgError = _numpy.linalg.LinAlgError
solve, inv, cholesky = _solver("solve"), _solver("inv"), _solver("cholesky")
eigh, eigvalsh, svd = _solver("eigh"), _solver("eigvalsh"), _solver("svd")
qr, det, slogdet = _solver("qr"), _solver("det"), _solver("slogdet")
pinv, matrix_rank = _solver("pinv"), _solver("matrix_rank")
matrix_power = _solver("matrix_power", waits=False)


def lstsq(a, b, rcond="warn"):
    _sim.sync("linalg.lstsq")
    _sim.launch("lstsq", 6)
    rcond = None if rcond == "warn" else rcond
    x, residuals, rank, s = _numpy.linalg.lstsq(*_need(a, b), rcond=rcond)
    return _wrap(x), _wrap(residuals), rank, _wrap(s)
