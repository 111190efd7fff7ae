"""Spaces of observations and actions: the only place that looks at a gym(nasium) space."""

import typing

import numpy

KINDS = ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Tuple", "Dict")


class Space(typing.NamedTuple):
    """What of a space is needed, without gym.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    shape : tuple of int
        Of one element; () of a Discrete, a Tuple and a Dict.
    n : int or None
        Of a Discrete: how many.
    start : int
        Of a Discrete: the first.
    low, high : array or None
        Of a Box, or of anything with such bounds.
    choices : tuple of int
        Of a MultiDiscrete: how many in each column.
    parts : dict of str to Space
        Of a Dict by name, of a Tuple by number, in order.
    """

    kind: str
    shape: tuple = ()
    n: typing.Optional[int] = None
    start: int = 0
    low: typing.Any = None
    high: typing.Any = None
    choices: tuple = ()
    parts: typing.Any = None

    @classmethod
    def of(cls, space):
        """Read a space of gym or gymnasium, or anything with their attributes.

        Parameters
        ----------
        space : object
            Or a `Space`, which is returned.

        Returns
        -------
        Space
            Its description.

        Raises
        ------
        ValueError
            Nothing is known of such a space.
        """
        if isinstance(space, cls):
            return space
        inside = getattr(space, "spaces", None)
        if inside is not None:
            named = hasattr(inside, "items")
            pairs = inside.items() if named else enumerate(inside)
            parts = {str(k): cls.of(x) for k, x in pairs}
            return cls("Dict" if named else "Tuple", parts=parts)
        if hasattr(space, "nvec"):
            nvec = numpy.asarray(space.nvec)
            return cls(
                "MultiDiscrete", nvec.shape, choices=tuple(nvec.ravel().tolist())
            )
        if type(space).__name__ == "MultiBinary":
            return cls("MultiBinary", tuple(space.shape))
        if hasattr(space, "n"):
            return cls(
                "Discrete", n=int(space.n), start=int(getattr(space, "start", 0))
            )
        if getattr(space, "shape", None) is not None:
            shape = tuple(int(n) for n in space.shape)
            bounds = (getattr(space, name, None) for name in ("low", "high"))
            return cls("Box", shape, None, 0, *bounds)
        raise ValueError(
            f"expected a space of {', '.join(KINDS)}, got {space}. Wrap the environment "
            "so that it has one of these."
        )

    @property
    def size(self):
        """Columns of an element as a vector of features: of a Discrete one a choice."""
        if self.parts is not None:
            return sum(part.size for part in self.parts.values())
        if self.n is not None:
            return self.n
        return sum(self.choices) or int(numpy.prod(self.shape))

    @property
    def columns(self):
        """Where each part is in that vector, by name; "" where there is one part."""
        if self.parts is None:
            return {"": slice(0, self.size)}
        found, start = {}, 0
        for name, part in self.parts.items():
            found[name] = slice(start, start + part.size)
            start += part.size
        return found

    def features(self, x):
        """An element as a vector, float32; a Discrete one as one-hot.

        Parameters
        ----------
        x : object
            An element of the space.

        Returns
        -------
        array, shape (size,), float32
            Parts one after the other.
        """
        if self.parts is not None:
            named = x if hasattr(x, "items") else {str(i): y for i, y in enumerate(x)}
            pieces = [part.features(named[k]) for k, part in self.parts.items()]
            return numpy.concatenate(pieces)
        if self.n is not None:
            return one_hot(numpy.asarray(x) - self.start, self.n)
        if self.choices:
            index = numpy.asarray(x).ravel()
            return numpy.concatenate(
                [one_hot(i, n) for i, n in zip(index, self.choices)]
            )
        return numpy.asarray(x, numpy.float32).ravel()


def one_hot(index, n):
    """Rows of n columns with a 1 at the index."""
    return numpy.eye(n, dtype=numpy.float32)[index]
