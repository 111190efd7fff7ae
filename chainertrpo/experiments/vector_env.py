"""Several environments at once, for the loops that act in a batch of them."""

from chainertrpo.experiments.adapting import adapt, is_several
from chainertrpo.experiments.packages import BadEnvironmentError


class SerialVectorEnv:
    """Several environments stepped one after the other, as ChainerRL's `VectorEnv`.

    Parameters
    ----------
    envs : sequence of Env
        The environments.
    """

    def __init__(self, envs):
        self.envs = [adapt(env) for env in envs]
        self.last_obs = [None] * len(self.envs)
        self.observation_space = self.envs[0].observation_space
        self.action_space = self.envs[0].action_space

    def seed(self, seed):
        """Seed the next `reset`: environment i by seed + i."""
        for i, env in enumerate(self.envs):
            env.seed((seed + i) % 2**32)

    @property
    def num_envs(self):
        """How many."""
        return len(self.envs)

    def reset(self, mask=None):
        """Start new episodes.

        Parameters
        ----------
        mask : sequence of bool, optional
            True where the running episode goes on; by default nowhere.

        Returns
        -------
        list of array
            The current observations.
        """
        for i, env in enumerate(self.envs):
            if mask is None or not mask[i]:
                self.last_obs[i] = env.reset()
        return list(self.last_obs)

    def step(self, actions):
        """Take a step in each.

        Parameters
        ----------
        actions : sequence
            One an environment.

        Returns
        -------
        obs, rewards, dones, infos : tuple of lists
            As `Env.step`.
        """
        results = [env.step(a) for env, a in zip(self.envs, actions)]
        self.last_obs, rewards, dones, infos = map(list, zip(*results))
        return list(self.last_obs), rewards, dones, infos

    def close(self):
        """Close all."""
        for env in self.envs:
            env.close()


class OneByOne:
    """A `make_env` that may make several environments at once, and gives one a call.

    Environment i of a collection is number i % n of the vectors of n that `make_env`
    makes, whichever process has it.  Each is reset and stepped by itself: a collection cuts
    its episodes and begins them anew one by one.

    Parameters
    ----------
    make_env : callable
        ``make_env(seed)`` -> an environment, or a vector that has its environments in
        ``envs``: gymnasium's and gym's ``SyncVectorEnv``, `SerialVectorEnv`.
    """

    def __init__(self, make_env):
        self.make_env, self._made, self._size = make_env, {}, None

    def __call__(self, seed, index):
        """Make environment `index`, or take it out of the vector that it came with.

        Raises
        ------
        BadEnvironmentError
            The environments of the vector are in other processes, in one program of
            another language, or wrapped together.
        AssertionError
            The environment's own.
        """
        found = self._made.pop(index, None)
        if found is not None:
            return found
        try:
            made = self.make_env(seed)
        except AssertionError as error:
            if "daemonic" not in str(error):
                raise
            self._refuse(self.make_env)  # processes of a worker, which may have none
        if not is_several(made):
            return made
        envs = getattr(made, "envs", None)
        if made is not getattr(made, "unwrapped", made) or not envs:
            self._refuse(made)
        first = index - index % len(envs)
        self._made.update({first + i: env for i, env in enumerate(envs)})
        return self._made.pop(index)

    @staticmethod
    def _refuse(made):
        raise BadEnvironmentError(
            "expected make_env to make one environment, or a SyncVectorEnv, of which each "
            f"worker steps its own one by one, got {made}. Let make_env make one "
            "environment: num_envs says how many there are, and workers in how many "
            "processes."
        )
