"""Backtracking: try a step, and shrink it until a condition holds."""

from __future__ import annotations

import typing

ACCEPTED = "accepted"


class Search(typing.NamedTuple):
    """The result of `backtrack`.

    Attributes
    ----------
    fraction : float
        The accepted fraction of the full step, in (0, 1]; 0.0 if none was.
    n_tries : int
        Evaluations made.
    reason : str
        ``accepted``, or why the last try was refused, in the words of `accept`.
    trial : object
        What `evaluate` returned at the last try; None if there was none.
    """

    fraction: float
    n_tries: int
    reason: str
    trial: typing.Any


def backtrack(
    evaluate: typing.Callable,
    accept: typing.Callable,
    *,
    shrink: float = 0.5,
    n_tries: int = 11,
) -> typing.Any:
    """Try the fractions 1, shrink, shrink², … of a step until one is accepted.

    Parameters
    ----------
    evaluate : callable
        fraction -> trial: any record of what the step does there.
    accept : callable
        trial -> reason: the string ``accepted``, or a word that says why not.
    shrink : float
        The factor between tries, in (0, 1).
    n_tries : int
        The most evaluations; ChainerRL's 10 backtracks are 11 tries.

    Returns
    -------
    Search
        The fraction, the number of tries, the reason and the last trial.

    Raises
    ------
    ValueError
        `shrink` is not in (0, 1) or `n_tries` is negative.
    """
    if not 0 < shrink < 1 or n_tries < 0:
        raise ValueError(
            f"expected 0 < shrink < 1 and n_tries >= 0, got shrink={shrink}, "
            f"n_tries={n_tries}. 0.5 and 11 are ChainerRL's."
        )
    fraction, trial, reason = 1.0, None, "no_tries"
    for n in range(1, n_tries + 1):
        trial = evaluate(fraction)
        reason = accept(trial)
        if reason == ACCEPTED:
            return Search(fraction, n, reason, trial)
        fraction *= shrink
    return Search(0.0, n_tries, reason, trial)
