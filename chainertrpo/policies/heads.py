"""What stands on a network: a family, and what its own parameters begin with."""

import typing

from chainertrpo.data.spaces import Space
from chainertrpo.policies.families import (
    Bernoulli,
    Bounded,
    Free,
    Gaussian,
    Product,
    Scaled,
    Softmax,
)

import chainer
import numpy

PLACEMENTS = {"free": Free(), "scaled": Scaled(), "bounded": Bounded()}


class Head(typing.NamedTuple):
    """A family, ready for a `Policy`.

    Attributes
    ----------
    family : object
        One of `chainertrpo.policies.families`.
    own : dict of str to (float, tuple)
        Initial value and shape of its own parameters, by name without the slash.
    constants : dict of str to array
        What else it needs, by name without the slash.
    bias : array, shape (width,)
        Initial biases of the network's outputs.
    """

    family: typing.Any
    own: dict
    constants: dict
    bias: typing.Any


def gaussian(
    size,
    log_std="state_independent",
    log_std_init=0.0,
    placement="free",
    low=None,
    high=None,
):
    """Make the head of a Gaussian with a diagonal covariance.

    Parameters
    ----------
    size : int
        A.
    log_std : str
        A kind of σ of `Gaussian`.
    log_std_init : float
        The initial (or constant) log σ.
    placement : str
        A key of `PLACEMENTS`.
    low, high : array, shape (A,), optional
        Bounds, for another placement than ``free``.

    Returns
    -------
    Head
        Its constants are in Chainer's dtype.

    Raises
    ------
    ValueError
        A bound is infinite, or not below the other.
    """
    family, constants = Gaussian(size, log_std, PLACEMENTS[placement]), {}
    dtype = chainer.get_dtype()
    if placement != "free":
        low, high = (
            numpy.broadcast_to(numpy.asarray(x, "d"), (size,)) for x in (low, high)
        )
        if not (numpy.isfinite(low) & numpy.isfinite(high) & (low < high)).all():
            raise ValueError(
                f"expected finite bounds of actions, low < high, got {low} and {high}. "
                "Use a GaussianPolicy: in a preset neither policy={'scaled': True} "
                "(--no-scale-actions) nor bound_mean."
            )
        constants["loc"] = ((low + high) / 2).astype(dtype)
        constants["half_range"] = ((high - low) / 2).astype(dtype)
    if log_std == "fixed":
        constants["log_std"] = numpy.full(size, log_std_init, dtype)
    bias = numpy.zeros(family.width, dtype)
    bias[size:] = log_std_init  # of σ that depends on states
    own = {name[1:]: (log_std_init, shape) for name, shape in family.shapes.items()}
    return Head(family, own, constants, bias)


def plain(family):
    """Make the head of a family without parameters of its own."""
    return Head(family, {}, {}, numpy.zeros(family.width, chainer.get_dtype()))


def side_by_side(heads):
    """Make the head of a `Product`; what part i needs is named i/…."""
    return Head(
        Product([head.family for head in heads]),
        *(
            {f"{i}/{k}": x for i, head in enumerate(heads) for k, x in head[at].items()}
            for at in (1, 2)
        ),
        numpy.concatenate([head.bias for head in heads]),
    )


HEADS = {
    "Box": lambda space, s: gaussian(space.size, low=space.low, high=space.high, **s),
    "Discrete": lambda space, s: plain(Softmax(space.n)),
    "MultiDiscrete": lambda space, s: side_by_side(
        [plain(Softmax(n)) for n in space.choices]
    ),
    "MultiBinary": lambda space, s: plain(Bernoulli(space.size)),
    **dict.fromkeys(
        ("Tuple", "Dict"),
        lambda space, s: side_by_side([head_for(x, **s) for x in space.parts.values()]),
    ),
}


def head_for(space, **settings):
    """Make the head for the actions of a space.

    Parameters
    ----------
    space : Space or object
        Of actions.
    **settings
        Of every `gaussian` in it.

    Returns
    -------
    Head
        Its actions are those of `Space`.
    """
    space = Space.of(space)
    if space.kind == "Box":
        space = space._replace(low=numpy.ravel(space.low), high=numpy.ravel(space.high))
    return HEADS[space.kind](space, settings)
