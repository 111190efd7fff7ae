"""Where a player waits: what a person does at the keyboard, and an agent seldom."""

import dataclasses

from chainertrpo._checks import whole

import numpy

STILL = 0.01  # of the mean step
AT_LEAST = 5  # steps


def pauses(demonstrations, at_least=AT_LEAST):
    """Find where the observation stays where it is.

    A step is still if it moves by 1 % or less of the mean step of the demonstrations, each
    component of an observation in units of its standard deviation.

    Parameters
    ----------
    demonstrations : Demonstrations
        Any.
    at_least : int
        So many still steps in a row are a pause.

    Returns
    -------
    list of list of (int, int)
        For each episode the first step of a pause and the one after its last.
    """
    whole("at_least", at_least, 1)
    episodes = demonstrations.episodes
    rows = [e.obs.reshape(len(e.obs), -1).astype(numpy.float32) for e in episodes]
    std = numpy.concatenate(rows).std(axis=0)
    std[std == 0] = 1
    moves = [numpy.linalg.norm(numpy.diff(x, axis=0) / std, axis=1) for x in rows]
    bound = STILL * numpy.concatenate(moves).mean()
    return [
        [span for span in spans(x <= bound, True) if span[1] - span[0] >= at_least]
        for x in moves
    ]


def spans(values, value=None):
    """Runs of equal rows as (first, end), of a value or all of them.

    Parameters
    ----------
    values : array, shape (n, ...)
        Rows.
    value : object, optional
        Only runs of it.

    Returns
    -------
    list of (int, int)
        In order.
    """
    rows = numpy.asarray(values).reshape(len(values), -1)
    change = (rows[1:] != rows[:-1]).any(axis=1)
    ends = [0, *(numpy.flatnonzero(change) + 1).tolist(), len(rows)]
    found = zip(ends, ends[1:])
    return [(a, b) for a, b in found if value is None or (rows[a] == value).all()]


def trim_pauses(demonstrations, at_least=AT_LEAST):
    """Keep the first pair of each pause and leave the others out.

    An imitator of a person who waits learns to wait, and where nothing moves it waits for
    ever.  What is repeated while something moves (a key that is held) stays.  The episodes
    stay whole; `Episode.kept` says which pairs count.

    Parameters
    ----------
    demonstrations : Demonstrations
        Any.
    at_least : int
        As of `pauses`.

    Returns
    -------
    Demonstrations
        With ``kept``.
    """
    episodes = []
    for episode, found in zip(
        demonstrations.episodes, pauses(demonstrations, at_least)
    ):
        kept = episode.kept.copy()
        for first, end in found:
            kept[first + 1 : end] = False
        episodes.append(episode._replace(kept=kept))
    return dataclasses.replace(demonstrations, episodes=episodes)
