"""Weight decay that leaves biases alone."""


class NonbiasWeightDecay:
    """A hook: g += rate·θ for each parameter that is not called ``b``.

    Parameters
    ----------
    rate : float
        Of the decay.
    """

    name = "NonbiasWeightDecay"
    call_for_each_param = True
    timing = "pre"

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, rule, param):
        """Add to the gradient of a parameter."""
        if param.name != "b" and param.grad is not None:
            param.grad += self.rate * param.array
