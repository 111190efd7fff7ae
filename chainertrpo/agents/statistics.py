"""Averages over recent steps and updates, with ChainerRL's names."""

import collections

import numpy


class Statistics:
    """Windows over what happened.

    Parameters
    ----------
    value, entropy, kl, step_size : int
        Lengths of the windows.
    """

    NAMES = ("value", "entropy", "kl", "step_size")

    def __init__(self, value=1000, entropy=1000, kl=100, step_size=100):
        lengths = (value, entropy, kl, step_size)
        self._windows = {
            name: collections.deque(maxlen=n) for name, n in zip(self.NAMES, lengths)
        }
        self._explained_variance = numpy.nan

    def add(self, beliefs, step):
        """Take in an update.

        Parameters
        ----------
        beliefs : Beliefs
            Of the batch.
        step : StepReport
            A rejected step has size 0, and its KL divergence does not count.
        """
        windows = self._windows
        for name in ("value", "entropy"):
            recent = getattr(beliefs, name)[-windows[name].maxlen :]
            windows[name].extend(recent.tolist())
        windows["step_size"].append(step.fraction)
        if step.accepted:
            windows["kl"].append(step.kl)
        self._explained_variance = beliefs.explained_variance

    def named(self):
        """Return the averages.

        Returns
        -------
        list of (str, float)
            nan where nothing has happened yet.
        """
        mean = {
            k: float(numpy.mean(v)) if v else numpy.nan
            for k, v in self._windows.items()
        }
        return [
            ("average_value", mean["value"]),
            ("average_entropy", mean["entropy"]),
            ("average_kl", mean["kl"]),
            ("average_policy_step_size", mean["step_size"]),
            ("explained_variance", self._explained_variance),
        ]

    def get_state(self):
        """Return everything as JSON.

        Returns
        -------
        dict
            For `set_state`.
        """
        state = {name: list(window) for name, window in self._windows.items()}
        return {**state, "explained_variance": self._explained_variance}

    def set_state(self, state):
        """Go on from a state.

        Parameters
        ----------
        state : dict
            Of `get_state`.
        """
        for name, window in self._windows.items():
            window.clear()
            window.extend(state[name])
        self._explained_variance = state["explained_variance"]
