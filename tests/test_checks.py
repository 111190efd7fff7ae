"""Settings are refused by name, with what is possible."""

import math
import subprocess
import sys

from chainertrpo import _checks

import numpy
import pytest

NO_NUMBERS = [None, "3", True, [1, 2], 1j, numpy.bool_(True), numpy.ones(2)]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, *NO_NUMBERS])
def test_a_number_is_finite(value):
    for check in (_checks.finite, _checks.positive, _checks.whole):
        with pytest.raises(ValueError, match="expected max_kl to be a "):
            check("max_kl", value)
    with pytest.raises(ValueError, match="expected max_kl"):
        _checks.at_least("max_kl", value, 0)


def test_bounds_are_said():
    with pytest.raises(ValueError, match=r"max_kl to be a finite number > 0, got -1\."):
        _checks.positive("max_kl", -1)
    with pytest.raises(ValueError, match=r"number in \[0, 1\], got 1\.5\."):
        _checks.in_range("gamma", 1.5, 0, 1)
    with pytest.raises(ValueError, match=r"number in \(0, 1\), got 1\."):
        _checks.in_range("backtrack", 1, above=0, below=1)
    with pytest.raises(ValueError, match=r"a whole number >= 2, got 200\.5\."):
        _checks.whole("update_interval", 200.5, 2)
    with pytest.raises(ValueError, match=r"a whole number in \[2, 9\], got 1\."):
        _checks.whole("update_interval", 1, 2, 9)


def test_what_is_good_comes_back():
    assert _checks.positive("x", numpy.float32(0.5)) == 0.5
    assert _checks.at_least("x", 0, 0) == 0
    assert _checks.in_range("x", math.inf, above=0, high=math.inf) == math.inf
    assert _checks.finite("x", numpy.array([3.0])) == 3
    for million in (1e6, 10**6, numpy.int64(10**6)):
        got = _checks.whole("steps", million, 1)
        assert got == 10**6 and type(got) is int


def test_a_flag_is_no_word():
    assert _checks.flag("strict", numpy.bool_(True)) is True
    for value in ("false", 0, None, numpy.ones(1)):
        with pytest.raises(
            ValueError, match="expected strict to be True or False, got"
        ):
            _checks.flag("strict", value)


def test_one_of_suggests():
    assert _checks.one_of("curvature", "hessian", ["hessian", "scores"]) == "hessian"
    assert _checks.one_of("curvature", None, [None, "scores"]) is None
    with pytest.raises(ValueError, match="one of hessian, scores.*mean hessian?"):
        _checks.one_of("curvature", "Hesian", ["hessian", "scores"])
    with pytest.raises(ValueError, match=r"got 3\.$"):
        _checks.one_of("curvature", 3, ["hessian", "scores"])


def test_nothing_but_numpy_is_needed():
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('c', {_checks.__file__!r})\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "assert 'chainer' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
