"""An MLP at fixed parameters: one forward pass kept, then J and Jᵀ as matrix products.

Chainer differentiates any graph; for our own MLPs the same products are written out
here, as in Pearlmutter (1994) and Schraudolph (2002), so that a Gauss–Newton product
costs little more than its matrix products.  With h₀ the input, hᵢ = φ(aᵢ) and
aᵢ = hᵢ₋₁Wᵢᵀ + bᵢ:

- forward tangent:  ȧᵢ = ḣᵢ₋₁Wᵢᵀ + hᵢ₋₁Ẇᵢᵀ + ḃᵢ,  ḣᵢ = φ'(aᵢ) ȧᵢ;
- backward:  W̄ᵢ = āᵢᵀhᵢ₋₁,  b̄ᵢ = Σ āᵢ,  āᵢ₋₁ = φ'(aᵢ₋₁) (āᵢWᵢ).
"""

from chainertrpo.numerics import row_lanes, side_by_side

from chainer import backend

MOST_ROWS = 25_000  # at a time, on a GPU


def _relu_slope(xp, h):
    return (h > 0).astype(h.dtype)


# φ(a) in place, and φ' from φ(a).
ACTIVATIONS = {
    "tanh": (lambda xp, a: xp.tanh(a, out=a), lambda xp, h: 1 - h * h),
    "relu": (lambda xp, a: xp.maximum(a, 0, out=a), _relu_slope),
}


def linearized(mlp):
    """An `MLP` at its parameters of the moment.

    Parameters
    ----------
    mlp : chainertrpo.policies.models.MLP
        The network.

    Returns
    -------
    LinearizedMLP
        It refers to the parameters.
    """
    return LinearizedMLP([(x.W.array, x.b.array) for x in mlp], mlp.activation)


class LinearizedMLP:
    """The layers of an `MLP` as plain arrays, NumPy or CuPy.

    Parameters
    ----------
    weights : list of (array, array)
        (W, b) of each layer; referred to, not copied.
    activation : str
        As in `MLP`.
    scratch_rows : int
        Up to so many rows `push` and `pull` work in arrays of this object, which it
        overwrites: their results hold until the next call, and only one thread may call
        them.  0 makes new arrays each time.
    """

    def __init__(self, weights, activation, scratch_rows=0):
        self.weights = weights
        self._apply, self._slope = ACTIVATIONS[activation]
        self._scratch_rows, self._scratch = scratch_rows, {}

    def _out(self, use, like, rows, columns):
        """Where a product goes: scratch, or None for a new array."""
        if rows > self._scratch_rows:
            return None
        if use not in self._scratch:
            xp = backend.get_array_module(like)
            shape = (self._scratch_rows, columns)
            self._scratch[use] = xp.empty(shape, like.dtype)
        return self._scratch[use][:rows]

    def forward(self, x):
        """Run the network on a chunk.

        Parameters
        ----------
        x : array, shape (n, S)
            Inputs.

        Returns
        -------
        output : array, shape (n, O)
            Of the last layer.
        kept : list of (array, array)
            For each layer its input hᵢ₋₁ and the slope φ' at that input (None for x).
        """
        xp = backend.get_array_module(x)
        h, slope, kept = x, None, []
        for w, b in self.weights[:-1]:
            kept.append((h, slope))
            h = h.dot(w.T)
            h += b
            self._apply(xp, h)
            slope = self._slope(xp, h)
        kept.append((h, slope))
        w, b = self.weights[-1]
        return h.dot(w.T) + b, kept

    def outputs(self, x):
        """Run the network on any number of rows, blocks of them side by side.

        Parameters
        ----------
        x : array, shape (N, S)
            Inputs.

        Returns
        -------
        array, shape (N, O)
            Of the last layer.
        """
        xp = backend.get_array_module(x)
        out = xp.empty((len(x), len(self.weights[-1][0])), x.dtype)

        def work(lane):
            for rows in lane:
                out[rows] = self.forward(x[rows])[0]

        side_by_side(work, row_lanes(x, MOST_ROWS))
        return out

    def push(self, kept, tangents):
        """J·θ̇ for a chunk.

        Parameters
        ----------
        kept : list
            Of `forward`.
        tangents : list of (array, array)
            (Ẇ, ḃ), a layer each.

        Returns
        -------
        array, shape (n, O)
            The outputs' tangent.
        """
        xp, t = backend.get_array_module(kept[0][0]), None
        layers = zip(self.weights, tangents, kept)
        for i, ((w, _), (dw, db), (h, slope)) in enumerate(layers):
            size = len(h), len(w)
            a = xp.dot(h, dw.T, out=self._out(("push", i), h, *size))
            if t is not None:
                t *= slope
                a += xp.dot(t, w.T, out=self._out(("through", i), h, *size))
            a += db
            t = a
        return t

    def pull(self, kept, cotangent, out=None):
        """Jᵀ·u for a chunk.

        Parameters
        ----------
        kept : list
            Of `forward`.
        cotangent : array, shape (n, O)
            u.
        out : list of (array, array), optional
            Where to write.

        Returns
        -------
        list of (array, array)
            (W̄, b̄), a layer each.
        """
        xp = backend.get_array_module(cotangent)
        out = out or [(xp.empty_like(w), xp.empty_like(b)) for w, b in self.weights]
        a, ones = cotangent, xp.ones(len(cotangent), cotangent.dtype)
        layers = zip(self.weights[::-1], kept[::-1], out[::-1])
        for i, ((w, _), (h, slope), (dw, db)) in enumerate(layers):
            xp.dot(a.T, h, out=dw)
            xp.dot(ones, a, out=db)  # Σ a, several times faster than a sum
            if slope is not None:
                a = xp.dot(a, w, out=self._out(("pull", i), h, *h.shape))
                a *= slope
        return out
