"""Steps of gymnasium's MuJoCo tasks with nothing between the agent and the physics.

The same observations, rewards and ends, bit for bit, for Hopper, Walker2d, HalfCheetah,
Swimmer, Ant and Humanoid, v4 and v5, with any arguments of their constructors: the
formulae of a step on views of ``mjData``, and no ``info``.  `make_env` uses them for
exactly these classes, after a check; see `lean_steps`.
"""

from chainertrpo.experiments.lean.steps import LeanSteps, lean_steps

__all__ = ["LeanSteps", "lean_steps"]
