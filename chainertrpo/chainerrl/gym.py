"""gym's interface of ChainerRL's days, over the gymnasium or gym that is installed.

``reset() -> obs``, ``step(action) -> obs, reward, done, info``, ``seed(seed)``, a window
that ``render()`` opens: what scripts written for gym before 0.22 expect.  A time limit
makes ``done`` True, as it did then; `ContinuingTimeLimit` makes it a cut.
"""

import importlib
import importlib.util

from chainertrpo.experiments import BadEnvironmentError, make_env
from chainertrpo.experiments import adapt as _adapt
from chainertrpo.experiments.packages import import_package

import numpy

NAMES = {"spaces", "error", "envs", "logger"}  # of the package itself


def __getattr__(name):
    if name == "wrappers":
        return importlib.import_module("chainertrpo.chainerrl.wrappers")
    if name in NAMES:
        found = importlib.util.find_spec("gymnasium") is not None
        return getattr(import_package("gymnasium" if found else "gym"), name)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}. It is the interface of gym that "
        "ChainerRL's users wrote for; import gymnasium for all else."
    )


class Env:
    """An environment of a user: ``reset``, ``step``, and both spaces."""

    spec, metadata, reward_range = (
        None,
        {"render.modes": []},
        (-float("inf"), float("inf")),
    )
    observation_space = action_space = None

    def reset(self):
        """Start an episode: obs."""
        raise NotImplementedError(f"expected {type(self).__name__} to define reset().")

    def step(self, action):
        """Take a step: obs, reward, done, info."""
        raise NotImplementedError(f"expected {type(self).__name__} to define step(a).")

    def seed(self, seed=None):
        """Seed it; by default there is nothing to seed."""

    def render(self, mode="human", **kwargs):
        """Show it; by default there is nothing to see."""

    def close(self):
        """Give its resources back."""

    @property
    def unwrapped(self):
        """The environment inside all wrappers."""
        return self


class Made(Env):
    """An environment that `make` made, behind the interface of that time.

    Parameters
    ----------
    env_id : str
        Its id.
    render_mode : str, optional
        See `show`.
    """

    def __init__(self, env_id, render_mode=None):
        self._id, self._seed = env_id, None
        self._make(render_mode)

    def _make(self, render_mode):
        self.env = make_env(
            self._id,
            render_mode=render_mode,
            bootstrap_time_limits=False,
            clip_actions=False,
        )
        self.render_mode, self._begun = render_mode, False
        self.spec, self.metadata = self.env.env.spec, self.env.env.metadata
        self.observation_space = self.env.observation_space
        self.action_space = self.env.action_space
        if self._seed is not None:
            self.env.seed(self._seed)

    def show(self, render_mode):
        """Draw from now on, in a window (``human``) or as arrays (``rgb_array``).

        Today's environments are made to be drawn; so this one is made again.

        Parameters
        ----------
        render_mode : str
            How.

        Raises
        ------
        BadEnvironmentError
            An episode has begun, or it is drawn in another way; or there is no display.
        """
        if self.render_mode == render_mode:
            return
        if self._begun or self.render_mode is not None:
            raise BadEnvironmentError(
                f"expected to know before the first reset that {self._id} is drawn, and "
                f"in one way, got {render_mode} "
                f"{'in an episode' if self._begun else f'beside {self.render_mode}'}. "
                f"Give render_mode={render_mode!r} to make."
            )
        self.env.close()
        self._make(render_mode)

    def seed(self, seed=None):
        """Seed the next `reset` and the action space, by a number in [0, 2**32]."""
        if seed is not None:  # ChainerRL's scripts give 2**32 − seed
            self._seed = int(seed) % 2**32
            self.env.seed(self._seed)
        return [self._seed]

    def reset(self):
        """Start an episode: obs, float32."""
        self._begun = True
        return self.env.reset()

    def step(self, action):
        """Take a step; a time limit is an end, which ``info`` says."""
        if hasattr(self.action_space, "low"):
            action = numpy.asarray(action)
        obs, reward, done, info = self.env.step(action)
        if info.pop("needs_reset", False):
            info["TimeLimit.truncated"] = True
        return obs, reward, done, info

    def render(self, mode="human", **kwargs):
        """Show it in a window, or give a picture (``rgb_array``)."""
        if self.render_mode != mode:
            self.show(mode)
        return self.env.render()

    def close(self):
        """Close it."""
        self.env.close()


class Wrapper(Env):
    """An environment around another.

    Parameters
    ----------
    env : object
        Of `make`, of a user, or of today's gym or gymnasium (which is adapted).
    """

    def __init__(self, env):
        self.env = adapt(env)
        for name in ("observation_space", "action_space", "spec", "metadata"):
            setattr(self, name, getattr(self.env, name, None))

    def __getattr__(self, name):
        if name.startswith("_") or name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)

    def reset(self, **kwargs):
        """Start an episode."""
        return self.env.reset(**kwargs)

    def step(self, action):
        """Take a step."""
        return self.env.step(action)

    def seed(self, seed=None):
        """Seed it."""
        return self.env.seed(seed)

    def render(self, mode="human", **kwargs):
        """Show it."""
        return self.env.render(mode, **kwargs)

    def show(self, render_mode):
        """See `Made.show`; an environment of a user is drawn as it is."""
        if hasattr(self.env, "show"):
            self.env.show(render_mode)

    def close(self):
        """Close it."""
        self.env.close()

    @property
    def unwrapped(self):
        """The environment inside all wrappers."""
        return getattr(self.env, "unwrapped", self.env)


class ObservationWrapper(Wrapper):
    """Gives ``observation(obs)``."""

    def reset(self, **kwargs):
        """Start an episode."""
        return self.observation(self.env.reset(**kwargs))

    def step(self, action):
        """Take a step."""
        obs, reward, done, info = self.env.step(action)
        return self.observation(obs), reward, done, info


class ActionWrapper(Wrapper):
    """Takes ``action(action)``."""

    def step(self, action):
        """Take a step."""
        return self.env.step(self.action(action))


class RewardWrapper(Wrapper):
    """Pays ``reward(reward)``."""

    def step(self, action):
        """Take a step."""
        obs, reward, done, info = self.env.step(action)
        return obs, self.reward(reward), done, info


def adapt(env):
    """Give an environment of today's gym or gymnasium the interface of that time.

    Parameters
    ----------
    env : object
        Any; what has the interface is given back.

    Returns
    -------
    object
        ``reset() -> obs``, ``step(action) -> obs, reward, done, info``.
    """
    packages = {cls.__module__.partition(".")[0] for cls in type(env).__mro__}
    return _adapt(env) if packages & {"gym", "gymnasium"} else env


def make(env_id, render_mode=None):
    """Make an environment by id.

    Parameters
    ----------
    env_id : str
        Of gymnasium, or of gym; a name alone means the version that is comparable with
        published results (``Hopper``: Hopper-v4).
    render_mode : str, optional
        ``human`` or ``rgb_array``; `Render` and `Monitor` choose it by themselves.

    Returns
    -------
    Made
        MuJoCo's walkers are stepped lean.  Actions are not clipped here.

    Raises
    ------
    BadEnvironmentError
        Unknown id, missing dependency, or spaces that are not supported.
    """  # noqa: DOC502
    return Made(env_id, render_mode)
