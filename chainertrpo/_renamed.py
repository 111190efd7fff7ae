"""Names of an earlier release: they work for one more, and say the new one."""

import functools
import warnings


def _warn(old, new, stacklevel=3):
    warnings.warn(
        f"{old} is now {new}; the old name goes with the next release.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


def renamed_attribute(old, new):
    """A property `old` that reads and writes `new`."""

    def get(self):
        _warn(f"{type(self).__name__}.{old}", new)
        return getattr(self, new)

    def put(self, value):
        _warn(f"{type(self).__name__}.{old}", new)
        setattr(self, new, value)

    return property(get, put, doc=f"The old name of `{new}`.")


def renamed_arguments(**names):
    """A decorator: keyword arguments by their old names, ``old="new"``."""

    def decorate(function):
        @functools.wraps(function)
        def renamed(*args, **kwargs):
            for old, new in names.items():
                if old in kwargs:
                    if new in kwargs:
                        raise TypeError(
                            f"{old} and {new} are the same; give {new} only."
                        )
                    _warn(old, new)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return renamed

    return decorate


def renamed_function(old, function):
    """`function` under its old name."""

    @functools.wraps(function)
    def renamed(*args, **kwargs):
        _warn(old, function.__name__)
        return function(*args, **kwargs)

    renamed.__name__ = old
    return renamed
