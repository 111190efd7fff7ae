"""The environments of one process, acted on together.

Environment i is acted on in row i % n of the matrix product i // n, and every product has
n rows, whoever has the others: an action is then the same, bit for bit, however the
environments are shared out among processes.  (BLAS adds up a row in an order that depends
on how many rows a product has and may depend on which one it is, but not on the others.)
"""

from chainertrpo.data import MaskedObs, mask_of, unmasked
from chainertrpo.experiments.episodes import NONE, WHICH, Episodes
from chainertrpo.experiments.global_streams import GlobalStreams
from chainertrpo.experiments.vector_env import OneByOne

import numpy

ROWS = 8  # of a product; one costs as much as two or three of a single row


class BadActionError(ValueError):
    """A policy chose an action that is not finite."""


class Block:
    """The rows of one product, and the environments of this process that have one.

    Parameters
    ----------
    n_rows : int
        Of the product.
    members : list of Episodes
        Environments.
    state : numpy.ndarray
        As in `Episodes`.
    """

    def __init__(self, n_rows, members, state):
        self.rows, self.state = [one.index % n_rows for one in members], state
        self.members, self.obs, self.mask = members, None, None
        self.rngs = [None] * n_rows

    def step(self, actor, step, shares):
        """Take step `step`, from 1, in each environment whose share has so many."""
        rngs, todo = self.rngs, []
        carry = actor.carry(len(rngs)) if actor.carry_size else None
        for row, one in zip(self.rows, self.members):
            rngs[row] = None
            if step <= shares[one.index]:
                one.begin(actor)
                todo.append((row, one))
                rngs[row] = one.rng
                self._place(row, one.obs)
                if carry is not None:
                    carry.now[row] = one.carry
        if not todo:
            return
        self.state[WHICH] = NONE
        features = self.obs if self.mask is None else MaskedObs(self.obs, self.mask)
        actions = actor.sample_each(features, rngs, carry)
        if step == 1:
            _check([actions[row] for row, _ in todo])
        for row, one in todo:
            after = None if carry is None else carry.now[row]
            one.take(actor, actions[row], step, after)

    def _place(self, row, features):
        # Rows of nobody are 0, and can choose anything.
        obs, mask, n = unmasked(features), mask_of(features), len(self.rngs)
        if self.obs is None:
            self.obs = numpy.zeros((n, *obs.shape), obs.dtype)
        self.obs[row] = obs
        if mask is not None:
            if self.mask is None:
                self.mask = numpy.ones((n, *mask.shape), bool)
            self.mask[row] = mask


def _check(actions):
    for action in actions:
        if not numpy.isfinite(action).all():
            raise BadActionError(
                f"expected finite actions, got {action} from the policy. Its "
                "parameters are not finite: go on from an earlier checkpoint, with a "
                "smaller step."
            )


class Together:
    """What one worker of a collection does, in whatever process.

    Parameters
    ----------
    make_env : callable
        ``make_env(seed)`` -> an environment, or several: see `OneByOne`.
    seed : int
        Of the collection.
    indices : sequence of int
        Which of its environments are here.
    num_envs : int
        How many it has.
    state : numpy.ndarray (STATE_SIZE,), float64
        As in `Episodes`.
    """

    def __init__(self, make_env, seed, indices, num_envs, state):
        streams, self.state = GlobalStreams(), state
        make_env = OneByOne(make_env)
        self.envs = [Episodes(make_env, seed, i, state, streams) for i in indices]
        self.n_rows = min(num_envs, ROWS)

    def restart(self, generation):
        """Begin new episodes in all."""
        for one in self.envs:
            one.restart(generation)
        self.state[WHICH] = NONE

    def restore(self, actor, states):
        """Go on where each was; see `Collector.restore`."""
        for one, (arrays, about) in zip(self.envs, states):
            one.set_state(actor, arrays, about)
        self.state[WHICH] = NONE

    def collect(self, actor, shares, keep):
        """Take steps.

        Parameters
        ----------
        actor : Actor
            Chooses the actions.
        shares : sequence of int
            Of each environment of the collection, how many.  An episode is cut there, and
            goes on in the next call.
        keep : bool
            Say where the episodes are at the end.

        Returns
        -------
        list of (list of Path, list of (int, float, int), state or None)
            Of each environment here: all steps, the episodes that ended as in
            `Episodes.drain`, and where it is.

        Raises
        ------
        BadActionError
            The first action is not finite: then none of this policy's would be.
        """
        products = {}
        for one in self.envs:
            products.setdefault(one.index // self.n_rows, []).append(one)
        blocks = [Block(self.n_rows, x, self.state) for x in products.values()]
        for step in range(1, max(shares) + 1):
            for block in blocks:
                block.step(actor, step, shares)
        self.state[WHICH] = NONE
        return [(*one.drain(), one.get_state() if keep else None) for one in self.envs]
