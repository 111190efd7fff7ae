"""Several environments at once, for the loops that act in a batch of them."""

from chainertrpo.experiments.envs import adapt


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
