"""Demonstrations made smaller or joined."""

import dataclasses

from chainertrpo.data.demonstrations.records import Demonstrations, check_environment

import numpy


def subsample(demonstrations, every, seed=0):
    """Keep every k-th kept pair of each episode, from a random offset in [0, k).

    So Ho and Ermon (2016, arXiv:1606.03476, appendix B) made few data of long episodes.
    The episodes stay whole; `Episode.kept` says which pairs count.  An episode shorter
    than its offset keeps its first pair.

    Parameters
    ----------
    demonstrations : Demonstrations
        Whole ones; of subsampled ones even fewer pairs stay.
    every : int
        k ≥ 1.
    seed : int
        Of the offsets.

    Returns
    -------
    Demonstrations
        With ``kept``.

    Raises
    ------
    ValueError
        `every` < 1.
    """
    if every < 1:
        raise ValueError(f"expected every >= 1, got {every}.")
    rng = numpy.random.default_rng(seed)
    episodes = []
    for episode in demonstrations.episodes:
        (at,) = numpy.nonzero(episode.kept)
        kept = numpy.zeros(len(episode.kept), bool)
        offset = int(rng.integers(every))
        kept[at[offset if offset < len(at) else 0 :: every]] = True
        episodes.append(episode._replace(kept=kept))
    return dataclasses.replace(demonstrations, episodes=episodes)


def without_actions(demonstrations):
    """Leave out what was done, and keep what was seen.

    Parameters
    ----------
    demonstrations : Demonstrations
        Any.

    Returns
    -------
    Demonstrations
        Of observations only.
    """
    episodes = [e._replace(action=None, mask=None) for e in demonstrations.episodes]
    return dataclasses.replace(demonstrations, episodes=episodes)


def select(demonstrations, indices):
    """Take some episodes.

    Parameters
    ----------
    demonstrations : Demonstrations
        Where from.
    indices : sequence of int
        Counted from 0.

    Returns
    -------
    Demonstrations
        In the order of `indices`.

    Raises
    ------
    ValueError
        There is no such episode.
    """
    count = len(demonstrations.episodes)
    wrong = [i for i in indices if not 0 <= i < count]
    if wrong:
        raise ValueError(f"expected episodes in 0 … {count - 1}, got {wrong}.")
    episodes = [demonstrations.episodes[i] for i in indices]
    return dataclasses.replace(demonstrations, episodes=episodes)


def merge(many, weights=None):
    """Join demonstrations of one environment.

    Parameters
    ----------
    many : sequence of Demonstrations
        At least one; of the same environment.
    weights : sequence of float, optional
        One each: how much a pair of it counts beside those of the others, in the draws of
        a discriminator and in the likelihood of cloning.  By default all count alike.

    Returns
    -------
    Demonstrations
        All episodes; `made_by` lists what was merged.

    Raises
    ------
    ValueError
        There are more or fewer weights, or one is not above 0.
    """
    first, weights = many[0], [1.0] * len(many) if weights is None else weights
    if len(weights) != len(many):
        raise ValueError(
            f"expected a weight for each of {len(many)} demonstrations, got {weights}."
        )
    for other in many[1:]:
        check_environment(other, first.environment)
    return Demonstrations(
        [
            episode._replace(weight=episode.weight * weight)
            for one, weight in zip(many, weights)
            for episode in one.episodes
        ],
        first.environment,
        {"kind": "merged", "of": [one.made_by for one in many]},
        first.versions,
    )
