"""Averages over recent steps and updates, with ChainerRL's names."""

import collections

import numpy

# What an update adds to a window of this name.  A rejected step has size 0, and its KL
# divergence does not count.
ADDED = {
    "average_value": lambda beliefs, step: beliefs.value,
    "average_entropy": lambda beliefs, step: beliefs.entropy,
    "average_kl": lambda beliefs, step: [step.kl] if step.accepted else [],
    "average_policy_step_size": lambda beliefs, step: [step.fraction],
    "average_value_loss": lambda beliefs, step: step.value_losses,
    "average_policy_loss": lambda beliefs, step: step.policy_losses,
}
TRPO_WINDOWS = {
    "average_value": 1000,
    "average_entropy": 1000,
    "average_kl": 100,
    "average_policy_step_size": 100,
}


class Statistics:
    """Windows over what happened.

    Parameters
    ----------
    windows : dict of str to int
        Lengths of the windows, by names of `ADDED`.
    count_updates : bool
        Report how many minibatches the optimiser has seen, ``n_updates``.
    """

    def __init__(self, windows, count_updates=False):
        self._windows = {
            name: collections.deque(maxlen=n) for name, n in windows.items()
        }
        self._totals = {"n_updates": 0} if count_updates else {}
        self._explained_variance = numpy.nan

    def add(self, beliefs, step):
        """Take in an update.

        Parameters
        ----------
        beliefs : Beliefs
            Of the batch.
        step : StepReport or GradientReport
            Of the policy.
        """
        for name, window in self._windows.items():
            recent = ADDED[name](beliefs, step)[-window.maxlen :]
            window.extend(numpy.asarray(recent).tolist())
        for name in self._totals:
            self._totals[name] += getattr(step, name)
        self._explained_variance = beliefs.explained_variance

    def named(self):
        """Return the averages.

        Returns
        -------
        list of (str, float)
            nan where nothing has happened yet.
        """
        mean = [
            (name, float(numpy.mean(window)) if window else numpy.nan)
            for name, window in self._windows.items()
        ]
        last = ("explained_variance", self._explained_variance)
        return [*mean, *self._totals.items(), last]

    def get_state(self):
        """Return everything as JSON."""
        state = {name: list(window) for name, window in self._windows.items()}
        return {
            **state,
            **self._totals,
            "explained_variance": self._explained_variance,
        }

    def set_state(self, state):
        """Continue from a state of `get_state`."""
        for name, window in self._windows.items():
            window.clear()
            window.extend(state[name])
        self._totals = {name: state[name] for name in self._totals}
        self._explained_variance = state["explained_variance"]
