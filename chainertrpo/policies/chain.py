"""Networks in a row, with their derivatives written out as those of `network` are."""

import itertools

from chainertrpo.numerics.functions import functions
from chainertrpo.policies.network import NO_ROOM


class Chain:
    """Networks in a row, each taking the outputs of the one before.

    Parameters
    ----------
    parts : sequence of (str, network)
        Names, such as ``/encoder``, and networks without a name of their own.
    name : str
        What the names of all parameters begin with.

    Attributes
    ----------
    carry_size : int
        The hidden states' widths together, in the order of the parts.
    shapes, first, kept_columns
        As of `chainertrpo.policies.network.MLP`.
    """

    def __init__(self, parts, name=""):
        self._given = tuple(parts)
        self.parts = [part.named(name + own) for own, part in parts]
        self.width, self.first = self.parts[-1].width, self.parts[0].first
        self.shapes = {k: x for part in self.parts for k, x in part.shapes.items()}
        sizes = [part.carry_size for part in self.parts]
        ends = list(itertools.accumulate(sizes))
        self.carry_size = ends[-1]
        self._columns = [slice(end - n, end) for n, end in zip(sizes, ends)]
        widths = [part.width for part in self.parts[:-1]]
        self.kept_columns = sum(part.kept_columns for part in self.parts) + sum(widths)

    def named(self, name):
        """The same network, whose parameters' names begin with `name`."""
        return Chain(self._given, name)

    def forward(self, theta, x, carry=None, starts=None, keep=True):
        """Run rows through the parts; the tape is None unless `keep`."""
        tape, after = [], []
        for part, own in self._with_carries(carry):
            x, kept, last = part.forward(theta, x, own, starts, keep=keep)
            tape.append(kept)
            after += [last] if part.carry_size else []
        return x, tape if keep else None, _side_by_side(after) if after else carry

    def acting(self, theta):
        """Rows to act on, (S,) or (E, S), and their carry."""
        steps = [part.acting(theta) for part in self.parts]
        remembers = [part.carry_size > 0 for part in self.parts]
        if sum(remembers) < 2:  # as it is, without cutting it

            def step(x, carry=None):
                for one, takes in zip(steps, remembers):
                    if takes:
                        x, carry = one(x, carry)
                    else:
                        x, _ = one(x)
                return x, carry

            return step

        def step_each(x, carry):
            after = []
            for one, columns, takes in zip(steps, self._columns, remembers):
                x, last = one(x, carry[..., columns])
                after += [last] if takes else []
            return x, _side_by_side(after)

        return step_each

    def states(self, theta, x, carry, starts):
        """The hidden state after each row, shape (N, C): what has memory gives it out."""
        found = []
        for part, own in self._with_carries(carry):
            x, _, _ = part.forward(theta, x, own, starts, keep=False)
            if part.carry_size:
                found.append(x)
        return _side_by_side(found)

    def graph(self, theta, x, carry=None, starts=None):
        """The same of Variables, through Chainer's functions."""
        for part, own in self._with_carries(carry):
            memory = (own, starts) if part.carry_size else ()
            x = part.graph(theta, x, *memory)
        return x

    def jvp(self, tape, dtheta, room=NO_ROOM, dx=None):
        """J·θ̇, an array of the shape of the output; with ẋ of the inputs where given."""
        for i, (part, kept) in enumerate(zip(self.parts, tape)):
            dx = part.jvp(kept, dtheta, room[i], dx)
        return dx

    def vjp(self, tape, dout, into, room=NO_ROOM, by_x=False):
        """Jᵀ·dout, written to `into`; returns that of the inputs if it is asked for."""
        for i in range(len(self.parts) - 1, -1, -1):
            dout = self.parts[i].vjp(tape[i], dout, into, room[i], by_x or i > 0)
        return dout

    def _with_carries(self, carry):
        for part, columns in zip(self.parts, self._columns):
            yield part, carry[:, columns] if part.carry_size else carry


def _side_by_side(carries):
    if len(carries) == 1:
        return carries[0]
    return functions(carries[0]).concatenate(carries, axis=-1)
