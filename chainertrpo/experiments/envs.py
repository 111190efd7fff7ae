"""Environments of gym and gymnasium, old and new, with the interface of the agent protocol.

`Env` gives ``reset() -> obs`` and ``step(action) -> obs, reward, done, info`` for all of
them: ``done`` is a terminal state, ``info["needs_reset"]`` a cut (a time limit), which
the agent bootstraps.  Actions are clipped to the action space here, at the edge, if at
all, so that the agent learns from the actions it chose.
"""

from __future__ import annotations

import warnings

from chainertrpo._checks import whole
from chainertrpo.data import Space
from chainertrpo.experiments.interface import Adapted, say_once, take_step
from chainertrpo.experiments.lean import lean_steps
from chainertrpo.experiments.packages import (
    BadEnvironmentError,
    check_display,
    check_mujoco,
    package_of,
    remedy,
    resolve,
)
from chainertrpo.experiments.seeing import action_masks, check_spaces, seen_of
from chainertrpo.experiments.video import follow

import numpy


class Env(Adapted):
    """One environment with the interface of the agent protocol.

    Parameters
    ----------
    env : object
        An environment of gym or gymnasium, with the old API (``step`` gives four values)
        or the new (five).
    seed : int, optional
        Given to the first ``reset`` (or to ``env.seed``), and to the action space.
    bootstrap_time_limits : bool
        A time limit is a cut whose value is bootstrapped.  False makes it terminal, as
        ChainerRL's scripts did with plain ``gym.make``.
    clip_actions : bool
        Clip actions to the bounds of a Box.  False gives them on as they are, as ChainerRL
        and many others do: MuJoCo's motors clip them, but what HalfCheetah and Humanoid
        charge for control is then of the whole action.
    lean : LeanSteps, optional
        Of `env`: taken instead of its own steps, as long as it is not wrapped further.

    Attributes
    ----------
    id, package : str or None
        What it was made by.
    steps : str
        Whose steps are taken, and why; recorded in ``environment.json``.
    """

    id: str  # of those that `make_env` has made
    package: str

    def __init__(
        self,
        env,
        seed=None,
        *,
        bootstrap_time_limits=True,
        clip_actions=True,
        lean=None,
    ):
        super().__init__(env)
        self.lean = lean
        self.steps = "lean" if lean else "the environment's"
        self.observation_space, self.action_space = (
            env.observation_space,
            env.action_space,
        )
        observed = check_spaces(env)
        self.bootstrap_time_limits = bootstrap_time_limits
        spec = getattr(env, "spec", None)
        self.id, self.package = getattr(spec, "id", None), package_of(env)
        self.max_episode_steps = getattr(spec, "max_episode_steps", None)
        if seed is not None:
            self.seed(seed)
        self._actions, self._seen = Space.of(self.action_space), observed
        self.clip_actions = clip_actions
        clips = clip_actions and self._actions.is_continuous
        self._bounds = self._actions.action_bounds if clips else None
        self._masks = action_masks(env, self.observation_space)
        self._masked = None

    def seed(self, seed):
        """Seed the next `reset` and the action space, by a number in [0, 2**32)."""
        super().seed(seed)
        self.action_space.seed(seed)

    def reset(self):
        """Start an episode.

        Returns
        -------
        array, shape (S,), float32, or MaskedObs
            The first observation, as features (see `Space`).

        Raises
        ------
        BadEnvironmentError
            It does not keep to its observation space.
        TypeError
            The environment's own.
        """
        if self._is_lean() and self._seed is None:
            self.seeded_with = None
            return self.lean.reset()
        obs, info = self._begin()
        self._masked = None
        return self._observed(obs, info)

    def step(self, action):
        """Take a step.

        Parameters
        ----------
        action : array, shape (A,), or int
            The agent's (see `Space`); clipped to the bounds of a Box, with `clip_actions`.

        Returns
        -------
        obs : array, shape (S,), float32, or MaskedObs
            The next observation; without a mask where the episode ends.
        reward : float
            The reward.
        done : bool
            The state is terminal.
        info : dict
            The environment's, with ``needs_reset`` True if the episode was cut.

        Raises
        ------
        BadEnvironmentError
            It gave something else than its spaces or its interface say.
        """
        if self._bounds is not None:
            low, high = self._bounds
            action = numpy.minimum(numpy.maximum(action, low), high)
        action = self._actions.decode(action)
        if self._is_lean():
            obs, reward, done, cut = self.lean.step(action)
            info = {}
        else:
            obs, reward, done, cut, info = take_step(self.env, action)
            obs = self._observed(obs, info, done or cut)
        if cut and not done:
            done = not self.bootstrap_time_limits
            info = {**info, "needs_reset": True}
        return obs, reward, done, info

    def _observed(self, obs, info, ends=False):
        if ends:  # nothing is to be chosen there
            return seen_of(self._seen, self._actions, obs, None, self.env)
        mask = self._masks(obs, info)
        if self._masked not in (None, mask is not None):
            raise BadEnvironmentError(
                "expected a mask of actions with every observation of an episode or with "
                f"none, got it at some of {self.env}. Give it at reset and at every step."
            )
        self._masked = mask is not None
        return seen_of(self._seen, self._actions, obs, mask, self.env)

    def _is_lean(self):
        # Whoever wraps `env` afterwards means the wrapper to be stepped.
        return self.lean is not None and self.lean.env is self.env

    @property
    def may_draw_globally(self):
        """False of lean steps: gymnasium's walkers have a generator of their own."""
        return not self._is_lean()

    @property
    def obs_shape(self):
        """Shape of an observation as the agent sees it, (S,), or of an image."""
        return self._seen.shape if self._seen.is_image else (self._seen.size,)


def make_env(
    env_id: str,
    seed: int | None = None,
    *,
    package: str = "auto",
    render_mode: str | None = None,
    bootstrap_time_limits: bool = True,
    clip_actions: bool = True,
    lean: bool = True,
    max_episode_steps: int | None = None,
) -> Env:
    """Make an environment by id.

    Parameters
    ----------
    env_id : str
        See `resolve`.
    seed : int, optional
        See `Env`.
    package : str
        See `resolve`.
    render_mode : str, optional
        ``human`` or ``rgb_array``.
    bootstrap_time_limits, clip_actions : bool
        See `Env`.
    lean : bool
        Take `lean_steps` where there are any: the same bits as gymnasium's, sooner, but
        nothing in ``info``.  What renders is stepped by itself.
    max_episode_steps : int, optional
        A time limit; by default the environment's own, if it has one.

    Returns
    -------
    Env
        The environment; its ``id`` and ``package`` say what was made.

    Raises
    ------
    BadEnvironmentError
        Unknown id, missing dependency, or spaces that are not supported.
    """
    module, full_id = resolve(env_id, package)
    kwargs = {} if render_mode is None else {"render_mode": render_mode}
    if max_episode_steps is not None:
        kwargs["max_episode_steps"] = whole("max_episode_steps", max_episode_steps, 1)
    check_display(module, full_id, render_mode)
    check_mujoco(module, full_id)
    try:
        with warnings.catch_warnings():
            # "out of date" for v4, which is chosen on purpose; gym's np.bool8.
            warnings.simplefilter("ignore")
            # gym 0.26's checker needs numpy.bool8, which NumPy 2 lacks.
            env = module.make(full_id, disable_env_checker=True, **kwargs)
    except (ImportError, module.error.Error) as error:
        raise BadEnvironmentError(
            f"{full_id} of {module.__name__} {module.__version__} cannot be made: "
            f"{error} {remedy(error, full_id)}".rstrip()
        ) from error
    if render_mode == "rgb_array":
        follow(env)
    steps, why_not = None, "not asked for"
    if lean and render_mode is None:
        steps, why_not = lean_steps(env)
        if why_not:
            say_once(f"{full_id} is stepped by {module.__name__}, not lean: {why_not}.")
    env = Env(
        env,
        seed,
        bootstrap_time_limits=bootstrap_time_limits,
        clip_actions=clip_actions,
        lean=steps,
    )
    env.id = full_id
    if steps is None:
        env.steps = f"{module.__name__}'s" + (f": {why_not}" if why_not else "")
    return env
