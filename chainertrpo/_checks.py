"""Checks of settings: each names the setting, what is possible, and what came instead.

Each returns the value, a whole number as an int (1e6 is one), so that what is kept is
what was checked.  NaN is in no range, infinity only where it is a bound that is allowed,
and a bool is no number.
"""

import collections.abc
import difflib
import math
import numbers

import numpy


def _number(name, value, expected):
    # A Python number of whatever holds one: NumPy's scalars and arrays of one number.
    x = value
    if isinstance(x, (numpy.ndarray, numpy.generic)) and x.size == 1:
        x = x.item()
    if isinstance(x, bool) or not isinstance(x, numbers.Real):
        raise ValueError(_wrong(name, value, expected))
    return x


def _wrong(name, value, expected):
    return f"expected {name} to be {expected}, got {value!r}."


def _bounds(lower, upper):
    # " >= 0", " in [0, 1)", or nothing; of a pair the second is not allowed itself.
    (low, above), (high, below) = (
        [b if b is not None and math.isfinite(b) else None for b in pair]
        for pair in (lower, upper)
    )
    least = low if above is None else above
    most = high if below is None else below
    if least is not None and most is not None:
        left, right = "[("[above is not None], "])"[below is not None]
        return f" in {left}{least:g}, {most:g}{right}"
    if least is not None:
        return f" {'>=' if above is None else '>'} {least:g}"
    if most is not None:
        return f" {'<=' if below is None else '<'} {most:g}"
    return ""


def in_range(name, value, low=None, high=None, *, above=None, below=None):
    """Check a finite number and its bounds; `above` and `below` are not allowed themselves.

    Parameters
    ----------
    name : str
        Of the setting.
    value : float
        What came.
    low, high : float, optional
        The least and the greatest that are possible; infinity as a bound allows itself.
    above, below : float, optional
        Bounds that are not possible themselves.

    Returns
    -------
    float or int
        The value.

    Raises
    ------
    ValueError
        It is no number, NaN, or out of range.
    """
    kind = "a number" if math.inf in (high, low) else "a finite number"
    expected = kind + _bounds((low, above), (high, below))
    x = _number(name, value, expected)
    good = (
        (math.isfinite(x) or x in (low, high))
        and (low is None or x >= low)
        and (high is None or x <= high)
        and (above is None or x > above)
        and (below is None or x < below)
    )
    if not good:
        raise ValueError(_wrong(name, value, expected))
    return x


def finite(name, value):
    """Check that a setting is a finite number, and return it."""
    return in_range(name, value)


def positive(name, value):
    """Check that a setting is a finite number above 0, and return it."""
    return in_range(name, value, above=0)


def at_least(name, value, low):
    """Check that a setting is a finite number and not below `low`, and return it."""
    return in_range(name, value, low)


def whole(name, value, low=None, high=None):
    """Check that a setting is a whole number within bounds, and return it as an int.

    Parameters
    ----------
    name : str
        Of the setting.
    value : int
        What came; a float such as 1e6 is one.
    low, high : int, optional
        The least and the greatest that are possible.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        It is no number, has a fraction, or is out of range.
    """
    expected = "a whole number" + _bounds((low, None), (high, None))
    x = _number(name, value, expected)
    if not math.isfinite(x) or x != int(x):
        raise ValueError(_wrong(name, value, expected))
    x = int(x)
    if (low is not None and x < low) or (high is not None and x > high):
        raise ValueError(_wrong(name, value, expected))
    return x


def widths(name, value):
    """Check a sequence of whole numbers from 1, and return it as a tuple."""  # noqa: DOC501
    if isinstance(value, str) or not isinstance(value, collections.abc.Iterable):
        raise ValueError(_wrong(name, value, "a sequence of whole numbers >= 1"))
    return tuple(whole(f"each of {name}", x, 1) for x in value)


def flag(name, value):
    """Check that a setting is True or False: "false" would be true; return it."""  # noqa: DOC501
    if not isinstance(value, (bool, numpy.bool_)):
        raise ValueError(_wrong(name, value, "True or False"))
    return bool(value)


def made_of(name, value, classes):
    """Check that a setting is an instance of one of several classes.

    Parameters
    ----------
    name : str
        Of the setting.
    value : object
        What came.
    classes : sequence of type
        What is possible.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ValueError
        It is none of them.
    """
    if not isinstance(value, tuple(classes)):
        expected = " or ".join(f"{cls.__name__}(...)" for cls in classes)
        raise ValueError(_wrong(name, value, expected))
    return value


def one_of(name, value, choices):
    """Check that a setting is one of several names; near ones are suggested.

    Parameters
    ----------
    name : str
        Of the setting.
    value : str
        What came.
    choices : iterable of str
        What is possible; None may be among them.

    Returns
    -------
    str
        The value.

    Raises
    ------
    ValueError
        It is none of them.
    """
    choices = list(choices)
    if any(value is choice or value == choice for choice in choices):
        return value
    expected = f"one of {', '.join(map(str, choices))}"
    raise ValueError(_wrong(name, value, expected) + did_you_mean(value, choices))


def did_you_mean(value, choices, n=3):
    """Suggest names that are near.

    Parameters
    ----------
    value : object
        What came.
    choices : iterable of str
        What is possible.
    n : int
        How many at most.

    Returns
    -------
    str
        " Did you mean …?", or nothing.
    """
    known = {str(choice).lower(): str(choice) for choice in choices}
    near = difflib.get_close_matches(str(value).lower(), known, n=n)
    return f" Did you mean {', '.join(known[x] for x in near)}?" if near else ""
