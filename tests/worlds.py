"""Small environments with known answers, in gym's old interface and the new."""

from chainertrpo.data import Path
from chainertrpo.experiments.packages import import_package

import numpy as np

spaces = import_package("gym").spaces


class Point:
    """A point on a line is pushed towards 0; the episode ends after `length` steps.

    Terminal (`terminal=True`) or cut (``needs_reset``) at the end; reward −(x + a)².
    """

    def __init__(self, length=10, terminal=True, discrete=False, seed=0):
        self.length, self.terminal, self.discrete = length, terminal, discrete
        self.rng = np.random.RandomState(seed)
        self.observation_space = spaces.Box(-9, 9, (2,), np.float32)
        self.action_space = (
            spaces.Discrete(3) if discrete else spaces.Box(-1, 1, (1,), np.float32)
        )

    def _obs(self):
        return np.array([self.x, self.t / self.length], np.float32)

    def reset(self):
        self.x, self.t = self.rng.uniform(-1, 1), 0
        return self._obs()

    def step(self, action):
        push = float(action) - 1 if self.discrete else float(np.clip(action, -1, 1)[0])
        reward = -((self.x + push) ** 2)
        self.x = self.rng.uniform(-1, 1)
        self.t += 1
        end = self.t == self.length
        info = {"needs_reset": end and not self.terminal}
        return self._obs(), reward, end and self.terminal, info


def some_paths(seed=0, lengths=(7, 9, 4)):
    rng = np.random.RandomState(seed)
    return [
        Path(
            rng.standard_normal((n + 1, 2)).astype("f"),
            rng.standard_normal((n, 1)).astype("f"),
            rng.standard_normal(n).astype("f"),
            terminal=bool(i % 2),
        )
        for i, n in enumerate(lengths)
    ]
