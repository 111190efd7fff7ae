"""A check of an environment: it is stepped, compared with its spaces, and timed."""

from __future__ import annotations

import time
import typing

from chainertrpo._checks import whole
from chainertrpo.data import Space
from chainertrpo.data.path import mask_of, unmasked
from chainertrpo.experiments.evaluation import LONGEST

import numpy


class EnvReport(typing.NamedTuple):
    """What a check of an environment has found.

    Attributes
    ----------
    problems : list of str
        What breaks training or its repetition, each with the remedy.
    advice : list of str
        What is worth a look.
    steps, episodes : int
        How many were taken, and how many ended.
    step_seconds, reset_seconds : float
        Means.
    """

    problems: typing.List[str]
    advice: typing.List[str]
    steps: int
    episodes: int
    step_seconds: float
    reset_seconds: float


def check_env(env: typing.Any, steps: int = 1000, seed: int = 0) -> EnvReport:
    """Step an environment by random actions and compare it with what it says of itself.

    Parameters
    ----------
    env : Env
        Of `make_env`; errors of its interface are raised as they come.
    steps : int
        How many.
    seed : int
        Of the environment and of the actions.

    Returns
    -------
    EnvReport
        What was found.
    """
    whole("steps", steps, 1)
    bounds, rng = _Bounds(env.observation_space), numpy.random.default_rng(seed)
    problems, advice, rewards = [], [], []
    clocks = {"step": [], "reset": []}
    first = _first_steps(env, seed)
    same = zip(first, _first_steps(env, seed))
    if not all(numpy.array_equal(x, y, equal_nan=True) for x, y in same):
        problems.append(
            "two episodes from one seed and the same actions differ: runs cannot be "
            "repeated or resumed exactly. Draw all random numbers from self.np_random, "
            "which super().reset(seed=seed) seeds."
        )
    env.seed(seed)
    obs, length, longest, episodes = _timed(clocks["reset"], env.reset), 0, 0, 0
    for _ in range(steps):
        bounds.see(obs)
        action = _action(env, obs, rng)
        obs, reward, done, info = _timed(clocks["step"], env.step, action)
        rewards.append(reward)
        length += 1
        longest = max(longest, length)
        if done or info.get("needs_reset", False):
            bounds.see(obs)
            episodes += 1
            obs, length = _timed(clocks["reset"], env.reset), 0
    problems += bounds.problems()
    if not numpy.isfinite(rewards).all():
        problems.append("rewards are not finite. Return finite numbers from step.")
    elif numpy.ptp(rewards) == 0:
        advice.append(
            f"all rewards were {rewards[0]:g}: random actions have not found any other."
        )
    if env.max_episode_steps is None and not episodes:
        problems.append(
            f"no episode ended within {steps} steps, and there is no time limit. Give one: "
            "--max-episode-steps N, or max_episode_steps=N where it is registered; "
            f"evaluations cut at {LONGEST}."
        )
    dtype = getattr(env.observation_space, "dtype", None)
    if dtype in (numpy.float64, numpy.int64):
        advice.append(f"observations are {dtype} and become float32.")
    actions = Space.of(env.action_space)
    if actions.kind == "Box" and not numpy.isfinite(actions.action_bounds).all():
        advice.append(
            "actions have no bounds: --scale-actions and --clip-actions do nothing."
        )
    return EnvReport(
        problems,
        advice,
        steps,
        episodes,
        float(numpy.mean(clocks["step"])),
        float(numpy.mean(clocks["reset"])),
    )


def _timed(clock, function, *args):
    start = time.perf_counter()
    result = function(*args)
    clock.append(time.perf_counter() - start)
    return result


def _action(env, obs, rng):
    # A random action as an agent has it; of those that can be chosen, if that is said.
    space, mask = Space.of(env.action_space), mask_of(obs)
    if mask is None or not space.choices:
        return space.encode(env.action_space.sample())
    parts = numpy.split(numpy.asarray(mask), numpy.cumsum(space.choices)[:-1])
    chosen = numpy.array([rng.choice(numpy.flatnonzero(part)) for part in parts], "i")
    return chosen[0] if space.action_size is None else chosen


def _first_steps(env, seed, n=20):
    # Numbers that two episodes from one seed have to share.
    env.seed(seed)
    obs, rng = env.reset(), numpy.random.default_rng(seed)
    seen = [unmasked(obs)]
    for _ in range(n):
        obs, reward, done, info = env.step(_action(env, obs, rng))
        seen += [unmasked(obs), numpy.float64(reward)]
        if done or info.get("needs_reset", False):
            break
    return seen


class _Bounds:
    """The observations that came, beside the space's bounds."""

    def __init__(self, space):
        # Bounds are compared as the agent sees observations: as features, in float32.
        lows, highs = [], []
        for leaf in Space.observed(space).leaves():
            box = leaf.kind == "Box"
            lows.append(numpy.ravel(leaf.low) if box else numpy.zeros(leaf.size))
            highs.append(numpy.ravel(leaf.high) if box else numpy.ones(leaf.size))
        self.low, self.high = (
            numpy.concatenate(each).astype(numpy.float32) for each in (lows, highs)
        )
        self.least = numpy.full(self.low.shape, numpy.inf, numpy.float32)
        self.most, self.finite = -self.least, True

    def see(self, obs):
        obs = unmasked(obs)
        self.finite = self.finite and bool(numpy.isfinite(obs).all())
        numpy.fmin(self.least, obs, out=self.least)
        numpy.fmax(self.most, obs, out=self.most)

    def problems(self):
        found = []
        if not self.finite:
            found.append(
                "observations are not finite. Look for divisions by 0 in step."
            )
        out = numpy.flatnonzero((self.least < self.low) | (self.most > self.high))
        for i in out[:3]:
            found.append(
                f"observation {i} came in [{self.least[i]:.4g}, {self.most[i]:.4g}], but "
                f"observation_space says [{self.low[i]:.4g}, {self.high[i]:.4g}]. Widen "
                "the space, or clip what is observed."
            )
        if len(out) > 3:
            found.append(f"so did {len(out) - 3} further components of observations.")
        return found
