"""Demonstrations: what an expert saw and did, as checked records."""

import dataclasses
import typing

from chainertrpo.data.path import Path

import numpy


class Episode(typing.NamedTuple):
    """One episode of an expert: n steps and n + 1 observations.

    Attributes
    ----------
    obs : array, shape (n + 1, S), float32
        s₀ … sₙ, flattened, not normalised.
    action : array, shape (n, A) float32, or (n,) int32
        a₀ … aₙ₋₁ as the agent chose them: not clipped, a Discrete's counted from 0.
    reward : array, shape (n,), float32
        The environment's; reported, never trained on.
    terminated, truncated : bool
        sₙ is terminal; the episode was cut by a time limit.  Neither: by the recorder.
    seed : int
        What the environment was reset with; −1 if unknown.
    kept : array, shape (n,), bool, optional
        The pairs that count (see `subsample`); by default all.
    """

    obs: typing.Any
    action: typing.Any
    reward: typing.Any
    terminated: bool
    truncated: bool
    seed: int = -1
    kept: typing.Any = None


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
        _check_header(self.environment)
        checked = tuple(
            _checked(episode, self.environment, f"episode {i}")
            for i, episode in enumerate(self.episodes)
        )
        object.__setattr__(self, "episodes", checked)

    @property
    def lengths(self):
        """Steps of each episode."""
        return [len(episode.reward) for episode in self.episodes]

    @property
    def returns(self):
        """Undiscounted sum of the environment's rewards of each episode."""
        return [float(e.reward.sum(dtype=numpy.float64)) for e in self.episodes]

    def pairs(self):
        """Return the kept pairs of all episodes: (N, S) observations, actions.

        Returns
        -------
        obs, action : array
            As in `Episode`.
        """
        obs = [e.obs[:-1][e.kept] for e in self.episodes]
        action = [e.action[e.kept] for e in self.episodes]
        return numpy.concatenate(obs), numpy.concatenate(action)

    def paths(self):
        """Return the episodes whole, as paths.

        Returns
        -------
        list of Path
            Terminal where terminated.
        """
        return [Path(e.obs, e.action, e.reward, e.terminated) for e in self.episodes]


def describe_space(space):
    """Describe a Box or Discrete space as JSON.

    Parameters
    ----------
    space : object
        With ``n`` (Discrete), or ``shape``, ``low`` and ``high`` (Box).

    Returns
    -------
    dict
        Infinite bounds are null.
    """
    if hasattr(space, "n"):
        start = int(getattr(space, "start", 0))
        return {"type": "Discrete", "n": int(space.n), "start": start}

    def bounds(array):
        flat = numpy.asarray(array, float).ravel().tolist()
        return [x if numpy.isfinite(x) else None for x in flat]

    shape = [int(n) for n in space.shape]
    low, high = bounds(space.low), bounds(space.high)
    return {"type": "Box", "shape": shape, "low": low, "high": high}


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
    return {
        "id": getattr(env, "id", None),
        "package": getattr(env, "package", None),
        "max_episode_steps": getattr(env, "max_episode_steps", None),
        "observation_space": describe_space(env.observation_space),
        "action_space": describe_space(env.action_space),
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
        keys = ("type", "shape", "n")
        want, got = ([x[name].get(k) for k in keys] for x in (environment, theirs))
        if want != got:
            raise ValueError(
                f"expected demonstrations with the {name} {environment[name]}, got "
                f"{theirs[name]}. They are of another environment."
            )


def _check_header(environment):
    try:
        obs, action = environment["observation_space"], environment["action_space"]
        good = obs["type"] == "Box" and all(int(n) > 0 for n in obs["shape"])
        n = action["n"] if action["type"] == "Discrete" else action["shape"][0]
        good = good and int(n) > 0
    except (KeyError, TypeError, IndexError, ValueError):
        good = False
    if not good:
        raise ValueError(
            "expected an environment with a Box observation_space and a Box or Discrete "
            f"action_space, got {str(environment)[:200]}. See environment_header."
        )


def _checked(episode, environment, where):
    # The episode with arrays of its final dtypes, or an error that names it.
    space = environment["action_space"]
    discrete = space["type"] == "Discrete"
    obs, action, reward = map(numpy.asarray, episode[:3])
    n, size = len(reward), int(numpy.prod(environment["observation_space"]["shape"]))
    if n < 1 or obs.shape != (n + 1, size):
        raise ValueError(
            f"{where}: expected observations of shape ({n + 1}, {size}) for {n} rewards, "
            f"got {obs.shape}. An episode of n ≥ 1 steps has n + 1 observations."
        )
    if discrete and action.dtype.kind not in "iu":
        raise ValueError(
            f"{where}: expected integer actions for a Discrete space, got {action.dtype}."
        )
    want = (n,) if discrete else (n, int(numpy.prod(space["shape"])))
    if action.shape != want:
        raise ValueError(
            f"{where}: expected actions of shape {want}, got {action.shape}."
        )
    if discrete and not (action.min() >= 0 and action.max() < space["n"]):
        raise ValueError(
            f"{where}: expected actions in 0 … {space['n'] - 1}, got some in "
            f"{action.min()} … {action.max()}."
        )
    for name, array in (("obs", obs), ("action", action), ("reward", reward)):
        if array.dtype.kind == "f" and not numpy.isfinite(array).all():
            raise ValueError(f"{where}: expected finite {name}, got NaN or inf.")
    kept = numpy.ones(n, bool) if episode.kept is None else numpy.asarray(episode.kept)
    if kept.shape != (n,) or kept.dtype != bool:
        raise ValueError(f"{where}: expected {n} booleans in kept, got {kept.shape}.")
    return Episode(
        obs.astype(numpy.float32),
        action.astype(numpy.int32 if discrete else numpy.float32),
        reward.astype(numpy.float32),
        bool(episode.terminated),
        bool(episode.truncated),
        int(episode.seed),
        kept,
    )
