"""Element-wise functions with CuPy's rules: which arguments, which dtype, which output.

Only `cupy.ndarray` and Python or NumPy scalars are arguments; an array of NumPy's is a
TypeError.  Arrays of no dimension count as arrays for the dtype, never as scalars (CuPy 13:
scalars by value, 14: NEP 50; so does NumPy 1 and 2 underneath, once each array has a
dimension).  There are no floating point warnings on a GPU, so there are none here.
"""

import numpy
from cupy import _sim
from cupy._array import ndarray, unsupported, wrap

SCALARS = (bool, int, float, complex, numpy.number, numpy.bool_)


def host(arg):
    """The NumPy array, or the scalar, behind an argument of a kernel."""
    if isinstance(arg, ndarray):
        return arg._host
    if isinstance(arg, SCALARS):
        return arg
    raise TypeError(f"Unsupported type {type(arg)}")


def _lifted(x):
    return x.reshape(1) if isinstance(x, numpy.ndarray) and x.ndim == 0 else x


def _into(out, result):
    """Write into ``out=``: CuPy wants its exact shape and a cast of the same kind."""
    if not isinstance(out, ndarray):
        raise TypeError("Output arguments type must be cupy.ndarray")
    if out.shape != result.shape:
        raise ValueError(f"Out shape is mismatched: {out.shape} and {result.shape}")
    if not numpy.can_cast(result.dtype, out.dtype, "same_kind"):
        raise TypeError(
            f"output (typecode '{result.dtype.char}') could not be coerced to provided "
            f"output parameter (typecode '{out.dtype.char}') according to the casting "
            'rule "same_kind"'
        )
    out._host[...] = result
    return out


class ufunc:
    """A function of `cupy` that works element by element.

    Parameters
    ----------
    name : str
        The same in NumPy.
    """

    def __init__(self, name, function=None):
        self.name = self.__name__ = name
        self._function = function or getattr(numpy, name)
        self.nin = getattr(self._function, "nin", 1)
        self.nout = getattr(self._function, "nout", 1)
        self.nargs = self.nin + self.nout

    def __repr__(self):
        return f"<ufunc 'cupy_{self.name}'>"

    def __call__(self, *args, **kwargs):
        out, where = kwargs.pop("out", None), kwargs.pop("where", None)
        dtype, casting = kwargs.pop("dtype", None), kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError("Wrong arguments %s" % kwargs)
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either "
                f"{self.nin} or {self.nargs} (with outputs), but given {len(args)}."
            )
        outs, args = list(args[self.nin :]), args[: self.nin]
        if out is not None:
            if outs:
                raise ValueError(
                    "Cannot specify 'out' as both a positional and keyword"
                )
            outs = list(out) if isinstance(out, tuple) else [out]
        values = [host(arg) for arg in args]
        shape = numpy.broadcast_shapes(*[numpy.shape(v) for v in values])
        if all(not isinstance(arg, ndarray) for arg in args):
            values = [numpy.asarray(v) for v in values]
        options = {} if dtype is None else {"dtype": dtype, "casting": casting}
        with numpy.errstate(all="ignore"):
            results = self._function(*[_lifted(v) for v in values], **options)
        results = results if isinstance(results, tuple) else (results,)
        results = [numpy.asarray(r).reshape(shape) for r in results]
        _sim.launch(self.name)
        if where is not None:
            (result,), mask = results, numpy.broadcast_to(host(where), shape)
            target = outs[0] if outs else wrap(numpy.empty(shape, result.dtype))
            target._host[mask] = result[mask]
            return target
        if outs:
            results = [_into(o, r) for o, r in zip(outs, results)]
        else:
            results = [wrap(r) for r in results]
        return results[0] if self.nout == 1 else tuple(results)

    def outer(self, a, b):
        _sim.launch(self.name)
        return wrap(self._function.outer(host(a), host(b)))

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        if not isinstance(array, ndarray):
            raise unsupported(array)
        _sim.launch(self.name + ".reduce")
        found = self._function.reduce(array._host, axis, dtype, keepdims=keepdims)
        return wrap(found) if out is None else _into(out, numpy.asarray(found))

    def accumulate(self, array, axis=0, dtype=None, out=None):
        _sim.launch(self.name + ".accumulate")
        found = self._function.accumulate(array._host, axis, dtype)
        return wrap(found) if out is None else _into(out, found)

    def at(self, a, indices, b=None):
        """As CuPy, for add, subtract, maximum, minimum and the bitwise three only."""
        names = "add subtract maximum minimum bitwise_and bitwise_or bitwise_xor"
        if self.name not in names.split():
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        from cupy._array import host_index

        _sim.launch(self.name + ".at")
        self._function.at(a._host, host_index(indices), host(b))


# Of CuPy 13.6 and 14.2 alike.
NAMES = """
absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_or
bitwise_xor cbrt ceil conjugate copysign cos cosh deg2rad degrees divide divmod equal exp
exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod frexp gcd greater
greater_equal heaviside hypot invert isfinite isinf isnan lcm ldexp left_shift less
less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
logical_xor maximum minimum modf multiply negative nextafter not_equal positive power
rad2deg radians reciprocal remainder right_shift rint sign signbit sin sinh sqrt square
subtract tan tanh trunc
""".split()
UFUNCS = {name: ufunc(name) for name in NAMES}
UFUNCS.update(
    abs=UFUNCS["absolute"],
    conj=UFUNCS["conjugate"],
    mod=UFUNCS["remainder"],
    true_divide=UFUNCS["divide"],
    bitwise_not=UFUNCS["invert"],
    fix=ufunc("fix", numpy.fix),
    sinc=ufunc("sinc", numpy.sinc),
)
