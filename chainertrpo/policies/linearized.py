"""An MLP at fixed parameters: one forward pass kept, then J and Jᵀ as matrix products.

Chainer differentiates any graph; for our own MLPs the same products are written out
here, as in Pearlmutter (1994) and Schraudolph (2002), so that a Gauss–Newton product
costs little more than its matrix products.  With h₀ the input, hᵢ = φ(aᵢ) and
aᵢ = hᵢ₋₁Wᵢᵀ + bᵢ:

- forward tangent:  ȧᵢ = ḣᵢ₋₁Wᵢᵀ + hᵢ₋₁Ẇᵢᵀ + ḃᵢ,  ḣᵢ = φ'(aᵢ) ȧᵢ;
- backward:  W̄ᵢ = āᵢᵀhᵢ₋₁,  b̄ᵢ = Σ āᵢ,  āᵢ₋₁ = φ'(aᵢ₋₁) (āᵢWᵢ).

Rows are worked through in chunks; what a chunk keeps is bounded by `keep_bytes`, beyond
which its forward pass is made anew for each product.
"""

from chainertrpo.numerics import flatten, named_params, unflatten
from chainertrpo.policies.models import GaussianPolicy, SoftmaxPolicy

import chainer
from chainer import Variable, backend


def _relu_slope(xp, h):
    return (h > 0).astype(h.dtype)


# φ(a) in place, and φ' from φ(a).
ACTIVATIONS = {
    "tanh": (lambda xp, a: xp.tanh(a, out=a), lambda xp, h: 1 - h * h),
    "relu": (lambda xp, a: xp.maximum(a, 0, out=a), _relu_slope),
}


class LinearizedMLP:
    """The layers of an `MLP` as plain arrays, NumPy or CuPy.

    Parameters
    ----------
    weights : list of (array, array)
        (W, b) of each layer; referred to, not copied.
    activation : str
        As in `MLP`.
    """

    def __init__(self, weights, activation):
        self.weights = weights
        self._apply, self._slope = ACTIVATIONS[activation]

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
        t = None
        for (w, _), (dw, db), (h, slope) in zip(self.weights, tangents, kept):
            a = h.dot(dw.T)
            if t is not None:
                t *= slope
                a += t.dot(w.T)
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
            u; it may be overwritten.
        out : list of (array, array), optional
            Where to write.

        Returns
        -------
        list of (array, array)
            (W̄, b̄), a layer each.
        """
        xp = backend.get_array_module(cotangent)
        out = out or [(xp.empty_like(w), xp.empty_like(b)) for w, b in self.weights]
        a = cotangent
        for (w, _), (h, slope), (dw, db) in zip(
            self.weights[::-1], kept[::-1], out[::-1]
        ):
            xp.dot(a.T, h, out=dw)
            a.sum(axis=0, out=db)
            if slope is not None:
                a = a.dot(w)
                a *= slope
        return out


class LinearizedPolicy:
    """A `GaussianPolicy` or `SoftmaxPolicy` around its present parameters, on a batch.

    Parameters
    ----------
    policy : GaussianPolicy or SoftmaxPolicy
        The policy.
    obs : array, shape (N, S)
        Observations.
    chunk_rows : int
        Rows worked on at a time.
    keep_bytes : int
        The most that may be kept between products.

    Attributes
    ----------
    dist : distribution
        On all rows; its graph begins at the MLP's outputs.
    dists : list of distribution
        The same without a graph, a chunk each.
    """

    def __init__(self, policy, obs, *, chunk_rows=25_000, keep_bytes=2**28):
        self.policy = policy
        self._params = named_params(policy)
        weights = [(layer.W.array, layer.b.array) for layer in policy.mlp]
        self._mlp = LinearizedMLP(weights, policy.mlp.activation)
        self._layers = [(f"/mlp/{i}/W", f"/mlp/{i}/b") for i in range(len(policy.mlp))]
        self._obs = obs
        n = len(obs)
        self._chunks = [slice(i, i + chunk_rows) for i in range(0, n, chunk_rows)]
        width = sum(w.shape[0] for w, _ in self._mlp.weights[:-1])
        keep = 2 * n * width * obs.dtype.itemsize <= keep_bytes
        outputs, self._kept = [], []
        for rows in self._chunks:
            output, kept = self._mlp.forward(obs[rows])
            outputs.append(output)
            self._kept.append(kept if keep else None)
        xp = backend.get_array_module(obs)
        outputs = outputs[0] if len(outputs) == 1 else xp.concatenate(outputs)
        self._leaf = Variable(outputs)
        self.dist = policy.distribution(self._leaf)
        with chainer.no_backprop_mode():
            self.dists = [policy.distribution(outputs[rows]) for rows in self._chunks]

    def _chunk(self, i):
        kept = self._kept[i]
        return (
            self._mlp.forward(self._obs[self._chunks[i]])[1] if kept is None else kept
        )

    def gradient(self, y):
        """∂y/∂θ of a scalar computed from `dist`: Chainer up to the outputs, then Jᵀ.

        Parameters
        ----------
        y : Variable, shape ()
            For example the surrogate of `dist`.

        Returns
        -------
        array, shape (P,)
            The gradient.
        """
        mlp_names = {name for pair in self._layers for name in pair}
        heads = {k: p for k, p in self._params.items() if k not in mlp_names}
        u, *head_grads = chainer.grad([y], [self._leaf, *heads.values()])
        total = {k: None if g is None else g.array for k, g in zip(heads, head_grads)}
        for i, rows in enumerate(self._chunks):
            self._add(total, self._mlp.pull(self._chunk(i), u.array[rows].copy()))
        return self._flatten(total)

    def fisher_product(self, v):
        """JᵀFJ·v with F the Fisher matrix of the mean over states.

        Parameters
        ----------
        v : array, shape (P,)
            A vector.

        Returns
        -------
        array, shape (P,)
            The product.
        """
        parts = dict(zip(self._params, unflatten(v, self._params.values())))
        tangents = [(parts[w], parts[b]) for w, b in self._layers]
        total = {}
        for i, dist in enumerate(self.dists):
            kept = self._chunk(i)
            t = self._mlp.push(kept, tangents)
            weight = len(t) / len(self._obs)
            u, head = self.policy.fisher(dist, t, parts, weight)
            self._add(total, self._mlp.pull(kept, u))
            for name, value in head.items():
                total[name] = total[name] + value if name in total else value
        return self._flatten(total)

    def _add(self, total, grads):
        for names, pair in zip(self._layers, grads):
            for name, grad in zip(names, pair):
                if name in total:
                    total[name] += grad
                else:
                    total[name] = grad

    def _flatten(self, total):
        xp = backend.get_array_module(self._obs)
        return flatten(
            [
                xp.zeros_like(param.array) if total.get(name) is None else total[name]
                for name, param in self._params.items()
            ]
        )


def can_linearize(policy):
    """Whether a policy is ours, unchanged by a subclass.

    Parameters
    ----------
    policy : chainer.Link
        Any policy.

    Returns
    -------
    bool
        `LinearizedPolicy` takes it.
    """
    return type(policy) in (GaussianPolicy, SoftmaxPolicy)
