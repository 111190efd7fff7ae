"""Every public name has an entry in the reference, or the build warns.

Fields of named tuples are described in their docstrings and have no entry of their own.
"""

import importlib

from sphinx.util import logging

PACKAGES = [
    "chainertrpo.numerics",
    "chainertrpo.data",
    "chainertrpo.policies",
    "chainertrpo.updates",
    "chainertrpo.agents",
    "chainertrpo.experiments",
    "chainertrpo.comparison",
]
LOGGER = logging.getLogger(__name__)


def check(app, env):
    """Look every name of ``__all__`` up."""
    objects = env.domains["py"].objects
    for package in PACKAGES:
        for name in importlib.import_module(package).__all__:
            if f"{package}.{name}" not in objects:
                LOGGER.warning("%s.%s is not in the reference", package, name)


def skip_fields(app, what, name, obj, skip, options):
    """Leave out what Python says of a field of a named tuple."""
    return (getattr(obj, "__doc__", None) or "").startswith("Alias for field") or None


def setup(app):
    """Listen."""
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
