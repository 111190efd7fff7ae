"""Several environments, one after the other."""

from chainertrpo import experiments
from chainertrpo.chainerrl.env import VectorEnv


class SerialVectorEnv(experiments.SerialVectorEnv, VectorEnv):
    """Environments stepped one after the other.

    Parameters
    ----------
    envs : sequence of object
        The environments.
    """

    def seed(self, seeds=None):
        """Seed each by one of `seeds`, or environment i by the number + i."""
        for env, seed in zip(self.envs, seeds_of(seeds, len(self.envs))):
            env.seed(seed)


def seeds_of(seeds, n):
    """One seed an environment, from n of them or from one number."""  # noqa: DOC501
    if seeds is None or isinstance(seeds, int):
        return [None if seeds is None else (seeds + i) % 2**32 for i in range(n)]
    if len(seeds) != n:
        raise ValueError(f"expected {n} seeds, one an environment, got {len(seeds)}.")
    return list(seeds)
