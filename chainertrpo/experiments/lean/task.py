"""What the tasks share: gymnasium's own mjModel and mjData, and who steps them."""

import numpy

# Values of mjData that a step or a reset leaves behind, and later ones begin with.
STATE = ("time", "qpos", "qvel", "act", "ctrl", "qacc_warmstart")


class Task:
    """A MuJoCo task of gymnasium or gym, stepped without what training does not need.

    It acts on the `mjModel` and the `mjData` of the environment itself and remembers
    nothing from one step to the next, so steps of the environment and of this object can
    be mixed.  What an observation consists of is looked up once, weights and bounds at
    every step.

    Parameters
    ----------
    env : object
        The environment without wrappers.
    version : int
        4 or 5.
    dtype : numpy.dtype
        Of observations; the environment's are float64.
    """

    left_out = 1  # positions that an observation is without, where it is without any
    normal_velocities = False  # resets draw them from N(0, 1), not from U(-1, 1)

    def __init__(self, env, version, dtype=numpy.float32):
        import mujoco

        self._mujoco = mujoco
        self.env, self.version, self.dtype = env, version, dtype
        self.model, self.data, self._option = env.model, env.data, env.model.opt
        # Views: they follow the physics.
        self.qpos, self.qvel, self.ctrl = env.data.qpos, env.data.qvel, env.data.ctrl
        self._action_shape = self.ctrl.shape
        hidden = self.left_out * bool(env._exclude_current_positions_from_observation)
        self._parts = [self.qpos[hidden:], self.qvel, *self.parts()]
        self._size = sum(part.size for part in self._parts)
        self._n_positions = self._parts[0].size

    def parts(self):
        """Views of what an observation has after positions and velocities."""
        return []

    def observe(self):
        """Make the observation of the present state, a new array."""
        obs = numpy.empty(self._size, self.dtype)
        obs[: self._n_positions] = self._parts[0]
        obs[self._n_positions :] = self.qvel
        return obs

    def reset(self):
        """Begin an episode as the environment's reset does, without a seed.

        Returns
        -------
        array, shape (S,)
            The observation.
        """
        env, model, data = self.env, self.model, self.data
        self._mujoco.mj_resetData(model, data)
        scale, rng = env._reset_noise_scale, env.np_random
        qpos = env.init_qpos + rng.uniform(low=-scale, high=scale, size=model.nq)
        if self.normal_velocities:
            qvel = env.init_qvel + scale * rng.standard_normal(model.nv)
        else:
            qvel = env.init_qvel + rng.uniform(low=-scale, high=scale, size=model.nv)
        self.qpos[:], self.qvel[:] = qpos, qvel
        self._mujoco.mj_forward(model, data)
        return self.observe()

    def simulate(self, action):
        """Apply an action for `frame_skip` steps of the physics.

        Parameters
        ----------
        action : array, shape (A,)
            The action.

        Raises
        ------
        ValueError
            It has another shape.
        """
        if action.shape != self._action_shape:
            raise ValueError(
                f"expected actions of shape {self._action_shape}, got {action.shape}."
            )
        self.ctrl[:] = action
        self._mujoco.mj_step(self.model, self.data, self.env.frame_skip)

    def dt(self):
        """Seconds between two observations."""
        return self._option.timestep * self.env.frame_skip

    def control_cost(self, action):
        """Return w · ‖action‖², rounded as the environment rounds it."""
        # In the action's own precision: NumPy 2 keeps float32 here, NumPy 1 does not.
        return float(
            self.env._ctrl_cost_weight * numpy.add.reduce(numpy.square(action))
        )

    def alive(self, healthy):
        """Reward for being healthy; v4 pays it also for the step that ends an episode."""
        env = self.env
        if self.version == 4:
            healthy = float(healthy or env._terminate_when_unhealthy)
        return healthy * float(env._healthy_reward)

    def ends(self, healthy):
        """Say whether the state is terminal."""
        return not healthy and bool(self.env._terminate_when_unhealthy)

    def step(self, action):
        """Take a step.

        Parameters
        ----------
        action : array, shape (A,)
            As the environment would be given it.

        Returns
        -------
        obs : array, shape (S,)
            The observation, a new array.
        reward : float
            The reward.
        terminated : bool
            The state is terminal.
        """
        raise NotImplementedError
