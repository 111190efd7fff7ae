"""Signs that a policy has stopped learning, each said once, with advice."""

from chainertrpo.numerics.moments import of_all_ranks

REJECTED = 50  # updates in a row
LEAST_ENTROPY = 1e-4  # nats, of a choice among actions
LEAST_LOG_STD = -10.0  # of a Gaussian: σ is 1/20,000 of its unit

ADVICE = {
    "rejected": (
        "%d updates in a row have changed nothing (the last: %s); the policy may be dead. "
        "Look at the scale of rewards and observations; a larger max_kl, more damping, or "
        "another seed may help."
    ),
    "entropy": (
        "the policy hardly explores any more: the entropy of its actions is %.2g nats. An "
        "entropy bonus (entropy_coef) or a smaller step keeps it from becoming certain too "
        "early."
    ),
    "log_std": (
        "the policy hardly explores any more: the smallest log σ is %.1f. A smaller step, "
        "an entropy bonus (entropy_coef), or scaled rewards keep σ from collapsing."
    ),
}


class Health:
    """Looks at updates."""

    def __init__(self, logger):
        self.logger = logger
        self._said, self._rejected = set(), 0

    def look(self, policy, entropy, actions, step):
        """Look at an update."""
        accepted = getattr(step, "accepted", True)
        self._rejected = 0 if accepted else self._rejected + 1
        if self._rejected >= REJECTED:
            self._say("rejected", self._rejected, getattr(step, "reason", "unknown"))
        if actions.dtype.kind in "iub":
            mean = float(of_all_ranks(entropy).mean())
            if mean < LEAST_ENTROPY:
                self._say("entropy", mean)
        for name, param in policy.namedparams():
            if name.endswith("log_std") and param.array is not None:
                least = float(param.array.min())
                if least < LEAST_LOG_STD:
                    self._say("log_std", least)

    def _say(self, what, *values):
        if what not in self._said:
            self._said.add(what)
            self.logger.warning(ADVICE[what], *values)
