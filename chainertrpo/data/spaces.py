"""Spaces of observations and actions: the only place that looks at a gym(nasium) space.

The environment's side and the agent's side of an element differ.  Observations become one
vector of features.  An action of the agent is an index (Discrete), a vector (n,) float32
(Box), or int32 (MultiDiscrete, MultiBinary); of a Tuple or Dict these side by side, in
float32 if one of them is.  A mask is one vector of booleans, a column a choice.
"""

import math
import typing

import numpy

KINDS = ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Tuple", "Dict")
MASK = "action_mask"


class Space(typing.NamedTuple):
    """What of a space is needed, without gym.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    shape : tuple of int
        Of one element; () of a Discrete, a Tuple and a Dict.
    choices : tuple of int
        How many in each column, of a Discrete and a MultiDiscrete.
    start : tuple of int
        The first of each.
    low, high : array or None
        Of a Box, or of anything with such bounds.
    parts : dict of str to Space, or None
        Of a Dict by name, of a Tuple by number, in order.
    """

    kind: str
    shape: tuple = ()
    choices: tuple = ()
    start: tuple = ()
    low: typing.Any = None
    high: typing.Any = None
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
        names = {one.__name__ for one in type(space).__mro__}
        inside = getattr(space, "spaces", None)
        if inside is not None and "OneOf" not in names:
            named = hasattr(inside, "items")
            pairs = inside.items() if named else enumerate(inside)
            parts = {str(k): cls.of(x) for k, x in pairs}
            return cls("Dict" if named else "Tuple", parts=parts)
        if hasattr(space, "nvec"):
            nvec = numpy.asarray(space.nvec)
            start = numpy.broadcast_to(getattr(space, "start", 0), nvec.shape)
            each = (tuple(x.ravel().tolist()) for x in (nvec, start))
            return cls("MultiDiscrete", nvec.shape, *each)
        if "MultiBinary" in names:
            return cls("MultiBinary", tuple(space.shape))
        if hasattr(space, "n"):
            each = (int(space.n),), (int(getattr(space, "start", 0)),)
            return cls("Discrete", (), *each)
        if getattr(space, "shape", None) is not None and inside is None:
            shape = tuple(int(n) for n in space.shape)
            bounds = (getattr(space, name, None) for name in ("low", "high"))
            return cls("Box", shape, (), (), *bounds)
        raise ValueError(
            f"expected a space of {', '.join(KINDS)}, got {space}. Wrap the environment "
            "so that it has one of these."
        )

    @classmethod
    def observed(cls, space):
        """Read a space of observations; an ``action_mask`` in a Dict is none (PettingZoo).

        Parameters
        ----------
        space : object
            See `of`.

        Returns
        -------
        Space
            What the policy sees.
        """
        space = cls.of(space)
        if space.kind != "Dict" or MASK not in space.parts:
            return space
        rest = {k: part for k, part in space.parts.items() if k != MASK}
        return space._replace(parts=rest)

    def leaves(self):
        """The spaces in it that have no parts.

        Returns
        -------
        list of Space
            In order.
        """
        if self.parts is None:
            return [self]
        return [leaf for part in self.parts.values() for leaf in part.leaves()]

    def _map(self, x, one):
        # one(part, element) of each part of an element of a Tuple or Dict
        named = x if hasattr(x, "keys") else {str(i): y for i, y in enumerate(x)}
        return [one(part, named[k]) for k, part in self.parts.items()]

    # As observations

    @property
    def n(self):
        """Of a Discrete: how many."""
        return self.choices[0]

    @property
    def is_image(self):
        """Whether it is a Box (H, W, C) of bytes: its elements stay as they are."""
        kind = getattr(self.low, "dtype", None)
        return self.kind == "Box" and len(self.shape) == 3 and kind == numpy.uint8

    @property
    def size(self):
        """Columns of an element as a vector of features: of a choice, one for each."""
        if self.parts is not None:
            return sum(part.size for part in self.parts.values())
        return sum(self.choices) or math.prod(self.shape)

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
        """An element as a vector, float32; choices as one-hot.

        Parameters
        ----------
        x : object
            An element of the space.

        Returns
        -------
        array, shape (size,), float32; or of an image its shape, uint8
            Parts one after the other.

        Raises
        ------
        ValueError
            It is no element of the space.
        """
        if self.parts is not None:
            return numpy.concatenate(self._map(x, Space.features))
        if self.choices:
            return self.one_hot(numpy.asarray(x).ravel() - numpy.array(self.start))
        x = numpy.asarray(x)
        if x.size != math.prod(self.shape) or x.dtype.kind not in "fiub":
            raise ValueError(
                f"expected numbers of shape {self.shape}, got {x.dtype} {x.shape}."
            )
        if self.is_image:
            return x.astype(numpy.uint8).reshape(self.shape)
        return x.astype(numpy.float32).ravel()

    def from_features(self, features):
        """The element that a vector of features stands for, the inverse of `features`.

        Parameters
        ----------
        features : array, shape (size,)
            Of the space; of an image its shape.

        Returns
        -------
        object
            An element of the space.
        """
        if self.parts is not None:
            pieces = zip(self.parts.values(), self.columns.values())
            made = [part.from_features(features[columns]) for part, columns in pieces]
            return tuple(made) if self.kind == "Tuple" else dict(zip(self.parts, made))
        if self.choices:
            each = numpy.split(features, numpy.cumsum(self.choices)[:-1])
            index = numpy.array([x.argmax() for x in each]) + numpy.array(self.start)
            return index.reshape(self.shape)[()]
        kind = getattr(self.low, "dtype", numpy.int8)
        return features.reshape(self.shape).astype(kind)

    def one_hot(self, index):
        """Choices from 0 as one vector, (…, size) of (…, columns)."""
        index = numpy.asarray(index)
        counts = numpy.array(self.choices)
        if (
            index.shape[-1:] != counts.shape
            or not ((index >= 0) & (index < counts)).all()
        ):
            most = [n - 1 for n in self.choices]
            raise ValueError(
                f"expected choices in 0 … {most[0] if len(most) == 1 else most}, got some "
                f"in {index.min()} … {index.max()}, {index.shape[-1]} of them."
            )
        first = numpy.cumsum(counts) - counts
        found = numpy.zeros((*index.shape[:-1], self.size), numpy.float32)
        numpy.put_along_axis(found, index.astype(int) + first, 1.0, axis=-1)
        return found

    # As actions

    @property
    def action_size(self):
        """Columns of an action of the agent; None of a Discrete, which has no axis."""
        return None if self.kind == "Discrete" else self._width

    @property
    def _width(self):
        if self.parts is not None:
            return sum(part._width for part in self.parts.values())
        return len(self.choices) or math.prod(self.shape)

    @property
    def is_continuous(self):
        """Whether a Box is in it."""
        if self.parts is not None:
            return any(part.is_continuous for part in self.parts.values())
        return self.kind == "Box"

    @property
    def action_dtype(self):
        """Of the agent's actions."""
        return numpy.dtype("float32" if self.is_continuous else "int32")

    @property
    def action_bounds(self):
        """Low and high of each column: infinite where there is no Box."""
        if self.parts is not None:
            each = [part.action_bounds for part in self.parts.values()]
            return tuple(map(numpy.concatenate, zip(*each)))
        if self.kind == "Box":
            return self.low.ravel(), self.high.ravel()
        none = numpy.full(self._width, numpy.inf, numpy.float32)
        return -none, none

    def decode(self, action):
        """The environment's action of the agent's.

        Parameters
        ----------
        action : array or int
            Of the agent.

        Returns
        -------
        object
            An element of the space.
        """
        if self.kind == "Box":
            return action if len(self.shape) == 1 else action.reshape(self.shape)
        if self.kind == "Discrete":
            return int(action) + self.start[0]
        if self.kind == "MultiDiscrete":
            index = action.astype(numpy.int64) + numpy.array(self.start)
            return index.reshape(self.shape)
        if self.kind == "MultiBinary":
            return action.astype(numpy.int8).reshape(self.shape)
        pieces = self._split(action)
        made = [
            part.decode(x if part.kind != "Discrete" else x[0])
            for part, x in zip(self.parts.values(), pieces)
        ]
        return tuple(made) if self.kind == "Tuple" else dict(zip(self.parts, made))

    def encode(self, action):
        """The agent's action of the environment's, the inverse of `decode`.

        Parameters
        ----------
        action : object
            An element of the space.

        Returns
        -------
        array
            Of the agent.
        """
        if self.parts is not None:
            pieces = self._map(action, Space.encode)
            return numpy.concatenate([x.ravel() for x in pieces]).astype(
                self.action_dtype
            )
        x = numpy.asarray(action)
        if self.kind == "Discrete":
            return numpy.asarray(x - self.start[0], numpy.int32)
        start = numpy.array(self.start) if self.start else 0
        return (x.ravel() - start).astype(self.action_dtype)

    def _split(self, action):
        widths = [part._width for part in self.parts.values()]
        return numpy.split(action, numpy.cumsum(widths)[:-1], axis=-1)

    def action_features(self, action):
        """Actions of the agent as rows of numbers; choices as one-hot.

        Parameters
        ----------
        action : array, shape (N, A) or (N,)
            Of the agent.

        Returns
        -------
        array, shape (N, size), float32
            A row an action.
        """
        if self.parts is not None:
            pieces = zip(self.parts.values(), self._split(action))
            return numpy.concatenate([p.action_features(x) for p, x in pieces], axis=1)
        if self.choices:
            return self.one_hot(action.reshape(len(action), -1))
        return action.astype(numpy.float32)

    # Masks of actions

    def choice_features(self, action):
        """Actions of the agent as masks have them: true where they are.

        Parameters
        ----------
        action : array, shape (N, A) or (N,)
            Of the agent.

        Returns
        -------
        array, shape (N, mask_size), float32
            As `action_features`, without what is continuous.

        Raises
        ------
        ValueError
            A choice is out of range, or no whole number.
        """
        if self.parts is not None:
            pieces = zip(self.parts.values(), self._split(action))
            return numpy.concatenate([p.choice_features(x) for p, x in pieces], axis=1)
        if self.kind == "Box":
            return numpy.zeros((len(action), 0), numpy.float32)
        if not (action == numpy.rint(action)).all():
            raise ValueError("expected whole numbers as choices, got others.")
        found = self.action_features(action)
        if self.kind == "MultiBinary" and not ((found == 0) | (found == 1)).all():
            raise ValueError(f"expected bits, got {numpy.unique(action)[:9]}.")
        return found

    @property
    def mask_size(self):
        """Columns of a mask: one a choice, one a bit, none of a Box."""
        if self.parts is not None:
            return sum(part.mask_size for part in self.parts.values())
        return 0 if self.kind == "Box" else self.size

    def flat_mask(self, mask):
        """A mask as one vector.

        Parameters
        ----------
        mask : array, sequence or dict
            True or 1 where a choice can be made: a flat vector, or one a column or part
            as ``Space.sample(mask)`` of gymnasium takes them; None is all of a part.  Of a
            bit, whether it can be 1.

        Returns
        -------
        array of bool, shape (mask_size,)
            One after the other.

        Raises
        ------
        ValueError
            Its size is another, or no choice is left.
        """
        if mask is None:
            return numpy.ones(self.mask_size, bool)
        nested = hasattr(mask, "keys") or any(x is None or numpy.ndim(x) for x in mask)
        if nested and self.parts is not None:
            return numpy.concatenate(self._map(mask, Space.flat_mask))
        if nested and self.kind == "MultiDiscrete":
            each = zip(self.choices, mask)
            mask = numpy.concatenate(
                [numpy.ones(n) if x is None else numpy.ravel(x) for n, x in each]
            )
        flat = numpy.asarray(mask).ravel().astype(bool)
        if len(flat) != self.mask_size:
            raise ValueError(
                f"expected a mask of {self.mask_size} choices, got {len(flat)}."
            )
        self._check_mask(flat)
        return flat

    def _check_mask(self, flat):
        if self.parts is not None:
            sizes = [part.mask_size for part in self.parts.values()]
            pieces = numpy.split(flat, numpy.cumsum(sizes)[:-1])
            for part, piece in zip(self.parts.values(), pieces):
                part._check_mask(piece)
        elif self.choices:
            first = numpy.cumsum(self.choices) - numpy.array(self.choices)
            if not numpy.logical_or.reduceat(flat, first).all():
                raise ValueError(
                    "expected a choice that can be made, got a mask that forbids all."
                )

    # Files

    def without_bounds(self):
        """The same space of any bounds, to compare: environments round them."""
        parts = self.parts and {k: x.without_bounds() for k, x in self.parts.items()}
        return self._replace(low=None, high=None, parts=parts)

    def to_json(self):
        """Describe it as JSON; infinite bounds are null, those of images 0 and 255.

        Returns
        -------
        dict
            See `from_json`.
        """
        about = {"type": self.kind}
        if self.parts is not None:
            return {**about, "parts": {k: x.to_json() for k, x in self.parts.items()}}
        if self.kind == "Discrete":
            return {**about, "n": self.n, "start": self.start[0]}
        about["shape"] = list(self.shape)
        if self.choices:
            about.update(n=list(self.choices), start=list(self.start))
        if self.is_image:
            about["dtype"] = "uint8"
        elif self.kind == "Box":
            for name in ("low", "high"):
                flat = numpy.asarray(getattr(self, name), float).ravel().tolist()
                about[name] = [x if numpy.isfinite(x) else None for x in flat]
        return about

    @classmethod
    def from_json(cls, about):
        """Read what `to_json` gave.

        Parameters
        ----------
        about : dict
            Of `to_json`.

        Returns
        -------
        Space
            Without the dtype of bounds, but that of images.

        Raises
        ------
        ValueError
            It is no such description.
        """
        try:
            return cls._from_json(about)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise ValueError(
                f"expected a space of {', '.join(KINDS)} as JSON, got "
                f"{str(about)[:200]} ({type(error).__name__}: {error})."
            ) from None

    @classmethod
    def _from_json(cls, about):
        kind = about["type"]
        if kind not in KINDS:
            raise ValueError(f"no {kind}")
        if kind in ("Tuple", "Dict"):
            parts = {str(k): cls._from_json(x) for k, x in about["parts"].items()}
            return cls(kind, parts=parts)
        if kind == "Discrete":
            return cls(kind, (), (_count(about["n"]),), (int(about.get("start", 0)),))
        shape = tuple(map(_count, about["shape"]))
        if kind == "MultiDiscrete":
            choices = tuple(map(_count, about["n"]))
            start = tuple(map(int, about["start"]))
            if not len(choices) == len(start) == numpy.prod(shape):
                raise ValueError(f"{len(choices)} choices in {shape}")
            return cls(kind, shape, choices, start)
        bounds = ()
        if kind == "Box" and about.get("dtype") == "uint8":
            bounds = (numpy.full(shape, bound, numpy.uint8) for bound in (0, 255))
        elif kind == "Box":
            bounds = (
                numpy.array(
                    [fill if x is None else x for x in about[name]], "f"
                ).reshape(shape)
                for name, fill in (("low", -numpy.inf), ("high", numpy.inf))
            )
        return cls(kind, shape, (), (), *bounds)


def _count(n):
    if int(n) != n or n < 1:
        raise ValueError(f"expected a whole number, at least 1, got {n}")
    return int(n)


def element(columns, i):
    """Row i of arrays that stand in a dict or tuple, as those of a vector of environments.

    Parameters
    ----------
    columns : array, tuple or dict
        Elements of a space, one under the other in each part.
    i : int
        Which.

    Returns
    -------
    object
        An element of the space.
    """
    if hasattr(columns, "keys"):
        return {k: element(x, i) for k, x in columns.items()}
    if isinstance(columns, (tuple, list)):
        return tuple(element(x, i) for x in columns)
    return columns[i]


def columns_of(elements):
    """Elements of a space, one under the other in each part: the inverse of `element`.

    Parameters
    ----------
    elements : list
        Of one space.

    Returns
    -------
    array, tuple or dict
        Of arrays.
    """
    if hasattr(elements[0], "keys"):
        return {k: columns_of([x[k] for x in elements]) for k in elements[0]}
    if isinstance(elements[0], tuple):
        return tuple(map(columns_of, map(list, zip(*elements))))
    return numpy.array(elements)
