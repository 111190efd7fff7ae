"""`cupy.ndarray`: device memory is the NumPy array behind it, which no caller can reach.

It is not a `numpy.ndarray`, is refused by NumPy's functions as CuPy's own is, and says so
in the same words.  Each way of bringing values to the host is counted as a wait.
"""

import functools
import warnings

import numpy
from cupy import _sim

IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


def unsupported(x):
    """The TypeError of Cython's ``_ndarray_base`` arguments."""
    return TypeError(
        "Argument has incorrect type (expected cupy._core.core._ndarray_base, got "
        f"{type(x).__module__}.{type(x).__name__})"
    )


def checked_dtype(dtype):
    """A dtype that a GPU can hold."""
    dtype = numpy.dtype(float if dtype is None else dtype)
    if dtype.kind not in "?biufc" or dtype in (numpy.longdouble, numpy.clongdouble):
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def wrap(host):
    """A `cupy.ndarray` around a NumPy array, whose memory it shares."""
    array = object.__new__(ndarray)
    host = numpy.asarray(host)
    object.__setattr__(array, "_host", host)
    object.__setattr__(array, "_base", None)
    return array


def upload(host, dtype=None, order="K"):
    """A copy of a host array on the device."""
    host = numpy.asarray(host)
    dtype = checked_dtype(host.dtype if dtype is None else dtype)
    _sim.copied("h2d", host.nbytes)
    return wrap(numpy.array(host, dtype, order="C" if order is None else order))


def host_index(key):
    """An index for the NumPy array: device arrays, host arrays and lists are all taken."""
    if isinstance(key, tuple):
        return tuple(host_index(k) for k in key)
    if isinstance(key, ndarray):
        if key.dtype.kind == "b":
            _sim.sync("boolean mask")  # the size of the result is needed on the host
        return key._host
    if isinstance(key, (list, numpy.ndarray)):
        array = numpy.asarray(key)
        if array.dtype.kind not in "biu" and array.size:
            raise IndexError(
                "arrays used as indices must be of integer or boolean type"
            )
        _sim.copied("h2d", array.nbytes)
        return (
            array.astype(int) if not array.size and array.dtype.kind == "f" else array
        )
    if isinstance(key, slice):
        for part in (key.start, key.stop, key.step):
            if isinstance(part, ndarray):
                raise TypeError(
                    "slice indices must be integers or None or have an __index__ method"
                )
        return key
    return key


def _is_basic(key):
    keys = key if isinstance(key, tuple) else (key,)
    return not any(isinstance(k, (ndarray, numpy.ndarray, list)) for k in keys)


def _use_rop(x, y):
    handled = object()
    found = getattr(y, "__array_ufunc__", handled)
    if found is not handled:
        return found is None
    return getattr(y, "__array_priority__", 0) > 100


def _binary(name, reflected=False):
    def method(self, other):
        from cupy._ufunc import UFUNCS

        if _use_rop(self, other):
            return NotImplemented
        pair = (other, self) if reflected else (self, other)
        return UFUNCS[name](*pair)

    return method


def _inplace(name):
    def method(self, other):
        from cupy._ufunc import UFUNCS

        return UFUNCS[name](self, other, self)

    return method


def _compared(name):
    def method(self, other):
        from cupy._ufunc import UFUNCS

        if not isinstance(other, ndarray):
            if _use_rop(self, other):
                return NotImplemented
            if isinstance(other, numpy.ndarray) and other.ndim == 0:
                other = other.item()
            if name in ("equal", "not_equal") and (
                other is None or type(other).__eq__ is object.__eq__
            ):
                return wrap(numpy.full(self.shape, name != "equal"))
        return UFUNCS[name](self, other)

    return method


def _unary(name):
    def method(self):
        from cupy._ufunc import UFUNCS

        return UFUNCS[name](self)

    return method


class Flags:
    """Memory layout, by attribute or by name."""

    def __init__(self, host, own):
        self.c_contiguous = host.flags.c_contiguous
        self.f_contiguous = host.flags.f_contiguous
        self.owndata = own
        self.fnc = self.f_contiguous and not self.c_contiguous
        self.forc = self.f_contiguous or self.c_contiguous

    def __getitem__(self, name):
        return getattr(self, name.lower())


class ndarray:
    """An array on the (pretended) device; see `cupy.ndarray`."""

    __module__ = "cupy"
    __slots__ = ("_host", "_base", "__weakref__")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        if memptr is not None or strides is not None:
            raise NotImplementedError("the stand-in has no raw memory")
        self._host = numpy.empty(shape, checked_dtype(dtype), order)
        self._base = None

    # What it is

    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    base = property(lambda self: self._base)
    flags = property(lambda self: Flags(self._host, self._base is None))
    T = property(lambda self: self.transpose())

    @property
    def shape(self):
        return self._host.shape

    @shape.setter
    def shape(self, shape):
        self._host.shape = shape

    @property
    def device(self):
        from cupy.cuda import Device

        return Device(0)

    @property
    def data(self):
        from cupy.cuda.memory import MemoryPointer

        return MemoryPointer(self._host.ctypes.data, self)

    @property
    def real(self):
        return self if self.dtype.kind != "c" else self._view(self._host.real)

    @property
    def imag(self):
        return self._view(self._host.imag)

    # To the host

    def __array__(self, dtype=None, copy=None):
        raise TypeError(IMPLICIT)

    def get(self, stream=None, order="C", out=None, blocking=True):
        _sim.sync("get")
        _sim.copied("d2h", self.nbytes)
        if out is None:
            return numpy.array(self._host, order=order)
        if not isinstance(out, numpy.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if out.dtype != self.dtype or out.shape != self.shape:
            raise ValueError("Shape or dtype mismatch.")
        out[...] = self._host
        return out

    def _scalar(self, what):
        _sim.sync(what)
        _sim.copied("d2h", self.nbytes)
        return self._host

    def item(self):
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._scalar("item").item()

    def tolist(self):
        return self._scalar("tolist").tolist()

    def tobytes(self, order="C"):
        return self._scalar("tobytes").tobytes(order)

    def _one(self, what, kind):
        if self.size != 1:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        return kind(self._scalar(what).item())

    def __float__(self):
        return self._one("float", float)

    def __int__(self):
        return self._one("int", int)

    def __complex__(self):
        return self._one("complex", complex)

    def __bool__(self):
        if self.size == 0:
            warnings.warn(
                "The truth value of an empty array is ambiguous.",
                DeprecationWarning,
                stacklevel=2,
            )
            return False
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. "
                "Use a.any() or a.all()"
            )
        return bool(self._scalar("bool").item())

    def __repr__(self):
        return repr(self._scalar("repr"))

    def __str__(self):
        return str(self._scalar("str"))

    def __format__(self, spec):
        _sim.sync("format")
        return format(self._host.item() if self.ndim == 0 else self._host, spec)

    def __reduce__(self):
        return _rebuilt, (self.get(),)

    # From the host

    def set(self, arr, stream=None):
        if not isinstance(arr, numpy.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(
                f"Shape mismatch. Old shape: {self.shape}, new: {arr.shape}"
            )
        _sim.copied("h2d", arr.nbytes)
        self._host[...] = arr

    def fill(self, value):
        if isinstance(value, numpy.ndarray):
            if value.shape != ():
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            value = value.item()
        elif isinstance(value, ndarray):
            if value.ndim:
                raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
            value = value._host
        elif not isinstance(value, (bool, int, float, complex, numpy.generic)):
            raise TypeError(f"Unsupported type {type(value)}")
        _sim.launch("fill")
        self._host.fill(value)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        import cupy
        from cupy._ufunc import SCALARS

        every = inputs
        if "out" in kwargs:
            out = kwargs["out"]
            if len(out) != 1:
                raise ValueError(
                    "The 'out' parameter must have exactly one array value"
                )
            every, kwargs["out"] = every + out, out[0]
        found = getattr(cupy, ufunc.__name__, None)
        if found is not None and method != "__call__":
            found = getattr(found, method, None)
        if found is None:
            return NotImplemented
        if not all(isinstance(x, (ndarray, numpy.ndarray, *SCALARS)) for x in every):
            return NotImplemented
        return found(*inputs, **kwargs)

    def __array_function__(self, func, types, args, kwargs):
        import cupy

        try:
            path = func.__module__.split(".")[1:]
            found = getattr(functools.reduce(getattr, path, cupy), func.__name__)
        except AttributeError:
            return NotImplemented
        if found is func or any(t not in (ndarray, numpy.ndarray) for t in types):
            return NotImplemented
        return found(*args, **kwargs)

    # Indices

    def _view(self, host):
        view = wrap(host)
        view._base = self if self._base is None else self._base
        return view

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        index = host_index(key)
        if _is_basic(key):
            return self._view(numpy.asarray(self._host[index]))
        _sim.launch("getitem (advanced)")
        return wrap(numpy.array(self._host[index]))

    def __setitem__(self, key, value):
        index = host_index(key)
        if _is_basic(key):
            if not isinstance(value, ndarray):
                # A host array is refused here, unless it has no dimension.
                target = self._host[index]
                if not isinstance(target, numpy.ndarray):
                    wrap(self._host)._fill_at(index, value)
                else:
                    wrap(target).fill(value)
                return
            _sim.launch("copy")
            target = self._host[index]
            numpy.broadcast_to(value._host, numpy.shape(target))
            self._host[index] = value._host
            return
        _sim.launch("setitem (advanced)")
        if isinstance(value, ndarray):
            value = value._host
        else:  # scalars; CuPy takes host arrays and lists here and sends them
            if isinstance(value, (list, numpy.ndarray)):
                _sim.copied("h2d", numpy.asarray(value).nbytes)
        self._host[index] = value

    def _fill_at(self, index, value):
        one = wrap(numpy.empty((), self.dtype))
        one.fill(value)
        self._host[index] = one._host

    def scatter_add(self, slices, value):
        warnings.warn(
            "`ndarray.scatter_add` is deprecated. Please use `cupy.add.at` instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        _sim.launch("scatter_add")
        value = value._host if isinstance(value, ndarray) else value
        numpy.add.at(self._host, host_index(slices), value)

    # Shapes

    def reshape(self, *shape, order="C"):
        shape = shape[0] if len(shape) == 1 and not numpy.isscalar(shape[0]) else shape
        found = self._host.reshape(shape, order=order)
        if numpy.shares_memory(found, self._host) or not found.size:
            return self._view(found)
        _sim.launch("copy")
        return wrap(found)

    def ravel(self, order="C"):
        return self.reshape(-1, order=order)

    def flatten(self, order="C"):
        _sim.launch("copy")
        return wrap(self._host.flatten(order))

    def transpose(self, *axes):
        return self._view(self._host.transpose(*axes))

    def swapaxes(self, axis1, axis2):
        return self._view(self._host.swapaxes(axis1, axis2))

    def squeeze(self, axis=None):
        return self._view(self._host.squeeze(axis))

    def diagonal(self, offset=0, axis1=0, axis2=1):
        return self._view(self._host.diagonal(offset, axis1, axis2))

    def view(self, dtype=None):
        return self._view(self._host if dtype is None else self._host.view(dtype))

    def repeat(self, repeats, axis=None):
        _sim.launch("repeat")
        return wrap(self._host.repeat(repeats, axis))

    def take(self, indices, axis=None, out=None):
        from cupy._functions import into

        _sim.launch("take")
        indices = host_index(indices)
        return into(out, numpy.take(self._host, indices, axis, mode="wrap"))

    def copy(self, order="C"):
        _sim.launch("copy")
        return wrap(numpy.array(self._host, order=order))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        dtype = checked_dtype(dtype)
        if casting is not None and not numpy.can_cast(self.dtype, dtype, casting):
            raise TypeError(
                f"Cannot cast array data from {self.dtype} to {dtype} according to the "
                f"rule '{casting}'"
            )
        if not copy and dtype == self.dtype:
            return self
        _sim.launch("astype")
        with numpy.errstate(all="ignore"):
            return wrap(self._host.astype(dtype, order))

    # Reductions: each gives an array on the device, also of no dimension

    def _reduced(self, name, out, **options):
        from cupy._functions import into

        _sim.launch(name, {"var": 3, "std": 4}.get(name, 1))
        options = {k: v for k, v in options.items() if v is not None}
        with numpy.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return into(out, getattr(numpy, name)(self._host, **options))

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        return self._reduced("sum", out, axis=axis, dtype=dtype, keepdims=keepdims)

    def prod(self, axis=None, dtype=None, out=None, keepdims=None):
        return self._reduced("prod", out, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis=None, dtype=None, out=None, keepdims=False):
        return self._reduced("mean", out, axis=axis, dtype=dtype, keepdims=keepdims)

    def var(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
        options = {"axis": axis, "dtype": dtype, "ddof": ddof, "keepdims": keepdims}
        return self._reduced("var", out, **options)

    def std(self, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
        options = {"axis": axis, "dtype": dtype, "ddof": ddof, "keepdims": keepdims}
        return self._reduced("std", out, **options)

    def max(self, axis=None, out=None, keepdims=False):
        return self._reduced("amax", out, axis=axis, keepdims=keepdims)

    def min(self, axis=None, out=None, keepdims=False):
        return self._reduced("amin", out, axis=axis, keepdims=keepdims)

    def argmax(self, axis=None, out=None, dtype=None, keepdims=False):
        found = self._reduced("argmax", out, axis=axis, keepdims=keepdims)
        return found if dtype is None else found.astype(dtype)

    def argmin(self, axis=None, out=None, dtype=None, keepdims=False):
        found = self._reduced("argmin", out, axis=axis, keepdims=keepdims)
        return found if dtype is None else found.astype(dtype)

    def any(self, axis=None, out=None, keepdims=False):
        return self._reduced("any", out, axis=axis, keepdims=keepdims)

    def all(self, axis=None, out=None, keepdims=False):
        return self._reduced("all", out, axis=axis, keepdims=keepdims)

    def cumsum(self, axis=None, dtype=None, out=None):
        return self._reduced("cumsum", out, axis=axis, dtype=dtype)

    def cumprod(self, axis=None, dtype=None, out=None):
        return self._reduced("cumprod", out, axis=axis, dtype=dtype)

    # The rest

    def clip(self, min=None, max=None, out=None):
        from cupy._functions import clip

        return clip(self, min, max, out)

    def round(self, decimals=0, out=None):
        from cupy._functions import into

        _sim.launch("round")
        return into(out, self._host.round(decimals))

    def conj(self):
        return self if self.dtype.kind != "c" else wrap(self._host.conj())

    conjugate = conj

    def sort(self, axis=-1, *, kind=None):
        _sim.launch("sort")
        self._host.sort(axis)

    def argsort(self, axis=-1, *, kind=None):
        _sim.launch("argsort")
        return wrap(self._host.argsort(axis, kind="stable"))

    def nonzero(self):
        _sim.launch("nonzero")
        _sim.sync("nonzero")
        return tuple(wrap(i) for i in self._host.nonzero())

    def dot(self, b, out=None):
        if not isinstance(b, ndarray):
            raise unsupported(b)
        if out is not None:
            if not isinstance(out, ndarray):
                raise unsupported(out)
            if numpy.result_type(self.dtype, b.dtype) != out.dtype:
                raise ValueError("Not supported dtype combination.")
            if not out._host.flags.c_contiguous:
                raise ValueError("Output array must be C-contiguous")
        if self.ndim and b.ndim and self.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
            raise ValueError("Axis dimension mismatch")
        _sim.launch("dot")
        with numpy.errstate(all="ignore"):
            found = numpy.asarray(numpy.dot(self._host, b._host))
        if out is None:
            return wrap(found)
        if found.size != out.size:
            raise ValueError("Output array has an invalid size")
        out._host[...] = found.reshape(out.shape)
        return out

    def __matmul__(self, other):
        from cupy._functions import matmul

        return NotImplemented if _use_rop(self, other) else matmul(self, other)

    def __rmatmul__(self, other):
        from cupy._functions import matmul

        return matmul(other, self)

    def __pow__(self, other, modulo=None):
        return _binary("power")(self, other)

    def __divmod__(self, other):
        return _binary("divmod")(self, other)

    __neg__, __pos__ = _unary("negative"), _unary("positive")
    __abs__, __invert__ = _unary("absolute"), _unary("invert")
    __lt__, __le__ = _compared("less"), _compared("less_equal")
    __gt__, __ge__ = _compared("greater"), _compared("greater_equal")
    __eq__, __ne__ = _compared("equal"), _compared("not_equal")


for _short, _name in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}.items():
    if _short != "pow":
        setattr(ndarray, f"__{_short}__", _binary(_name))
    setattr(ndarray, f"__r{_short}__", _binary(_name, reflected=True))
    setattr(ndarray, f"__i{_short}__", _inplace(_name))
del _short, _name


def _rebuilt(host):
    return upload(host)
