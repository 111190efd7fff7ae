"""To begin an episode and to take a step, in whatever users have as an environment.

Old interfaces and new differ in what ``reset`` takes and in what both give; here alone
they are told apart.
"""

import functools
import logging

from chainertrpo.experiments.packages import BadEnvironmentError

import numpy


class Adapted:
    """What `begin_episode` and `take_step` make of an environment.

    Parameters
    ----------
    env : object
        With ``reset`` and ``step``, old or new.

    Attributes
    ----------
    seeded_with : int or None
        What the running episode began with, if the environment can be seeded.
    """

    def __init__(self, env):
        self.env = env
        self._seed = self.seeded_with = None

    @property
    def may_draw_globally(self):
        """Whether it might draw from the generators of `random` and `numpy.random`."""
        return True

    def seed(self, seed):
        """Seed the next `reset`, by a number in [0, 2**32)."""
        self._seed = seed

    def reset(self):
        """Start an episode and return its first observation."""
        return self._begin()[0]

    def _begin(self):
        seed, self._seed = self._seed, None
        obs, info, self.seeded_with = begin_episode(self.env, seed)
        return obs, info

    def step(self, action):
        """Take a step; ``done`` is a terminal state, ``info["needs_reset"]`` a cut."""
        obs, reward, done, cut, info = take_step(self.env, action)
        if cut and not done:
            info = {**info, "needs_reset": True}
        return obs, reward, done, info

    def render(self):
        """Render as the wrapped environment does."""
        return self.env.render()

    def close(self):
        """Close the wrapped environment, if it can be closed."""
        if hasattr(self.env, "close"):
            self.env.close()


class Foreign(Adapted):
    """An environment of neither package: observations and actions pass as they are."""

    def __getattr__(self, name):
        if name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)


def begin_episode(env, seed=None):
    """Start an episode.

    Parameters
    ----------
    env : object
        Its ``reset`` may take a seed, or its ``seed``, or neither: then a line says so,
        once for each kind of environment.
    seed : int, optional
        In [0, 2**32).

    Returns
    -------
    obs : object
        The first observation.
    info : dict
        The environment's; empty in the old interface.
    seed : int or None
        The one that was taken.

    Raises
    ------
    BadEnvironmentError
        Its own wrappers give ``reset`` more than it takes.
    TypeError
        The environment's own.
    """
    if seed is not None:
        try:
            return (*_pair(env.reset(seed=seed)), seed)
        except TypeError as error:
            if not _is_refusal(error):
                raise
        if hasattr(env, "seed"):
            env.seed(seed)  # the interface before gym 0.22
        else:
            say_once(
                f"{type(getattr(env, 'unwrapped', env)).__name__} has neither "
                "reset(seed=...) nor seed(...): what is done in it cannot be repeated"
            )
            seed = None
    try:
        return (*_pair(env.reset()), seed)
    except TypeError as error:
        if not _is_refusal(error):
            raise
        raise BadEnvironmentError(
            f"expected reset(self, *, seed=None, options=None) of {env}, which its "
            f"wrappers call so, got: {error}."
        ) from error


def _pair(result):
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
        return result
    return result, {}


def _is_refusal(error):
    # Whether `reset`, or that of what it wraps, does not take what it was given; any
    # other TypeError was raised within it.
    frame = error.__traceback__.tb_next
    while frame is not None:
        if not hasattr(frame.tb_frame.f_locals.get("self"), "env"):
            return False
        frame = frame.tb_next
    text = str(error)
    return "unexpected keyword argument" in text or "no keyword arguments" in text


def take_step(env, action):
    """Take a step.

    Parameters
    ----------
    env : object
        Its ``step`` gives four values (old) or five (new).
    action : object
        As it takes them.

    Returns
    -------
    obs : object
        The next observation.
    reward : float
        The reward.
    done, cut : bool
        The state is terminal; the episode was cut, by a time limit.
    info : dict
        The environment's.

    Raises
    ------
    BadEnvironmentError
        It gives something else.
    """
    result = env.step(action)
    if not isinstance(result, (tuple, list)) or len(result) not in (4, 5):
        raise BadEnvironmentError(
            "expected step to give (obs, reward, terminated, truncated, info) or "
            f"(obs, reward, done, info), got {str(result)[:200]}."
        )
    obs, reward, done = result[:3]
    info = result[-1]
    if not isinstance(info, dict):
        raise BadEnvironmentError(
            f"expected a dict as the info of a step, got {str(info)[:100]}. Return {{}} "
            "if there is nothing to say."
        )
    if len(result) == 5:
        cut = result[3]
    else:
        cut = bool(info.get("TimeLimit.truncated", False))
        done = done and not cut
    return obs, as_reward(reward), bool(done), bool(cut), info


def as_reward(reward):
    """Return a reward as a float: a number, or an array of one.

    Raises
    ------
    BadEnvironmentError
        It is neither.
    """
    if type(reward) is float:
        return reward
    try:
        x = numpy.asarray(reward)
    except ValueError:  # lists of several lengths
        x = numpy.array(None)
    if x.size != 1 or x.dtype.kind not in "fiub":
        raise BadEnvironmentError(
            f"expected one number as the reward, got {str(reward)[:100]}. Return a float "
            "from step."
        )
    return float(x.item())


@functools.lru_cache(maxsize=None)
def say_once(line):
    """Log a warning, once in a process."""
    logging.getLogger(__name__).warning(line)
