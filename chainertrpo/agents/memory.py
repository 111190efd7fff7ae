"""Hidden states of the paths of a batch."""

from chainertrpo.data.pieces import first_rows
from chainertrpo.numerics import named_params
from chainertrpo.policies import carry_size, parts, takes_sequences
from chainertrpo.policies.sequences import states

import numpy


def columns(policy, vf=None):
    """Which columns of a path's carry are the policy's, and which are of V's own memory.

    Parameters
    ----------
    policy, vf : chainer.Link
        Of an agent.

    Returns
    -------
    policy, vf : slice
        The same of the halves of one model.  None of a V that sees the policy's hidden
        state beside the observation, or one without memory.
    """
    own = slice(0, carry_size(policy))
    if vf is None or not takes_sequences(vf):
        return own, None
    if getattr(policy, "model", policy) is getattr(vf, "model", vf):
        return own, own
    return own, slice(own.stop, own.stop + carry_size(vf))


def memory_size(policy, vf=None):
    """How many numbers a path's carry has; 0 without memory."""
    own, of_values = columns(policy, vf)
    return (of_values or own).stop


class Memory:
    """What policy and V had in mind on some paths; nothing of a policy without memory.

    Parameters
    ----------
    policy, vf : chainer.Link
        With the parameters that the paths were acted with.
    paths : list of Path
        Each with the carry before its first step.
    send : callable
        Array of the host -> of the policy's device.

    Raises
    ------
    ValueError
        A path has no carry, or one of another size.
    """

    def __init__(self, policy, vf, paths, send):
        self._policy, self._vf, self._send = policy, vf, send
        self.size = memory_size(policy, vf)
        self._own, self._of_values = columns(policy, vf)
        self._paths, self._hidden, self._value_hidden = paths, [], []
        if not self.size:
            return
        for path in paths:
            found = None if path.carry is None else path.carry.shape
            if found != (self.size,):
                raise ValueError(
                    f"expected paths with a carry of shape {(self.size,)}, the hidden "
                    f"state before their first step, got {found}. At an episode's start "
                    "it is zero: Path(..., carry=numpy.zeros(...))."
                )

    def of(self, paths):
        """Carry and starts of some paths, as the policy takes them; or nothing."""
        if not self.size:
            return ()
        paths = [path for path in paths if len(path.reward)]
        if not paths:  # another rank has all steps
            width = self._own.stop - self._own.start
            return self._policy.xp.zeros((0, width), "f"), numpy.zeros(0, int)
        carry, starts = self._all(paths)
        return carry[:, self._own], starts

    def _all(self, paths):
        carry = self._send(numpy.stack([path.carry for path in paths]))
        return carry, first_rows(len(path.reward) for path in paths)

    def for_values(self, obs, paths, taken):
        """What V takes of paths: [observation, hidden state before it], or with memory.

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
        obs : array, shape (N + K, S) or (N + K, S + C)
            Without memory, and of a V with its own, as it was.
        memory : tuple
            Of a V with its own: carry and starts in these rows.
        """
        if not self.size:
            return obs, ()
        carry, starts = self._all(paths)
        before = self._before(self._policy, obs, carry[:, self._own], starts, taken)
        self._hidden.append(before[self._policy.xp.asarray(taken)])
        if self._of_values is None:
            return self._policy.xp.concatenate([obs, before], axis=1), ()
        if self._of_values != self._own:
            carry = carry[:, self._of_values]
            before = self._before(self._vf, obs, carry, starts, taken)
            self._value_hidden.append(before[self._policy.xp.asarray(taken)])
        return obs, (carry, starts + numpy.arange(len(starts)))

    def _before(self, link, obs, carry, starts, taken):
        """The hidden state of a link before each observation, (N + K, C)."""
        xp, rows = link.xp, obs[link.xp.asarray(taken)]
        if not len(rows):  # another rank has all steps
            return carry.astype(obs.dtype)
        first = numpy.zeros(len(taken), bool)
        first[starts + numpy.arange(len(starts))] = True
        hidden = xp.empty((len(obs), carry.shape[1]), obs.dtype)
        hidden[xp.asarray(first)] = carry
        hidden[xp.asarray(~first)] = self._states(link, rows, carry, starts)
        return hidden

    @staticmethod
    def _states(link, rows, carry, starts):
        if takes_sequences(link):
            return states(link, rows, carry, starts)
        (part,) = parts(link)
        theta = part.theta({k: x.array for k, x in named_params(link).items()})
        return part.network.states(theta, rows, carry, starts)

    def columns(self):
        """Fields of the whole batch, by name, once all was `for_values`."""
        if not self.size:
            return {}
        carry, starts = self.of(self._paths)
        hidden = self._policy.xp.concatenate(self._hidden)
        found = {"starts": starts, "carry": carry, "hidden": hidden}
        if self._of_values is not None:
            own = self._value_hidden
            found["value_hidden"] = self._policy.xp.concatenate(own) if own else hidden
        return found
