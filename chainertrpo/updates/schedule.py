"""How many natural steps are taken from one batch."""

import dataclasses

from chainertrpo._checks import whole


@dataclasses.dataclass(frozen=True)
class Repeats:
    """n steps, each from the whole batch; one is TRPO's.

    After the first the importance weights are not 1, and each step has the policy before
    it as its π_old.

    Attributes
    ----------
    n : int
        At most; no further one after a step that was not accepted.
    """

    n: int = 1

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("n", self.n, 1)


OnePerBatch = Repeats
SCHEDULES = {"repeats": Repeats}
