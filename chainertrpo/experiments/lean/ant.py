"""Ant: how far its torso has come.

    reward = w_f · Δx / dt + alive − w_c · ‖action‖² − w_k · ‖clip(cfrc_ext)‖²

v4 has no w_f, and the last term and its observation only with ``use_contact_forces``.
Beside ``ant_v4.py`` and ``ant_v5.py`` in gymnasium's ``envs/mujoco``.
"""

import math

from chainertrpo.experiments.lean.task import Task

import numpy


class Ant(Task):
    """Healthy while the torso's height is within bounds, both included."""

    left_out = 2
    normal_velocities = True

    def parts(self):
        """Views of what an observation has after positions and velocities."""
        env, data = self.env, self.data
        body = "torso" if self.version == 4 else env._main_body
        self._torso = data.xpos[data.body(body).id]  # lags behind qpos by a substep
        self._charged = self.version == 5 or bool(env._use_contact_forces)
        self._unclipped, self._forces = data.cfrc_ext, numpy.zeros_like(data.cfrc_ext)
        if self.version == 5:
            # The first body is the world.
            shown, part = env._include_cfrc_ext_in_observation, self._forces[1:]
        else:
            shown, part = env._use_contact_forces, self._forces
        return [part.reshape(-1)] if shown else []

    def observe(self):
        """Make the observation of the present state, a new array."""
        if self._charged:
            low, high = self.env._contact_force_range
            self._unclipped.clip(low, high, out=self._forces)
        if len(self._parts) == 2:
            return super().observe()
        return numpy.concatenate(
            self._parts, out=numpy.empty(self._size, self.dtype), casting="same_kind"
        )

    def healthy(self):
        """Say whether the state is within bounds, and finite."""
        low, high = self.env._healthy_z_range
        state = self.qpos.tolist() + self.qvel.tolist()
        if not low <= state[2] <= high:
            return False
        # A sum of finite numbers may be infinite, one with an inf or a nan is not finite.
        return math.isfinite(sum(state)) or all(map(math.isfinite, state))

    def step(self, action):
        """Take a step; see `Task.step`."""
        before = self._torso.item(0)
        self.simulate(action)
        forward = (self._torso.item(0) - before) / self.dt()
        if self.version == 5:
            forward *= float(self.env._forward_reward_weight)
        cost = self.control_cost(action)
        if self._charged:
            self._mujoco.mj_rnePostConstraint(self.model, self.data)
        obs = self.observe()
        if self._charged:
            squares = numpy.add.reduce(numpy.square(self._forces), axis=None)
            cost += float(self.env._contact_cost_weight * squares)
        healthy = self.healthy()
        return obs, forward + self.alive(healthy) - cost, self.ends(healthy)
