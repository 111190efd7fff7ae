"""What Chainer 7.8.1 lacks on today's Python, NumPy and CuPy.  Import it before Chainer.

Nothing installed is edited, and each part tests for the lack that it fills, so that it
does nothing where Chainer works unaided:

===============================  =====================================================
lack                             where
===============================  =====================================================
``numpy.sctypes``                removed in NumPy 2.0; read by ``functions/array/
                                 as_strided.py`` when Chainer is imported
``chainer._environment_check``   imports ``pkg_resources`` (gone from setuptools 82) and
                                 ``numpy.distutils`` (warns from NumPy 1.23, gone from
                                 Python 3.12) only to check for very old systems
cuDNN                            CuPy 14 has none and 13 may lack its library: Chainer
                                 warns.  Dense networks do not use it, so it is off;
                                 ``CHAINER_CUDNN=1`` has it back
NCCL                             CuPy without NCCL: Chainer warns at every import
libraries that load when used    half of the time of importing Chainer went to
                                 libraries of functions that nobody may call
===============================  =====================================================

The one question that Chainer answers wrongly is here too: `array_device` (is there a GPU).
"""

import contextlib
import importlib.util
import os
import sys
import types
import warnings
from importlib.machinery import PathFinder

from chainertrpo._extras import pip_install

import numpy


def _restore_sctypes():
    numpy.sctypes = {  # noqa: NPY201
        "int": [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
        "uint": [numpy.uint8, numpy.uint16, numpy.uint32, numpy.uint64],
        "float": [numpy.float16, numpy.float32, numpy.float64, numpy.longdouble],
        "complex": [numpy.complex64, numpy.complex128, numpy.clongdouble],
        "others": [bool, object, bytes, str, numpy.void],
    }


def _skip_environment_check():
    stub = types.ModuleType("chainer._environment_check")
    stub.check = lambda: None
    sys.modules["chainer._environment_check"] = stub


# Chainer imports these to see whether they are there; a few of its functions use them.
_OPTIONAL = (
    "PIL.Image",
    "h5py",
    "scipy.io",
    "scipy.linalg",
    "scipy.sparse",
    "scipy.special",
)


class _LoadedWhenUsed:
    @staticmethod
    def find_spec(name, path, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in _OPTIONAL else None
        if spec is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextlib.contextmanager
def _optional_libraries_later():
    sys.meta_path.insert(0, _LoadedWhenUsed)
    try:
        yield
    finally:
        sys.meta_path.remove(_LoadedWhenUsed)


def _prepare():
    version = tuple(int(part) for part in numpy.__version__.split(".")[:2])
    if version >= (2, 0) and not hasattr(numpy, "sctypes"):
        _restore_sctypes()
    if version >= (1, 23) or importlib.util.find_spec("pkg_resources") is None:
        _skip_environment_check()
    if importlib.util.find_spec("cupy"):
        os.environ.setdefault("CHAINER_CUDNN", "0")


def _forget_failed_import():
    # What is left of an `import chainer` that failed does not go together with a new one.
    for name in [name for name in sys.modules if name.startswith("chainer.")]:
        del sys.modules[name]


if "chainer" not in sys.modules:
    _forget_failed_import()
    _prepare()
    with warnings.catch_warnings(), _optional_libraries_later():
        warnings.filterwarnings("ignore", "(?s).*nccl library could not be loaded")
        import chainer
else:
    import chainer


def array_device(gpu):
    """Return the Chainer device for ``--gpu``: -1 is the CPU, N the N-th CUDA device.

    ``chainer.backends.cuda.available`` says only that CuPy could be imported: it is True
    on a machine without a GPU.  So CuPy itself is asked, and whatever is missing is named;
    there is no silent fall back to the CPU.

    Parameters
    ----------
    gpu : int
        -1, or the index of a CUDA device.

    Returns
    -------
    chainer.backend.Device
        ``@numpy``, or ``@cupy:N`` after a kernel has run on it.

    Raises
    ------
    RuntimeError
        CuPy, one of its CUDA libraries, the driver or the device is missing; the message
        says which, and what to do.
    """
    if gpu < 0:
        return chainer.get_device("@numpy")
    remedy = "Run on the CPU with --gpu -1."
    if importlib.util.find_spec("cupy") is None:
        raise RuntimeError(
            f"--gpu {gpu} needs CuPy, which is not installed. Install it with "
            f"{pip_install('cuda13')} (CUDA 13 driver) or {pip_install('cuda12')} (CUDA 12 "
            f"driver). {remedy}"
        )
    try:
        import cupy
    except Exception as error:
        raise RuntimeError(
            f"--gpu {gpu}: CuPy is installed but cannot be imported: {_line(error)}. "
            f"A missing libcuda.so means that there is no NVIDIA driver. {remedy}"
        ) from error
    if not chainer.backends.cuda.available:
        raise RuntimeError(
            f"--gpu {gpu}: CuPy {cupy.__version__} loads but a CUDA library it needs does "
            f"not: {_line(chainer.backends.cuda._resolution_error)}. From Python 3.10 on "
            "the extras [cuda12] and [cuda13] bring these libraries; before, install the "
            f"CUDA toolkit. {remedy}"
        )
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise RuntimeError(
            f"--gpu {gpu}: CuPy {cupy.__version__} is installed but the NVIDIA driver is "
            f"missing, or too old for it: {_line(error)}. {remedy}"
        ) from error
    if gpu >= count:
        raise RuntimeError(
            f"--gpu {gpu}: there is no such device; this machine has {count} "
            f"(numbered from 0). {remedy}"
        )
    device = chainer.get_device(f"@cupy:{gpu}")
    device.use()
    cupy.ones(
        1
    ).sum().item()  # a kernel compiles and runs, or the error comes from here
    return device


def _line(error):
    return " ".join(str(error).split()).rstrip(".")
