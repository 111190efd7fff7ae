"""Demonstrations: records, files of ours and of other projects, and their curation."""

from chainertrpo.data.demonstrations.conversion import MINARI, kind_of, read_any
from chainertrpo.data.demonstrations.curation import (
    merge,
    select,
    subsample,
    without_actions,
)
from chainertrpo.data.demonstrations.description import describe, maker
from chainertrpo.data.demonstrations.files import (
    read_demonstrations,
    write_demonstrations,
)
from chainertrpo.data.demonstrations.foreign import PaddingWarning
from chainertrpo.data.demonstrations.pauses import AT_LEAST, pauses, trim_pauses
from chainertrpo.data.demonstrations.records import (
    Demonstrations,
    Episode,
    check_environment,
    environment_header,
    spaces_of,
)

__all__ = [
    "AT_LEAST",
    "MINARI",
    "Demonstrations",
    "Episode",
    "PaddingWarning",
    "check_environment",
    "describe",
    "environment_header",
    "kind_of",
    "maker",
    "merge",
    "pauses",
    "read_any",
    "read_demonstrations",
    "select",
    "spaces_of",
    "subsample",
    "trim_pauses",
    "without_actions",
    "write_demonstrations",
]
