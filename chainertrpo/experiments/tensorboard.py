"""What TensorBoard shows: returns, evaluations, divergence, from the same hooks."""

import math
import os

from chainertrpo._extras import pip_install
from chainertrpo.experiments.run_folder import read_table


class TensorBoardLog:
    """Writes a run for TensorBoard, and for what reads its files, into the run's folder.

    Give it as a step hook, and its method `episode` as an episode hook; `close` it.  After
    each update it writes ``update/*`` (divergence, objective's gain, length of the step)
    and ``statistics/*`` of the agent, after each evaluation ``evaluation/*``: what
    ``scores.txt`` has; of each episode ``episode/return`` and ``episode/length``.

    Parameters
    ----------
    outdir : str
        The run's folder.
    resume : bool
        The evaluations that are in ``scores.txt`` have been written before.

    Raises
    ------
    ImportError
        tensorboardX is missing.
    """

    def __init__(self, outdir, resume=False):
        try:
            import tensorboardX
        except ImportError as error:
            raise ImportError(
                f"--tensorboard needs tensorboardX: {pip_install('tensorboard')}"
            ) from error
        self.outdir = outdir
        self._writer = tensorboardX.SummaryWriter(outdir, flush_secs=10)
        self._step, self._agent, self._update = 0, None, None
        self._rows = len(self._scores().get("steps", ())) if resume else 0

    def _scores(self):
        path = os.path.join(self.outdir, "scores.txt")
        return read_table(path) if os.path.exists(path) else {}

    def __call__(self, env, agent, t):
        """Write what has happened since the last call."""
        self._step, self._agent = t, agent
        report = getattr(agent, "last_step", None)
        if report is self._update:
            return
        self._update = report
        for name in ("kl", "gain", "fraction", "gradient_norm"):
            self._write(f"update/{name}", getattr(report, name, math.nan), t)
        for name, value in agent.get_statistics():
            self._write(f"statistics/{name}", value, t)
        self._evaluations()

    def _evaluations(self):
        table = self._scores()
        for i, t in enumerate(table.get("steps", ())):
            if i >= self._rows:
                for name in ("mean", "median", "stdev", "max", "min"):
                    self._write(f"evaluation/{name}", table[name][i], int(t))
        self._rows = max(self._rows, len(table.get("steps", ())))

    def _write(self, name, value, t):
        if value is not None and math.isfinite(value):
            self._writer.add_scalar(name, float(value), t)

    def episode(self, t, total, length):
        """Write the return and the length of an episode."""
        self._write("episode/return", total, t)
        self._write("episode/length", length, t)

    def close(self):
        """Write what is left, and close the file."""
        if self._agent is not None:
            self(None, self._agent, self._step)
        self._evaluations()
        self._writer.close()
