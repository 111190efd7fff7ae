"""Backtracking, on functions of one number."""

from chainertrpo.numerics import ACCEPTED, Search, backtrack

import pytest


def search(accept, **settings):
    """The search, and the fractions that it tried; a trial is (fraction, order)."""
    tried = []

    def evaluate(fraction):
        tried.append(fraction)
        return fraction, len(tried)

    return backtrack(evaluate, accept, **settings), tried


def below(limit):
    return lambda trial: ACCEPTED if trial[0] <= limit else "too far"


def test_the_full_step_is_tried_first_and_taken_if_it_holds():
    found, tried = search(below(1))
    assert tried == [1.0]
    assert found == Search(1.0, 1, "accepted", (1.0, 1))


@pytest.mark.parametrize("shrink", [0.5, 0.8, 0.1])
@pytest.mark.parametrize("limit", [0.9, 0.3, 0.01])
def test_takes_the_first_power_that_holds(shrink, limit):
    found, tried = search(below(limit), shrink=shrink, n_tries=100)
    power = next(k for k in range(100) if shrink**k <= limit)
    assert found.n_tries == power + 1 == len(tried)
    assert tried == pytest.approx([shrink**k for k in range(power + 1)], rel=1e-14)
    assert found.fraction == tried[-1] == found.trial[0]
    assert found.reason == ACCEPTED


def test_eleven_tries_are_ten_backtracks():
    found, tried = search(below(0))
    assert tried == [2.0**-k for k in range(11)]
    assert found == Search(0.0, 11, "too far", (2.0**-10, 11))


def test_the_last_try_counts():
    found, _ = search(below(2.0**-10))
    assert (found.fraction, found.n_tries, found.reason) == (2.0**-10, 11, ACCEPTED)


def test_the_reason_is_that_of_the_last_try():
    words = iter(["a", "b", "c"])
    found, _ = search(lambda trial: next(words), n_tries=3)
    assert (found.fraction, found.reason, found.trial[1]) == (0.0, "c", 3)


def test_no_tries():
    found, tried = search(below(1), n_tries=0)
    assert tried == []
    assert found == Search(0.0, 0, "no_tries", None)


def test_errors_of_the_caller_pass():
    def accept(trial):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        search(accept)


@pytest.mark.parametrize("shrink", [0, 1, -0.5, 2, float("nan")])
def test_refuses_a_factor_that_does_not_shrink(shrink):
    with pytest.raises(ValueError, match="0 < shrink < 1"):
        search(below(1), shrink=shrink)


def test_refuses_negative_tries():
    with pytest.raises(ValueError, match="n_tries >= 0"):
        search(below(1), n_tries=-1)
