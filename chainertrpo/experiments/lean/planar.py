"""HalfCheetah, Swimmer, Hopper and Walker2d: qpos[0] is how far they have come.

    reward = w_f · Δqpos₀ / dt + alive − w_c · ‖action‖²

Beside ``half_cheetah_v4.py``, ``swimmer_v4.py``, ``hopper_v4.py``, ``walker2d_v4.py`` and
those of v5 in gymnasium's ``envs/mujoco``.
"""

from chainertrpo.experiments.lean.task import Task

import numpy

FASTEST = 10.0  # velocities that Hopper and Walker2d observe are clipped here


class HalfCheetah(Task):
    """Never ends."""

    normal_velocities = True

    def forward(self, action):
        """Simulate, and return the reward for the way made."""
        before = self.qpos.item(0)
        self.simulate(action)
        velocity = (self.qpos.item(0) - before) / self.dt()
        return float(self.env._forward_reward_weight) * velocity

    def step(self, action):
        """Take a step; see `Task.step`."""
        reward = self.forward(action) - self.control_cost(action)
        return self.observe(), reward, False


class Swimmer(HalfCheetah):
    """Swims in a plane: observations are without both of its positions."""

    left_out = 2
    normal_velocities = False


class Walker2d(HalfCheetah):
    """Healthy while upright: bounds on height and angle of the torso."""

    normal_velocities = False

    def healthy(self, qpos, qvel):
        """Say whether a state, given as lists, is within all bounds."""
        env = self.env
        low, high = env._healthy_z_range
        least, most = env._healthy_angle_range
        return bool(low < qpos[1] < high and least < qpos[2] < most)

    def step(self, action):
        """Take a step; see `Task.step`."""
        forward = self.forward(action)
        # Python compares a few numbers faster than NumPy does.
        qpos, qvel = self.qpos.tolist(), self.qvel.tolist()
        healthy = self.healthy(qpos, qvel)
        reward = forward + self.alive(healthy) - self.control_cost(action)
        return self._clipped(qvel), reward, self.ends(healthy)

    def observe(self):
        """Make the observation of the present state, a new array."""
        return self._clipped(self.qvel.tolist())

    def _clipped(self, qvel):
        obs = super().observe()
        # With a nan that comes first both are False, one that comes later hides nothing.
        if not (min(qvel) >= -FASTEST and max(qvel) <= FASTEST):
            velocities = obs[self._n_positions :]
            numpy.clip(velocities, -FASTEST, FASTEST, out=velocities)
        return obs


class Hopper(Walker2d):
    """Healthy while upright and while all other numbers of the state are within bounds."""

    def healthy(self, qpos, qvel):
        """Say whether a state, given as lists, is within all bounds."""
        if not super().healthy(qpos, qvel):
            return False
        low, high = self.env._healthy_state_range
        # Not min and max, which overlook a nan that does not come first.
        return all([low < x < high for x in qpos[2:] + qvel])  # noqa: C419 (faster)
