"""Recording demonstrations: what an agent, or anything else that acts, does."""

import importlib
import logging
import platform

from chainertrpo._checks import whole
from chainertrpo.data import (
    Demonstrations,
    Episode,
    as_observation,
    environment_header,
    mask_of,
    unmasked,
)
from chainertrpo.experiments.adapting import adapt
from chainertrpo.experiments.evaluation import length_limit

import numpy


class EpisodeRecorder:
    """Collects the episodes of one environment.

    Attributes
    ----------
    episodes : list of Episode
        Those that have ended.
    """

    def __init__(self):
        self.episodes = []
        self._obs = None

    @property
    def length(self):
        """Steps of the running episode."""
        return 0 if self._obs is None else len(self._reward)

    def reset(self, obs, seed=-1):
        """Begin an episode; one that has not ended is forgotten.

        Parameters
        ----------
        obs : array or MaskedObs
            The first observation.
        seed : int
            What the environment was reset with.
        """
        self._obs, self._action, self._reward = [_flat(obs)], [], []
        self._masks, self._seed = [mask_of(obs)], seed

    def step(self, action, obs, reward, terminated, truncated):
        """Record a step, and the episode if it ends.

        Parameters
        ----------
        action : array or int
            Discrete ones counted from 0.
        obs : array or MaskedObs
            The observation after it.
        reward : float
            The environment's.
        terminated, truncated : bool
            How the episode ends.
        """
        self._action.append(numpy.array(action))
        self._obs.append(_flat(obs))
        self._masks.append(mask_of(obs))
        self._reward.append(reward)
        if terminated or truncated:
            self.episodes.append(
                Episode(
                    numpy.stack(self._obs),
                    numpy.stack(self._action),
                    numpy.array(self._reward, numpy.float32),
                    bool(terminated),
                    bool(truncated),
                    self._seed,
                    mask=None
                    if self._masks[0] is None
                    else numpy.stack(self._masks[:-1]),
                )
            )
            self._obs = None


def _flat(obs):
    """As demonstrations have it: a vector, or an image of bytes."""
    x = as_observation(unmasked(obs))
    return x if x.dtype == numpy.uint8 else x.ravel()


def record_episodes(
    env,
    act,
    n_episodes,
    seed=0,
    made_by=None,
    *,
    max_episode_len=None,
    recorder=None,
    logger=None,
    stop_episode=lambda: None,
):
    """Let something that acts play whole episodes.

    Parameters
    ----------
    env : object
        Any: see `adapt`.  Episode i is reset with seed + i; where it cannot be seeded, its
        seed is -1 and it cannot be replayed.
    act : callable
        Observation -> action, such as ``agent.act``.
    n_episodes : int
        How many.
    seed : int
        In [0, 2**32 − n_episodes).
    made_by : dict, optional
        For the header.
    max_episode_len : int, optional
        Cut episodes there; by default as in `run_evaluation_episodes`.
    recorder : EpisodeRecorder, optional
        It has the episodes that have ended, whatever this function is ended by.
    logger : logging.Logger, optional
        By default this module's.
    stop_episode : callable
        Called where an episode ends, such as ``agent.stop_episode``: a policy with memory
        forgets it then.

    Returns
    -------
    Demonstrations
        The episodes.
    """
    whole("n_episodes", n_episodes, 1)
    env = adapt(env)
    recorder = EpisodeRecorder() if recorder is None else recorder
    logger = logger or logging.getLogger(__name__)
    limit, say_cut = length_limit(env, max_episode_len, logger)
    for i in range(n_episodes):
        env.seed(seed + i)
        obs, end = env.reset(), False
        recorder.reset(obs, -1 if env.seeded_with is None else seed + i)
        while not end:
            action = act(obs)
            obs, reward, done, info = env.step(action)
            cut = bool(info.get("needs_reset", False))
            if not (done or cut) and recorder.length + 1 == limit:
                cut = True
                say_cut()
            recorder.step(action, obs, reward, done, cut)
            end = done or cut
        stop_episode()
    return recorded(recorder.episodes, env, made_by or {"kind": "agent"})


def recorded(episodes, env, made_by):
    """Make demonstrations of an environment's episodes, with the versions in use.

    Parameters
    ----------
    episodes : sequence of Episode
        At least one.
    env : Env
        Where they were played.
    made_by : dict
        For the header.

    Returns
    -------
    Demonstrations
        The episodes.
    """
    versions = {"python": platform.python_version(), "numpy": numpy.__version__}
    if getattr(env, "package", None):
        package = importlib.import_module(env.package)
        versions[env.package] = package.__version__
    return Demonstrations(episodes, environment_header(env), made_by, versions)
