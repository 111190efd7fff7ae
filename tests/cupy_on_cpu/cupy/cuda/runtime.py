"""`cupy.cuda.runtime`: the number of devices, which is current, and its errors."""

import os as _os
import threading as _threading

from cupy import _sim

_local = _threading.local()
is_hip = False


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime."""

    def __init__(self, status, name="cudaErrorInvalidDevice: invalid device ordinal"):
        super().__init__(name)
        self.status = status


def getDeviceCount():
    return int(_os.environ.get("CUPY_SIM_DEVICES", "1"))


def getDevice():
    return getattr(_local, "device", 0)  # each thread begins with device 0


def setDevice(device):
    if not 0 <= device < getDeviceCount():
        raise CUDARuntimeError(101)
    _local.device = int(device)


def deviceSynchronize():
    _sim.sync("device")
