"""Demonstrations: what an expert saw and did, as checked records."""

import dataclasses
import hashlib
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
        episodes = tuple(
            checked(episode, self.environment, f"episode {i}")
            for i, episode in enumerate(self.episodes)
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
            for array in (e.obs, e.action, e.reward, e.kept, ends):
                array = numpy.ascontiguousarray(array)
                total.update(f"{array.dtype.str} {array.shape} ".encode())
                total.update(array.tobytes())
        return total.hexdigest()

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


NUMBERS = {"obs": "fiub", "action": "fiu", "reward": "fiub"}  # kinds of dtypes


def checked(episode, environment, where):
    """Return an episode with arrays of their final dtypes, or raise what names it.

    Parameters
    ----------
    episode : Episode
        With arrays, or what makes them.
    environment : dict
        From `environment_header`.
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
    space = environment["action_space"]
    discrete = space["type"] == "Discrete"
    arrays = dict(zip(NUMBERS, map(numpy.asarray, episode[:3])))
    for name, array in arrays.items():
        if array.dtype.kind not in NUMBERS[name]:
            raise ValueError(
                f"{where}: expected real numbers in {name}, got {array.dtype}."
            )
    obs, action, reward = arrays.values()
    n, size = len(reward), int(numpy.prod(environment["observation_space"]["shape"]))
    if reward.ndim != 1:
        raise ValueError(f"{where}: expected rewards (n,), got {reward.shape}.")
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
    kept = numpy.ones(n, bool) if episode.kept is None else numpy.asarray(episode.kept)
    if kept.shape != (n,) or kept.dtype != bool:
        raise ValueError(f"{where}: expected {n} booleans in kept, got {kept.shape}.")
    return Episode(
        _as_float32(obs, f"{where}: expected finite obs"),
        action.astype(numpy.int32)
        if discrete
        else _as_float32(action, f"{where}: expected finite action"),
        _as_float32(reward, f"{where}: expected finite reward"),
        bool(episode.terminated),
        bool(episode.truncated),
        int(episode.seed),
        kept,
    )


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
