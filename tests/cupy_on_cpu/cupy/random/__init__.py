"""`cupy.random`: draws arrive on the device; the numbers are NumPy's, not cuRAND's."""

import numpy as _numpy
from cupy import _sim
from cupy._array import wrap as _wrap
from cupy._ufunc import host as _host


def _given(values, dtype):
    _sim.launch("random")
    return _wrap(_numpy.asarray(values).astype(dtype))


class RandomState:
    """`cupy.random.RandomState`: each method takes ``dtype``, float32 or float64."""

    def __init__(self, seed=None, method=None):
        self._rng = _numpy.random.RandomState(seed)

    def seed(self, seed=None):
        self._rng.seed(seed)

    def standard_normal(self, size=None, dtype=float):
        return _given(self._rng.standard_normal(size), dtype)

    def normal(self, loc=0.0, scale=1.0, size=None, dtype=float):
        return _given(self._rng.normal(_host(loc), _host(scale), size), dtype)

    def standard_exponential(self, size=None, dtype=float):
        return _given(self._rng.standard_exponential(size), dtype)

    def exponential(self, scale=1.0, size=None, dtype=float):
        return _given(self._rng.exponential(_host(scale), size), dtype)

    def uniform(self, low=0.0, high=1.0, size=None, dtype=float):
        return _given(self._rng.uniform(_host(low), _host(high), size), dtype)

    def random_sample(self, size=None, dtype=float):
        return _given(self._rng.random_sample(size), dtype)

    def rand(self, *size, **kwarg):
        return self.random_sample(size or None, **kwarg)

    def randn(self, *size, **kwarg):
        return self.standard_normal(size or None, **kwarg)

    def gumbel(self, loc=0.0, scale=1.0, size=None, dtype=float):
        return _given(self._rng.gumbel(_host(loc), _host(scale), size), dtype)

    def laplace(self, loc=0.0, scale=1.0, size=None, dtype=float):
        return _given(self._rng.laplace(_host(loc), _host(scale), size), dtype)

    def gamma(self, shape, scale=1.0, size=None, dtype=float):
        return _given(self._rng.gamma(_host(shape), _host(scale), size), dtype)

    def binomial(self, n, p, size=None, dtype=int):
        return _given(self._rng.binomial(_host(n), _host(p), size), dtype)

    def randint(self, low, high=None, size=None, dtype=int):
        return _given(self._rng.randint(low, high, size), dtype)

    def permutation(self, a):
        if isinstance(a, int):
            return _given(self._rng.permutation(a), int)
        return a[_given(self._rng.permutation(len(a)), int)]

    def shuffle(self, a):
        a[...] = a[_given(self._rng.permutation(len(a)), int)]

    def choice(self, a, size=None, replace=True, p=None):
        p = None if p is None else _host(p)
        a = a if isinstance(a, int) else _host(a)
        return _given(self._rng.choice(a, size, replace, p), _numpy.asarray(a).dtype)


class BitGenerator:
    """A source of bits."""

    def __init__(self, seed=None):
        self.seed = seed


class XORWOW(BitGenerator):
    """CuPy's default one."""


class Generator:
    """`cupy.random.Generator`: fewer methods than NumPy's (no normal, no permutation)."""

    def __init__(self, bit_generator):
        self.bit_generator = bit_generator
        self._rng = _numpy.random.default_rng(bit_generator.seed)

    def random(self, size=None, dtype=_numpy.float64, out=None):
        return _given(self._rng.random(size), dtype)

    def standard_normal(self, size=None, dtype=_numpy.float64, out=None):
        return _given(self._rng.standard_normal(size), dtype)

    def standard_exponential(
        self, size=None, dtype=_numpy.float64, method="inv", out=None
    ):
        return _given(self._rng.standard_exponential(size), dtype)

    def exponential(self, scale=1.0, size=None):
        return _given(self._rng.exponential(_host(scale), size), float)

    def uniform(self, low=0.0, high=1.0, size=None, dtype=_numpy.float64):
        return _given(self._rng.uniform(_host(low), _host(high), size), dtype)

    def integers(self, low, high=None, size=None, dtype=_numpy.int64, endpoint=False):
        return _given(self._rng.integers(low, high, size, endpoint=endpoint), dtype)

    def gamma(self, shape, scale=1.0, size=None):
        return _given(self._rng.gamma(_host(shape), _host(scale), size), float)

    def beta(self, a, b, size=None, dtype=_numpy.float64):
        return _given(self._rng.beta(_host(a), _host(b), size), dtype)

    def poisson(self, lam=1.0, size=None):
        return _given(self._rng.poisson(_host(lam), size), int)

    def binomial(self, n, p, size=None):
        return _given(self._rng.binomial(_host(n), _host(p), size), int)


def default_rng(seed=None):
    """A `Generator` of its own."""
    return Generator(seed if isinstance(seed, BitGenerator) else XORWOW(seed))


_state = RandomState()


def seed(seed=None):
    """Seed the global state."""
    _state.seed(seed)


def get_random_state():
    """The global state."""
    return _state


for _name in (
    "standard_normal normal standard_exponential exponential uniform random_sample rand "
    "randn gumbel laplace gamma binomial randint permutation shuffle choice"
).split():
    globals()[_name] = getattr(_state, _name)
random = ranf = sample = _state.random_sample
