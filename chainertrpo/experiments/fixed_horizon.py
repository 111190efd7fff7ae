"""Episodes of one length, whatever happens in them."""

from chainertrpo._checks import whole
from chainertrpo.data import MaskedObs, mask_of, unmasked
from chainertrpo.experiments.adapting import adapt
from chainertrpo.experiments.interface import Adapted

import numpy


class FixedHorizon(Adapted):
    """After a terminal state the last observation is repeated, with reward 0, to step H.

    So the length of an episode tells nothing, and a reward form cannot pay for it
    (Kostrikov et al. 2019, arXiv:1809.02925, on why it otherwise does).  Returns are the
    wrapped environment's; at H the episode is cut (``needs_reset``), never terminal.

    Parameters
    ----------
    env : Env
        Any: see `adapt`.
    horizon : int
        H, steps.
    """

    def __init__(self, env, horizon):
        horizon = whole("horizon", horizon, 1)
        super().__init__(adapt(env))
        self.horizon = horizon
        self.observation_space, self.action_space = (
            self.env.observation_space,
            self.env.action_space,
        )
        self.id, self.package = getattr(env, "id", None), getattr(env, "package", None)
        self.steps = getattr(env, "steps", None)
        self.max_episode_steps = horizon

    def seed(self, seed):
        """Seed the wrapped environment."""
        self.env.seed(seed)

    def reset(self):
        """Start an episode and return its first observation."""
        self._t, self._last = 0, None
        obs = self.env.reset()
        self._mask = mask_of(obs)
        self.seeded_with = self.env.seeded_with
        return obs

    def step(self, action):
        """Take a step as `Env.step`, or stay where the episode ended; never done."""
        self._t += 1
        obs, reward, info = self._last, 0.0, {}
        if self._last is None:
            obs, reward, done, info = self.env.step(action)
            if done or info.get("needs_reset"):
                if self._mask is not None:  # where it stays, anything can be chosen
                    obs = MaskedObs(unmasked(obs), numpy.ones_like(self._mask))
                self._last = obs
        info = {**info, "needs_reset": self._t == self.horizon}
        return obs, reward, False, info
