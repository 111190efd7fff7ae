"""An environment whose episodes go on from one collection to the next."""

import random

from chainertrpo.data import PathRecorder
from chainertrpo.experiments.envs import adapt

import numpy

ACTION_SIZE = 64  # of the last action, how much others see
STATE_SIZE = 2 + ACTION_SIZE


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
        sequence = numpy.random.SeedSequence((self.seed, self.index, generation))
        streams = sequence.spawn(3)
        self.rng = numpy.random.default_rng(streams[0])
        env_seed = int(streams[1].generate_state(1)[0] >> 1)
        # Environments and foreign policies may draw from the global generators.
        common = int(streams[2].generate_state(1)[0])
        random.seed(common)
        numpy.random.seed(common)  # noqa: NPY002
        if self.env is None:
            made = self.make_env(env_seed)
            self.env = adapt(made)
            if self.env is not made:
                self.env.seed(env_seed)
        else:
            self.env.seed(env_seed)
        self.obs = None

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
        """
        env, rng, state, recorder = self.env, self.rng, self.state, PathRecorder()
        obs, episodes = self.obs, []
        for step in range(n_steps):
            if obs is None:
                obs = actor.features(env.reset())
                self.total, self.length = 0.0, 0
            action = actor.sample(obs, rng)
            recorder.act(obs, action)
            size = min(action.size, ACTION_SIZE)
            state[1] = size
            state[2 : 2 + size] = action.ravel()[:size]
            obs, reward, done, info = env.step(action)
            state[0] += 1
            recorder.observe(reward)
            obs = actor.features(obs)
            self.total += reward
            self.length += 1
            if done or info.get("needs_reset", False):
                recorder.close(obs, done)
                episodes.append((step + 1, self.total, self.length))
                obs = None
        if obs is not None:
            recorder.close(obs, False)
        self.obs = obs
        return recorder.drain(), episodes
