"""Recorded episodes, played again."""

from chainertrpo.data import unmasked
from chainertrpo.experiments.fixed_horizon import FixedHorizon

import numpy


def replay(env, demonstrations, on_episode=None, film=False):
    """Take the recorded actions from the recorded seeds, and compare observations.

    An episode that goes on after the environment has ended it was recorded at a fixed
    horizon, so its end is repeated (`FixedHorizon`).

    Parameters
    ----------
    env : object
        That of the demonstrations; any: see `adapt`.
    demonstrations : Demonstrations
        With their seeds.
    on_episode : callable, optional
        ``on_episode(i, equal)`` after episode i: whether all its observations are those
        that were recorded, bit for bit.
    film : bool
        Render; the environment was made with ``render_mode="rgb_array"``.

    Yields
    ------
    array, shape (H, W, 3), uint8, or None
        A frame for each of the n + 1 observations of an episode; None without `film`.

    Raises
    ------
    ValueError
        An episode has no seed, or no actions.
    """
    unknown = [i for i, e in enumerate(demonstrations.episodes) if e.seed < 0]
    if unknown:
        raise ValueError(
            f"expected episodes with seeds, got none for {unknown}. Without the seed it "
            "was reset with an episode cannot be replayed; files of other projects have "
            "none. Drop these, or record anew."
        )
    demonstrations.pairs()  # that there are actions
    env = FixedHorizon(env, max(demonstrations.lengths))
    for i, episode in enumerate(demonstrations.episodes):
        env.seed(episode.seed)
        obs = [unmasked(env.reset())]
        yield env.render() if film else None
        for action in episode.action:
            obs.append(unmasked(env.step(action)[0]))
            yield env.render() if film else None
        if on_episode is not None:
            on_episode(i, numpy.array_equal(numpy.stack(obs), episode.obs))
