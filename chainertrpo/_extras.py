"""How to install what is optional, in a line that works for this installation."""

import importlib.metadata

EXTRAS = {  # as in setup.py
    "mujoco": "'gymnasium[mujoco]>=1.0'",
    "box2d": "'box2d>=2.3.10' pygame",
    "video": "moviepy pygame",
    "record": "'box2d>=2.3.10' pygame",
    "demos": "h5py minari",
    "compare": "'scipy>=1.10'",
    "tensorboard": "'tensorboardX>=2.6'",
    "onnx": "'onnx>=1.14'",
    "mpi": "'mpi4py>=4' mpich",
    "cuda12": "'cupy-cuda12x>=12'",
    "cuda13": "'cupy-cuda13x[ctk]>=14'",
}


def pip_install(extra):
    """Return the command that installs an extra.

    Parameters
    ----------
    extra : str
        A key of `EXTRAS`.

    Returns
    -------
    str
        By the name of this package where it is installed; pip then finds it and installs
        what is missing.  A mere folder on PYTHONPATH pip does not know, and there the
        packages are named.
    """
    try:
        importlib.metadata.distribution("chainertrpo")
    except importlib.metadata.PackageNotFoundError:
        return f"pip install {EXTRAS[extra]}"
    return f"pip install 'chainertrpo[{extra}]'"
