"""Demonstrations: what an expert saw and did, as checked records."""

import dataclasses
import hashlib
import typing

from chainertrpo._checks import positive
from chainertrpo.data.path import Path
from chainertrpo.data.spaces import Space

import numpy


class Episode(typing.NamedTuple):
    """One episode of an expert: n steps and n + 1 observations.

    Attributes
    ----------
    obs : array, shape (n + 1, S), float32
        s₀ … sₙ, flattened, not normalised; images (n + 1, H, W, C) uint8.
    action : array, shape (n, A) float32 or int32, or (n,) int32; or None
        a₀ … aₙ₋₁ as the agent chose them (see `Space`): not clipped, choices from 0.
        None: only what was seen is known.
    reward : array, shape (n,), float32
        The environment's; reported, never trained on.
    terminated, truncated : bool
        sₙ is terminal; the episode was cut by a time limit.  Neither: by the recorder.
    seed : int
        What the environment was reset with; −1 if unknown.
    kept : array, shape (n,), bool, optional
        The pairs that count (see `subsample`); by default all.
    mask : array, shape (n, M), bool, optional
        What could be chosen (see `Space.flat_mask`); None where all could.
    weight : float
        > 0: how much a pair counts beside those of other episodes.
    """

    obs: typing.Any
    action: typing.Any
    reward: typing.Any
    terminated: bool
    truncated: bool
    seed: int = -1
    kept: typing.Any = None
    mask: typing.Any = None
    weight: float = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Demonstrations:
    """Episodes of an expert in one environment, checked when made.

    Attributes
    ----------
    episodes : sequence of Episode
        At least one.
    environment : dict
        From `environment_header`.
    made_by : dict
        Who or what played, such as ``{"kind": "person"}``; JSON.
    versions : dict
        Of libraries; JSON.
    """

    episodes: typing.Any
    environment: dict
    made_by: dict = dataclasses.field(default_factory=dict)
    versions: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        """Raise a ValueError for what is no demonstration."""  # noqa: DOC501
        if not self.episodes:
            raise ValueError("expected at least one episode, got none.")
        spaces = spaces_of(self.environment)
        episodes = tuple(
            checked(episode, *spaces, f"episode {i}")
            for i, episode in enumerate(self.episodes)
        )
        for name in ("action", "mask"):
            if len({getattr(episode, name) is None for episode in episodes}) > 1:
                raise ValueError(
                    f"expected {name}s in all episodes or in none, got both."
                )
        object.__setattr__(self, "episodes", episodes)

    @property
    def lengths(self):
        """Steps of each episode."""
        return [len(episode.reward) for episode in self.episodes]

    @property
    def returns(self):
        """Undiscounted sum of the environment's rewards of each episode."""
        return [float(e.reward.sum(dtype=numpy.float64)) for e in self.episodes]

    def digest(self):
        """Return the SHA-256 of what can be learned from, whatever file it came from."""
        total = hashlib.sha256()
        for e in self.episodes:
            ends = numpy.array([e.terminated, e.truncated])
            weight = None if e.weight == 1 else numpy.array(e.weight)
            for array in (e.obs, e.action, e.reward, e.kept, ends, e.mask, weight):
                if array is None:
                    continue
                array = numpy.ascontiguousarray(array)
                total.update(f"{array.dtype.str} {array.shape} ".encode())
                total.update(array.tobytes())
        return total.hexdigest()

    @property
    def has_actions(self):
        """Whether what was done is known, or only what was seen."""
        return self.episodes[0].action is not None

    @property
    def n_kept(self):
        """Pairs that count, in all episodes."""
        return sum(int(e.kept.sum()) for e in self.episodes)

    def pairs(self):
        """Return the kept pairs of all episodes: (N, S) observations, actions.

        Returns
        -------
        obs, action : array
            As in `Episode`.

        Raises
        ------
        ValueError
            There are no actions.
        """
        if not self.has_actions:
            raise ValueError(
                "expected demonstrations with actions, got observations only, of which "
                "nothing can be cloned. Imitate them by GAIL, whose discriminator then "
                "sees what follows an observation instead of the action."
            )
        obs = [e.obs[:-1][e.kept] for e in self.episodes]
        action = [e.action[e.kept] for e in self.episodes]
        return numpy.concatenate(obs), numpy.concatenate(action)

    def masks(self):
        """Return what could be chosen in the kept pairs, (N, M) bool, or None."""
        if self.episodes[0].mask is None:
            return None
        return numpy.concatenate([e.mask[e.kept] for e in self.episodes])

    def weights(self):
        """Return how much each kept pair counts, (N,) of mean 1, or None: all alike."""
        given = [e.weight for e in self.episodes]
        if len(set(given)) == 1:
            return None
        found = numpy.repeat(given, [int(e.kept.sum()) for e in self.episodes])
        return found / found.mean()

    def paths(self):
        """Return the episodes whole, as paths.

        Returns
        -------
        list of Path
            Terminal where terminated.
        """
        return [
            Path(e.obs, e.action, e.reward, e.terminated, mask=e.mask)
            for e in self.episodes
        ]


def environment_header(env, **more):
    """Describe an environment for the header.

    Parameters
    ----------
    env : object
        With ``observation_space`` and ``action_space``; its ``id``, ``package`` and
        ``max_episode_steps`` are taken where there are any.
    **more : dict
        Anything else that belongs to it, such as ``kwargs``; JSON.

    Returns
    -------
    dict
        JSON.
    """
    seen = Space.observed(env.observation_space)
    return {
        "id": getattr(env, "id", None),
        "package": getattr(env, "package", None),
        "max_episode_steps": getattr(env, "max_episode_steps", None),
        "observation_space": seen.to_json(),
        "action_space": Space.of(env.action_space).to_json(),
        **more,
    }


def check_environment(demonstrations, environment):
    """Refuse demonstrations of another environment.

    Parameters
    ----------
    demonstrations : Demonstrations
        What was recorded.
    environment : dict
        Of `environment_header`; an ``id`` of None fits any.

    Raises
    ------
    ValueError
        Id, observations or actions differ.
    """
    theirs = demonstrations.environment
    if None not in (theirs.get("id"), environment.get("id")) and (
        theirs["id"] != environment["id"]
    ):
        raise ValueError(
            f"expected demonstrations of {environment['id']}, got some of {theirs['id']}."
        )
    for name in ("observation_space", "action_space"):
        want, got = (
            Space.from_json(x[name]).without_bounds() for x in (environment, theirs)
        )
        if want != got:
            raise ValueError(
                f"expected demonstrations with the {name} {environment[name]}, got "
                f"{theirs[name]}. They are of another environment."
            )


def spaces_of(environment):
    """Read the spaces in a header.

    Parameters
    ----------
    environment : dict
        From `environment_header`.

    Returns
    -------
    observations, actions : Space
        Of the environment.

    Raises
    ------
    ValueError
        It has none.
    """
    try:
        names = ("observation_space", "action_space")
        return tuple(Space.from_json(environment[name]) for name in names)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            "expected an environment with observation_space and action_space, got "
            f"{str(environment)[:200]} ({error}). See environment_header."
        ) from None


NUMBERS = {"obs": "fiub", "action": "fiu", "reward": "fiub"}  # kinds of dtypes


def checked(episode, observations, actions, where):
    """Return an episode with arrays of their final dtypes, or raise what names it.

    Parameters
    ----------
    episode : Episode
        With arrays, or what makes them.
    observations, actions : Space
        Of the environment.
    where : str
        Said in errors, for example ``episode 3``.

    Returns
    -------
    Episode
        Checked after everything has been cast.

    Raises
    ------
    ValueError
        It is no episode of this environment.
    """
    arrays = {
        name: numpy.asarray(x)
        for name, x in zip(NUMBERS, episode)
        if x is not None or name != "action"
    }
    for name, array in arrays.items():
        if array.dtype.kind not in NUMBERS[name]:
            raise ValueError(
                f"{where}: expected real numbers in {name}, got {array.dtype}."
            )
    obs, reward, action = arrays["obs"], arrays["reward"], arrays.get("action")
    n, image = len(reward), observations.is_image
    row = observations.shape if image else (observations.size,)
    if reward.ndim != 1:
        raise ValueError(f"{where}: expected rewards (n,), got {reward.shape}.")
    if n < 1 or obs.shape != (n + 1, *row):
        raise ValueError(
            f"{where}: expected observations of shape {(n + 1, *row)} for {n} rewards, "
            f"got {obs.shape}. An episode of n ≥ 1 steps has n + 1 observations."
        )
    if image and obs.dtype != numpy.uint8:
        raise ValueError(f"{where}: expected images of uint8, got {obs.dtype}.")
    kept = numpy.ones(n, bool) if episode.kept is None else numpy.asarray(episode.kept)
    if kept.shape != (n,) or kept.dtype != bool:
        raise ValueError(f"{where}: expected {n} booleans in kept, got {kept.shape}.")
    if action is not None:
        action = _checked_actions(action, n, actions, where)
    elif episode.mask is not None:
        raise ValueError(f"{where}: expected no masks without actions, got some.")
    return Episode(
        obs if image else _as_float32(obs, f"{where}: expected finite obs"),
        action,
        _as_float32(reward, f"{where}: expected finite reward"),
        bool(episode.terminated),
        bool(episode.truncated),
        int(episode.seed),
        kept,
        _checked_masks(episode.mask, action, actions, where),
        positive(f"the weight of {where}", float(episode.weight)),
    )


def _checked_actions(action, n, space, where):
    if not space.is_continuous and action.dtype.kind not in "iu":
        raise ValueError(
            f"{where}: expected integer actions for a {space.kind} space, got "
            f"{action.dtype}."
        )
    want = (n,) if space.action_size is None else (n, space.action_size)
    if action.shape != want:
        raise ValueError(
            f"{where}: expected actions of shape {want}, got {action.shape}."
        )
    try:
        space.choice_features(action)
    except ValueError as error:
        raise ValueError(f"{where}: in its actions, {error}") from None
    if space.is_continuous:
        return _as_float32(action, f"{where}: expected finite action")
    return action.astype(numpy.int32)


def _checked_masks(mask, action, space, where):
    if mask is None:
        return None
    mask = numpy.asarray(mask)
    if mask.shape != (len(action), space.mask_size) or mask.dtype != bool:
        raise ValueError(
            f"{where}: expected masks ({len(action)}, {space.mask_size}) of booleans, got "
            f"{mask.dtype} {mask.shape}."
        )
    forbidden = ((space.choice_features(action) > 0) & ~mask).any(axis=1)
    if forbidden.any():
        at = int(numpy.flatnonzero(forbidden)[0])
        raise ValueError(
            f"{where}: expected actions that can be chosen, got {action[at]} at step {at}, "
            "which its mask forbids."
        )
    return mask


def _as_float32(array, expected):
    with numpy.errstate(over="ignore"):  # beyond float32 is infinite, and refused
        x = array.astype(numpy.float32)
    wrong = ~numpy.isfinite(x)
    if wrong.any():
        at = tuple(int(i) for i in numpy.argwhere(wrong)[0])
        raise ValueError(
            f"{expected}, got NaN or inf: {array[at]} at {list(at)} (a float32 holds up to "
            "3.4e38)."
        )
    return x
