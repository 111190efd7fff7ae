"""A natural step as plain data, and how it was spelt before it had five values."""

import dataclasses
import functools
import warnings

from chainertrpo._checks import made_of, one_of
from chainertrpo.updates.objectives import OBJECTIVES
from chainertrpo.updates.region import Curvature, TrustRegion
from chainertrpo.updates.schedule import SCHEDULES
from chainertrpo.updates.search import Backtrack
from chainertrpo.updates.solver import SOLVERS

# What each value of a step is made of; a dict's "kind" chooses among several.
VALUES = {
    "objective": OBJECTIVES,
    "curvature": Curvature,
    "solver": SOLVERS,
    "region": TrustRegion,
    "search": Backtrack,
    "schedule": SCHEDULES,
}
# Old name -> (value, field).
FLAT = {
    "objective": ("objective", "kind"),
    "entropy_coef": ("objective", "entropy_coef"),
    "curvature": ("curvature", "kind"),
    "damping": ("curvature", "damping"),
    "curvature_every": ("curvature", "stride"),
    "kl_per_dimension": ("curvature", "per_dimension"),
    "cg_iterations": ("solver", "iterations"),
    "cg_tol": ("solver", "tol"),
    "cg_rtol": ("solver", "rtol"),
    "cg_start": ("solver", "start"),
    "cg_eps": ("solver", "eps"),
    "max_kl": ("region", "max_kl"),
    "constraint": ("region", "over"),
    "kl_side": ("region", "side"),
    "length_eps": ("region", "eps"),
    "step_size": ("region", "step_size"),
    "repeats": ("schedule", "n"),
}
_CONSTRAINTS = {"mean_kl": "mean", "max_kl": "max"}


def is_flat(name, value):
    """Whether a setting of a step is spelt in the old way."""
    return name in FLAT and (name not in VALUES or isinstance(value, str))


def nested(settings):
    """Settings of a natural step in today's spelling."""
    found = {k: v for k, v in settings.items() if not is_flat(k, v)}
    for name, x in settings.items():
        if is_flat(name, x):
            value, field = FLAT[name]
            x = _CONSTRAINTS.get(x, x) if name == "constraint" else x
            found[value] = {**(found.get(value) or {}), field: x}
    return found


# Where "kind" says which fields there are, and what it is if it is not said.
_CHOOSING = {"value_step": "fit", "solver": "cg", "schedule": "repeats"}


def merged(old, new, name=None):
    """Settings with changes: dicts are merged, other values replace what was there."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    if name in _CHOOSING:
        kind = old.get("kind", _CHOOSING[name])
        if new.get("kind", kind) != kind:
            return new
    return {**old, **{k: merged(old.get(k), x, k) for k, x in new.items()}}


def make(name, settings, default=None):
    """A value of a step from its settings."""  # noqa: DOC501
    if settings is None:
        return None
    settings, made = dict(settings), VALUES[name]
    if isinstance(made, dict):
        kinds = {cls: kind for kind, cls in made.items()}
        kind = settings.pop("kind", kinds.get(type(default), next(iter(made))))
        made = made[one_of(f"the kind of {name}", kind, made)]
    if default is not None and isinstance(default, made):
        return dataclasses.replace(default, **settings)
    return made(**settings)


def check_values(step):
    """Raise a ValueError for a value of a step that is none; only a search may be None."""
    for name, made in VALUES.items():
        value = getattr(step, name)
        if not (name == "search" and value is None):
            classes = made.values() if isinstance(made, dict) else (made,)
            made_of(name, value, classes)


def as_data(step):
    """A step's values as the dicts that `make` takes."""
    data = {}
    for field in dataclasses.fields(step):
        value = getattr(step, field.name)
        if dataclasses.is_dataclass(value):
            one = dataclasses.asdict(value)
            kinds = VALUES[field.name]
            if isinstance(kinds, dict):
                (kind,) = [k for k, cls in kinds.items() if cls is type(value)]
                one = {"kind": kind, **one}
            value = one
        data[field.name] = value
    return data


def flat_arguments(cls):
    """A class decorator: the constructor takes the old names too, and warns of them."""
    init = cls.__init__
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}

    @functools.wraps(init)
    def checked(self, *args, **kwargs):
        old = {k: v for k, v in kwargs.items() if is_flat(k, v)}
        if old:
            new = nested(old)
            said = ", ".join(
                f"{name} as {FLAT[name][0]}.{FLAT[name][1]}" for name in sorted(old)
            )
            warnings.warn(
                f"{cls.__name__} has {said} now; the old names go with the next release.",
                DeprecationWarning,
                stacklevel=2,
            )
            kwargs = {k: v for k, v in kwargs.items() if k not in old}
            given = dict(zip(defaults, args))
            for name, fields in new.items():
                base = kwargs.get(name, given.get(name, defaults[name]))
                kwargs[name] = make(name, fields, base)
            args = [x for k, x in zip(defaults, args) if k not in kwargs]
        init(self, *args, **kwargs)

    cls.__init__ = checked
    return cls
