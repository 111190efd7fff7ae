"""Recording demonstrations: by an agent, or by a person at the keyboard."""

import importlib
import platform

from chainertrpo.data import Demonstrations, Episode, environment_header

import numpy

# Keys -> action; with none pressed, the noop.  None: the environment knows its own.
ARROWS = {"left": 1073741904, "right": 1073741903, "up": 1073741906, "down": 1073741905}
KEYS = {
    "CartPole": ({("left",): 0, ("right",): 1, "a": 0, "d": 1}, 0),
    "MountainCar": ({("left",): 0, ("right",): 2, "a": 0, "d": 2}, 1),
    "Acrobot": ({("left",): 0, ("right",): 2, "a": 0, "d": 2}, 1),
    "LunarLander": (
        {("left",): 1, ("up",): 2, ("right",): 3, "a": 1, "w": 2, "d": 3},
        0,
    ),
    "MountainCarContinuous": (
        {("left",): [-1.0], ("right",): [1.0], "a": [-1.0], "d": [1.0]},
        [0.0],
    ),
}


class MissingKeysError(ValueError):
    """No keys are known for an environment."""


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

    def reset(self, obs, seed=-1):
        """Begin an episode; one that has not ended is forgotten.

        Parameters
        ----------
        obs : array
            The first observation.
        seed : int
            What the environment was reset with.
        """
        self._obs, self._action, self._reward = [_flat(obs)], [], []
        self._seed = seed

    def step(self, action, obs, reward, terminated, truncated):
        """Record a step, and the episode if it ends.

        Parameters
        ----------
        action : array or int
            Discrete ones counted from 0.
        obs : array
            The observation after it.
        reward : float
            The environment's.
        terminated, truncated : bool
            How the episode ends.
        """
        self._action.append(numpy.array(action))
        self._obs.append(_flat(obs))
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
                )
            )
            self._obs = None


def _flat(obs):
    return numpy.array(obs, numpy.float32).ravel()


def record_episodes(env, act, n_episodes, seed=0, made_by=None):
    """Let something that acts play whole episodes.

    Parameters
    ----------
    env : Env
        Episode i is reset with seed + i.
    act : callable
        Observation -> action, such as ``agent.act``.
    n_episodes : int
        How many.
    seed : int
        In [0, 2**32 − n_episodes).
    made_by : dict, optional
        For the header.

    Returns
    -------
    Demonstrations
        The episodes.
    """
    recorder = EpisodeRecorder()
    for i in range(n_episodes):
        env.seed(seed + i)
        obs, end = env.reset(), False
        recorder.reset(obs, seed + i)
        while not end:
            action = act(obs)
            obs, reward, done, info = env.step(action)
            cut = bool(info.get("needs_reset", False))
            recorder.step(action, obs, reward, done, cut)
            end = done or cut
    return _demonstrations(recorder.episodes, env, made_by or {"kind": "agent"})


def _demonstrations(episodes, env, made_by):
    versions = {"python": platform.python_version(), "numpy": numpy.__version__}
    if getattr(env, "package", None):
        package = importlib.import_module(env.package)
        versions[env.package] = package.__version__
    return Demonstrations(episodes, environment_header(env), made_by, versions)


def keys_of(env_id):
    """Look up which keys play an environment.

    Parameters
    ----------
    env_id : str
        Such as ``CartPole-v1``.

    Returns
    -------
    keys : dict
        Tuples of pygame key codes -> action.
    noop : object
        The action while no key is pressed.
    text : str
        For the screen.

    Raises
    ------
    MissingKeysError
        None are known.
    """
    name = env_id.split(":")[-1].split("-v")[0]
    if name not in KEYS:
        raise MissingKeysError(
            f"expected an environment with known keys ({', '.join(sorted(KEYS))}), got "
            f"{env_id}. Add its keys to chainertrpo.experiments.recording.KEYS."
        )
    table, noop = KEYS[name]
    codes = {
        tuple(ARROWS.get(key) or ord(key) for key in keys): _action(action)
        for keys, action in table.items()
    }
    said = ", ".join(f"{'+'.join(keys)}: {action}" for keys, action in table.items())
    return codes, _action(noop), f"{said}, no key: {noop}, Esc: stop"


def _action(value):
    return numpy.array(value, numpy.float32) if isinstance(value, list) else value


def record_keyboard(env, n_episodes, seed=0, fps=None, made_by=None, on_step=None):
    """Let a person play through gymnasium's or gym's ``play``.

    Parameters
    ----------
    env : Env
        Made with ``render_mode="rgb_array"``.
    n_episodes : int
        The window closes after so many; Esc closes it before, and an episode that has
        not ended is left out.
    seed : int
        Of the first episode; each further one has the next.
    fps : int, optional
        Steps a second; by default the environment's.
    made_by : dict, optional
        For the header; by default a person.
    on_step : callable, optional
        ``on_step(n)`` after the n-th step.

    Returns
    -------
    Demonstrations
        The whole episodes.

    Raises
    ------
    ImportError
        pygame is missing.
    ValueError
        No episode was played to its end.
    """
    try:
        import pygame
    except ImportError as error:
        raise ImportError(
            "recording by keyboard needs pygame: pip install 'chainertrpo[record]'"
        ) from error
    package = importlib.import_module(env.package)
    play = importlib.import_module(f"{env.package}.utils.play").play
    keys, noop, text = keys_of(env.id)
    recorder = EpisodeRecorder()

    class Recorded(package.Wrapper):
        """Seeds each episode anew (``play`` would repeat one seed), and records."""

        steps = 0

        def reset(self, **kwargs):
            # play resets once to open its window, and again to begin.
            number = seed + len(recorder.episodes)
            obs, info = self.env.reset(seed=number)
            recorder.reset(obs, number)
            if len(recorder.episodes) >= n_episodes:
                pygame.event.post(pygame.event.Event(pygame.QUIT))
            return obs, info

        def step(self, action):
            result = self.env.step(action)
            obs, reward, terminated, truncated, _ = result
            recorder.step(action, obs, reward, terminated, truncated)
            if self.steps == 0:
                pygame.display.set_caption(f"{env.id}   {text}")
            self.steps += 1
            if on_step is not None:
                on_step(self.steps)
            return result

    play(Recorded(env.env), keys_to_action=keys, noop=noop, fps=fps, seed=seed)
    if not recorder.episodes:
        raise ValueError("expected an episode played to its end, got none.")
    return _demonstrations(recorder.episodes, env, made_by or {"kind": "person"})
