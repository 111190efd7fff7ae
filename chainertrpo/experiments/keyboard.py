"""Demonstrations of a person at the keyboard, with the keys on the screen."""

import importlib

from chainertrpo._extras import pip_install
from chainertrpo.experiments.recording import EpisodeRecorder, recorded

import numpy

# Environment -> actions, and the one while no key is pressed.  An action: the keys that
# do it (of several pressed at once: joined by +), its value, and what it is.
KEYS = {
    "CartPole": (
        [("left a", 0, "push left"), ("right d", 1, "push right")],
        (0, "push left"),
    ),
    "MountainCar": (
        [("left a", 0, "push left"), ("right d", 2, "push right")],
        (1, "nothing"),
    ),
    "MountainCarContinuous": (
        [("left a", [-1.0], "push left"), ("right d", [1.0], "push right")],
        ([0.0], "nothing"),
    ),
    "Acrobot": (
        [("left a", 0, "torque -1"), ("right d", 2, "torque +1")],
        (1, "nothing"),
    ),
    # Who fires the main engine can steer meanwhile: a tap on a side wins.
    "LunarLander": (
        [
            ("left a left+up a+w", 1, "turn left"),
            ("up w", 2, "main engine"),
            ("right d right+up d+w", 3, "turn right"),
        ],
        (0, "nothing"),
    ),
}
ARROWS = {"left": 1073741904, "right": 1073741903, "up": 1073741906, "down": 1073741905}
SIZE, MARGIN = 22, 6  # of the text, pixels


class MissingKeysError(ValueError):
    """No keys are known for an environment."""


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
    phrases : list of str
        For the screen: "left or a: push left".

    Raises
    ------
    MissingKeysError
        None are known.
    """
    name = env_id.split(":")[-1].split("-v")[0]
    if name not in KEYS:
        raise MissingKeysError(
            f"expected an environment with known keys ({', '.join(sorted(KEYS))}), got "
            f"{env_id}. Add its keys to chainertrpo.experiments.keyboard.KEYS."
        )
    actions, (noop, idle) = KEYS[name]
    codes, phrases = {}, []
    for keys, action, meaning in actions:
        for together in keys.split():
            code = tuple(ARROWS.get(key) or ord(key) for key in together.split("+"))
            codes[code] = _action(action)
        alone = [key for key in keys.split() if "+" not in key]
        phrases.append(f"{' or '.join(alone)}: {meaning}")
    return codes, _action(noop), [*phrases, f"no key: {idle}", "Esc: stop"]


def _action(value):
    return numpy.array(value, numpy.float32) if isinstance(value, list) else value


def wrap(phrases, width, measure):
    """Set phrases in lines, as many in each as fit.

    Parameters
    ----------
    phrases : sequence of str
        Never broken.
    width : int
        Of a line, pixels.
    measure : callable
        Text -> its width, pixels.

    Returns
    -------
    list of str
        The lines; a phrase wider than `width` has one of its own.
    """
    lines = []
    for phrase in phrases:
        longer = f"{lines[-1]}    {phrase}" if lines else None
        if longer is not None and measure(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(phrase)
    return lines


def under(frame, phrases, status):
    """Put a strip of text under a frame, white on black.

    Parameters
    ----------
    frame : array, shape (H, W, 3), uint8
        What an environment rendered; it stays as it is.
    phrases : sequence of str
        As many in a line as fit.
    status : str
        The last line.

    Returns
    -------
    array, shape (H + h, W, 3), uint8
        h depends on `phrases` and W only.
    """
    import pygame

    pygame.font.init()
    font = pygame.font.Font(None, SIZE)
    width, height = frame.shape[1], font.get_linesize()
    lines = wrap(phrases, width - 2 * MARGIN, lambda text: font.size(text)[0])
    strip = pygame.Surface((width, height * (len(lines) + 1) + 2 * MARGIN), depth=32)
    for i, line in enumerate([*lines, status]):
        text = font.render(line, True, (255, 255, 255))
        strip.blit(text, (MARGIN, MARGIN + i * height))
    return numpy.concatenate([frame, pygame.surfarray.array3d(strip).swapaxes(0, 1)])


def record_keyboard(env, n_episodes, seed=0, fps=None, made_by=None, on_step=None):
    """Let a person play through gymnasium's or gym's ``play``.

    The window shows the keys, the episode's number, its steps and its return so far.

    Parameters
    ----------
    env : Env
        Made with ``render_mode="rgb_array"``.
    n_episodes : int
        The window closes after so many; Esc or Ctrl-C closes it before, and an episode
        that has not ended is left out.
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
            f"recording by keyboard needs pygame: {pip_install('record')}"
        ) from error
    package = importlib.import_module(env.package)
    play = importlib.import_module(f"{env.package}.utils.play").play
    keys, noop, phrases = keys_of(env.id)
    recorder = EpisodeRecorder()

    class Recorded(package.Wrapper):
        """Seeds each episode anew (``play`` would repeat one seed), and records."""

        steps = 0

        def reset(self, **kwargs):
            # play resets once to open its window, and again to begin.
            number = seed + len(recorder.episodes)
            obs, info = self.env.reset(seed=number)
            recorder.reset(obs, number)
            self.number = min(len(recorder.episodes) + 1, n_episodes)
            self.length, self.total = 0, 0.0
            if len(recorder.episodes) >= n_episodes:
                pygame.event.post(pygame.event.Event(pygame.QUIT))
            return obs, info

        def step(self, action):
            result = self.env.step(action)
            obs, reward, terminated, truncated, _ = result
            recorder.step(action, obs, reward, terminated, truncated)
            self.length, self.total = self.length + 1, self.total + float(reward)
            if self.steps == 0:
                pygame.display.set_caption(env.id)
            self.steps += 1
            if on_step is not None:
                on_step(self.steps)
            return result

        def render(self):
            status = (
                f"episode {self.number} of {n_episodes}    steps {self.length}    "
                f"return {self.total:.1f}"
            )
            return under(self.env.render(), phrases, status)

    try:
        play(Recorded(env.env), keys_to_action=keys, noop=noop, fps=fps, seed=seed)
    except KeyboardInterrupt:
        pygame.quit()
    if not recorder.episodes:
        raise ValueError("expected an episode played to its end, got none.")
    return recorded(recorder.episodes, env, made_by or {"kind": "person"})
