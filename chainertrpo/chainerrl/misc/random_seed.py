"""The generators that Chainer and this project draw seeds from."""

import os
import random

import chainer
import numpy


def set_random_seed(seed, gpus=()):
    """Seed Python's, NumPy's and CuPy's global generators.

    Agents take their own streams from NumPy's when they are made, so that call this
    before.  Environments are seeded by themselves.

    Parameters
    ----------
    seed : int
        In [0, 2**32).
    gpus : sequence of int
        CUDA devices; negative numbers are left out.
    """
    random.seed(seed)
    numpy.random.seed(seed)  # noqa: NPY002 (the global one is meant)
    for gpu in gpus:
        if gpu >= 0:
            with chainer.cuda.get_device_from_id(gpu):
                chainer.cuda.cupy.random.seed(seed)
    os.environ["CHAINER_SEED"] = str(seed)
