"""Hidden states of the paths of a batch."""

from chainertrpo.numerics import named_params
from chainertrpo.policies import parts

import numpy


class Memory:
    """What a policy with memory had in mind on its paths; nothing of one without.

    Parameters
    ----------
    policy : chainer.Link
        With the parameters that it acted with.
    paths : list of Path
        Each with the carry before its first step.
    send : callable
        Array of the host -> of the policy's device.

    Raises
    ------
    ValueError
        The policy is not ours; a path has no carry, or one of another size.
    """

    def __init__(self, policy, paths, send):
        self.size, self._policy, self._send = carry_size(policy), policy, send
        self._paths, self._hidden = paths, []
        if not self.size:
            return
        if not parts(policy):
            raise ValueError(
                f"expected a policy of ours with memory, got {type(policy).__name__}: the "
                "hidden states of others are not known. Build a GaussianPolicy or "
                "SoftmaxPolicy with core='gru'."
            )
        for path in paths:
            found = None if path.carry is None else path.carry.shape
            if found != (self.size,):
                raise ValueError(
                    f"expected paths with a carry of shape {(self.size,)}, the hidden "
                    f"state before their first step, got {found}. At an episode's start "
                    "it is zero: Path(..., carry=numpy.zeros(...))."
                )

    def of(self, paths):
        """Carry and starts of some paths, as a network takes them; or nothing."""
        if not self.size:
            return ()
        lengths = [len(path.reward) for path in paths]
        carry = self._send(numpy.stack([path.carry for path in paths]))
        return carry, numpy.cumsum([0, *lengths[:-1]])

    def beside(self, obs, paths, taken):
        """[observation, hidden state before it] of paths, for V.

        Parameters
        ----------
        obs : array, shape (N + K, S)
            All n + 1 observations of each path, normalised, on the device.
        paths : list of Path
            K, which follow those of the last call.
        taken : array of bool, shape (N + K,)
            Which observations were acted on.

        Returns
        -------
        array, shape (N + K, S + C)
            Without memory `obs` itself.
        """
        if not self.size:
            return obs
        xp, (carry, starts) = self._policy.xp, self.of(paths)
        (part,) = parts(self._policy)
        theta = part.theta({k: x.array for k, x in named_params(self._policy).items()})
        rows = obs[xp.asarray(taken)]
        first = numpy.zeros(len(taken), bool)
        first[starts + numpy.arange(len(starts))] = True
        hidden = xp.empty((len(obs), self.size), obs.dtype)
        hidden[xp.asarray(first)] = carry
        hidden[xp.asarray(~first)] = part.network.states(theta, rows, carry, starts)
        self._hidden.append(hidden[xp.asarray(taken)])
        return xp.concatenate([obs, hidden], axis=1)

    def columns(self):
        """Starts, carry and hidden states of the whole batch, once all was `beside`."""
        if not self.size:
            return ()
        carry, starts = self.of(self._paths)
        return starts, carry, self._policy.xp.concatenate(self._hidden)


def carry_size(policy):
    """C: the width of a policy's hidden state; 0 without memory."""
    return getattr(policy, "carry_size", 0)
