"""Hooks that are called after every step."""

import abc

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.experiments import LinearInterpolationHook

__getattr__ = refusals(__name__)


class StepHook(abc.ABC):
    """What a step hook is; any callable with these arguments will do."""

    @abc.abstractmethod
    def __call__(self, env, agent, step):
        """Do something after step number `step`."""


StepHook.register(LinearInterpolationHook)

__all__ = ["LinearInterpolationHook", "StepHook"]
