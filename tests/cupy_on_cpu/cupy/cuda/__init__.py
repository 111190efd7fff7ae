"""`cupy.cuda`: one pretended device (``CUPY_SIM_DEVICES`` of them), one queue of work."""

import threading as _threading

from cupy import _sim
from cupy.cuda import cublas, memory, runtime
from cupy.cuda.memory import MemoryPointer, MemoryPool, PinnedMemoryPool

_local = _threading.local()


class Device:
    """A device, by number; a context in which it is the current one."""

    def __init__(self, device=None):
        if device is None:
            device = runtime.getDevice()
        self.id = int(device)

    def __int__(self):
        return self.id

    def __eq__(self, other):
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    def __enter__(self):
        _stack().append(runtime.getDevice())
        runtime.setDevice(self.id)
        return self

    def __exit__(self, *args):
        runtime.setDevice(_stack().pop())

    def use(self):
        runtime.setDevice(self.id)

    def synchronize(self):
        runtime.deviceSynchronize()

    compute_capability = "90"


def _stack():
    if not hasattr(_local, "devices"):
        _local.devices = []
    return _local.devices


class Stream:
    """A queue of work: here everything is done when it is asked for."""

    null = None

    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.ptr = 0

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def use(self):
        return self

    def synchronize(self):
        _sim.sync("stream")

    def record(self, event=None):
        return event or Event()

    def wait_event(self, event):
        pass


Stream.null = Stream(null=True)


class Event:
    """A point in a queue."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.done = True

    def record(self, stream=None):
        pass

    def synchronize(self):
        _sim.sync("event")


def get_current_stream():
    """The stream in use."""
    return Stream.null


def get_elapsed_time(start_event, end_event):
    """Milliseconds between two events: nothing is measured here."""
    return 0.0


def is_available():
    """Whether there is a device."""
    return runtime.getDeviceCount() > 0


def set_allocator(allocator=None):
    """Nothing is allocated on a device here."""


def set_pinned_memory_allocator(allocator=None):
    """Nothing is pinned here."""


__all__ = [
    "Device",
    "Event",
    "MemoryPointer",
    "MemoryPool",
    "PinnedMemoryPool",
    "Stream",
    "cublas",
    "get_current_stream",
    "get_elapsed_time",
    "is_available",
    "memory",
    "runtime",
    "set_allocator",
    "set_pinned_memory_allocator",
]
