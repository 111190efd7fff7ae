"""An environment whose episodes go on from one collection to the next.

The environment cannot be saved, but what it was told can: it is seeded anew at the first
episode that begins `RESEED` steps or more after the last seeding, and the actions since
then are remembered.  Seeded the same and given the same actions, it is where it was.
"""

import logging

from chainertrpo.data import PathRecorder, unmasked
from chainertrpo.experiments.adapting import adapt
from chainertrpo.experiments.global_streams import GlobalStream

import numpy

ACTION_SIZE = 64  # of the last action, how much others see
STATE_SIZE = 4 + ACTION_SIZE
STEPS, WHICH, OWN_STEPS, SIZE = range(4)  # in what others see
NONE = -1  # no environment is being called
RESEED = 1000  # steps; fewer would cost time, more would make resuming take longer


class Episodes:
    """One environment of a collection, in whatever process.

    Parameters
    ----------
    make_env : callable
        ``make_env(seed, index)`` -> an environment; called by the first `restart`.  See
        `OneByOne`.
    seed, index : int
        Of the collection, and of this environment: with the generation they give the
        seeds of the environment, of the actions and of the global generators.
    state : numpy.ndarray (STATE_SIZE,), float64
        Written for whoever watches: steps done in this process, which environment is
        being called, how many steps it has done, the size of its last action, that
        action's first `ACTION_SIZE` numbers.
    streams : GlobalStreams
        Of this process.

    Attributes
    ----------
    obs : array or None
        The observation to act on; None where an episode is to begin.
    rng : numpy.random.Generator
        Of the actions.
    carry : array, shape (C,), or None
        The hidden state before the next action; None without memory.
    """

    def __init__(self, make_env, seed, index, state, streams):
        self.make_env, self.seed, self.index, self.state = make_env, seed, index, state
        self.stream, self.env = GlobalStream(streams), None
        self.n_steps, self.action = 0, None
        self.recorder, self.ended = PathRecorder(), []

    def restart(self, generation):
        """Begin new episodes; nothing depends on what was before."""
        self.generation, self.reseeds = generation, -1
        self.rng = None
        self._reseed()
        self.obs = self.carry = None

    def _reseed(self):
        # Environment and global generators; the stream of actions goes on.
        self._tell()
        self.reseeds += 1
        key = (self.seed, self.index, self.generation, self.reseeds)
        streams = numpy.random.SeedSequence(key).spawn(3)
        if self.rng is None:
            self.rng = numpy.random.default_rng(streams[0])
        env_seed = int(streams[1].generate_state(1)[0] >> 1)
        self.stream.seed(int(streams[2].generate_state(1)[0]))
        if self.env is None:
            self.env = adapt(self.make_env(env_seed, self.index))
        self.env.seed(env_seed)
        self.actions = []

    def _tell(self):
        state, size = self.state, 0
        if self.action is not None:
            size = min(self.action.size, ACTION_SIZE)
            state[SIZE + 1 : SIZE + 1 + size] = self.action.ravel()[:size]
        state[WHICH], state[OWN_STEPS], state[SIZE] = self.index, self.n_steps, size

    def _reset(self):
        self._tell()
        if len(self.actions) >= RESEED:
            self._reseed()
        return self._begin()

    def _begin(self):
        self.total, self.length = 0.0, 0
        if self.env.may_draw_globally:
            self.stream.take()
        return self.env.reset()

    def _step(self, action):
        # Returns what `Env.step` does, and whether the episode has ended.
        self.actions.append(action)
        self.action = action
        self._tell()
        self.stream.take_to_step()
        obs, reward, done, info = self.env.step(action)
        self.n_steps += 1
        self.state[STEPS] += 1
        self.total += reward
        self.length += 1
        return obs, reward, done, done or info.get("needs_reset", False)

    def begin(self, actor):
        """Begin an episode if none is running."""
        if self.obs is None:
            self.obs = actor.features(self._reset())
            self.carry = actor.carry().now

    def take(self, actor, action, step, carry=None):
        """Take a step and record it.

        Parameters
        ----------
        actor : Actor
            Its ``features`` are taken.
        action : array, shape (A,) or ()
            The action.
        step : int
            Which step of the collection this is, from 1; told of an episode that ends.
        carry : array, shape (C,), optional
            With memory: the hidden state after the action.
        """
        self.recorder.act(self.obs, action, self.index, self.carry)
        self.carry = carry
        obs, reward, done, end = self._step(action)
        self.recorder.observe(reward, self.index)
        self.obs = actor.features(obs)
        if end:
            self.recorder.close(self.obs, done, self.index)
            self.ended.append((step, self.total, self.length))
            self.obs = None

    def drain(self):
        """Cut the running episode, and return what was collected.

        Returns
        -------
        list of Path
            All steps since the last call.
        list of (int, float, int)
            Episodes that ended: at which step, return, length.
        """
        if self.obs is not None:
            self.recorder.close(self.obs, False, self.index)
        ended, self.ended = self.ended, []
        return self.recorder.drain(), ended

    # What is needed to go on exactly, in another process

    def get_state(self):
        """Return where the episodes are: arrays by name, and the rest as JSON."""
        arrays, about = self.stream.get_state()
        if self.actions:
            arrays["actions"] = numpy.stack(self.actions)
        if self.obs is not None:
            arrays["obs"] = unmasked(self.obs)
        if self.obs is not None and self.carry is not None:
            arrays["carry"] = self.carry
        about["generation"], about["reseeds"] = self.generation, self.reseeds
        about["rng"] = self.rng.bit_generator.state
        return arrays, about

    def set_state(self, actor, arrays, about):
        """Go on from what `get_state` gave, by taking the same actions again."""
        self.generation, self.reseeds = about["generation"], about["reseeds"] - 1
        self.rng = numpy.random.default_rng()
        self._reseed()
        obs = None
        for action in arrays.get("actions", ()):
            if obs is None:
                obs = self._begin()
            obs, _, _, end = self._step(numpy.asarray(action))
            if end:
                obs = None
        self.obs = None if obs is None else actor.features(obs)
        if not _equal(unmasked(self.obs), arrays.get("obs")):
            logging.getLogger(__name__).warning(
                "environment %d, seeded and led as before, is not where it was; the run "
                "goes on, but not as if it had never been stopped.",
                self.index,
            )
        self.carry = arrays.get("carry")
        self.rng.bit_generator.state = about["rng"]
        self.stream.set_state(arrays, about)


def _equal(a, b):
    if a is None or b is None:
        return a is b
    return numpy.array_equal(a, b)
