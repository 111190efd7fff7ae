"""CuPy's kernels from C++ text, compiled for the host by g++ and called through ctypes.

`ElementwiseKernel` and `ReductionKernel` take the text that CuPy would give to NVRTC, work
out the types by CuPy's rules and run the loop over all elements.  A mistake in the text
(syntax, an undeclared name, a type that does not match) therefore shows here.  Libraries
are kept in a folder of temporary files, by the hash of their source.
"""

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile

import numpy
from cupy import _sim
from cupy._array import ndarray, wrap
from cupy._ufunc import SCALARS

C_TYPES = {
    "bool": "bool",
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
    "float16": "_Float16",
    "float32": "float",
    "float64": "double",
}
PRELUDE = r"""
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <algorithm>
#define __device__
#define __forceinline__ inline
#define __restrict__
#define CUDART_INF (std::numeric_limits<double>::infinity())
#include <type_traits>
using std::isnan; using std::isinf; using std::isfinite;
typedef _Float16 float16;
static inline float16 exp(float16 x) { return (float16)std::exp((float)x); }
static inline float16 log(float16 x) { return (float16)std::log((float)x); }
static inline float16 sqrt(float16 x) { return (float16)std::sqrt((float)x); }
static inline float16 tanh(float16 x) { return (float16)std::tanh((float)x); }
static inline float16 abs(float16 x) { return x < (float16)0 ? -x : x; }
static inline float rsqrt(float x) { return 1.f / std::sqrt(x); }
static inline double rsqrt(double x) { return 1. / std::sqrt(x); }
template <typename A, typename B>
static inline typename std::common_type<A, B>::type min(A a, B b) {
  typedef typename std::common_type<A, B>::type T; return (T)b < (T)a ? (T)b : (T)a; }
template <typename A, typename B>
static inline typename std::common_type<A, B>::type max(A a, B b) {
  typedef typename std::common_type<A, B>::type T; return (T)a < (T)b ? (T)b : (T)a; }
using std::exp; using std::log; using std::sqrt; using std::tanh; using std::pow;
using std::abs; using std::fabs; using std::floor; using std::ceil; using std::copysign;
template <typename T, typename V>
static inline T atomicAdd(T* where, V value) { T old = *where; *where += (T)value; return old; }
template <typename T> struct Raw {  // CArray: by number of the element, or an index each axis
  T* data; const ptrdiff_t* shape; int ndim; ptrdiff_t count;
  ptrdiff_t size() const { return count; }
  T& operator[](ptrdiff_t i) const { return data[i]; }
  template <typename I, int N> T& operator[](const I (&index)[N]) const {
    ptrdiff_t at = 0;
    for (int k = 0; k < N; ++k) at = at * shape[k] + (ptrdiff_t)index[k];
    return data[at]; }
};
struct Loop { ptrdiff_t n; ptrdiff_t size() const { return n; } };
"""


def _place():
    folder = os.path.join(tempfile.gettempdir(), f"cupy-sim-kernels-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


@functools.lru_cache(maxsize=None)
def _compiled(source):
    name = os.path.join(_place(), hashlib.sha256(source.encode()).hexdigest()[:24])
    if not os.path.exists(name + ".so"):
        work = f"{name}.{os.getpid()}"
        with open(work + ".cpp", "w") as f:
            f.write(source)
        command = ["g++", "-std=gnu++17", "-O1", "-fPIC", "-shared", "-w"]
        done = subprocess.run(
            [*command, "-o", work + ".so", work + ".cpp"],
            capture_output=True,
            text=True,
        )
        os.unlink(work + ".cpp")
        if done.returncode:
            raise RuntimeError(f"kernel does not compile:\n{done.stderr}\n{source}")
        os.replace(work + ".so", name + ".so")
    return ctypes.CDLL(name + ".so").run


class Parameter:
    """One of ``'raw T x, float32 y'``."""

    def __init__(self, text):
        words = text.split()
        self.raw = "raw" in words[:-2]
        if "_non_atomic" in words[:-2] or len(words) < 2:
            raise ValueError(f"Syntax error in parameter {text!r}")
        self.type, self.name = words[-2], words[-1]
        try:
            self.dtype = None if len(self.type) == 1 else numpy.dtype(self.type)
        except TypeError:
            raise TypeError(f"invalid type {self.type!r}") from None
        if self.name in ("n", "i") or self.name.startswith("_"):
            raise ValueError(f"Parameter name {self.name!r} is not allowed")


def _parameters(text):
    return [Parameter(part) for part in text.split(",") if part.strip()]


def _types(ins, outs, in_args, out_args):
    """Placeholders -> dtypes, by the arrays among the arguments; scalars say nothing."""
    found = {}

    def learn(p, dtype):
        if p.dtype is not None:
            if p.dtype != dtype:
                raise TypeError(f"Type is mismatched. {p.name} {dtype} {p.dtype}")
        elif found.setdefault(p.type, dtype) != dtype:
            raise TypeError(f"Type is mismatched. {p.name} {dtype} {found[p.type]}")

    for p, a in zip(outs, out_args):
        learn(p, a.dtype)
    for p, a in zip(ins, in_args):
        if isinstance(a, ndarray):
            learn(p, a.dtype)
    for p in [*ins, *outs]:
        if p.dtype is None and p.type not in found:
            raise TypeError(f"Cannot determine the type of {p.type} from scalars only")
    return found, lambda p: p.dtype if p.dtype is not None else found[p.type]


def _check(args):
    for a in args:
        if not isinstance(a, (ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(a)}")


def _typedefs(found):
    return "\n".join(
        f"typedef {C_TYPES[d.name]} {t};" for t, d in sorted(found.items())
    )


def _raw_setup(p, k):
    t = p.c_type
    return (
        f"const ptrdiff_t* {p.name}_s = (const ptrdiff_t*)a[{k + 1}];\n"
        f"Raw<{t}> {p.name} = {{({t}*)a[{k}], {p.name}_s + 2, (int){p.name}_s[0], "
        f"{p.name}_s[1]}};"
    )


def _describe(x):
    return numpy.array([x.ndim, x.size, *x.shape], numpy.int64)


class ElementwiseKernel:
    """`cupy.ElementwiseKernel`: the same text for every element.

    Parameters
    ----------
    in_params, out_params, operation, name
        As CuPy's.
    reduce_dims, preamble, no_return, return_tuple, **kwargs
        As CuPy's; ``loop_prep``, ``after_loop`` and ``options`` are among the last.
    """

    def __init__(
        self,
        in_params,
        out_params,
        operation,
        name="kernel",
        reduce_dims=True,
        preamble="",
        no_return=False,
        return_tuple=False,
        doc="",
        **kwargs,
    ):
        known = {"loop_prep", "after_loop", "options"}
        if set(kwargs) - known:
            raise TypeError(f"unexpected keywords {sorted(set(kwargs) - known)}")
        self.in_params, self.out_params = (
            _parameters(in_params),
            _parameters(out_params),
        )
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        self.operation, self.name, self.preamble = operation, name, preamble
        self.return_tuple, self.no_return, self.kwargs = return_tuple, no_return, kwargs

    def __call__(self, *args, size=None, stream=None, block_size=128):
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either "
                f"{self.nin} or {self.nargs} (with outputs), but given {len(args)}."
            )
        _check(args)
        in_args, out_args = args[: self.nin], args[self.nin :]
        for a in out_args:
            if not isinstance(a, ndarray):
                raise TypeError("Output arguments must be cupy.ndarray")
        found, dtype_of = _types(self.in_params, self.out_params, in_args, out_args)
        pairs = list(zip(self.in_params + self.out_params, args))
        shapes = [a.shape for p, a in pairs if isinstance(a, ndarray) and not p.raw]
        if size is not None:
            if shapes:
                raise ValueError("Specified 'size' can be used only if all are raw")
            shape = (size,)
        elif not shapes and not all(isinstance(a, SCALARS) for a in args):
            raise ValueError("Loop size is undecided")
        else:
            shape = numpy.broadcast_shapes(*shapes)
        if not out_args:
            if any(p.raw for p in self.out_params) and size is None:
                raise ValueError("Output array size is Undecided")
            made = [wrap(numpy.empty(shape, dtype_of(p))) for p in self.out_params]
        else:
            made = list(out_args)
            for p, a in zip(self.out_params, made):
                if not p.raw and a.shape != shape:
                    raise ValueError(f"Out shape is mismatched: {a.shape} and {shape}")
        self._run(in_args, made, shape, found, dtype_of)
        if self.no_return:
            return None
        return tuple(made) if self.return_tuple or self.nout > 1 else made[0]

    def _run(self, in_args, made, shape, found, dtype_of):
        setup, body, pointers, keep, back, k = [], [], [], [], [], 0
        params = self.in_params + self.out_params
        for number, (p, a) in enumerate(zip(params, [*in_args, *made])):
            dtype, is_out = dtype_of(p), number >= self.nin
            p.c_type = C_TYPES[dtype.name]
            x = a._host if isinstance(a, ndarray) else numpy.asarray(a, dtype)
            if not p.raw:
                x = numpy.broadcast_to(x, shape)
            flat = numpy.array(x, dtype, order="C")
            if is_out:
                back.append((a._host, flat))
            keep.append(flat)
            pointers.append(flat.ctypes.data)
            const = "" if is_out else "const "
            if p.raw:
                keep.append(_describe(flat))
                pointers.append(keep[-1].ctypes.data)
                setup.append(_raw_setup(p, k))
                k += 2
            else:
                ref = "&" if is_out else ""
                setup.append(f"{p.c_type}* _p{number} = ({p.c_type}*)a[{k}];")
                body.append(f"{const}{p.c_type} {ref}{p.name} = _p{number}[i];")
                k += 1
        lines = [PRELUDE, _typedefs(found), self.preamble]
        lines += ['extern "C" void run(void** a, ptrdiff_t n_) {', "Loop _ind = {n_};"]
        lines += [*setup, self.kwargs.get("loop_prep", "") + ";"]
        lines += [
            "for (ptrdiff_t i = 0; i < n_; ++i) {",
            *body,
            self.operation + ";",
            "}",
        ]
        lines += [self.kwargs.get("after_loop", "") + ";", "}"]
        _sim.launch(self.name)
        count = int(numpy.prod(shape, dtype=numpy.int64))
        if count:
            table = (ctypes.c_void_p * len(pointers))(*pointers)
            _compiled("\n".join(lines))(table, ctypes.c_ssize_t(count))
            for target, flat in back:
                target[...] = flat.reshape(target.shape)


class ReductionKernel:
    """`cupy.ReductionKernel`: map, reduce, and map the result.

    Parameters
    ----------
    in_params, out_params, map_expr, reduce_expr, post_map_expr, identity, name
        As CuPy's.
    reduce_type, reduce_dims, preamble, options
        As CuPy's.
    """

    def __init__(
        self,
        in_params,
        out_params,
        map_expr,
        reduce_expr,
        post_map_expr,
        identity,
        name="reduce_kernel",
        reduce_type=None,
        reduce_dims=True,
        preamble="",
        options=(),
    ):
        self.in_params, self.out_params = (
            _parameters(in_params),
            _parameters(out_params),
        )
        if len(self.out_params) != 1:
            raise NotImplementedError("the stand-in reduces to one output")
        self.nin, self.nout, self.name = len(self.in_params), 1, name
        self.exprs = map_expr, reduce_expr, post_map_expr
        self.identity, self.reduce_type, self.preamble = identity, reduce_type, preamble

    def __call__(self, *args, out=None, axis=None, keepdims=False, stream=None):
        _check(args)
        if len(args) != self.nin:
            raise TypeError(f"Wrong number of arguments for {self.name!r}.")
        outs = [] if out is None else [out]
        found, dtype_of = _types(self.in_params, self.out_params, args, outs)
        shape = numpy.broadcast_shapes(
            *[a.shape for p, a in zip(self.in_params, args) if not p.raw]
        )
        axes = range(len(shape)) if axis is None else numpy.atleast_1d(axis)
        axes = sorted(int(k) % len(shape) for k in axes)
        kept = [k for k in range(len(shape)) if k not in axes]
        rows = int(numpy.prod([shape[k] for k in kept], dtype=numpy.int64))
        length = int(numpy.prod([shape[k] for k in axes], dtype=numpy.int64))
        setup, body, pointers, keep, k = [], [], [], [], 0
        for number, (p, a) in enumerate(zip(self.in_params, args)):
            dtype = dtype_of(p)
            p.c_type = C_TYPES[dtype.name]
            x = a._host if isinstance(a, ndarray) else numpy.asarray(a, dtype)
            if not p.raw:
                x = numpy.broadcast_to(x, shape).transpose([*kept, *axes])
            flat = numpy.array(x, dtype, order="C")
            keep.append(flat)
            pointers.append(flat.ctypes.data)
            if p.raw:
                keep.append(_describe(flat))
                pointers.append(keep[-1].ctypes.data)
                setup.append(_raw_setup(p, k))
                k += 2
            else:
                setup.append(f"{p.c_type}* _p{number} = ({p.c_type}*)a[{k}];")
                body.append(f"const {p.c_type} {p.name} = _p{number}[_at];")
                k += 1
        target = self.out_params[0]
        c_out = C_TYPES[dtype_of(target).name]
        result = numpy.empty(rows, dtype_of(target))
        keep.append(result)
        pointers.append(result.ctypes.data)
        reduce_type = self.reduce_type or target.type
        if reduce_type not in found:
            reduce_type = C_TYPES[numpy.dtype(reduce_type).name]
        map_expr, reduce_expr, post = self.exprs
        source = [PRELUDE, _typedefs(found), self.preamble]
        source += [
            'extern "C" void run(void** a_, ptrdiff_t rows_, ptrdiff_t length_) {'
        ]
        source += [
            "void** a = a_; Loop _in_ind = {rows_ * length_}, _out_ind = {rows_};"
        ]
        source += [*setup, f"{c_out}* _out = ({c_out}*)a[{k}];"]
        source += ["for (ptrdiff_t _r = 0; _r < rows_; ++_r) {"]
        source += [f"typedef {reduce_type} type_; type_ _s = (type_)({self.identity});"]
        source += ["for (ptrdiff_t _j = 0; _j < length_; ++_j) {"]
        source += ["const ptrdiff_t _at = _r * length_ + _j; const ptrdiff_t i = _at;"]
        source += [*body, f"type_ a = _s, b = (type_)({map_expr});"]
        source += [
            f"_s = (type_)({reduce_expr}); }}",
            f"{c_out} &{target.name} = _out[_r];",
        ]
        source += ["{ type_ a = _s;", post + ";", "} } }"]
        _sim.launch(self.name)
        if rows:
            table = (ctypes.c_void_p * len(pointers))(*pointers)
            run = _compiled("\n".join(source))
            run(table, ctypes.c_ssize_t(rows), ctypes.c_ssize_t(length))
        final = [1 if j in axes else n for j, n in enumerate(shape)]
        if not keepdims:
            final = [shape[j] for j in kept]
        result = result.reshape(final)
        if out is None:
            return wrap(result)
        out._host[...] = result
        return out


def fuse(*args, **kwargs):
    """`cupy.fuse`: the function itself, counted as one launch."""

    def decorate(function):
        @functools.wraps(function)
        def fused(*values, **named):
            on_device = any(isinstance(v, ndarray) for v in values)
            with _sim.fused():
                result = function(*values, **named)
            if on_device:
                _sim.launch(f"fused {function.__name__}")
            return result

        return fused

    if set(kwargs) - {"kernel_name"}:
        raise TypeError(f"unexpected keywords {sorted(kwargs)}")
    return decorate(args[0]) if args and callable(args[0]) else decorate
