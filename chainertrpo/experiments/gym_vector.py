"""Vectors of environments of gymnasium, with the interface of ChainerRL's `VectorEnv`."""

from chainertrpo.data.spaces import MASK, Space, columns_of, element
from chainertrpo.experiments.packages import BadEnvironmentError
from chainertrpo.experiments.seeing import check_spaces, seen_of

import numpy


class GymVectorEnv:
    """gymnasium's ``SyncVectorEnv`` and ``AsyncVectorEnv``, or what resets itself at once.

    Such vectors begin new episodes by themselves.  With ``NEXT_STEP`` the step after an end
    is none: its action is ignored, its reward 0.  An agent that learned from it would
    credit the last state of an episode with the first of another, so it is not taken: what
    ended is reset in its place.  With ``SAME_STEP`` the last observation is in
    ``info["final_obs"]``, and is given as what followed the action.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv
        Of gymnasium 1.1 or newer.

    Raises
    ------
    BadEnvironmentError
        Nothing can be learned there, or its environments cannot be reset one by one.
    """

    def __init__(self, env):
        self.env, self.num_envs = env, env.num_envs
        self.observation_space = env.single_observation_space
        self.action_space = env.single_action_space
        self._seen, self._actions = check_spaces(self), Space.of(self.action_space)
        continuous = self._actions.is_continuous
        self._bounds = self._actions.action_bounds if continuous else None
        self._mask_is_seen = MASK in (
            getattr(self.observation_space, "spaces", ()) or ()
        )
        mode = getattr(env.metadata.get("autoreset_mode"), "name", None)
        kinds = {cls.__name__ for cls in type(env.unwrapped).__mro__}
        self._fresh = [None] * self.num_envs if mode == "SAME_STEP" else None
        self._one_by_one = mode and kinds & {"SyncVectorEnv", "AsyncVectorEnv"}
        if mode != "SAME_STEP" and not self._one_by_one:
            raise BadEnvironmentError(
                f"expected environments that can be reset one by one, got {env}. Make "
                "them with gymnasium.make_vec(..., vectorization_mode='sync') of "
                "gymnasium 1.1 or newer."
            )
        self._seed, self.last_obs = None, [None] * self.num_envs

    @property
    def envs(self):
        """Its environments, for evaluations, which share out whole episodes."""  # noqa: DOC501
        if self.env is not self.env.unwrapped or not hasattr(self.env, "envs"):
            raise BadEnvironmentError(
                f"expected one environment or a SyncVectorEnv to evaluate in, got "
                f"{self.env}, whose environments are elsewhere or wrapped together."
            )
        return list(self.env.envs)

    def seed(self, seed):
        """Seed the next `reset`: environment i by seed + i."""
        self._seed = seed

    def reset(self, mask=None):
        """Start new episodes.

        Parameters
        ----------
        mask : sequence of bool, optional
            True where the running episode goes on; by default nowhere.

        Returns
        -------
        list of array
            The current observations.
        """
        ended = [i for i in range(self.num_envs) if mask is None or not mask[i]]
        if mask is None:
            found = self.env.reset(seed=self._seed)
            self._seed = None
        else:
            if self._fresh is not None:
                for i in ended:
                    if self._fresh[i] is not None:
                        self.last_obs[i], self._fresh[i] = self._fresh[i], None
                        mask = [*mask[:i], True, *mask[i + 1 :]]
                ended = [i for i in ended if not mask[i]]
            if not ended:
                return list(self.last_obs)
            found = self.env.reset(options={"reset_mask": ~numpy.array(mask, bool)})
        for i in ended:
            self.last_obs[i] = self._observed(*found, i)
        return list(self.last_obs)

    def step(self, actions):
        """Take a step in each.

        Parameters
        ----------
        actions : sequence
            One an environment, the agent's (see `Space`); clipped to the bounds of a Box.

        Returns
        -------
        obs, rewards, dones, infos : tuple of lists
            As `Env.step`.
        """
        if self._bounds is not None:
            actions = numpy.clip(actions, *self._bounds)
        given = columns_of([self._actions.decode(a) for a in actions])
        obs, rewards, dones, cuts, info = self.env.step(given)
        infos = []
        for i, (done, cut) in enumerate(zip(dones, cuts)):
            infos.append({"needs_reset": bool(cut and not done)})
            if not (done or cut):
                self.last_obs[i] = self._observed(obs, info, i)
            elif self._fresh is None:
                self.last_obs[i] = self._seen.features(element(obs, i))
            else:
                self._fresh[i] = self._observed(obs, info, i)
                self.last_obs[i] = self._seen.features(info["final_obs"][i])
        rewards = [float(x) for x in rewards]
        return list(self.last_obs), rewards, [bool(x) for x in dones], infos

    def _observed(self, obs, info, i):
        one = element(obs, i)
        where, at = (one, MASK) if self._mask_is_seen else (info.get(MASK), i)
        mask = None if where is None else where[at]
        return seen_of(self._seen, self._actions, one, mask, self.env)

    def close(self):
        """Close all."""
        self.env.close()
