"""A task of which most actions are invalid at any time, for masks by `action_masks()`."""

import gymnasium
import numpy


class Invalid(gymnasium.Env):
    """The action must be the number that is seen; 60 of 80 others are invalid.

    An invalid action that is taken all the same ends the episode of 100 steps.  The idea is
    that of sb3-contrib's own tests of MaskablePPO (`InvalidActionEnvDiscrete`).
    """

    def __init__(self, n=80, n_invalid=60, length=100):
        self.observation_space = gymnasium.spaces.Discrete(n)
        self.action_space = gymnasium.spaces.Discrete(n)
        self.n_invalid, self.length = n_invalid, length

    def _next(self):
        n = int(self.action_space.n)
        self.state = int(self.np_random.integers(n))
        others = numpy.delete(numpy.arange(n), self.state)
        self.mask = numpy.ones(n, bool)
        self.mask[self.np_random.choice(others, self.n_invalid, replace=False)] = False
        return self.state

    def reset(self, *, seed=None, options=None):
        """Begin an episode."""
        super().reset(seed=seed)
        self.t = 0
        return self._next(), {}

    def step(self, action):
        """Take a step."""
        reward, invalid = float(action == self.state), not self.mask[action]
        self.t += 1
        return self._next(), reward, invalid, self.t >= self.length, {}

    def action_masks(self):
        """Which actions are valid."""
        return self.mask


class Blind(gymnasium.Env):
    """The same task, of which nobody is told the mask."""

    def __init__(self, **settings):
        self._task = Invalid(**settings)
        self.observation_space = self._task.observation_space
        self.action_space = self._task.action_space

    def reset(self, *, seed=None, options=None):
        """Begin an episode."""
        return self._task.reset(seed=seed)

    def step(self, action):
        """Take a step."""
        return self._task.step(action)
