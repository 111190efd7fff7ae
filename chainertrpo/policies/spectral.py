"""Layers whose weights have bounded singular values."""

from chainertrpo.numerics.functions import functions
from chainertrpo.policies.network import MLP, NO_ROOM

import chainer.functions as F
from chainer import backend


class SpectralMLP(MLP):
    """An MLP at W̄ = W·min(1, c/σ), σ the largest singular value of W.

    With slopes φ' ≤ 1 it is Lipschitz with the constant c to the power of the layers.
    Miyato et al. (2018, arXiv:1802.05957) divide by σ where it is small too, and estimate
    it by an iteration that goes on from step to step; here it is exact, nothing has to be
    saved, and a last layer of zeros stays one.  With the singular vectors u and v, where
    σ > c,

        Ẇ̄ = (c/σ)(Ẇ − (uᵀẆv)·W/σ)    and transposed    W' = (c/σ)(W̄' − ⟨W̄', W/σ⟩·uvᵀ).

    Where several singular values are the largest (orthogonal weights) this is the
    derivative of one of them.  It has no `scores`: by W a row's part of Jᵀu is no outer
    product.

    Parameters
    ----------
    name, sizes, activation
        As of `MLP`.
    bound : float
        c > 0.
    """

    def __init__(self, name, sizes, activation="tanh", bound=1.0):
        super().__init__(name, sizes, activation)
        self.bound = bound

    def named(self, name):
        """The same network, whose parameters' names begin with `name`."""
        return SpectralMLP(name, self.sizes, self.activation, self.bound)

    def forward(self, theta, x, carry=None, starts=None, keep=True):
        """Run rows through the layers; the tape is None unless `keep`."""
        bounds, theta = self._bounded(theta)
        out, tape, carry = super().forward(theta, x, carry, starts, keep)
        return out, (tape, bounds) if keep else None, carry

    def acting(self, theta):
        """Rows to act on, at the weights of now: it shares no array with `theta`."""
        return super().acting(self._bounded(theta)[1])

    def graph(self, theta, x):
        """The same of Variables, through Chainer's functions."""
        found = dict(theta)
        for w, _ in self.layers:
            sigma, u, v, _ = _leading(theta[w].array, self.bound)
            if sigma > self.bound:
                now = F.sum(theta[w] * u[:, None] * v)  # σ, and its derivative
                found[w] = theta[w] * F.broadcast_to(self.bound / now, theta[w].shape)
        return super().graph(found, x)

    def jvp(self, tape, dtheta, room=NO_ROOM, dx=None):
        """J·θ̇, an array of the shape of the output; with ẋ of the inputs where given."""
        tape, bounds = tape
        moved = dict(dtheta)
        for w, (scale, u, v, unit) in bounds.items():
            moved[w] = scale * (dtheta[w] - u.dot(dtheta[w]).dot(v) * unit)
        return super().jvp(tape, moved, room, dx)

    def vjp(self, tape, dout, into, room=NO_ROOM, by_x=False):
        """Jᵀ·dout, written to `into`; returns that of the inputs if it is asked for."""
        tape, bounds = tape
        by_inputs = super().vjp(tape, dout, into, room, by_x)
        _pull(bounds, into)
        return by_inputs

    def input_gradient(self, theta, x):
        """∂(Σ out)/∂x of each row, and what takes its derivative by θ: see `MLP`."""
        bounds, theta = self._bounded(theta)
        slope, pull = super().input_gradient(theta, x)

        def pull_bounded(u):
            found = pull(u)
            _pull(bounds, found)
            return found

        return slope, pull_bounded

    def _bounded(self, theta):
        """What the derivatives by each W need, and θ with W̄ in the place of W."""
        bounds, found = {}, dict(theta)
        for w, _ in self.layers:
            sigma, u, v, xp = _leading(theta[w], self.bound)
            scale = xp.minimum(1, self.bound / sigma)
            unit = theta[w] / sigma * (sigma > self.bound)  # where it is not, W̄ = W
            bounds[w] = scale, u, v, unit
            found[w] = theta[w] * scale
        return bounds, found


def _leading(weight, bound):
    """σ, or less than the bound where W is 0, and its singular vectors."""
    xp = backend.get_array_module(weight)
    u, s, v = xp.linalg.svd(weight, full_matrices=False)
    return xp.maximum(s[0], 1e-12 * bound), u[:, 0], v[0], functions(weight)


def _pull(bounds, into):
    for w, (scale, u, v, unit) in bounds.items():
        into[w] -= (into[w] * unit).sum() * u[:, None] * v
        into[w] *= scale
