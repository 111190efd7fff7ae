"""Wrappers of environments: of `chainertrpo.chainerrl.gym`, of users, of today's gym."""

import json
import logging
import os

from chainertrpo.chainerrl._gone import refusals
from chainertrpo.chainerrl.gym import (
    ActionWrapper,
    ObservationWrapper,
    RewardWrapper,
    Wrapper,
)
from chainertrpo.experiments.video import write_gif

import numpy

__getattr__ = refusals(__name__)


class CastObservation(ObservationWrapper):
    """Observations of another type.

    Parameters
    ----------
    env : object
        See `Wrapper`.
    dtype : dtype
        The type.
    """

    def __init__(self, env, dtype):
        super().__init__(env)
        self.dtype, self.original_observation = dtype, None

    def observation(self, observation):
        """Cast it."""
        self.original_observation = observation
        return numpy.asarray(observation).astype(self.dtype, copy=False)


class CastObservationToFloat32(CastObservation):
    """Observations as float32.

    Parameters
    ----------
    env : object
        See `Wrapper`.
    """

    def __init__(self, env):
        super().__init__(env, numpy.float32)


class NormalizeActionSpace(ActionWrapper):
    """Actions in [−1, 1]^A, stretched onto the bounds.

    `chainertrpo.policies.ScaledGaussianPolicy` does the same in the policy.

    Parameters
    ----------
    env : object
        See `Wrapper`.

    Raises
    ------
    ValueError
        Actions are not those of a Box.
    """

    def __init__(self, env):
        super().__init__(env)
        box = self.action_space
        if not hasattr(box, "low"):
            raise ValueError(
                f"expected Box actions, got {box}. There is nothing to stretch."
            )
        self._low, self._high = box.low, box.high
        ones = numpy.ones_like(box.low)
        self.action_space = type(box)(-ones, ones, dtype=box.dtype)

    def action(self, action):
        """Stretch it."""
        unit = (numpy.asarray(action) + 1) / 2
        return self._low + unit * (self._high - self._low)


class ScaleReward(RewardWrapper):
    """Rewards times a factor.

    Parameters
    ----------
    env : object
        See `Wrapper`.
    scale : float
        The factor.
    """

    def __init__(self, env, scale):
        super().__init__(env)
        self.scale, self.original_reward = scale, None

    def reward(self, reward):
        """Scale it."""
        self.original_reward = reward
        return self.scale * reward


class ContinuingTimeLimit(Wrapper):
    """A time limit that cuts an episode, so that its last value is bootstrapped.

    Parameters
    ----------
    env : object
        See `Wrapper`; a limit of its own that is as long is a cut too.
    max_episode_steps : int
        The limit.
    """

    def __init__(self, env, max_episode_steps):
        super().__init__(env)
        self._max_episode_steps, self._elapsed_steps = max_episode_steps, 0

    def reset(self, **kwargs):
        """Start an episode."""
        self._elapsed_steps = 0
        return super().reset(**kwargs)

    def step(self, action):
        """Take a step."""
        obs, reward, done, info = super().step(action)
        self._elapsed_steps += 1
        own_limit = info.get("TimeLimit.truncated", False)
        if own_limit or self._elapsed_steps >= self._max_episode_steps:
            info = {**info, "needs_reset": True}
        return obs, reward, done and not own_limit, info


class Render(Wrapper):
    """Shows what happens in a window.

    Parameters
    ----------
    env : object
        See `Wrapper`.
    **kwargs
        Of its ``render``.
    """

    def __init__(self, env, **kwargs):
        super().__init__(env)
        self._kwargs = kwargs
        self.show(kwargs.get("mode", "human"))

    def reset(self, **kwargs):
        """Start an episode, and show it."""
        obs = super().reset(**kwargs)
        self.env.render(**self._kwargs)
        return obs

    def step(self, action):
        """Take a step, and show it."""
        result = super().step(action)
        self.env.render(**self._kwargs)
        return result


def _cubes_and_thousands(episode):
    """Gym's choice: 0, 1, 8, 27, …, 729, then every thousandth."""
    if episode < 1000:
        return round(episode ** (1 / 3)) ** 3 == episode
    return episode % 1000 == 0


class Monitor(Wrapper):
    """Films episodes as GIF, and writes returns and lengths of all.

    The files are ``video.<process>.episode<number>.gif``, which need no codec, and
    ``monitor.<process>.json``, a line an episode.

    Parameters
    ----------
    env : object
        See `Wrapper`.
    directory : str
        The folder; made if missing.
    video_callable : callable or False, optional
        Episode number -> whether it is filmed; by default cubes up to 1000, then every
        thousandth.  False films none.
    force, resume : bool
        Of gym's; the names of files are of this process, so that nothing is in the way.
    """

    def __init__(self, env, directory, video_callable=None, force=False, resume=False):
        super().__init__(env)
        os.makedirs(directory, exist_ok=True)
        self._films = (
            (lambda episode: False)
            if video_callable is False
            else video_callable or _cubes_and_thousands
        )
        self._directory, self._episode, self._frames = directory, -1, None
        self._rewards = []
        if video_callable is not False:
            self.show("rgb_array")

    def reset(self, **kwargs):
        """Start an episode."""
        self._end()
        self._episode += 1
        obs = super().reset(**kwargs)
        self._frames = [] if self._films(self._episode) else None
        self._film()
        return obs

    def step(self, action):
        """Take a step."""
        obs, reward, done, info = super().step(action)
        self._rewards.append(float(reward))
        self._film()
        if done:
            self._end()
        return obs, reward, done, info

    def close(self):
        """End the last film."""
        self._end()
        super().close()

    def _film(self):
        if self._frames is not None:
            frame = self.env.render(mode="rgb_array")
            self._frames.append(frame[-1] if isinstance(frame, list) else frame)

    def _end(self):
        if not self._rewards:
            return
        path = os.path.join(self._directory, f"monitor.{os.getpid()}.json")
        row = {"episode": self._episode, "r": sum(self._rewards)}
        with open(path, "a") as file:
            print(json.dumps({**row, "l": len(self._rewards)}), file=file)
        self._rewards = []
        if self._frames:
            name = f"video.{os.getpid()}.episode{self._episode:06d}.gif"
            path = os.path.join(self._directory, name)
            write_gif(path, self._frames, (self.metadata or {}).get("render_fps", 30))
            logging.getLogger(__name__).info("film of an episode: %s", path)
        self._frames = None


__all__ = [
    "CastObservation",
    "CastObservationToFloat32",
    "ContinuingTimeLimit",
    "Monitor",
    "NormalizeActionSpace",
    "Render",
    "ScaleReward",
]
