"""`cupy.testing`: comparisons that fetch both sides first."""

import numpy as _numpy
from cupy._functions import asnumpy as _asnumpy


def assert_allclose(actual, desired, rtol=1e-7, atol=0, err_msg="", verbose=True):
    _numpy.testing.assert_allclose(
        _asnumpy(actual),
        _asnumpy(desired),
        rtol,
        atol,
        err_msg=err_msg,
        verbose=verbose,
    )


def assert_array_equal(x, y, err_msg="", verbose=True, strides_check=False):
    _numpy.testing.assert_array_equal(_asnumpy(x), _asnumpy(y), err_msg, verbose)


def assert_array_almost_equal(x, y, decimal=6, err_msg="", verbose=True):
    _numpy.testing.assert_array_almost_equal(
        _asnumpy(x), _asnumpy(y), decimal, err_msg, verbose
    )
