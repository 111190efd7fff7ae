"""How many natural steps are taken from one batch."""

import dataclasses
import typing

from chainertrpo._checks import at_least, one_of, positive, whole
from chainertrpo.numerics.moments import SCALES


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

    def adapted_to(self, max_kl, kl):
        """δ of the next batch's steps: it stays."""
        return max_kl


@dataclasses.dataclass(frozen=True)
class Minibatches:
    """Steps of length δ from minibatches, whose KL of the whole batch stays near a target.

    δ is divided by 1.5 after a batch over 1.5 times the target, and multiplied by 1.5 after
    one below a 1.5th of it.

    Attributes
    ----------
    epochs : int
        Passes over the batch; no further one beyond twice the target.
    rows : int
        Of a minibatch; what is left of a batch is left out.
    target_kl : float
        E[KL(π_old ‖ π)] over the batch, nats.
    standardize_by : str or None
        Bring the advantages of every minibatch to mean 0 and this to 1; None leaves them.
    standardize_eps : float
        Added to it.
    """

    epochs: int = 4
    rows: int = 1024
    target_kl: float = 0.02
    standardize_by: typing.Optional[str] = "std"
    standardize_eps: float = 1e-8

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        whole("epochs", self.epochs, 1)
        whole("rows", self.rows, 2)
        positive("target_kl", self.target_kl)
        one_of("standardize_by", self.standardize_by, (None, *SCALES))
        at_least("standardize_eps", self.standardize_eps, 0)

    def adapted_to(self, max_kl, kl):
        """δ of the next batch's steps after a batch of divergence `kl`."""
        if kl > 1.5 * self.target_kl:
            return max_kl / 1.5
        if kl < self.target_kl / 1.5:
            return max_kl * 1.5
        return max_kl


OnePerBatch = Repeats
SCHEDULES = {"repeats": Repeats, "minibatches": Minibatches}
