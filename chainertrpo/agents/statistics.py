"""Averages over recent steps and updates, with ChainerRL's names."""

import collections

from chainertrpo import ranks

import numpy

# What an update adds to a window of this name.  A rejected step has size 0, and its KL
# divergence does not count.
ADDED = {
    "average_value": lambda predictions, step: predictions.value,
    "average_entropy": lambda predictions, step: predictions.entropy,
    "average_kl": lambda predictions, step: [step.kl] if step.accepted else [],
    "average_policy_step_size": lambda predictions, step: [step.fraction],
    "average_value_loss": lambda predictions, step: step.value_losses,
    "average_policy_loss": lambda predictions, step: step.policy_losses,
}
OF_ROWS = ("average_value", "average_entropy")  # each rank has those of its own
TRPO_WINDOWS = {
    "average_value": 1000,
    "average_entropy": 1000,
    "average_kl": 100,
    "average_policy_step_size": 100,
}


class Statistics:
    """Windows over what happened."""

    def __init__(self, windows, count_updates=False):
        self._windows = {
            name: collections.deque(maxlen=n) for name, n in windows.items()
        }
        self._totals = {"n_updates": 0} if count_updates else {}
        self._explained_variance = numpy.nan

    def add(self, predictions, step):
        """Take in an update."""
        for name, window in self._windows.items():
            recent = ADDED[name](predictions, step)[-window.maxlen :]
            if name in OF_ROWS:
                recent = ranks.gathered(recent)[-window.maxlen :]
            window.extend(numpy.asarray(recent).tolist())
        for name in self._totals:
            self._totals[name] += getattr(step, name)
        self._explained_variance = predictions.explained_variance

    def named(self):
        """Return the averages."""
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
        """Go on from a state."""
        for name, window in self._windows.items():
            window.clear()
            window.extend(state[name])
        self._totals = {name: state[name] for name in self._totals}
        self._explained_variance = state["explained_variance"]
