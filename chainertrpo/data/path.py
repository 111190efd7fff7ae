"""What was experienced: paths on the host, the batch of an update on the device."""

import typing

from chainertrpo.numerics.functions import functions

import numpy


class Path(typing.NamedTuple):
    """A piece of one episode: n steps and n + 1 observations, NumPy, never modified.

    Attributes
    ----------
    obs : array, shape (n + 1, S), float32
        s₀ … sₙ as the environment gave them, not normalised.
    action : array, shape (n, A) float32, or (n,) int32
        a₀ … aₙ₋₁ as the policy chose them, not clipped.
    reward : array, shape (n,), float32
        r₀ … rₙ₋₁; rₜ follows aₜ.
    terminal : bool
        sₙ is terminal, its value 0.  False is any cut (time limit, end of a batch,
        ``needs_reset``), where V(sₙ) stands for the rest.
    carry : array, shape (C,), or None
        The hidden state before s₀ was acted on; None without memory.
    mask : array of bool, shape (n, …), or None
        The valid actions of each step; None where all are.
    """

    obs: typing.Any
    action: typing.Any
    reward: typing.Any
    terminal: bool
    carry: typing.Any = None
    mask: typing.Any = None


class MaskedObs(typing.NamedTuple):
    """An observation and what can be chosen there; loops give it on as it is.

    Attributes
    ----------
    obs : array, shape (S,)
        The observation.
    mask : array of bool, shape (M,)
        See `Space.flat_mask`.
    """

    obs: typing.Any
    mask: typing.Any


def unmasked(obs):
    """An observation without its mask."""
    return obs.obs if type(obs) is MaskedObs else obs


def mask_of(obs):
    """The mask of an observation, or None."""
    return obs.mask if type(obs) is MaskedObs else None


class Batch(typing.NamedTuple):
    """What an update sees: N steps of all paths in order, on the policy's device.

    Attributes
    ----------
    obs : array, shape (N, S), float32
        Normalised observations.
    action : array, shape (N, A) float32, or (N,) int32
        Actions.
    log_prob : array, shape (N,), float32
        log π_old(a|s), in nats.
    advantage : array, shape (N,), float32
        Advantages, standardised if the agent says so.
    value_target : array, shape (N,), float32
        What the value function is fitted to.
    value : array, shape (N,), float32, or None
        V(s) before the update; only a clipped value loss needs it.
    mask : array of bool, shape (N, …), or None
        The valid actions of each step; None where all are.
    starts : numpy.ndarray of int, shape (K,), or None
        In which rows paths, or pieces of them, begin; on the host.  None without memory.
    carry : array, shape (K, C), or None
        The hidden state before each of these, a constant.
    hidden : array, shape (N, C), or None
        The hidden state before each row under π_old: V sees it beside the observation.
    value_hidden : array, shape (N, C'), or None
        The same of a V with a memory of its own, which sees the observation alone.
    """

    obs: typing.Any
    action: typing.Any
    log_prob: typing.Any
    advantage: typing.Any
    value_target: typing.Any
    value: typing.Any = None
    mask: typing.Any = None
    starts: typing.Any = None
    carry: typing.Any = None
    hidden: typing.Any = None
    value_hidden: typing.Any = None

    @property
    def memory(self):
        """What a network with memory takes beside rows: carry and starts; else nothing."""
        return () if self.starts is None else (self.carry, self.starts)

    def for_values(self):
        """The batch as a value function sees it.

        Returns
        -------
        Batch
            Of [observation, hidden state] without memory, or with V's own memory.
        """
        if self.hidden is None:
            return self
        own = self.value_hidden
        if own is not None:
            carry = own.take(functions(own).asarray(self.starts), axis=0)
            return self._replace(carry=carry, hidden=own, value_hidden=None)
        obs = functions(self.obs).concatenate([self.obs, self.hidden], axis=1)
        return self._replace(obs=obs, starts=None, carry=None, hidden=None)


LARGEST = float(numpy.finfo(numpy.float32).max)


class BadObservationError(ValueError):
    """An environment gave an observation or a reward that cannot be learned from."""


def as_observation(obs, where=""):
    """Copy an observation to a float32 array and check that it is finite.

    Parameters
    ----------
    obs : array-like
        An observation.
    where : str
        Said in the error, for example ``environment 3``.

    Returns
    -------
    array, float32
        A copy: environments may reuse their arrays.  Images of bytes, (H, W, C), stay so.

    Raises
    ------
    BadObservationError
        It holds no numbers, or one that is not finite, which is named.
    """
    x = numpy.asarray(obs)
    if x.dtype == numpy.uint8 and x.ndim == 3:
        return x.copy()
    if x.dtype.kind not in "fiub":
        raise BadObservationError(
            f"expected numbers as observations, got {x.dtype}"
            f"{' of ' + where if where else ''}. Turn them into an array of floats."
        )
    size = numpy.abs(x).ravel()
    # Beyond float32 is infinite there, and NaN, which is the largest, is not <=.
    if x.size and not numpy.maximum.reduce(size) <= LARGEST:
        i = int(numpy.flatnonzero(~(size <= LARGEST))[0])
        raise BadObservationError(
            f"expected finite observations, got {x.ravel()[i]} in component {i}"
            f"{' of ' + where if where else ''}. Check the environment and the last "
            "action it was given."
        )
    return x.astype(numpy.float32)


class _Slot:
    """The running path of one environment."""

    def __init__(self):
        self.obs, self.action, self.reward, self.mask = [], [], [], []
        self.carry = None


class PathRecorder:
    """Turns the calls of the agent protocol into paths, one slot an environment.

    The calls of one environment are ``act`` (observation and action), ``observe`` (the
    reward that followed), and ``close`` at the last observation.
    """

    def __init__(self):
        self._slots = {}
        self._paths = []
        self._n_steps = 0

    def __len__(self):
        """Complete steps, those of running paths included."""
        return self._n_steps

    def waiting(self, slot=0):
        """Whether an action of this slot still waits for its reward."""
        running = self._slots.get(slot)
        return running is not None and len(running.action) > len(running.reward)

    def _check_answered(self, slot):
        if self.waiting(slot):
            raise RuntimeError(
                f"expected the reward of the last action in environment {slot} first. "
                "Call batch_observe_and_train after batch_act_and_train."
            )

    def act(self, obs, action, slot=0, carry=None):
        """Record s_t and a_t.

        Parameters
        ----------
        obs : array, shape (S,), float32, or MaskedObs
            The observation that was acted on.
        action : array, shape (A,) or ()
            The action chosen.
        slot : int
            Which environment.
        carry : array, shape (C,), optional
            The hidden state before the action; that of a path's first step is kept.

        Raises
        ------
        RuntimeError
            The action before has had no reward.
        """
        self._check_answered(slot)
        running = self._slots.setdefault(slot, _Slot())
        if not running.obs:
            running.carry = carry
        running.obs.append(unmasked(obs))
        running.action.append(action)
        running.mask.append(mask_of(obs))

    def observe(self, reward, slot=0):
        """Record r_t.

        Parameters
        ----------
        reward : float
            The reward that followed the last action of this slot.
        slot : int
            Which environment.

        Raises
        ------
        BadObservationError
            The reward is not a finite number.
        """
        reward = float(numpy.asarray(reward).item())
        if not abs(reward) <= LARGEST:
            raise BadObservationError(
                f"expected a finite reward, got {reward} from environment {slot} after "
                f"action {self._slots[slot].action[-1]}."
            )
        self._slots[slot].reward.append(reward)
        self._n_steps += 1

    def close(self, obs, terminal, slot=0):
        """End the running path of a slot at its last observation s_n.

        Parameters
        ----------
        obs : array, shape (S,), float32, or MaskedObs
            s_n.
        terminal : bool
            s_n is terminal.
        slot : int
            Which environment.

        Raises
        ------
        RuntimeError
            The last action has had no reward.
        ValueError
            Only some of the observations had a mask.
        """
        self._check_answered(slot)
        running = self._slots.pop(slot, None)
        if running is None or not running.reward:
            return
        self._paths.append(
            Path(
                numpy.stack([*running.obs, unmasked(obs)]),
                numpy.stack(running.action),
                numpy.array(running.reward, numpy.float32),
                bool(terminal),
                carry=running.carry,
                mask=_stacked(running.mask),
            )
        )

    def drain(self):
        """Return the closed paths, in the order in which they ended, and forget them."""
        paths, self._paths = self._paths, []
        self._n_steps -= sum(len(path.reward) for path in paths)
        return paths


def _stacked(masks):
    given = sum(mask is not None for mask in masks)
    if 0 < given < len(masks):
        raise ValueError(
            f"expected a mask with every observation of an episode or with none, got "
            f"{given} for {len(masks)} steps. Give it at reset too."
        )
    return numpy.stack(masks) if given else None
