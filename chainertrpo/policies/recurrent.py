"""Networks that remember, with their derivatives written out as those of `network` are.

A `GRU` takes rows in order of time, path after path, of paths as long as they are: what
is one product for all rows is taken at once, and only what depends on the hidden state
before goes step by step, each over the paths that are that long, without padding.
"""

import typing

from chainertrpo.numerics.functions import functions
from chainertrpo.policies.network import NO_ROOM

import chainer
import chainer.functions as F
import numpy


class Packed(typing.NamedTuple):
    """Rows of paths in the order in which they are worked through.

    Attributes
    ----------
    order : array of int, shape (N,)
        The row of each packed row.
    steps : list of slice
        The packed rows of step 0, 1, …: of the first so many of `paths`.
    paths : array of int, shape (K,)
        Paths, longest first.
    """

    order: typing.Any
    steps: typing.List[slice]
    paths: typing.Any


def pack(starts, n):
    """Rows step by step, the longest path first.

    Parameters
    ----------
    starts : numpy.ndarray of int, shape (K,)
        Where paths begin in n rows.
    n : int
        Rows.

    Returns
    -------
    Packed
        On the host.
    """
    lengths = numpy.diff(numpy.append(starts, n))
    paths = numpy.argsort(-lengths, kind="stable")
    times = numpy.arange(lengths.max(initial=0))[:, None]
    there = times < lengths[paths]
    ends = numpy.cumsum(there.sum(axis=1)).tolist()
    steps = [slice(*pair) for pair in zip([0, *ends], ends)]
    return Packed((starts[paths] + times)[there], steps, paths)


class GRU:
    """n = tanh(xWₙᵀ + bₙ + r∘(hUₙᵀ + c)),  h' = (1 − z)∘n + z∘h, with gates r and z.

    r, z = σ(xWᵀ + hUᵀ + b): cuDNN's variant (Cho et al. 2014, with the reset after the
    product), which Chainer's ``NStepGRU`` and PyTorch have.  One below the other, W holds
    the rows of n, r and z, U those of r, z and n, b those of n, r, z and c.

    Derivatives: with a the sums of n (without h), r and z, and hUₙᵀ + c, the tape has
    s = ∂h'/∂a beside z, and

        ḣ' = z∘ḣ + Σ s∘ȧ,    ā = s∘h̄',    h̄ = z∘h̄' + ā·U.

    Parameters
    ----------
    name : str
        What the names of its parameters begin with, such as ``/core``.
    n_in, n_out : int
        Widths; the hidden state is the output.

    Attributes
    ----------
    carry_size : int
        C: the hidden state's width.
    shapes, first, kept_columns
        As of `chainertrpo.policies.network.MLP`.
    """

    def __init__(self, name, n_in, n_out):
        if min(n_in, n_out) < 1:
            raise ValueError(f"expected positive widths, got {(n_in, n_out)}.")
        self.w, self.u, self.b = f"{name}/W", f"{name}/U", f"{name}/b"
        self.n_in, self.width, self.carry_size = n_in, n_out, n_out
        self.first = self.w
        self.shapes = {
            self.w: (3 * n_out, n_in),
            self.u: (3 * n_out, n_out),
            self.b: (4 * n_out,),
        }
        self.kept_columns = n_in + 6 * n_out

    def named(self, name):
        """The same network, whose parameters' names begin with `name`."""
        return GRU(name, self.n_in, self.width)

    def forward(self, theta, x, carry, starts, keep=True):
        """Run paths from their carry on; returns h' of all rows, and the last of each."""
        xp, n, packed = functions(x), self.width, pack(starts, len(x))
        u, b, order = theta[self.u], theta[self.b], xp.asarray(packed.order)
        x = x.take(order, axis=0)
        a = x.dot(theta[self.w].T)
        a += b[: 3 * n]
        before, held, after = (xp.empty((len(x), n), a.dtype) for _ in range(3))
        h = carry.take(xp.asarray(packed.paths), axis=0)
        for rows in packed.steps:
            before[rows] = h = h[: rows.stop - rows.start]
            after[rows] = h = self._advance(a[rows], held[rows], h, u, b[3 * n :])
        out = xp.empty_like(after)
        out[order] = after
        last = out.take(xp.asarray(numpy.append(starts, len(x))[1:] - 1), axis=0)
        if not keep:
            return out, None, last
        new, r, z = (a[:, i * n : (i + 1) * n] for i in range(3))
        slope = xp.empty((len(x), 4 * n), a.dtype)
        by_n, by_r, by_z, by_held = (slope[:, i * n : (i + 1) * n] for i in range(4))
        by_n[...] = (1 - z) * (1 - new * new)
        by_held[...] = by_n * r
        by_r[...] = by_held * held * (1 - r)
        by_z[...] = (before - new) * z * (1 - z)
        tape = x, before, slope, z, theta[self.w], u, order, packed.steps
        return out, tape, last

    def _advance(self, a, held, h, u, c):
        """Return h'; of the sums from x in `a` it makes n, r, z, and held is hUₙᵀ + c."""
        xp, n, from_h = functions(h), self.width, h.dot(u.T)
        new, gates = a[..., :n], a[..., n:]
        gates += from_h[..., : 2 * n]
        gates *= 0.5  # σ without overflow
        xp.tanh(gates, out=gates)
        gates += 1
        gates *= 0.5
        xp.add(from_h[..., 2 * n :], c, out=held)
        new += gates[..., :n] * held
        xp.tanh(new, out=new)
        return new + gates[..., n:] * (h - new)

    def acting(self, theta):
        """Rows to act on, (S,) or (E, S), and their carry: (x, h) -> (h', h')."""
        n, u, b = self.width, theta[self.u], theta[self.b]
        w, b_in, c = theta[self.w].T, b[: 3 * n], b[3 * n :]
        xp = functions(b)

        def step(x, carry):
            a = x.dot(w)
            a += b_in
            h = self._advance(a, xp.empty_like(carry), carry, u, c)
            return h, h

        return step

    def graph(self, theta, x, carry, starts):
        """The same of Variables, through Chainer's functions: h' of all rows."""
        xp, n, packed = functions(carry), self.width, pack(starts, len(x))
        u, (b, c) = theta[self.u], F.split_axis(theta[self.b], [3 * n], axis=0)
        order, back = xp.asarray(packed.order), numpy.empty_like(packed.order)
        back[packed.order] = numpy.arange(len(back))
        back = xp.asarray(back)
        a = F.linear(_reordered(x, order, back), theta[self.w], b)
        ends = [rows.stop for rows in packed.steps]
        h, found = carry[xp.asarray(packed.paths)], []
        for sums in F.split_axis(a, ends[:-1], axis=0) if len(ends) > 1 else [a]:
            if len(sums) < len(h):
                h, _ = F.split_axis(h, [len(sums)], axis=0)
            x_n, x_r, x_z = F.split_axis(sums, 3, axis=1)
            h_r, h_z, h_n = F.split_axis(F.linear(h, u), 3, axis=1)
            z = F.sigmoid(x_z + h_z)
            new = F.tanh(
                x_n + F.sigmoid(x_r + h_r) * (h_n + F.broadcast_to(c, h_n.shape))
            )
            h = new + z * (h - new)
            found.append(h)
        return _reordered(F.concat(found, axis=0), back, order)

    def jvp(self, tape, dtheta, room=NO_ROOM, dx=None):
        """J·θ̇, an array of the shape of the output; with ẋ of the inputs where given."""
        x, before, slope, z, w, u, order, steps = tape
        xp, n = functions(x), self.width
        da, three = _empty(xp, room, "sums", x, 4 * n), room("three", x, 3 * n)
        by_x, by_h = da[:, : 3 * n], da[:, n:]
        by_x[...] = xp.dot(x, dtheta[self.w].T, out=three)
        da[:, 3 * n :] = 0
        if dx is not None:
            by_x += xp.dot(dx.take(order, axis=0), w.T, out=three)
        by_h += xp.dot(before, dtheta[self.u].T, out=three)
        da += dtheta[self.b]
        da *= slope
        dy = da[:, :n]  # Σ s∘ȧ without that of h
        for i in range(1, 4):
            dy += da[:, i * n : (i + 1) * n]
        by_h, dh = slope[:, n:], None
        for rows in steps:
            step = dy[rows]
            if dh is not None:
                dh = dh[: len(step)]
                through = dh.dot(u.T)
                through *= by_h[rows]
                step += z[rows] * dh
                for i in range(3):
                    step += through[:, i * n : (i + 1) * n]
            dh = step
        out = _empty(xp, room, "jvp", x, n)
        out[order] = dy
        return out

    def vjp(self, tape, dout, into, room=NO_ROOM, by_x=False):
        """Jᵀ·dout, written to `into`; returns that of the inputs if it is asked for."""
        x, before, slope, z, w, u, order, steps = tape
        xp, n = functions(x), self.width
        da, dh = _empty(xp, room, "sums", x, 4 * n), dout.take(order, axis=0)
        by_sum, found = (array.reshape(len(x), 4, n) for array in (slope, da))
        back = None
        for rows in steps[::-1]:
            step = dh[rows]
            if back is not None:
                step[: len(back)] += back
            xp.multiply(by_sum[rows], step[:, None], out=found[rows])
            back = da[rows, n:].dot(u)
            back += z[rows] * step
        xp.dot(da[:, : 3 * n].T, x, out=into[self.w])
        xp.dot(da[:, n:].T, before, out=into[self.u])
        xp.dot(xp.ones(len(x), x.dtype), da, out=into[self.b])
        if not by_x:
            return None
        dx = _empty(xp, room, "by_x", x, self.n_in)
        dx[order] = da[:, : 3 * n].dot(w)
        return dx


class _Reordered(chainer.FunctionNode):
    """Rows in another order; the backward of Chainer's takes the inverse every time."""

    def __init__(self, order, back):
        self._orders = order, back

    def forward(self, inputs):
        return (inputs[0].take(self._orders[0], axis=0),)

    def backward(self, indexes, grads):
        order, back = self._orders
        return (_reordered(grads[0], back, order),)


def _reordered(x, order, back):
    return _Reordered(order, back).apply((x,))[0]


def _empty(xp, room, use, like, columns):
    found = room(use, like, columns)
    return xp.empty((len(like), columns), like.dtype) if found is None else found
