"""What ``import chainertrpo`` does, and does not."""

import subprocess
import sys

import chainertrpo
from chainertrpo import _compat

import chainer
import numpy
import pytest

FORBIDDEN = {
    "gym",
    "gymnasium",
    "matplotlib",
    "mpi4py",
    "mujoco",
    "pygame",
    "tensorboard",
    "tensorboardX",
    "torch",
    "tqdm",
}


def run(code, *flags):
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_imports_nothing_optional_and_warns_of_nothing():
    done = run("import chainertrpo", "-X", "importtime", "-W", "error")
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [
        line for line in done.stderr.splitlines() if line.startswith("import time:")
    ]
    assert len(lines) == len(done.stderr.splitlines()), "something else was printed"
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines}
    assert "chainer" in imported
    assert not imported & FORBIDDEN


def test_what_chainer_may_use_is_loaded_when_used():
    """Half of the time of the import; nothing is missing for it."""
    done = run(
        "import chainertrpo, sys\n"
        "import chainer.functions as F, numpy as np\n"
        "loaded = sorted(sys.modules)\n"
        "assert 'scipy.special._ufuncs' not in loaded, loaded\n"
        "assert 'scipy.sparse._csr' not in loaded and 'h5py.h5' not in loaded\n"
        "assert abs(F.erfinv(np.array([0.5])).array.item() - 0.476936276204470) < 1e-14\n"
        "assert F.sparse_matmul(np.eye(2), F.math.sparse_matmul.utils.to_coo("
        "np.eye(2), requires_grad=False)).array[1, 1] == 1\n"
        "import scipy.io, scipy.linalg\n"
        "scipy.io.loadmat, scipy.linalg.solve\n",
        "-W",
        "error",
    )
    assert done.returncode == 0, done.stderr


def test_public_names_exist():
    for package in (
        chainertrpo,
        chainertrpo.numerics,
        chainertrpo.policies,
        chainertrpo.data,
        chainertrpo.updates,
        chainertrpo.agents,
    ):
        for name in package.__all__:
            assert hasattr(package, name), f"{package.__name__}.{name}"


def test_compat_does_nothing_where_nothing_is_lacking():
    """On a NumPy that has sctypes, it is NumPy's own."""
    done = run(
        "import numpy; own = getattr(numpy, 'sctypes', None)\n"
        "import chainertrpo\n"
        "assert own is None or numpy.sctypes is own"
    )
    assert done.returncode == 0, done.stderr
    if int(numpy.__version__.split(".")[0]) < 2:
        assert "sctypes" in vars(numpy)


def test_double_backprop_works_under_the_shim():
    x = chainer.Variable(numpy.array([2.0]))
    (g,) = chainer.grad([x**3], [x], enable_double_backprop=True)
    (h,) = chainer.grad([g], [x])
    assert h.array.item() == 12


def test_cpu_device():
    assert _compat.array_device(-1).xp is numpy


def test_a_missing_gpu_is_named():
    try:
        import cupy

        usable = cupy.cuda.is_available()
    except Exception:
        usable = False
    if usable:
        pytest.skip("there is a GPU here")
    with pytest.raises(RuntimeError, match="--gpu 0.*--gpu -1"):
        _compat.array_device(0)


@pytest.mark.gpu
@pytest.mark.parametrize("xp", ["cupy"], indirect=True)
def test_gpu_device_and_one_too_many(xp):
    count = xp.cuda.runtime.getDeviceCount()
    assert _compat.array_device(0).xp is xp
    with pytest.raises(RuntimeError, match="no such device"):
        _compat.array_device(count)
