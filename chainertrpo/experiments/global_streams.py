"""The generators of `random` and `numpy.random`, for each of several environments.

Environments that should draw from a generator of their own draw from these at times, and
a process has one of each.  So that an environment's draws do not depend on those beside it
in its process, it is handed the states that it left.  A handover takes as long as several
steps of the small tasks; an environment that is never seen to draw is spared it.
"""

import random

import numpy

WATCHED = 100  # first steps of an environment, in which it is seen whether it draws


class GlobalStreams:
    """Who draws from the global generators of this process."""

    def __init__(self):
        self.holder = None

    def hand_to(self, stream):
        """Let it go on where it was."""
        if self.holder is stream:
            return
        if self.holder is not None:
            self.holder.leave()
        if stream.states is not None:
            _set(stream.states)
        self.holder = stream


class GlobalStream:
    """Both generators as one environment left them.

    Parameters
    ----------
    streams : GlobalStreams
        Of the process.
    """

    def __init__(self, streams):
        self.streams, self.states = streams, None
        self.draws, self.n_steps = False, 0

    def take(self):
        """Draw from here on."""
        self.streams.hand_to(self)

    def take_to_step(self):
        """The same for a step, unless this environment does not draw."""
        if self.draws or self.n_steps < WATCHED:
            self.n_steps += 1
            self.take()

    def leave(self):
        """Keep the states for the next time."""
        before, self.states = self.states, _get()
        self.draws = self.draws or not _same(before, self.states)

    def seed(self, seed):
        """Begin anew."""
        self.take()
        random.seed(seed)
        numpy.random.seed(seed)  # noqa: NPY002
        self.states = _get()

    def get_state(self):
        """Return arrays by name, and the rest as JSON."""
        if self.streams.holder is self:
            self.leave()
        (version, words, gauss), (name, key, *more) = self.states
        arrays = {
            "random": numpy.array(words, numpy.uint32),
            "numpy": numpy.array(key, numpy.uint32),
        }
        about = {
            "random": [version, gauss],
            "numpy": [name, *more],
            "draws": self.draws,
        }
        return arrays, about

    def set_state(self, arrays, about):
        """Go on from what `get_state` gave."""
        self.take()
        version, gauss = about["random"]
        name, *more = about["numpy"]
        words = tuple(arrays["random"].tolist())
        self.states = (version, words, gauss), (name, arrays["numpy"], *more)
        _set(self.states)
        self.draws = self.draws or about.get("draws", False)


def _get():
    return random.getstate(), numpy.random.get_state()  # noqa: NPY002


def _set(states):
    random.setstate(states[0])
    numpy.random.set_state(states[1])  # noqa: NPY002


def _same(a, b):
    return (
        a is not None
        and a[0] == b[0]
        and a[1][2:] == b[1][2:]
        and numpy.array_equal(a[1][1], b[1][1])
    )
