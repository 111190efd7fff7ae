"""Several environments at once."""

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.envs import multiprocess_vector_env
from chainertrpo.chainerrl.envs.multiprocess_vector_env import MultiprocessVectorEnv
from chainertrpo.chainerrl.envs.serial_vector_env import SerialVectorEnv

__getattr__ = refusals(__name__)

__all__ = ["MultiprocessVectorEnv", "SerialVectorEnv", "multiprocess_vector_env"]
