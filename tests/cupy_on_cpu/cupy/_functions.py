"""The functions of `cupy` that are not element-wise, with CuPy's own arguments.

A keyword that CuPy lacks is missing here too: ``sum(where=)``, ``take(mode=)``,
``norm`` of a host array and so on.  Functions that call a method of their argument in CuPy
(``cupy.sum(a)`` is ``a.sum()``) do so here.
"""

import functools

import numpy
from cupy import _sim
from cupy._array import checked_dtype, host_index, ndarray, unsupported, upload, wrap
from cupy._ufunc import SCALARS, host, ufunc


def into(out, result):
    """`result` as a new array, or written into ``out=``."""
    result = numpy.asarray(result)
    if out is None:
        return wrap(result)
    if not isinstance(out, ndarray):
        raise TypeError("output must be a cupy.ndarray")
    if out.shape != result.shape:
        raise ValueError(f"output shape {out.shape} is not {result.shape}")
    if not numpy.can_cast(result.dtype, out.dtype, "same_kind"):
        raise TypeError(f"cannot cast {result.dtype} to {out.dtype}")
    out._host[...] = result
    return out


def need(*arrays):
    """The NumPy arrays behind device arrays; anything else is a TypeError."""
    for a in arrays:
        if not isinstance(a, ndarray):
            raise unsupported(a)
    return [a._host for a in arrays]


# Making arrays


def array(
    obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False
):
    if subok:
        raise NotImplementedError
    if isinstance(obj, ndarray):
        made = obj.astype(obj.dtype if dtype is None else dtype, copy=bool(copy))
    elif isinstance(obj, (list, tuple)) and _holds_device_arrays(obj):
        made = stack([array(x, dtype) for x in obj])
    else:
        made = upload(obj, dtype, order)
    if made.ndim < ndmin:
        made = made.reshape((1,) * (ndmin - made.ndim) + made.shape)
    return made


def _holds_device_arrays(obj):
    return builtin_any(
        isinstance(x, ndarray)
        or (isinstance(x, (list, tuple)) and _holds_device_arrays(x))
        for x in obj
    )


def asarray(a, dtype=None, order=None, *, blocking=False):
    return array(a, dtype, copy=False, order=order)


asanyarray = asarray


def ascontiguousarray(a, dtype=None):
    (inner,) = need(a)
    if inner.flags.c_contiguous and dtype in (None, inner.dtype) and inner.ndim:
        return a
    _sim.launch("copy")
    return wrap(numpy.ascontiguousarray(inner, dtype))


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    if isinstance(a, ndarray):
        return a.get(stream=stream, order=order, out=out)
    return numpy.asarray(a, order=order)


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, dtype, order=order)


def full(shape, fill_value, dtype=None, order="C"):
    if dtype is None:
        if isinstance(fill_value, ndarray):
            dtype = fill_value.dtype
        else:
            dtype = numpy.array(fill_value).dtype
    made = ndarray(shape, dtype, order=order)
    copyto(made, fill_value, casting="unsafe")
    return made


def zeros(shape, dtype=float, order="C"):
    _sim.launch("memset")
    return wrap(numpy.zeros(shape, checked_dtype(dtype), order))


def ones(shape, dtype=float, order="C"):
    _sim.launch("fill")
    return wrap(numpy.ones(shape, checked_dtype(dtype), order))


def _like(a, dtype, shape):
    shape = a.shape if shape is None else shape
    return shape, (a.dtype if dtype is None else dtype)


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return empty(*_like(prototype, dtype, shape))


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    return zeros(*_like(a, dtype, shape))


def ones_like(a, dtype=None, order="K", subok=None, shape=None):
    return ones(*_like(a, dtype, shape))


def full_like(a, fill_value, dtype=None, order="K", subok=None, shape=None):
    shape, dtype = _like(a, dtype, shape)
    return full(shape, fill_value, dtype)


def eye(N, M=None, k=0, dtype=float, order="C"):
    _sim.launch("memset")
    _sim.launch("eye")
    return wrap(numpy.eye(N, M, k, checked_dtype(dtype)))


def identity(n, dtype=float):
    return eye(n, dtype=dtype)


def arange(start, stop=None, step=1, dtype=None):
    for x in (start, stop, step):
        if isinstance(x, ndarray):
            raise TypeError("cupy.arange takes host scalars")
    _sim.launch("arange")
    args = (0, start, step) if stop is None else (start, stop, step)
    return wrap(numpy.arange(*args, dtype=dtype))


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    _sim.launch("linspace")
    found = numpy.linspace(host(start), host(stop), num, endpoint, retstep, dtype, axis)
    return (wrap(found[0]), found[1]) if retstep else wrap(found)


def meshgrid(*xi, **kwargs):
    return [wrap(x) for x in numpy.meshgrid(*need(*xi), **kwargs)]


def tri(N, M=None, k=0, dtype=float):
    _sim.launch("tri")
    return wrap(numpy.tri(N, M, k, dtype))


def tril(m, k=0):
    _sim.launch("tril")
    return wrap(numpy.tril(*need(m), k))


def diag(v, k=0):
    _sim.launch("diag")
    return wrap(numpy.diag(*need(v), k))


def copy(a, order="K"):
    return a.copy(order)


def copyto(dst, src, casting="same_kind", where=None):
    (target,) = need(dst)
    if isinstance(src, numpy.ndarray) and src.ndim:
        raise TypeError("copyto takes cupy.ndarray or a scalar, not numpy.ndarray")
    _sim.launch("copyto")
    source = src._host if isinstance(src, ndarray) else src
    numpy.copyto(target, source, casting, True if where is None else host(where))


# Shapes


def reshape(a, newshape, order="C"):
    return a.reshape(newshape, order=order)


def ravel(a, order="C"):
    return a.ravel(order)


def transpose(a, axes=None):
    return a.transpose(axes)


def swapaxes(a, axis1, axis2):
    return a.swapaxes(axis1, axis2)


def squeeze(a, axis=None):
    return a.squeeze(axis)


def _viewing(name):
    function = getattr(numpy, name)

    @functools.wraps(function)
    def call(a, *args, **kwargs):
        (inner,) = need(a)
        return a._view(function(inner, *args, **kwargs))

    return call


moveaxis, rollaxis = _viewing("moveaxis"), _viewing("rollaxis")
expand_dims, diagonal = _viewing("expand_dims"), _viewing("diagonal")


def flip(a, axis=None):
    return a._view(numpy.flip(*need(a), axis))


def fliplr(a):
    return a._view(numpy.fliplr(*need(a)))


def flipud(a):
    return a._view(numpy.flipud(*need(a)))


def broadcast_to(array, shape):
    (inner,) = need(array)
    return array._view(numpy.broadcast_to(inner, shape))


def broadcast_arrays(*args):
    return [wrap(x) for x in numpy.broadcast_arrays(*need(*args))]


def atleast_1d(*arys):
    made = [a if a.ndim else a.reshape(1) for a in arys]
    return made[0] if len(made) == 1 else made


def atleast_2d(*arys):
    made = [wrap(numpy.atleast_2d(*need(a))) for a in arys]
    return made[0] if len(made) == 1 else made


def _joined(tup):
    for a in tup:
        if not isinstance(a, ndarray):
            if isinstance(a, SCALARS):
                raise TypeError("Only cupy arrays can be concatenated")
            raise TypeError(f"Unsupported type {type(a)}")
    return [a._host for a in tup]


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    if axis is None:
        tup, axis = [a.ravel() for a in tup], 0
    hosts = _joined(tup)
    if not hosts:
        raise ValueError("Cannot concatenate from empty tuple")
    if builtin_any(h.ndim == 0 for h in hosts):
        raise TypeError("zero-dimensional arrays cannot be concatenated")
    same = len({h.dtype for h in hosts}) == 1
    small = numpy.sum([h.nbytes for h in hosts]) < 2 * 1024 * 1024 * len(hosts)
    if len(hosts) > 8 and same and small:  # one kernel, given a table of addresses
        _sim.launch("concatenate")
        _sim.copied("h2d", 8 * len(hosts))
    else:
        _sim.launch("concatenate", len(hosts))
    return into(out, numpy.concatenate(hosts, axis, dtype=dtype, casting=casting))


def stack(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    _joined(tup)
    tup = [expand_dims(x, axis) for x in tup]
    return concatenate(tup, axis, out, dtype=dtype, casting=casting)


def vstack(tup, *, dtype=None, casting="same_kind"):
    return concatenate([atleast_2d(m) for m in tup], 0, dtype=dtype, casting=casting)


def hstack(tup, *, dtype=None, casting="same_kind"):
    arrs = [atleast_1d(a) for a in tup]
    axis = 0 if arrs[0].ndim == 1 else 1
    return concatenate(arrs, axis, dtype=dtype, casting=casting)


def dstack(tup):
    _sim.launch("concatenate", len(tup))
    return wrap(numpy.dstack(_joined(tup)))


def split(ary, indices_or_sections, axis=0):
    if isinstance(indices_or_sections, ndarray):
        indices_or_sections = indices_or_sections.get()
    parts = numpy.split(*need(ary), indices_or_sections, axis)
    return [ary._view(part) for part in parts]


def tile(A, reps):
    _sim.launch("tile")
    return wrap(numpy.tile(*need(A), reps))


def repeat(a, repeats, axis=None):
    return a.repeat(repeats, axis)


def pad(array, pad_width, mode="constant", **kwargs):
    _sim.launch("pad", 2)
    return wrap(numpy.pad(*need(array), pad_width, mode, **kwargs))


# Reductions


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.sum(axis, dtype, out, keepdims)


def prod(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.prod(axis, dtype, out, keepdims)


def mean(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.mean(axis, dtype, out, keepdims)


def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    return a.var(axis=axis, dtype=dtype, out=out, ddof=ddof, keepdims=keepdims)


def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    return a.std(axis=axis, dtype=dtype, out=out, ddof=ddof, keepdims=keepdims)


def amax(a, axis=None, out=None, keepdims=False):
    return a.max(axis=axis, out=out, keepdims=keepdims)


def amin(a, axis=None, out=None, keepdims=False):
    return a.min(axis=axis, out=out, keepdims=keepdims)


max, min = amax, amin  # noqa: A001


def argmax(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.argmax(axis=axis, dtype=dtype, out=out, keepdims=keepdims)


def argmin(a, axis=None, dtype=None, out=None, keepdims=False):
    return a.argmin(axis=axis, dtype=dtype, out=out, keepdims=keepdims)


def any(a, axis=None, out=None, keepdims=False):  # noqa: A001
    need(a)
    return a.any(axis=axis, out=out, keepdims=keepdims)


def all(a, axis=None, out=None, keepdims=False):  # noqa: A001
    need(a)
    return a.all(axis=axis, out=out, keepdims=keepdims)


def cumsum(a, axis=None, dtype=None, out=None):
    return a.cumsum(axis, dtype, out)


def cumprod(a, axis=None, dtype=None, out=None):
    return a.cumprod(axis, dtype, out)


def count_nonzero(a, axis=None):
    _sim.launch("count_nonzero")
    return wrap(numpy.count_nonzero(*need(a), axis))


def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    if weights is not None or returned:
        raise NotImplementedError("only the plain mean is in the stand-in")
    return a.mean(axis=axis, keepdims=keepdims)


def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    _sim.launch("median", 3)
    return into(out, numpy.median(*need(a), axis, keepdims=keepdims))


# Choosing

_where_ufunc = ufunc("where", numpy.where)
_where_ufunc.nin = 3
_where_ufunc.nargs = 4


def where(condition, x=None, y=None):
    missing = (x is None) + (y is None)
    if missing == 1:
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if missing == 2:
        return nonzero(condition)
    return _where_ufunc(condition.astype("?", copy=False), x, y)


def nonzero(a):
    need(a)
    return a.nonzero()


def flatnonzero(a):
    return a.ravel().nonzero()[0]


def take(a, indices, axis=None, out=None):
    return a.take(indices, axis, out)


def choose(a, choices, out=None, mode="raise"):
    _sim.launch("choose")
    return into(out, numpy.choose(a._host, [host(c) for c in choices], mode=mode))


def clip(a, a_min, a_max, out=None):
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    _sim.launch("clip")
    lo, hi = (x if x is None else host(x) for x in (a_min, a_max))
    return into(out, numpy.clip(host(a), lo, hi))


def sort(a, axis=-1, kind=None):
    made = a.copy()
    made.sort(axis)
    return made


def argsort(a, axis=-1, kind=None):
    return a.argsort(axis)


def unique(
    ar,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    *,
    equal_nan=True,
):
    _sim.launch("unique", 4)
    _sim.sync("unique")
    found = numpy.unique(*need(ar), return_index, return_inverse, return_counts, axis)
    return tuple(map(wrap, found)) if isinstance(found, tuple) else wrap(found)


def bincount(x, weights=None, minlength=None):
    _sim.launch("bincount", 2)
    _sim.sync("bincount")
    weights = None if weights is None else weights._host
    return wrap(numpy.bincount(*need(x), weights, minlength or 0))


def fill_diagonal(a, val, wrap=False):
    _sim.launch("fill_diagonal")
    numpy.fill_diagonal(*need(a), host(val), wrap)


# Products


def dot(a, b, out=None):
    return a.dot(b, out)


def matmul(x1, x2, out=None):
    for x in (x1, x2):
        if not isinstance(x, ndarray):
            raise TypeError(f"Unsupported type {type(x)}")
    _sim.launch("matmul")
    with numpy.errstate(all="ignore"):
        return into(out, numpy.matmul(x1._host, x2._host))


def vdot(a, b):
    _sim.launch("dot")
    return wrap(numpy.vdot(*need(a, b)))


def inner(a, b):
    _sim.launch("dot")
    return wrap(numpy.inner(*need(a, b)))


def outer(a, b, out=None):
    _sim.launch("dot")
    return into(out, numpy.outer(*need(a, b)))


def tensordot(a, b, axes=2):
    _sim.launch("dot")
    return wrap(numpy.tensordot(*need(a, b), axes))


def einsum(*operands, **kwargs):
    _sim.launch("einsum", 2)
    out = kwargs.pop("out", None)
    text, *arrays = operands
    return into(out, numpy.einsum(text, *need(*arrays), **kwargs))


# Comparisons of whole arrays: on the device, so of no dimension


def isclose(a, b, rtol=1.0e-5, atol=1.0e-8, equal_nan=False):
    _sim.launch("isclose")
    with numpy.errstate(all="ignore"):
        return wrap(numpy.isclose(host(a), host(b), rtol, atol, equal_nan))


def allclose(a, b, rtol=1.0e-5, atol=1.0e-8, equal_nan=False):
    return isclose(a, b, rtol, atol, equal_nan).all()


def array_equal(a1, a2, equal_nan=False):
    if a1.shape != a2.shape:
        return wrap(numpy.array(False))
    return (a1 == a2).all()


def diff(a, n=1, axis=-1, prepend=None, append=None):
    _sim.launch("diff")
    return wrap(numpy.diff(*need(a), n, axis))


def round(a, decimals=0, out=None):  # noqa: A001
    return a.round(decimals, out=out)


def shape(a):
    return a.shape if isinstance(a, ndarray) else numpy.shape(a)


def ndim(a):
    return a.ndim if isinstance(a, ndarray) else numpy.ndim(a)


def size(a, axis=None):
    (inner,) = need(a)
    return inner.size if axis is None else inner.shape[axis]


def isscalar(element):
    return numpy.isscalar(element)


def result_type(*arrays_and_dtypes):
    return numpy.result_type(
        *[x.dtype if isinstance(x, ndarray) else x for x in arrays_and_dtypes]
    )


def get_array_module(*args):
    import cupy

    return cupy if builtin_any(isinstance(a, ndarray) for a in args) else numpy


def scatter_add(a, slices, value):
    """`cupyx.scatter_add`; not a name of `cupy`."""
    _sim.launch("scatter_add")
    numpy.add.at(*need(a), host_index(slices), host(value))


def builtin_any(items):
    for item in items:
        if item:
            return True
    return False


PUBLIC = sorted(
    name
    for name, value in dict(globals()).items()
    if callable(value)
    and not name.startswith("_")
    and getattr(value, "__module__", "") in (__name__, "numpy")
    and name not in ("into", "need", "scatter_add", "builtin_any", "host_index", "host")
    and name not in ("checked_dtype", "unsupported", "upload", "wrap", "ufunc")
)
