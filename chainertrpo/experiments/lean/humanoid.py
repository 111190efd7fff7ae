"""Humanoid: how far its centre of mass has come.

    reward = w_f · Δx / dt + alive − w_c · ‖ctrl‖² − clip(w_k · ‖cfrc_ext‖²)

v4 is without the last term, and its observations hold the world among the bodies.
Beside ``humanoid_v4.py`` and ``humanoid_v5.py`` in gymnasium's ``envs/mujoco``.
"""

import sys

from chainertrpo.experiments.lean.task import Task

import numpy


class Humanoid(Task):
    """Healthy while the height of its root is within bounds."""

    left_out = 2

    def parts(self):
        """Views of what an observation has after positions and velocities."""
        data, new = self.data, self.version == 5
        self._mass, self._column = self.model.body_mass, self.model.body_mass[:, None]
        # gymnasium 1.2 and later take a product where others take a sum of products: the
        # order is the same, but a processor may round once where it otherwise does twice.
        center = sys.modules[type(self.env).__module__].mass_center
        self._by_einsum = "einsum" in center.__code__.co_names
        parts = {
            "cinert": data.cinert[new:],
            "cvel": data.cvel[new:],
            "qfrc_actuator": data.qfrc_actuator[
                6 * new :
            ],  # 6 of the root, never moved
            "cfrc_ext": data.cfrc_ext[new:],
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

    def _moment(self):
        """Σ mass · x over all bodies."""
        if self._by_einsum:
            return numpy.einsum("b,bj->j", self._mass, self.data.xipos).item(0)
        return numpy.add.reduce(self._column * self.data.xipos, axis=0).item(0)

    def step(self, action):
        """Take a step; see `Task.step`."""
        env, data = self.env, self.data
        before = self._moment()
        self.simulate(action)
        self._mujoco.mj_rnePostConstraint(self.model, data)
        total = numpy.add.reduce(self._mass).item()
        velocity = (self._moment() / total - before / total) / self.dt()
        cost = self.control_cost(self.ctrl)  # of what is applied, in float64
        if self.version == 5:
            forces = numpy.add.reduce(numpy.square(data.cfrc_ext), axis=None)
            low, high = env._contact_cost_range
            cost += float(min(max(env._contact_cost_weight * forces, low), high))
        low, high = env._healthy_z_range
        healthy = bool(low < self.qpos.item(2) < high)
        reward = float(env._forward_reward_weight) * velocity + self.alive(healthy)
        return self.observe(), reward - cost, self.ends(healthy)
