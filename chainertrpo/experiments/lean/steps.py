"""Which environments are stepped lean, and their time limits."""

import functools
import re
import sys

from chainertrpo.experiments.lean.ant import Ant
from chainertrpo.experiments.lean.check import Check
from chainertrpo.experiments.lean.humanoid import Humanoid
from chainertrpo.experiments.lean.planar import HalfCheetah, Hopper, Swimmer, Walker2d
from chainertrpo.experiments.lean.sources import fingerprint

# Name of a module -> the class in it, and ours.
TASKS = {
    "hopper": ("HopperEnv", Hopper),
    "walker2d": ("Walker2dEnv", Walker2d),
    "half_cheetah": ("HalfCheetahEnv", HalfCheetah),
    "swimmer": ("SwimmerEnv", Swimmer),
    "ant": ("AntEnv", Ant),
    "humanoid": ("HumanoidEnv", Humanoid),
}
# Fingerprints of the sources that have been read: of gymnasium 1.0 to 1.4 (Humanoid's
# centre of mass changed with 1.2, its info with 1.4), of 0.29.1 and of gym 0.26.2.
READ = {
    "hopper_v4": {"6d3da96fcc90e907", "de8a5e800f957996", "f985c5553fc24a03"},
    "walker2d_v4": {"5eaa4e7fac6f0316", "0fc8ec63eb30680e", "bba837cedb6a7c5b"},
    "half_cheetah_v4": {"4f7d85b0afdc651c", "9e2466156f4c651d", "91f3c25caff77176"},
    "swimmer_v4": {"fcdfb7a21ae8d555", "a03eee54739b6b14", "6e4bd6a75396c593"},
    "ant_v4": {"47ed1f25bfeb3218", "9dd3a2f88c7f1b2b", "edb24ea9bab8bced"},
    "humanoid_v4": {
        *("33e7d868c11ee084", "74734b6e812a01d9"),
        *("7f76c9326efd71a2", "bc8014041fd21bd8"),
    },
    "hopper_v5": {"3fd8bfc693f941b3"},
    "walker2d_v5": {"929fd839170f270b"},
    "half_cheetah_v5": {"d63a7da9dee9333d"},
    "swimmer_v5": {"86f9544ff82399c1"},
    "ant_v5": {"6f5f7a88207f4770"},
    "humanoid_v5": {"53a957e03346fdb1", "7a4a827657ef2364", "34de9f53d82f3573"},
}


class LeanSteps:
    """Steps of an environment in its time limit.

    How many steps an episode has had is kept where gymnasium's wrapper keeps it, and the
    physics are the environment's, so its own reset and step can be called in between.

    Parameters
    ----------
    env : object
        ``TimeLimit(OrderEnforcing(task))``.
    task : Task
        Of the environment within.
    """

    def __init__(self, env, task):
        self.env, self.task, self._order = env, task, env.env

    def __reduce__(self):
        # Views of physics that are elsewhere after copying would be plain arrays.
        return _made_again, (self.env,)

    def reset(self):
        """Begin an episode as ``env.reset()`` does.

        Returns
        -------
        array, shape (S,), float32
            The observation.
        """
        self._order._has_reset = True
        self.env._elapsed_steps = 0
        return self.task.reset()

    def step(self, action):
        """Take a step as ``env.step(action)`` does.

        Parameters
        ----------
        action : array, shape (A,)
            The action.

        Returns
        -------
        obs : array, shape (S,), float32
            The observation.
        reward : float
            The reward.
        terminated, truncated : bool
            How the episode ends, if it does.
        """
        limit = self.env
        if limit._elapsed_steps is None:
            limit.step(action)  # says that there has been no reset
        obs, reward, terminated = self.task.step(action)
        limit._elapsed_steps = elapsed = limit._elapsed_steps + 1
        return obs, reward, terminated, elapsed >= limit._max_episode_steps


def _made_again(env):
    return lean_steps(env)[0]


def lean_steps(env):
    """Make lean steps of an environment, if it is one that has them.

    Its class is exactly one of gymnasium's or gym's whose source is known, nothing of it
    is overridden or rendered, its only wrappers are those for the time limit and for
    the order of calls, and here and now its steps are the same bits (`Check`).

    Parameters
    ----------
    env : object
        Of ``gymnasium.make`` or ``gym.make``.

    Returns
    -------
    steps : LeanSteps or None
        None if it is to be stepped by itself.
    why_not : str or None
        Why a task that could be lean is not; None for all other environments.
    """
    found = _task_of(env.unwrapped)
    if found is None:
        return None, None
    name, task = found
    why_not = (
        _wrapped(env) or _changed(env.unwrapped, name) or _checked(env.unwrapped, task)
    )
    if why_not:
        return None, why_not
    made = task(env.unwrapped)
    if made.observe().shape != env.observation_space.shape:
        return None, "its observations are not of its space"
    return LeanSteps(env, made), None


def _task_of(env):
    module = type(env).__module__
    match = re.fullmatch(r"(?:gymnasium|gym)\.envs\.mujoco\.(\w+)_v([45])", module)
    class_name, task = TASKS.get(match[1] if match else "", (None, None))
    if task is None or type(env) is not getattr(sys.modules[module], class_name, None):
        return None
    return f"{match[1]}_v{match[2]}", functools.partial(task, version=int(match[2]))


def _wrapped(env):
    package = type(env.unwrapped).__module__.split(".")[0]
    known = sys.modules[f"{package}.wrappers"]
    wrappers = []
    while env is not env.unwrapped:
        wrappers.append(type(env))
        if _overridden(env):
            return f"{type(env).__name__} has {_overridden(env)} replaced"
        env = env.env
    if wrappers != [known.TimeLimit, known.OrderEnforcing]:
        names = [wrapper.__name__ for wrapper in wrappers]
        return f"its wrappers are {', '.join(names) or 'none'}"
    return None


def _overridden(obj):
    """Methods and properties that an object has of its own, as text."""
    own = [
        name
        for name in vars(obj)
        if callable(getattr(type(obj), name, None))
        or isinstance(getattr(type(obj), name, None), property)
    ]
    return ", ".join(sorted(own))


def _changed(env, name):
    if env.render_mode is not None:
        return "it renders"
    if _overridden(env):
        return f"{_overridden(env)} of it is replaced"
    try:
        known = fingerprint(type(env)) in READ[name]
    except (OSError, SyntaxError, TypeError, ValueError) as error:
        return f"its source is not known: {error}"
    return None if known else "its source is not one that is known"


_CHECKED = {}  # constructor -> what `Check` said: the same in the whole process


def _checked(env, task):
    key = (type(env), repr(env._ezpickle_args), repr(env._ezpickle_kwargs))
    if key not in _CHECKED:
        try:
            _CHECKED[key] = Check(env).difference(task)
        except Exception as error:  # whatever it is, the environment has its own steps
            _CHECKED[key] = f"the check failed: {error!r}"
    return _CHECKED[key]
