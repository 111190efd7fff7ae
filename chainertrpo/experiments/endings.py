"""Episodes that do not end: said once, instead of a run without a return."""


class EndWatch:
    """Says, once, that no episode ends.

    Parameters
    ----------
    n_envs : int
        Environments that are stepped.
    patience : int
        Steps without an end, over all of them, after which it is said.
    limit : int, optional
        Steps after which an episode is cut; the patience is then one and a half of them
        at least, in each environment.
    logger : logging.Logger
        Where to.
    """

    def __init__(self, n_envs, patience, limit, logger):
        self.n_envs, self.logger = n_envs, logger
        self.patience = max(patience, 1.5 * n_envs * (limit or 0))
        self.since = self.ended = 0
        self.said = False

    def count(self, n_steps, n_ended):
        """Take in steps, and how many episodes ended with them."""
        self.since = 0 if n_ended else self.since + n_steps
        self.ended += n_ended
        if self.since > self.patience:
            self._say()

    def finish(self):
        """Say it at the end of a run in which no episode has ended."""
        if self.since and not self.ended:
            self._say()

    def _say(self):
        if not self.said:
            self.logger.warning(
                "no episode has ended in the last %d steps (%d in each environment), so "
                "there are no returns to report; give the environment a time limit "
                "(--max-episode-steps) if it should have ended",
                self.since,
                self.since // self.n_envs,
            )
        self.said = True
