"""Paths, batches, advantages, demonstrations and files; NumPy only."""

from chainertrpo.data.demonstrations import (
    Demonstrations,
    Episode,
    check_environment,
    environment_header,
    merge,
    read_demonstrations,
    select,
    subsample,
    write_demonstrations,
)
from chainertrpo.data.files import (
    BadFileError,
    check_arrays,
    file_name,
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
    run_on,
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
    "Demonstrations",
    "Episode",
    "Path",
    "PathRecorder",
    "as_observation",
    "check_arrays",
    "check_environment",
    "discounted_sum",
    "environment_header",
    "file_name",
    "generalized_advantages",
    "merge",
    "read_demonstrations",
    "read_json",
    "read_npz",
    "run_on",
    "select",
    "standardize",
    "subsample",
    "write_atomically",
    "write_demonstrations",
    "write_json",
    "write_npz",
]
