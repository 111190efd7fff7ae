"""Paths, batches, advantages and files; NumPy only."""

from chainertrpo.data.files import (
    BadFileError,
    read_json,
    read_npz,
    write_atomically,
    write_json,
    write_npz,
)
from chainertrpo.data.gae import (
    SCALES,
    discounted_sum,
    generalized_advantages,
    standardize,
)
from chainertrpo.data.path import (
    BadObservationError,
    Batch,
    Path,
    PathRecorder,
    as_observation,
)

__all__ = [
    "SCALES",
    "BadFileError",
    "BadObservationError",
    "Batch",
    "Path",
    "PathRecorder",
    "as_observation",
    "discounted_sum",
    "generalized_advantages",
    "read_json",
    "read_npz",
    "standardize",
    "write_atomically",
    "write_json",
    "write_npz",
]
