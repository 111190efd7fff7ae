"""The line search of a natural step: which tries, and which of them will do."""

import dataclasses
import math
import typing

from chainertrpo._checks import at_least, flag, in_range, one_of, positive, whole
from chainertrpo.numerics import ACCEPTED

SMALLEST = "smallest"


class Trial(typing.NamedTuple):
    """A try of the line search.

    Attributes
    ----------
    gain : float
        Objective after minus before.
    kl : float
        Divergence from the old policy, nats.
    expected : float
        What the gradient at the start promises to gain.
    """

    gain: float
    kl: float
    expected: float = 0.0


@dataclasses.dataclass(frozen=True)
class Backtrack:
    """The line search of a natural step; ChainerRL's by default.

    A try is accepted if KL ≤ slack·δ and gain ≥ ratio·(expected gain).

    Attributes
    ----------
    shrink : float
        Factor between tries.
    n_tries : int
        The full step and ten halvings are 11.
    kl_slack : float or None
        Baselines has 1.5, openai/imitation 2; None never looks at the divergence
        (modular_rl).
    min_ratio : float
        Of the gain to the expected one: modular_rl has 0.1, pg_travel 0.5.
    strict : bool
        < and > instead of ≤ and ≥.
    compound_expected : bool
        Multiply the expected gain by every fraction tried so far, not by the present one
        alone (pg_travel): later tries pass more easily.
    on_failure : str
        ``restore`` changes nothing; ``smallest`` takes the step one shrink below the last
        try (openai/imitation), unless that try was not finite.
    """

    shrink: float = 0.5
    n_tries: int = 11
    kl_slack: typing.Optional[float] = 1.0
    min_ratio: float = 0.0
    strict: bool = False
    compound_expected: bool = False
    on_failure: str = "restore"

    def __post_init__(self):
        """Raise a ValueError for values that cannot work."""  # noqa: DOC501
        in_range("shrink", self.shrink, above=0, below=1)
        whole("n_tries", self.n_tries, 1)
        if self.kl_slack is not None:
            positive("kl_slack", self.kl_slack)
        at_least("min_ratio", self.min_ratio, 0)
        flag("strict", self.strict)
        flag("compound_expected", self.compound_expected)
        one_of("on_failure", self.on_failure, ("restore", SMALLEST))

    def accept(self, trial, max_kl):
        """Judge a try.

        Parameters
        ----------
        trial : Trial
            What the step does there.
        max_kl : float
            δ, nats.

        Returns
        -------
        str
            ``accepted``, or ``nonfinite``, ``kl``, ``no_gain``.
        """
        if check_finite(trial) != ACCEPTED:
            return check_finite(trial)
        far = math.inf if self.kl_slack is None else self.kl_slack * max_kl
        low = self.min_ratio * trial.expected
        if trial.kl > far or (self.strict and trial.kl == far):
            return "kl"
        if trial.gain < low or (self.strict and trial.gain == low):
            return "no_gain"
        return ACCEPTED


def check_finite(trial):
    """Judge a try by its finiteness alone."""
    return ACCEPTED if all(map(math.isfinite, trial)) else "nonfinite"
