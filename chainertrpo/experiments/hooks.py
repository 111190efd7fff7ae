"""Things done after every step of a training loop: ``hook(env, agent, t)``."""

import os

from chainertrpo.data import write_atomically


class LinearInterpolationHook:
    """Set a value that moves linearly from its start at step 1 to its stop at the end.

    Parameters
    ----------
    total_steps : int
        The step at which `stop_value` is reached, and kept.
    start_value, stop_value : float
        The values.
    setter : callable
        ``setter(env, agent, value)``.
    """

    def __init__(self, total_steps, start_value, stop_value, setter):
        if total_steps < 2:
            raise ValueError(f"expected total_steps >= 2, got {total_steps}.")
        self.total_steps = total_steps
        self.start_value, self.stop_value = start_value, stop_value
        self.setter = setter

    def __call__(self, env, agent, step):
        """Set the value of this step."""
        done = min(max(step - 1, 0) / (self.total_steps - 1), 1)
        value = self.start_value + done * (self.stop_value - self.start_value)
        self.setter(env, agent, value)


class EpisodeLog:
    """Write each training episode to ``episodes.txt``: step, return, length.

    The file is what learning curves of training returns are drawn from; its rows are
    written at once, so that a killed run keeps them.

    Parameters
    ----------
    outdir : str
        The run's folder.
    """

    def __init__(self, outdir):
        self.path = os.path.join(outdir, "episodes.txt")
        write_atomically(self.path, b"steps\treturn\tlength\n")
        self._file = open(self.path, "a", buffering=1)  # noqa: SIM115 (kept open)
        self._seen = {}

    def __call__(self, env, agent, step):
        """Write the episodes that have ended."""
        for i, one in enumerate(getattr(env, "envs", None) or (env,)):
            if one.n_episodes > self._seen.get(i, 0):
                self._seen[i] = one.n_episodes
                print(step, one.last_return, one.last_length, sep="\t", file=self._file)

    def close(self):
        """Close the file."""
        self._file.close()
