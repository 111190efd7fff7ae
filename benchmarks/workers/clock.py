"""A step hook for the training loops of ChainerRL and PFRL."""

import time


class Clock:
    """Notes the time once an iteration of 5,000 steps.

    Both agents update when they are asked for the action after the 5,000th step, or at
    that step if an episode ends there: one step later, the update has been made.
    """

    def __init__(self):
        self.times = []

    def __call__(self, env, agent, t):
        """Be a step hook."""
        if t % 5000 == 1 and t > 1:
            self.times.append(time.perf_counter())

    def result(self):
        """Seconds and steps of all iterations but the first."""
        seconds = self.times[-1] - self.times[0]
        return {"seconds": seconds, "steps": 5000 * (len(self.times) - 1)}
