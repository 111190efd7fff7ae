"""Families of distributions: each density once, with its derivatives beside it.

A family turns the outputs of a network, one row a state, into distributions.  `at` gives
what the outputs stand for; everything else takes that:

    m = family.at(out, theta, mask)          theta: the family's own parameters by name;
                                             mask, (N, mask_size): what can be chosen
    family.sample(m, rng), family.mode(m)    actions
    family.log_prob(m, a), family.entropy(m), family.kl(m, other)   nats, one a row

These are written for NumPy, CuPy and Chainer's Variables alike, so that a graph can be
had of them (see `graph`).  Their derivatives are for arrays:

    score(m, a)     ∂log p(a)/∂out of each row, and ∂/∂(own parameters) of each row
    pull(m, a, by_log_prob, by_entropy, by_kl, old)
                    ∂(Σ by_log_prob·log p(a) + by_entropy·H + by_kl·KL(old‖·)):
                    in out, (N, width), and in the family's own parameters by name
    fisher(m, dout, dtheta, weight)
                    the Fisher matrix of each row times a tangent and a weight (Amari 1998):
                    in out, and summed over rows in the own parameters

by_… are numbers, or arrays (N,) of one a row.  `width` is the number of outputs, `size`
the number of columns of an action (None: an index, without a column), `mask_size` those of
a mask, `shapes` are those of the own parameters.
"""

import math

from chainertrpo.numerics.functions import (
    choose,
    data,
    functions,
    join,
    sigmoid,
    softplus,
    split,
    total,
)

LOG_2PI = math.log(2 * math.pi)
LOG_STD = ("state_independent", "state_dependent", "shared", "fixed")
# A logit so low that p is exactly 0, and so high that sums of it stay finite.
NEVER = -1e9


def masked(out, mask):
    """Logits, −1e9 where a choice cannot be made.

    There p is exactly 0, and so is everything weighted by it: gradients, entropy,
    divergence and Fisher matrix among them.

    Parameters
    ----------
    out : array or Variable, shape (N, width)
        Logits.
    mask : array of bool, shape (N, width), or None
        True where a choice can be made; of a bit, where it can be 1.  None is everywhere.

    Returns
    -------
    array or Variable, shape (N, width)
        Logits.
    """
    if mask is None:
        return out
    x = data(out)
    return functions(out).where(mask, out, functions(x).full_like(x, NEVER))


def _column(by):
    """One weight a row as a column; a number as it is."""
    return by[:, None] if getattr(by, "ndim", 0) else by


class _Derivatives:
    """What follows from `score` and the derivatives of entropy and divergence."""

    shapes, mask_size = {}, 0

    def sum_log_prob(self, m, a):
        """Σ log p(a) over the rows."""
        return self.log_prob(m, a).sum()

    def pull(self, m, a, by_log_prob=0, by_entropy=0, by_kl=0, old=None):
        """See the module."""
        dout, own = self.score(m, a)
        weight = _column(by_log_prob)
        dout = dout * weight
        own = {name: (rows * weight).sum(axis=0) for name, rows in own.items()}
        if getattr(by_entropy, "ndim", 0) or by_entropy:
            self._add(self.entropy_slope(m), _column(by_entropy), dout, own)
        if getattr(by_kl, "ndim", 0) or by_kl:
            self._add(self.kl_slope(m, old), _column(by_kl), dout, own)
        return dout, own

    def _add(self, slopes, weight, dout, own):
        by_out, by_own = slopes
        if by_out is not None:
            dout += by_out * weight
        for name, rows in by_own.items():
            own[name] += (rows * weight).sum(axis=0)


# Gaussian


class Free:
    """μ = out."""

    def place(self, mean, log_std, theta):
        """μ, log σ and what the slope needs."""
        return mean, log_std, None

    def slope(self, m):
        """∂μ/∂out; None is 1."""
        return None


class Scaled(Free):
    """μ = c + h·out and σ = h·exp(log_std): actions in units h around c."""

    def place(self, mean, log_std, theta):
        """μ, log σ and h."""
        h = theta["/half_range"]
        return mean * h + theta["/loc"], log_std + functions(h).log(h), h

    def slope(self, m):
        """∂μ/∂out = h."""
        return m.placed


class Bounded(Free):
    """μ = c + h·tanh(out), which cannot leave [c − h, c + h] (ChainerRL's bound_mean)."""

    def place(self, mean, log_std, theta):
        """μ, log σ and (h, tanh(out))."""
        h, unit = theta["/half_range"], functions(mean).tanh(mean)
        return unit * h + theta["/loc"], log_std, (h, unit)

    def slope(self, m):
        """∂μ/∂out = h(1 − tanh²)."""
        h, unit = m.placed
        return h * (1 - unit * unit)


class normal:  # noqa: N801 (a record)
    """μ, (N, A), and log σ, (N, A) or (A,), of the states of a batch."""

    _precision, _z = None, (None, None)

    def __init__(self, mean, log_std, placed=None):
        self.mean, self.log_std, self.placed = mean, log_std, placed

    @property
    def params(self):
        """(μ, log σ)."""
        return self.mean, self.log_std

    def fisher(self, tangents, weight):
        """1/σ² by μ and 2 by log σ; of each row, or of all where log σ is the same."""
        by_mean, by_log_std = tangents
        precision = functions(by_mean).exp(-data(self.log_std))
        rows = 1 if by_log_std.ndim == 2 else len(by_mean)
        out = by_mean * (precision * precision * weight)
        return [out, by_log_std * (2 * weight * rows)]

    def z(self, a):
        """(a − μ)/σ, once for the same actions."""
        if self._z[0] is not a:
            self._z = a, (a - self.mean) * self.precision
        return self._z[1]

    @property
    def precision(self):
        """1/σ."""
        if self._precision is None:
            self._precision = functions(self.log_std).exp(-self.log_std)
        return self._precision


class Gaussian(_Derivatives):
    """N(μ, diag σ²): outputs are μ before it is placed, and log σ where it depends on them.

    Parameters
    ----------
    size : int
        A, the dimensions of an action.
    log_std : str
        ``state_independent``: a parameter a dimension; ``shared``: one for all of them;
        ``state_dependent``: a second half of the outputs; ``fixed``: a constant, given
        with the parameters.
    placement : Free, Scaled or Bounded
        From outputs to μ.
    """

    def __init__(self, size, log_std="state_independent", placement=Free()):  # noqa: B008
        if log_std not in LOG_STD:
            raise ValueError(
                f"expected log_std to be one of {sorted(LOG_STD)}, got {log_std!r}."
            )
        self.size, self.kind, self.placement = size, log_std, placement
        self.by_state, self.shared = log_std == "state_dependent", log_std == "shared"
        self.width = 2 * size if self.by_state else size
        own = {"state_independent": size, "shared": 1}.get(log_std)
        self.shapes = {} if own is None else {"/log_std": (own,)}

    def at(self, out, theta, mask=None):
        """N(μ, diag σ²) of each row."""
        if self.by_state:
            mean, log_std = split(out, [self.size, self.size])
        else:
            mean, log_std = out, theta["/log_std"]
            if self.shared:
                log_std = functions(log_std).broadcast_to(log_std, (self.size,))
        return normal(*self.placement.place(mean, log_std, theta))

    def sample(self, m, rng):
        """μ + σε."""
        noise = rng.standard_normal(m.mean.shape, m.mean.dtype)
        noise *= functions(noise).exp(m.log_std)
        noise += m.mean
        return noise

    def mode(self, m):
        """μ."""
        return m.mean

    def log_prob(self, m, a):
        """−½ Σ ((a − μ)/σ)² − Σ log σ − ½ A log 2π."""
        z = m.z(a)
        return -0.5 * total(z * z) - total(m.log_std) - 0.5 * LOG_2PI * self.size

    def entropy(self, m):
        """Σ log σ + ½ A (1 + log 2π)."""
        log_std = functions(m.mean).broadcast_to(m.log_std, m.mean.shape)
        return total(log_std) + 0.5 * (1 + LOG_2PI) * self.size

    def kl(self, m, other):
        """KL(m ‖ other) = Σ log σ'/σ + (σ² + (μ − μ')²)/2σ'² − ½."""
        shift = (m.mean - other.mean) * other.precision
        log_ratio = other.log_std - m.log_std
        scale = log_ratio + 0.5 * functions(log_ratio).exp(-2 * log_ratio) - 0.5
        return 0.5 * total(shift * shift) + total(scale)

    def score(self, m, a):
        """∂/∂μ = z/σ, ∂/∂log σ = z² − 1 with z = (a − μ)/σ."""
        z = m.z(a)
        return self._by_parameters(m, z * m.precision, z * z - 1)

    def entropy_slope(self, m):
        """∂/∂log σ = 1."""
        xp = functions(m.mean)
        ones = xp.ones_like(m.mean)
        return self._by_parameters(
            m, xp.zeros_like(ones) if self.by_state else None, ones
        )

    def kl_slope(self, m, old):
        """∂KL(old ‖ m): d/σ by μ, 1 − (σ_old/σ)² − d² by log σ; d = (μ − μ_old)/σ."""
        d = (m.mean - old.mean) * m.precision
        ratio = functions(d).exp(2 * (old.log_std - m.log_std))
        return self._by_parameters(m, d * m.precision, 1 - ratio - d * d)

    def _by_parameters(self, m, by_mean, by_log_std):
        """From derivatives by μ and log σ of each row to those by what they come from."""
        slope = self.placement.slope(m)
        if slope is not None and by_mean is not None:
            by_mean = by_mean * slope
        if self.by_state:
            return join([by_mean, by_log_std]), {}
        if self.shared:
            by_log_std = by_log_std.sum(axis=1, keepdims=True)
        return by_mean, {"/log_std": by_log_std} if self.shapes else {}

    def fisher(self, m, dout, dtheta, weight):
        """1/σ² by μ and 2 by log σ."""
        n, slope = self.size, self.placement.slope(m)
        metric = m.precision * m.precision
        if slope is not None:
            metric = metric * slope * slope
        if self.by_state:
            return join(
                [dout[:, :n] * (metric * weight), dout[:, n:] * (2 * weight)]
            ), {}
        out = dout * (metric * weight)
        if not self.shapes:
            return out, {}
        rows = len(dout) * (n if self.shared else 1)
        return out, {"/log_std": dtheta["/log_std"] * (2 * weight * rows)}


class Squared(_Derivatives):
    """exp(−(y − out)²), N(out, ½) but for a constant: its likelihood is the squared error.

    So values are fitted to targets y, (N, 1), as any family is to actions.
    """

    size = width = 1

    def at(self, out, theta=None, mask=None):
        """The outputs themselves."""
        return out

    def mode(self, m):
        """The outputs."""
        return m

    def log_prob(self, m, y):
        """−(y − out)²."""
        error = y - m
        return -total(error * error)

    def sum_log_prob(self, m, y):
        """−Σ(y − out)², by one product."""
        error = (y - m).ravel()
        return -error.dot(error)

    def kl(self, m, other):
        """(out − out')², as of N(out, ½)."""
        return -self.log_prob(m, other)

    def score(self, m, y):
        """2(y − out)."""
        return 2 * (y - m), {}

    def pull(self, m, y, by_log_prob=0, by_entropy=0, by_kl=0, old=None):
        """See the module: there is no entropy, and no divergence to pull."""
        return (y - m) * (2 * _column(by_log_prob)), {}

    def fisher(self, m, dout, dtheta, weight):
        """2."""
        return dout * (2 * weight), {}


# Choices


class _Logits:
    """Logits, and what follows from them when it is asked for."""

    _log_p = _p = None

    def __init__(self, logits, is_masked=False):
        self.logits, self.is_masked = logits, is_masked

    @property
    def log_p(self):
        """Log softmax."""
        if self._log_p is None:
            x = self.logits - data(self.logits).max(axis=1, keepdims=True)
            xp = functions(x)
            self._log_p = x - xp.log(total(xp.exp(x), axis=1, keepdims=True))
        return self._log_p

    @property
    def p(self):
        """Softmax."""
        if self._p is None:
            self._p = functions(self.log_p).exp(self.log_p)
        return self._p


class Softmax(_Derivatives):
    """An index of n, p = softmax(out).  All goes through log p: 0·log 0 would be NaN."""

    size = None

    def __init__(self, n):
        self.width = self.mask_size = n

    def at(self, out, theta=None, mask=None):
        """Softmax of each row."""
        return _Logits(masked(out, mask), mask is not None)

    def sample(self, m, rng):
        """Gumbel-max: −log E with E exponential is a Gumbel variate."""
        logits, noise = m.logits, rng.standard_exponential(m.logits.shape)
        if m.is_masked:  # −log 0 would win against any logit
            noise = noise.clip(1e-30, None)
        return (logits - functions(logits).log(noise)).argmax(axis=-1).astype("i")

    def mode(self, m):
        """The most probable index."""
        return m.logits.argmax(axis=-1).astype("i")

    def log_prob(self, m, a):
        """Log p[a]."""
        return choose(m.log_p, a)

    def entropy(self, m):
        """−Σ p log p."""
        return -total(m.p * m.log_p)

    def kl(self, m, other):
        """Σ p (log p − log p')."""
        return total(m.p * (m.log_p - other.log_p))

    def score(self, m, a):
        """e_a − p."""
        dout = -m.p
        dout[functions(dout).arange(len(dout)), a] += 1
        return dout, {}

    def entropy_slope(self, m):
        """−p (log p + H)."""
        return -m.p * (m.log_p + self.entropy(m)[:, None]), {}

    def kl_slope(self, m, old):
        """P − p_old."""
        return m.p - old.p, {}

    def fisher(self, m, dout, dtheta, weight):
        """diag(p) − ppᵀ."""
        return m.p * (dout - (m.p * dout).sum(axis=1, keepdims=True)) * weight, {}


class Bernoulli(_Derivatives):
    """A bit a column, each 1 with p = σ(out)."""

    def __init__(self, n):
        self.width = self.size = self.mask_size = n

    def at(self, out, theta=None, mask=None):
        """The logits."""
        return masked(out, mask)

    def sample(self, m, rng):
        """1 where a uniform variate is below p."""
        p = sigmoid(m)
        return (rng.random(p.shape) < p).astype("i")

    def mode(self, m):
        """The more probable bits."""
        return (m > 0).astype("i")

    def log_prob(self, m, a):
        """Σ a·out − log(1 + exp(out))."""
        return total(m * a.astype(data(m).dtype, copy=False) - softplus(m))

    def entropy(self, m):
        """Σ log(1 + exp(out)) − p·out."""
        return total(softplus(m) - sigmoid(m) * m)

    def kl(self, m, other):
        """Σ p (out − out') − log(1 + exp(out)) + log(1 + exp(out'))."""
        return total(sigmoid(m) * (m - other) - softplus(m) + softplus(other))

    def score(self, m, a):
        """A − p."""
        return a.astype(m.dtype, copy=False) - sigmoid(m), {}

    def entropy_slope(self, m):
        """−out·p(1 − p)."""
        p = sigmoid(m)
        return -m * p * (1 - p), {}

    def kl_slope(self, m, old):
        """P − p_old."""
        return sigmoid(m) - sigmoid(old), {}

    def fisher(self, m, dout, dtheta, weight):
        """p(1 − p)."""
        p = sigmoid(m)
        return dout * (p * (1 - p) * weight), {}


# Of other families


class Product(_Derivatives):
    """Independent parts, side by side in the columns of outputs and of actions.

    Actions are (N, size): a `Softmax` has one column, which holds its index.  The own
    parameters of part i are named /i/….
    """

    def __init__(self, parts):
        self.parts = list(parts)
        self.width = sum(part.width for part in self.parts)
        self.size = sum(part.size or 1 for part in self.parts)
        self.mask_size = sum(part.mask_size for part in self.parts)
        self.shapes = {
            f"/{i}{name}": shape
            for i, part in enumerate(self.parts)
            for name, shape in part.shapes.items()
        }

    def _outputs(self, x):
        return split(x, [part.width for part in self.parts])

    def _actions(self, a):
        columns = split(a, [part.size or 1 for part in self.parts])
        for part, x in zip(self.parts, columns):
            yield x[..., 0].astype("i") if part.size is None else x

    def _own(self, theta):
        for i in range(len(self.parts)):
            begin = f"/{i}"
            yield {
                name[len(begin) :]: x
                for name, x in theta.items()
                if name.startswith(begin + "/")
            }

    def _together(self, pairs):
        outs, owns = zip(*pairs)
        own = {f"/{i}{k}": x for i, part in enumerate(owns) for k, x in part.items()}
        return join(outs), own

    def at(self, out, theta, mask=None):
        """A list of the parts'."""
        masks = [None] * len(self.parts)
        if mask is not None:
            masks = split(mask, [part.mask_size for part in self.parts])
        pieces = zip(self.parts, self._outputs(out), self._own(theta), masks)
        return [part.at(x, own, valid) for part, x, own, valid in pieces]

    def sample(self, m, rng):
        """Of each part, in turn."""
        return self._columns([p.sample(x, rng) for p, x in zip(self.parts, m)])

    def mode(self, m):
        """Of each part."""
        return self._columns([p.mode(x) for p, x in zip(self.parts, m)])

    def _columns(self, actions):
        kind = "f" if any(a.dtype.kind == "f" for a in actions) else "i"
        columns = [
            a[..., None] if part.size is None else a
            for part, a in zip(self.parts, actions)
        ]
        return join([x.astype(kind) if x.dtype.kind == "i" else x for x in columns])

    def log_prob(self, m, a):
        """The sum of the parts'."""
        return sum(
            p.log_prob(x, one) for p, x, one in zip(self.parts, m, self._actions(a))
        )

    def entropy(self, m):
        """The sum of the parts'."""
        return sum(p.entropy(x) for p, x in zip(self.parts, m))

    def kl(self, m, other):
        """The sum of the parts'."""
        return sum(p.kl(x, y) for p, x, y in zip(self.parts, m, other))

    def score(self, m, a):
        """Those of the parts side by side."""
        pieces = zip(self.parts, m, self._actions(a))
        return self._together(p.score(x, one) for p, x, one in pieces)

    def entropy_slope(self, m):
        """Those of the parts side by side."""
        found = [p.entropy_slope(x) for p, x in zip(self.parts, m)]
        outs = zip(self.parts, m, found)
        return self._together(
            (_zeros(p, x) if y is None else y, own) for p, x, (y, own) in outs
        )

    def kl_slope(self, m, old):
        """Those of the parts side by side."""
        pieces = zip(self.parts, m, old)
        return self._together(p.kl_slope(x, y) for p, x, y in pieces)

    def fisher(self, m, dout, dtheta, weight):
        """Those of the parts side by side."""
        pieces = zip(self.parts, m, self._outputs(dout), self._own(dtheta))
        return self._together(p.fisher(x, d, own, weight) for p, x, d, own in pieces)


def _zeros(part, m):
    mean = m.mean
    return functions(mean).zeros((len(mean), part.width), mean.dtype)
