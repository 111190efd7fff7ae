"""Whether a task's lean steps are the environment's own, bit for bit."""

import contextlib
import copy
import itertools
import struct
import typing

import numpy

# What of mjData a reset and a step must leave alike.  What no later step reads, and
# these tasks do not show, may be left out: mj_rnePostConstraint, for most.
LEFT_BEHIND = (
    *("time", "qpos", "qvel", "act", "ctrl", "qacc", "qacc_warmstart"),
    *("xpos", "xipos", "cinert", "cvel", "qfrc_actuator"),
)
EPISODE = 16  # steps after which an episode of the check is broken off


class Check:
    """What an environment does by itself, for tasks to be compared with.

    It is reset and takes `n_steps` random steps, in episodes, with some actions outside
    their bounds; then one or two from each of `probes`.  A copy of it is used.

    Parameters
    ----------
    env : object
        A MuJoCo environment without wrappers.
    n_steps : int
        Random steps.
    """

    def __init__(self, env, n_steps=64):
        self.env, self.n_steps = _twin(env), n_steps
        self._own = list(self._play(_Itself(self.env)))

    def difference(self, make_task):
        """Compare with a task, bit for bit.

        Parameters
        ----------
        make_task : callable
            ``make_task(env, dtype=...)`` -> `Task`.

        Returns
        -------
        str or None
            What differs first.
        """
        task = make_task(self.env, dtype=numpy.float64)
        with contextlib.closing(self._play(task)) as played:
            for own, lean in itertools.zip_longest(self._own, played):
                if own is None or lean is None:
                    return "its episodes end elsewhere"
                for name in own._fields[1:]:
                    if getattr(own, name) != getattr(lean, name):
                        return f"its {name} differs {own.place}"
        return None

    def _play(self, player):
        yield from _episodes(self.env, player, self.n_steps)
        yield from _single_steps(self.env, player)


class _Itself:
    """An environment with the interface of a `Task`."""

    def __init__(self, env):
        self.env = env

    def reset(self):
        return self.env.reset()[0]

    def step(self, action):
        return self.env.step(action)[:3]


def _twin(env):
    """The same environment with physics and generator of its own."""
    import mujoco

    twin = type(env).__new__(type(env))  # its constructor would compile the model again
    vars(twin).update(vars(env))
    twin.model = copy.copy(env.model)
    twin.data = mujoco.MjData(twin.model)
    twin._np_random = None
    return twin


class _Record(typing.NamedTuple):
    place: str
    observation: tuple
    reward: bytes
    termination: bool
    physics: list


def _record(place, env, obs, reward=0.0, terminated=False):
    obs = numpy.asarray(obs)
    left = [numpy.asarray(getattr(env.data, name)).tobytes() for name in LEFT_BEHIND]
    seen = (obs.dtype.str, obs.shape, obs.tobytes())
    return _Record(place, seen, struct.pack("d", reward), bool(terminated), left)


def _episodes(env, player, n_steps):
    rng, space = numpy.random.default_rng(0), env.action_space
    env.reset(seed=0)  # a seed is the environment's business
    length = EPISODE
    for step in range(n_steps):
        if length == EPISODE:
            length = 0
            yield _record("after a reset", env, player.reset())
        action = rng.uniform(space.low, space.high) * rng.choice([0.2, 1.0, 1.7])
        # Agents give float32; nothing stops others from giving float64.
        action = action.astype(numpy.float64 if step % 4 == 3 else numpy.float32)
        obs, reward, terminated = player.step(action)
        yield _record(f"at random step {step}", env, obs, reward, terminated)
        length = EPISODE if terminated else length + 1


def _single_steps(env, player):
    import mujoco

    rng, space = numpy.random.default_rng(1), env.action_space
    flags, bits = env.model.opt.disableflags, mujoco.mjtDisableBit
    free = flags | int(bits.mjDSBL_CONSTRAINT) | int(bits.mjDSBL_GRAVITY)
    try:
        for i, (at_rest, qpos, qvel) in enumerate(probes(env)):
            env.model.opt.disableflags = free if at_rest else flags
            mujoco.mj_resetData(env.model, env.data)
            env.set_state(qpos, qvel)
            # A second step begins with what the first has left, warm start and all.
            for _ in range(1 if at_rest else 2):
                action = rng.uniform(space.low, space.high) * (not at_rest)
                obs, reward, terminated = player.step(action.astype(numpy.float32))
                yield _record(f"at probe {i}", env, obs, reward, terminated)
    finally:
        env.model.opt.disableflags = flags


def probes(env):
    """Make states on both sides of every bound that a step compares with.

    A body at rest, without gravity and contacts, stays where it is to the last bit, so a
    bound is met exactly, and missed by one unit in the last place.  Then there are states
    near bounds and far from the origin, fast, beyond limits of joints and deep in the
    ground, in ordinary physics.

    Parameters
    ----------
    env : object
        A MuJoCo environment without wrappers.

    Yields
    ------
    at_rest : bool
        Take the step without gravity and constraints, and with action 0.
    qpos, qvel : array
        The state.
    """
    nq, nv = env.model.nq, env.model.nv

    def state(i=None, position=0.0, j=None, velocity=0.0):
        qpos, qvel = _healthy(env), numpy.array(env.init_qvel)
        if i is not None:
            qpos[i] = position
        if j is not None:
            qvel[j] = velocity
        return qpos, qvel

    height = 1 if hasattr(env, "_healthy_angle_range") else 2
    for i, name in ((height, "z"), (2, "angle")):
        for bound in _bounds(env, name):
            for x in _around(bound):
                yield (True, *state(i, x))
            for k in range(3):
                for x in (bound - 0.01, bound + 0.01):
                    yield (False, *state(k, x))
    for bound in _bounds(env, "state"):
        for x in _around(bound):
            yield (True, *state(nq - 1, x))
            yield (True, *state(j=0, velocity=x))
        yield (True, *state(j=nv - 1, velocity=1.1 * bound))
    for j in {0, 1, nv // 2, nv - 1}:
        for velocity in (-12.0, 12.0):
            yield (False, *state(j=j, velocity=velocity))
    qpos, qvel = state(j=nv - 1, velocity=20.0)
    qpos[-2:] = 1.1 * env.model.jnt_range[-2:, 1]
    yield False, qpos, qvel
    yield (False, *state(0, 25.0, 0, 3.0))
    yield (False, *state(0, -7.0, 1, -2.0))
    for share in (0.4, 0.6, 0.8):
        yield (False, *state(height, share * env.init_qpos[height], height, -2.0))


def _bounds(env, name):
    bounds = getattr(env, f"_healthy_{name}_range", ())
    return [float(x) for x in bounds if abs(x) < 1e4]  # beyond, MuJoCo begins anew


def _around(bound):
    beside = [numpy.nextafter(bound, x) for x in (-numpy.inf, numpy.inf)]
    return [bound, *beside, bound - 1e-3, bound + 1e-3]


def _healthy(env):
    """The initial positions, moved to where the task calls them healthy."""
    qpos = numpy.array(env.init_qpos)
    angle = getattr(env, "_healthy_angle_range", None)
    height = getattr(env, "_healthy_z_range", None)
    for i, bounds in ((2 if angle is None else 1, height), (2, angle)):
        if bounds is not None and not bounds[0] < qpos[i] < bounds[1]:
            low, high = numpy.clip(numpy.array(bounds, float), -100, 100)
            qpos[i] = (low + high) / 2
    return qpos
