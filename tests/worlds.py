"""Small environments with known answers, in gym's old interface and the new."""

import copy
import importlib.util

from chainertrpo.data import Path, Space
from chainertrpo.experiments.packages import import_package

import numpy as np

found = importlib.util.find_spec("gymnasium")  # none on Python 3.8
spaces = import_package("gymnasium" if found else "gym").spaces


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


def some_paths(seed=0, lengths=(7, 9, 4), carry_size=0):
    rng = np.random.RandomState(seed)
    return [
        Path(
            rng.standard_normal((n + 1, 2)).astype("f"),
            rng.standard_normal((n, 1)).astype("f"),
            rng.standard_normal(n).astype("f"),
            terminal=bool(i % 2),
            carry=np.zeros(carry_size, "f") if carry_size else None,
        )
        for i, n in enumerate(lengths)
    ]


BOX = spaces.Box(-1, 1, (2,), np.float32)
ACTION_SPACES = {
    "grid": spaces.Box(-1, 1, (2, 2), np.float32),
    "from five": spaces.Discrete(3, start=5),
    "choices": spaces.MultiDiscrete([3, 2]),
    "bits": spaces.MultiBinary(3),
    "tuple": spaces.Tuple([BOX, spaces.Discrete(3)]),
    "dict": spaces.Dict({"move": BOX, "press": spaces.MultiBinary(2)}),
}


class Repeat:
    """The action must be the observation: 1 is paid less the distance, for 20 steps.

    Parameters
    ----------
    space : object
        Of observations and actions.
    masks : str, optional
        Where masks are given: ``info``, ``method`` or ``observation``.  Then what is to be
        repeated is always allowed, half of the rest is not, and would pay 9.
    """

    def __init__(self, space, masks=None):
        space = copy.deepcopy(space)  # with a generator of its own
        self.action_space, self.space, self.masks = space, Space.of(space), masks
        self.observation_space = space
        if masks == "observation":
            valid = spaces.MultiBinary(self.space.mask_size)
            self.observation_space = spaces.Dict(
                {"action_mask": valid, "observation": space}
            )
        if masks == "method":
            self.action_masks = lambda: self.mask

    def _next(self):
        self.x = self.action_space.sample()
        mine = self.space.choice_features(self.space.encode(self.x)[None])[0]
        self.mask = (mine > 0) | (self.rng.random_sample(len(mine)) < 0.5)
        if self.masks != "observation":
            return self.x
        return {"observation": self.x, "action_mask": self.mask.astype(np.int8)}

    def _info(self):
        return {"action_mask": self.mask} if self.masks == "info" else {}

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.action_space.seed(seed)
            self.rng = np.random.RandomState(seed)
        self.t = 0
        return self._next(), self._info()

    def step(self, action):
        if not self.space.is_continuous:
            assert self.action_space.contains(action), action
        made = self.space.features(action)
        reward = 1 - np.abs(made - self.space.features(self.x)).mean()
        chosen = self.space.choice_features(self.space.encode(action)[None])[0] > 0
        if self.masks and (chosen & ~self.mask).any():
            reward = 9.0
        self.t += 1
        return self._next(), reward, self.t == 20, False, self._info()
