"""Networks with their derivatives written out, on plain arrays: NumPy or CuPy.

A network turns rows into rows.  Rows are in order of time, path after path; path i begins
at row starts[i] with the hidden state carry[i], which is a constant to the derivatives.
A network without memory looks at neither and gives the carry back as it came; one with
it is in `recurrent`, and networks in a row are in `chain`.

    out, tape, carry = network.forward(theta, x, carry, starts)
    dout = network.jvp(tape, dtheta)            the forward tangent J·θ̇
    network.vjp(tape, dout, into)               writes Jᵀ·dout to `into`
    step = network.acting(theta)                shares theta's arrays
    out, carry = step(x, carry)                 one row of each path, no tape

theta, dtheta and `into` are dicts of arrays by name, usually views of one flat vector.
The tape is the linear map itself, so that jvp and vjp are each other's transposes
(Pearlmutter 1994, Schraudolph 2002).
"""

import math
import typing

from chainertrpo.numerics.functions import functions
from chainertrpo.numerics.kernels import activate

import chainer.functions as F
import numpy


class Activation(typing.NamedTuple):
    """φ, one row of `ACTIVATIONS`.

    Attributes
    ----------
    apply : callable
        (xp, a, out) -> φ(a), written to `out`, an array like a or a itself.
    slope : callable
        (xp, a, h) -> φ'(a) with h = φ(a); a is None where `from_h`.
    curve : callable
        (xp, a, h) -> φ''(a).
    graph : callable
        Variable -> Variable: φ for Chainer, which differentiates it any number of times.
    from_h : bool
        φ' follows from h alone, so that a need not be kept.
    cuda : str, optional
        C++ that sets h and slope from a, for a GPU: one launch a layer instead of four.
    """

    apply: typing.Callable
    slope: typing.Callable
    curve: typing.Callable
    graph: typing.Callable
    from_h: bool = False
    cuda: str = ""


def _sigmoid(xp, a):
    return 0.5 * (1 + xp.tanh(0.5 * a))


def _silu_slope(xp, a, h):
    s = _sigmoid(xp, a)
    return s + h * (1 - s)


def _silu_curve(xp, a, h):
    s = _sigmoid(xp, a)
    return s * (1 - s) * (2 + a * (1 - 2 * s))


# GELU's tanh form (Hendrycks and Gimpel 2016): ½a(1 + tanh u), u = c(a + 0.044715a³).
_C, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def _gelu_tanh(xp, a):
    return xp.tanh(_C * (a + _CUBIC * (a * a * a)))


def _gelu_slope(xp, a, h):
    t = _gelu_tanh(xp, a)
    return 0.5 * (1 + t) + 0.5 * a * (1 - t * t) * (_C * (1 + 3 * _CUBIC * (a * a)))


def _gelu_curve(xp, a, h):
    t, du = _gelu_tanh(xp, a), _C * (1 + 3 * _CUBIC * (a * a))
    dt = (1 - t * t) * du
    return dt - a * t * dt * du + 0.5 * a * (1 - t * t) * (_C * 6 * _CUBIC * a)


ACTIVATIONS = {
    "tanh": Activation(
        lambda xp, a, out: xp.tanh(a, out=out),
        lambda xp, a, h: 1 - h * h,
        lambda xp, a, h: -2 * h * (1 - h * h),
        F.tanh,
        from_h=True,
        cuda="h = tanh(a); slope = 1 - h * h;",
    ),
    "relu": Activation(
        lambda xp, a, out: xp.maximum(a, 0, out=out),
        lambda xp, a, h: (h > 0).astype(h.dtype),
        lambda xp, a, h: xp.zeros_like(h),
        F.relu,
        from_h=True,
        cuda="h = a < 0 ? (T)0 : a; slope = a > 0;",
    ),
    "elu": Activation(
        lambda xp, a, out: xp.maximum(a, xp.expm1(xp.minimum(a, 0)), out=out),
        lambda xp, a, h: xp.minimum(h, 0) + 1,
        lambda xp, a, h: (xp.minimum(h, 0) + 1) * (h < 0),
        F.elu,
        from_h=True,
        cuda="h = a > 0 ? a : expm1(a); slope = a > 0 ? (T)1 : h + 1;",
    ),
    "silu": Activation(
        lambda xp, a, out: xp.multiply(a, _sigmoid(xp, a), out=out),
        _silu_slope,
        _silu_curve,
        lambda a: a * F.sigmoid(a),
        cuda="const T s = 1 / (1 + exp(-a)); h = a * s; slope = s + h * (1 - s);",
    ),
    "gelu": Activation(
        lambda xp, a, out: xp.multiply(0.5 * a, 1 + _gelu_tanh(xp, a), out=out),
        _gelu_slope,
        _gelu_curve,
        lambda a: 0.5 * a * (1 + F.tanh(_C * (a + _CUBIC * (a * a * a)))),
    ),
    "softplus": Activation(
        lambda xp, a, out: xp.logaddexp(a, 0, out=out),
        lambda xp, a, h: _sigmoid(xp, a),
        lambda xp, a, h: _sigmoid(xp, a) * _sigmoid(xp, -a),
        F.softplus,
        cuda="h = max(a, (T)0) + log1p(exp(-fabs(a))); slope = 1 / (1 + exp(-a));",
    ),
    "identity": Activation(
        lambda xp, a, out: a,
        lambda xp, a, h: xp.ones_like(h),
        lambda xp, a, h: xp.zeros_like(h),
        lambda a: a,
        from_h=True,
    ),
}


class Room:
    """Arrays that products are written to, made once: what is in them holds until the next.

    Only one thread may work in a room.

    Parameters
    ----------
    rows : int
        For products of so many rows at most; larger ones get new arrays.
    """

    def __init__(self, rows=0):
        self.rows, self._arrays, self._rooms = rows, {}, {}

    def __call__(self, use, like, columns):
        """An array of `columns` and as many rows as `like`, or None for a new one."""
        n = len(like)
        if not 0 < n <= self.rows:
            return None
        if use not in self._arrays:
            xp = functions(like)
            self._arrays[use] = xp.empty((self.rows, columns), like.dtype)
        return self._arrays[use][:n]

    def __getitem__(self, name):
        """A room of its own, for one of several networks that work in this one."""
        return self._rooms.setdefault(name, Room(self.rows))


NO_ROOM = Room()


class MLP:
    """hᵢ = φ(aᵢ), aᵢ = hᵢ₋₁Wᵢᵀ + bᵢ; the last layer without φ, but where `squash`.

    Derivatives: ȧᵢ = ḣᵢ₋₁Wᵢᵀ + hᵢ₋₁Ẇᵢᵀ + ḃᵢ, ḣᵢ = φ'(aᵢ)ȧᵢ;  W̄ᵢ = āᵢᵀhᵢ₋₁, b̄ᵢ = Σāᵢ,
    āᵢ₋₁ = φ'(aᵢ₋₁)(āᵢWᵢ).

    Parameters
    ----------
    name : str
        What the names of its parameters begin with, such as ``/mlp``.
    sizes : sequence of int
        Input, hidden and output widths.
    activation : str
        A key of `ACTIVATIONS`.
    squash : bool
        Whether φ follows the last layer too: another network takes its outputs.

    Attributes
    ----------
    shapes : dict of str to tuple
        Of the parameters, by name.
    first : str
        The parameter whose columns belong to the columns of x.
    kept_columns : int
        Columns that a tape holds beside those of x; bounds what is kept of a batch.
    """

    carry_size = 0

    def __init__(self, name, sizes, activation="tanh", squash=False):
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"expected positive layer widths, got {tuple(sizes)}.")
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"expected activation to be one of {sorted(ACTIVATIONS)}, got "
                f"{activation!r}."
            )
        self.sizes, self.width, self.activation = tuple(sizes), sizes[-1], activation
        self.layers = [
            (f"{name}/{i}/W", f"{name}/{i}/b") for i in range(len(sizes) - 1)
        ]
        self.first = self.layers[0][0]
        self.shapes = {}
        for (w, b), n_in, n_out in zip(self.layers, sizes, sizes[1:]):
            self.shapes.update({w: (n_out, n_in), b: (n_out,)})
        self.squash = squash
        self.kept_columns = 2 * sum(self.sizes[1:-1]) + squash * self.width

    def named(self, name):
        """The same network, whose parameters' names begin with `name`."""
        return MLP(name, self.sizes, self.activation, self.squash)

    def forward(self, theta, x, carry=None, starts=None, keep=True):
        """Run rows through the layers; the tape is None unless `keep`."""
        xp, phi = functions(x), ACTIVATIONS[self.activation]
        tape, slope = [], None
        for w, b in self.layers[:-1]:
            tape.append((theta[w], x, slope))
            a = x.dot(theta[w].T)
            if xp is not numpy and phi.cuda:
                x, slope = activate(xp, phi.cuda, a, theta[b])
                continue
            a += theta[b]
            h = phi.apply(xp, a, a if phi.from_h or not keep else None)
            slope = phi.slope(xp, a, h) if keep else None
            x = h
        w, b = self.layers[-1]
        tape.append((theta[w], x, slope))
        out = x.dot(theta[w].T)
        out += theta[b]
        if self.squash:
            a = out
            out = phi.apply(xp, a, a if phi.from_h or not keep else None)
            tape.append(phi.slope(xp, a, out) if keep else None)
        return out, tape if keep else None, carry

    def acting(self, theta):
        """Rows to act on, (S,) or (E, S): (x, carry) -> (out, carry)."""
        layers = [(theta[w].T, theta[b]) for w, b in self.layers]
        xp, apply = functions(layers[0][1]), ACTIVATIONS[self.activation].apply
        hidden, (w_last, b_last) = layers[:-1], layers[-1]
        squash = self.squash

        def step(x, carry=None):
            for w, b in hidden:
                x = x.dot(w)
                x += b
                x = apply(xp, x, x)
            x = x.dot(w_last)
            x += b_last
            return apply(xp, x, x) if squash else x, carry

        return step

    def graph(self, theta, x):
        """The same of Variables, through Chainer's functions."""
        *hidden, last = self.layers
        phi = ACTIVATIONS[self.activation].graph
        for w, b in hidden:
            x = phi(F.linear(x, theta[w], theta[b]))
        x = F.linear(x, theta[last[0]], theta[last[1]])
        return phi(x) if self.squash else x

    def jvp(self, tape, dtheta, room=NO_ROOM, dx=None):
        """J·θ̇, an array of the shape of the output; with ẋ of the inputs where given."""
        xp, t = functions(tape[0][1]), dx
        for i, ((w, b), (weight, x, slope)) in enumerate(zip(self.layers, tape)):
            n = len(weight)
            a = xp.dot(x, dtheta[w].T, out=room(("jvp", i), x, n))
            if t is not None:
                if slope is not None:
                    t *= slope
                a += xp.dot(t, weight.T, out=room(("through", i), x, n))
            a += dtheta[b]
            t = a
        if self.squash:
            t *= tape[-1]
        return t

    def vjp(self, tape, dout, into, room=NO_ROOM, by_x=False):
        """Jᵀ·dout, written to `into`; returns that of the inputs if it is asked for."""
        xp = functions(dout)
        ones = xp.ones(len(dout), dout.dtype)
        for i, delta, x in self._back(tape, dout, room):
            w, b = self.layers[i]
            xp.dot(delta.T, x, out=into[w])
            xp.dot(ones, delta, out=into[b])  # Σ, several times faster than a sum
        return delta.dot(tape[0][0]) if by_x else None

    def scores(self, tape, dout):
        """(āᵢ, hᵢ₋₁) by layer: a row's part of Jᵀ·dout is āᵢᵀhᵢ₋₁ for Wᵢ and āᵢ for bᵢ."""
        return [(delta, x) for _, delta, x in self._back(tape, dout, NO_ROOM)][::-1]

    def input_gradient(self, theta, x):
        """∂(Σ out)/∂x of each row, and what takes its derivative by θ.

        Parameters
        ----------
        theta : dict of str to array
            Parameters.
        x : array, shape (N, S)
            Inputs.

        Returns
        -------
        slope : array, shape (N, S)
            The gradients.
        pull : callable
            u of shape (N, S) -> ∂⟨u, slope⟩/∂θ, arrays by name: u is pushed through the
            layers as a tangent of x, ȧᵢ = ḣᵢ₋₁Wᵢᵀ and ḣᵢ = φ'(aᵢ)ȧᵢ, and that is pulled
            back; φ'' enters where ḣᵢ depends on aᵢ.
        """
        xp, phi = functions(x), ACTIVATIONS[self.activation]
        inputs, slopes, curves = [x], [], []
        for w, b in self.layers[:-1]:
            a = inputs[-1].dot(theta[w].T) + theta[b]
            h = phi.apply(xp, a, None)
            inputs.append(h)
            slopes.append(phi.slope(xp, a, h))
            curves.append(phi.curve(xp, a, h))
        weights = [theta[w] for w, _ in self.layers]
        slope = xp.ones((len(x), self.width), x.dtype)
        for i in range(len(weights) - 1, -1, -1):
            slope = slope.dot(weights[i])
            if i:
                slope = slope * slopes[i - 1]

        def pull(u):
            tangents, sums = [u], []  # ḣ and ȧ
            for w, one in zip(weights, slopes):
                sums.append(tangents[-1].dot(w.T))
                tangents.append(sums[-1] * one)
            found = {}
            by_tangent, by_sum = xp.ones((len(x), self.width), x.dtype), None
            for i in range(len(weights) - 1, -1, -1):  # derivatives by ȧᵢ and aᵢ
                w, b = self.layers[i]
                found[w] = by_tangent.T.dot(tangents[i])
                found[b] = xp.zeros_like(theta[b])
                if by_sum is not None:
                    found[w] += by_sum.T.dot(inputs[i])
                    found[b] += by_sum.sum(axis=0)
                if not i:
                    break
                on_tangent = by_tangent.dot(weights[i])
                on_h = 0 if by_sum is None else by_sum.dot(weights[i])
                by_tangent = on_tangent * slopes[i - 1]
                by_sum = on_tangent * sums[i - 1] * curves[i - 1] + on_h * slopes[i - 1]
            return found

        return slope, pull

    def _back(self, tape, dout, room):
        xp = functions(dout)
        if self.squash:
            dout = xp.multiply(dout, tape[-1], out=room("squash", dout, self.width))
        for i in range(len(self.layers) - 1, -1, -1):
            weight, x, slope = tape[i]
            yield i, dout, x
            if slope is not None:
                dout = xp.dot(dout, weight, out=room(("vjp", i), x, x.shape[1]))
                dout *= slope


def views(flat, shapes):
    """The parts of a flat vector by name, in the order of `shapes`."""
    parts, start = {}, 0
    for name, shape in shapes.items():
        size = int(numpy.prod(shape))
        parts[name] = flat[start : start + size].reshape(shape)
        start += size
    return parts
