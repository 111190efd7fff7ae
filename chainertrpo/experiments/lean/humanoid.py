"""Humanoid: how far its centre of mass has come.

    reward = w_f · Δx / dt + alive − w_c · ‖ctrl‖² − clip(w_k · ‖cfrc_ext‖²)

v4 is without the last term, and its observations hold the world among the bodies.
Beside ``humanoid_v4.py`` and ``humanoid_v5.py`` in gymnasium's ``envs/mujoco``.
"""

import functools
import sys

from chainertrpo.experiments.lean.task import Task

import numpy


def _in_turn(mass, x):
    """Add mass · x, body after body: in the order of a sum over the rows of a matrix."""
    return numpy.add.accumulate(mass * x[:, 0]).item(-1)


def _by_einsum(mass, x):
    return numpy.einsum("b,bj->j", mass, x).item(0)


@functools.lru_cache(maxsize=None)
def _rounds_once():
    """Whether einsum multiplies and adds in one instruction here, with other last bits."""
    rng = numpy.random.default_rng(0)
    draws = [(rng.random(14), rng.standard_normal((14, 3))) for _ in range(100)]
    return any(_in_turn(*draw) != _by_einsum(*draw) for draw in draws)


class Humanoid(Task):
    """Healthy while the height of its root is within bounds."""

    left_out = 2

    def parts(self):
        """Views of what an observation has after positions and velocities."""
        data, new = self.data, self.version == 5
        self._mass, self._xipos = self.model.body_mass, data.xipos
        self._forces = data.cfrc_ext
        # gymnasium 1.2 and later take a product where others take a sum of products.
        center = sys.modules[type(self.env).__module__].mass_center
        by_einsum = "einsum" in center.__code__.co_names
        self._moment = _by_einsum if by_einsum and _rounds_once() else _in_turn
        parts = {
            "cinert": data.cinert[new:],
            "cvel": data.cvel[new:],
            "qfrc_actuator": data.qfrc_actuator[
                6 * new :
            ],  # 6 of the root, never moved
            "cfrc_ext": self._forces[new:],
        }
        return [
            part.reshape(-1)
            for name, part in parts.items()
            # "is True" as there: another true value shows nothing.
            if not new or getattr(self.env, f"_include_{name}_in_observation") is True
        ]

    def observe(self):
        """Make the observation of the present state, a new array."""
        return numpy.concatenate(
            self._parts, out=numpy.empty(self._size, self.dtype), casting="same_kind"
        )

    def step(self, action):
        """Take a step; see `Task.step`."""
        env = self.env
        before = self._moment(self._mass, self._xipos)
        self.simulate(action)
        self._mujoco.mj_rnePostConstraint(self.model, self.data)
        total = numpy.add.reduce(self._mass).item()
        after = self._moment(self._mass, self._xipos)
        velocity = (after / total - before / total) / self.dt()
        cost = self.control_cost(self.ctrl)  # of what is applied, in float64
        if self.version == 5:
            forces = numpy.add.reduce(numpy.square(self._forces), axis=None)
            low, high = env._contact_cost_range
            cost += float(min(max(env._contact_cost_weight * forces, low), high))
        low, high = env._healthy_z_range
        healthy = bool(low < self.qpos.item(2) < high)
        reward = float(env._forward_reward_weight) * velocity + self.alive(healthy)
        return self.observe(), reward - cost, self.ends(healthy)
