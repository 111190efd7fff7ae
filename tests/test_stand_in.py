"""The stand-in for CuPy refuses what a GPU refuses."""

import numpy as np
import pytest

pytestmark = pytest.mark.gpu


@pytest.fixture
def cupy():
    import cupy

    if not hasattr(cupy, "sim_counts"):
        pytest.skip("this is the real CuPy")
    return cupy


@pytest.mark.parametrize(
    "use",
    [
        lambda cupy, x: np.asarray(x),
        lambda cupy, x: np.array(x, "f"),
        lambda cupy, x: x + np.ones(3, "f"),
        lambda cupy, x: np.ones(3, "f") * x,
        lambda cupy, x: x.dot(np.ones(3, "f")),
        lambda cupy, x: cupy.concatenate([x, np.ones(3, "f")]),
        lambda cupy, x: cupy.where(np.ones(3, bool), x, x),
        lambda cupy, x: cupy.add(x, x, out=np.ones(3, "f")),
    ],
)
def test_host_and_device_do_not_mix(cupy, use):
    with pytest.raises(TypeError):
        use(cupy, cupy.ones(3, "f"))


def test_assigning_a_host_array_is_refused(cupy):
    x = cupy.ones(3, "f")
    with pytest.raises((TypeError, ValueError)):
        x[:] = np.zeros(3, "f")
    assert x.get().tolist() == [1, 1, 1]


def test_waits_and_launches_are_counted(cupy):
    x = cupy.ones(3, "f")
    cupy.sim_reset()
    y = x + x
    total = y.sum()
    assert cupy.sim_counts()["launches"] == 2 and cupy.sim_syncs() == 0
    assert isinstance(total, cupy.ndarray)  # not a number: it is on the device
    assert float(total) == 6 and bool(total > 5)
    assert cupy.sim_syncs() == 2


def test_kernels_are_compiled(cupy):
    double = cupy.ElementwiseKernel("T x", "T y", "y = 2 * x", "double_it")
    assert double(cupy.arange(3.0)).get().tolist() == [0, 2, 4]
    wrong = cupy.ElementwiseKernel("T x", "T y", "y = 2 * undeclared", "wrong")
    with pytest.raises(RuntimeError, match="does not compile"):
        wrong(cupy.arange(3.0))
    with pytest.raises(TypeError):
        double(np.arange(3.0))


def test_keywords_that_cupy_lacks_are_refused(cupy):
    with pytest.raises(TypeError):
        cupy.ones(3).sum(where=True)
    with pytest.raises(TypeError):
        cupy.add(cupy.ones(3), 1, order="C")
