"""An environment whose episodes go on from one collection to the next.

The environment cannot be saved, but what it was told can: it is seeded anew at the first
episode that begins `RESEED` steps or more after the last seeding, and the actions since
then are remembered.  Seeded the same and given the same actions, it is where it was.
"""

import logging
import random

from chainertrpo.data import PathRecorder, unmasked
from chainertrpo.experiments.envs import adapt

import numpy

ACTION_SIZE = 64  # of the last action, how much others see
STATE_SIZE = 2 + ACTION_SIZE
RESEED = 1000  # steps; fewer would cost time, more would make resuming take longer


class BadActionError(ValueError):
    """A policy chose an action that is not finite."""


class Episodes:
    """What one worker of a collection does, in whatever process.

    Parameters
    ----------
    make_env : callable
        ``make_env(seed)`` -> an environment; called by the first `restart`.
    seed, index : int
        Of the collection, and of this worker: with the generation they give the seeds of
        the environment, of the actions and of the global generators.
    state : numpy.ndarray (STATE_SIZE,), float64
        Written at every step for whoever watches: steps done, the size of the last action,
        its first `ACTION_SIZE` numbers.
    """

    def __init__(self, make_env, seed, index, state):
        self.make_env, self.seed, self.index, self.state = make_env, seed, index, state
        self.env = None

    def restart(self, generation):
        """Begin new episodes; nothing depends on what was before."""
        self.generation, self.reseeds = generation, -1
        self.rng = None
        self._reseed()
        self.obs = None

    def _reseed(self):
        # Environment and global generators; the stream of actions goes on.
        self.reseeds += 1
        key = (self.seed, self.index, self.generation, self.reseeds)
        streams = numpy.random.SeedSequence(key).spawn(3)
        if self.rng is None:
            self.rng = numpy.random.default_rng(streams[0])
        env_seed = int(streams[1].generate_state(1)[0] >> 1)
        # Environments and foreign policies may draw from the global generators.
        common = int(streams[2].generate_state(1)[0])
        random.seed(common)
        numpy.random.seed(common)  # noqa: NPY002
        if self.env is None:
            made = self.make_env(env_seed)
            self.env = adapt(made)
        self.env.seed(env_seed)
        self.actions = []

    def _reset(self):
        if len(self.actions) >= RESEED:
            self._reseed()
        self.total, self.length = 0.0, 0
        return self.env.reset()

    def _step(self, action):
        # Returns what `Env.step` does, and whether the episode has ended.
        self.actions.append(action)
        size = min(action.size, ACTION_SIZE)
        self.state[1] = size
        self.state[2 : 2 + size] = action.ravel()[:size]
        obs, reward, done, info = self.env.step(action)
        self.state[0] += 1
        self.total += reward
        self.length += 1
        return obs, reward, done, done or info.get("needs_reset", False)

    def collect(self, actor, n_steps):
        """Take steps.

        Parameters
        ----------
        actor : Actor
            Chooses the actions.
        n_steps : int
            The last episode is cut there, and goes on in the next call.

        Returns
        -------
        list of Path
            All steps.
        list of (int, float, int)
            Episodes that ended: at which step, return, length.

        Raises
        ------
        BadActionError
            The first action is not finite: then none of this policy's would be.
        """
        rng, recorder = self.rng, PathRecorder()
        obs, episodes = self.obs, []
        for step in range(n_steps):
            if obs is None:
                obs = actor.features(self._reset())
            action = actor.sample(obs, rng)
            if step == 0 and not numpy.isfinite(action).all():
                raise BadActionError(
                    f"expected finite actions, got {action} from the policy. Its "
                    "parameters are not finite: go on from an earlier checkpoint, with a "
                    "smaller step."
                )
            recorder.act(obs, action)
            obs, reward, done, end = self._step(action)
            recorder.observe(reward)
            obs = actor.features(obs)
            if end:
                recorder.close(obs, done)
                episodes.append((step + 1, self.total, self.length))
                obs = None
        if obs is not None:
            recorder.close(obs, False)
        self.obs = obs
        return recorder.drain(), episodes

    # What is needed to go on exactly, in another process

    def get_state(self):
        """Return where the episodes are: arrays by name, and the rest as JSON."""
        state = random.getstate()
        key = numpy.random.get_state()  # noqa: NPY002 (of the generator that is global)
        arrays = {
            "random": numpy.array(state[1], numpy.uint32),
            "numpy": numpy.array(key[1], numpy.uint32),
        }
        if self.actions:
            arrays["actions"] = numpy.stack(self.actions)
        if self.obs is not None:
            arrays["obs"] = unmasked(self.obs)
        about = {
            "generation": self.generation,
            "reseeds": self.reseeds,
            "rng": self.rng.bit_generator.state,
            "random": [state[0], state[2]],
            "numpy": [key[0], *key[2:]],
        }
        return arrays, about

    def set_state(self, actor, arrays, about):
        """Go on from what `get_state` gave, by taking the same actions again."""
        self.generation, self.reseeds = about["generation"], about["reseeds"] - 1
        self.rng = numpy.random.default_rng()
        self._reseed()
        obs = None
        for action in arrays.get("actions", ()):
            if obs is None:
                self.total, self.length = 0.0, 0
                obs = self.env.reset()
            obs, _, _, end = self._step(numpy.asarray(action))
            if end:
                obs = None
        self.obs = None if obs is None else actor.features(obs)
        if not _equal(unmasked(self.obs), arrays.get("obs")):
            logging.getLogger(__name__).warning(
                "worker %d: the environment, seeded and led as before, is not where it "
                "was; the run goes on, but not as if it had never been stopped.",
                self.index,
            )
        self.rng.bit_generator.state = about["rng"]
        version, gauss = about["random"]
        random.setstate((version, tuple(arrays["random"].tolist()), gauss))
        name, *more = about["numpy"]
        numpy.random.set_state((name, arrays["numpy"], *more))  # noqa: NPY002


def _equal(a, b):
    if a is None or b is None:
        return a is b
    return numpy.array_equal(a, b)
