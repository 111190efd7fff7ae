"""Demonstrations of a person at the keyboard, with the keys on the screen."""

import contextlib
import itertools
import os

from chainertrpo._extras import pip_install
from chainertrpo.experiments.packages import (
    BadEnvironmentError,
    has_display,
    import_pygame,
)
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
FPS = {"CartPole": 15}  # the environment's 50 are too fast to play at
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
    name = _name(env_id)
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


def _name(env_id):
    return env_id.split(":")[-1].split("-v")[0]


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


def record_keyboard(
    env, n_episodes, seed=0, fps=None, made_by=None, on_step=None, *, ask=True
):
    """Let a person play, in a window with the keys, the steps and the return so far.

    An episode begins with the first key.  At its end the player keeps it or not.

    Parameters
    ----------
    env : Env
        Made with ``render_mode="rgb_array"``.
    n_episodes : int
        The window closes after so many were kept; Esc, Ctrl-C or closing it ends before,
        and an episode that has not ended is left out.
    seed : int
        Of the first episode; each further one has the next.
    fps : float, optional
        Steps a second; by default 15 in CartPole, elsewhere the environment's.
    made_by : dict, optional
        For the header; by default a person.
    on_step : callable, optional
        ``on_step(n)`` after the n-th step.
    ask : bool
        False begins at once and keeps all: for what plays by posting key events.

    Returns
    -------
    Demonstrations
        The whole episodes that were kept.

    Raises
    ------
    ImportError
        pygame is missing.
    BadEnvironmentError
        There is no display, so nobody could see what to play.
    ValueError
        No episode was played to its end and kept.
    """
    try:
        pygame = import_pygame()
    except ImportError as error:
        raise ImportError(
            f"recording by keyboard needs pygame: {pip_install('record')}"
        ) from error
    if not has_display() and not os.environ.get("SDL_VIDEODRIVER"):
        raise BadEnvironmentError(
            "expected a display to play at, got none (DISPLAY is not set). Record where "
            "there is a screen, or let a saved agent play: chainertrpo record agent."
        )
    keys, noop, phrases = keys_of(env.id)
    own = getattr(env.env, "metadata", None) or {}
    fps = fps or FPS.get(_name(env.id)) or own.get("render_fps") or 30
    player = _Player(pygame, env, keys, noop, phrases, fps, on_step)
    kept = []
    with contextlib.suppress(KeyboardInterrupt):
        for number in itertools.count(seed):
            status = f"episode {len(kept) + 1} of {n_episodes}"
            episode = player.play(number, status, ask)
            kept += [episode] if not ask or player.wants_it(episode) else []
            if player.stopped or len(kept) == n_episodes:
                break
    pygame.quit()
    if not kept:
        raise ValueError("expected an episode played to its end, got none.")
    return recorded(kept, env, made_by or {"kind": "person"})


class _Player:
    """A window, the keys that are pressed, and an environment."""

    def __init__(self, pygame, env, keys, noop, phrases, fps, on_step):
        self.pygame, self.env, self.fps = pygame, env, fps
        self.keys = {tuple(sorted(codes)): action for codes, action in keys.items()}
        self.noop, self.phrases = noop, phrases
        self.on_step = on_step or (lambda n: None)
        self.known = {code for codes in keys for code in codes}
        self.pressed, self.clock, self.window = set(), pygame.time.Clock(), None
        self.steps, self.stopped = 0, False

    def play(self, seed, status, ask):
        """Play an episode; a KeyboardInterrupt says that it was broken off."""
        recorder, length, total = EpisodeRecorder(), 0, 0.0
        self.env.seed(seed)
        recorder.reset(self.env.reset(), seed)
        self.show(f"{status}    press a key to begin" if ask else _so_far(status, 0, 0))
        if ask:
            self.pressed.clear()  # what is still held begins nothing
        while ask and not self.pressed:
            self.look(wait=True)
        while not recorder.episodes:
            self.look()
            action = self.keys.get(tuple(sorted(self.pressed)), self.noop)
            obs, reward, done, info = self.env.step(action)
            recorder.step(action, obs, reward, done, info.get("needs_reset", False))
            self.steps, total = self.steps + 1, total + reward
            self.on_step(self.steps)
            length += 1
            self.show(_so_far(status, length, total))
            self.clock.tick(self.fps)
        return recorder.episodes[0]

    def wants_it(self, episode):
        """Ask whether an episode is kept; one that nobody answers for is."""
        n, total = len(episode.reward), float(episode.reward.sum())
        self.show(
            f"return {total:.1f}, {n} steps:    Enter keeps it, Backspace does not"
        )
        while True:
            try:
                key = self.look(wait=True)
            except KeyboardInterrupt:
                self.stopped = True
                return True
            if key in (self.pygame.K_RETURN, self.pygame.K_KP_ENTER):
                return True
            if key in (self.pygame.K_BACKSPACE, self.pygame.K_DELETE):
                return False

    def look(self, wait=False):
        """Follow the keys; return the last one that went down."""
        pygame, last = self.pygame, None
        for event in [pygame.event.wait(50)] if wait else pygame.event.get():
            if event.type == pygame.KEYDOWN:
                last = event.key
                self.pressed |= {last} & self.known
            elif event.type == pygame.KEYUP:
                self.pressed.discard(event.key)
            if event.type == pygame.QUIT or last == pygame.K_ESCAPE:
                raise KeyboardInterrupt
        return last

    def show(self, status):
        """Show what the environment draws, over the keys and a status."""
        picture = under(self.env.render(), self.phrases, status).swapaxes(0, 1)
        if self.window is None:
            self.window = self.pygame.display.set_mode(picture.shape[:2])
            self.pygame.display.set_caption(self.env.id)
        self.pygame.surfarray.blit_array(self.window, picture)
        self.pygame.display.flip()


def _so_far(status, length, total):
    return f"{status}    steps {length}    return {total:.1f}"
