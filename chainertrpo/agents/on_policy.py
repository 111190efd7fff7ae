"""The agent: ChainerRL's protocol over a path recorder, and one update in five lines."""

import collections
import logging
import os

from chainertrpo.agents.storage import load_objects, save_objects
from chainertrpo.data import (
    Batch,
    PathRecorder,
    as_observation,
    generalized_advantages,
    standardize,
)
from chainertrpo.policies import host_policy

import chainer
import numpy


def environment_rewards(paths):
    """The rewards of the environment, as they are: paths -> the same paths.

    Parameters
    ----------
    paths : list of Path
        What was experienced.

    Returns
    -------
    list of Path
        `paths`.
    """
    return paths


class OnPolicyAgent:
    """An on-policy actor-critic whose choices are values (see `agents.variants`).

    It has ChainerRL's protocol: `act_and_train`, `stop_episode_and_train`, `act`,
    `stop_episode`, their batch forms, `save`, `load` and `get_statistics`.  The same
    update is `update(paths)` for paths collected elsewhere.

    Parameters
    ----------
    policy : chainer.Link
        Observations (N, S) -> distribution with ChainerRL's six names.
    vf : chainer.Link
        Observations (N, S) -> values (N, 1); shares no parameter with `policy`.
    vf_optimizer : chainer.Optimizer
        Set up with `vf`.
    improve : callable
        (policy, batch) -> StepReport.
    fit : callable
        (vf, vf_optimizer, batch, rng) -> FitReport.
    rewards : callable
        list of Path -> list of Path: whose rewards count.
    obs_normalizer : EmpiricalNormalization, optional
        Moved to the host, where it is used.
    gamma, lambd : float
        Discount γ and GAE's λ, in [0, 1].
    phi : callable
        Observation -> features, before everything else.
    update_interval : int
        Steps after which `act_and_train` updates.
    standardize_advantages : bool
        Bring advantages to mean 0 and deviation 1 over the batch.
    act_deterministically : bool
        Whether `act` takes the most probable action.
    value_stats_window, entropy_stats_window, kl_stats_window : int
        Over how many values the averages of `get_statistics` run.
    policy_step_size_stats_window : int
        Likewise.
    logger : logging.Logger, optional
        By default this module's.
    seed : int, optional
        Of sampled actions and shuffling.  None draws one from NumPy's global generator,
        so that code which seeds that one (ChainerRL's ``set_random_seed``) is repeatable.
    """

    saved_attributes = ("policy", "vf", "vf_optimizer", "obs_normalizer")

    def __init__(
        self,
        policy,
        vf,
        vf_optimizer,
        *,
        improve,
        fit,
        rewards=environment_rewards,
        obs_normalizer=None,
        gamma=0.99,
        lambd=0.95,
        phi=None,
        update_interval=2048,
        standardize_advantages=True,
        act_deterministically=False,
        value_stats_window=1000,
        entropy_stats_window=1000,
        kl_stats_window=100,
        policy_step_size_stats_window=100,
        logger=None,
        seed=None,
    ):
        _check_links(policy, vf, vf_optimizer)
        _check_settings(gamma, lambd, update_interval)
        self.policy, self.vf, self.vf_optimizer = policy, vf, vf_optimizer
        self.obs_normalizer = obs_normalizer
        if obs_normalizer is not None:
            obs_normalizer.to_device("@numpy")
        self.improve, self.fit, self.rewards = improve, fit, rewards
        self.gamma, self.lambd, self.phi = gamma, lambd, phi
        self.update_interval = update_interval
        self.standardize_advantages = standardize_advantages
        self.act_deterministically = act_deterministically
        self.logger = logger or logging.getLogger(__name__)
        if seed is None:
            seed = numpy.random.randint(2**31)  # noqa: NPY002 (so that it can be seeded)
        streams = numpy.random.SeedSequence(seed).spawn(3)
        # Separate streams: evaluating more often does not change what is learned.
        self._train_rng, self._eval_rng, self._fit_rng = map(
            numpy.random.default_rng, streams
        )
        self._recorder = PathRecorder()
        self._host = host_policy(policy)
        self._last_obs = {}
        self._values = collections.deque(maxlen=value_stats_window)
        self._entropies = collections.deque(maxlen=entropy_stats_window)
        self._kls = collections.deque(maxlen=kl_stats_window)
        self._step_sizes = collections.deque(maxlen=policy_step_size_stats_window)
        self._explained_variance = numpy.nan
        self.n_updates = 0
        self.last_step = self.last_fit = None

    # Acting in one environment

    def act_and_train(self, obs, reward):
        """Choose an action, learn from the reward of the one before.

        Parameters
        ----------
        obs : array-like, shape (S,)
            s_t.
        reward : float
            r_{t−1}, which followed the previous action; ignored at an episode's start.

        Returns
        -------
        array, shape (A,), or int
            a_t, not clipped to the action space.
        """
        obs = self._observation(obs)
        if self._recorder.waiting():
            self._recorder.observe(reward)
            self._last_obs[0] = obs
            self._update_if_ready()
        action = self._choose(obs, self._train_rng)
        self._recorder.act(obs, action)
        return action

    def stop_episode_and_train(self, obs, reward, done=False):
        """Learn from the last reward of an episode.

        Parameters
        ----------
        obs : array-like, shape (S,)
            The last observation.
        reward : float
            The reward of the last action.
        done : bool
            `obs` is terminal; False if the episode is only cut.
        """
        if not self._recorder.waiting():
            return
        obs = self._observation(obs)
        self._recorder.observe(reward)
        self._recorder.close(obs, done)
        self._last_obs.pop(0, None)
        self._update_if_ready()

    def act(self, obs):
        """Choose an action without learning.

        Parameters
        ----------
        obs : array-like, shape (S,)
            An observation.

        Returns
        -------
        array, shape (A,), or int
            Sampled, or the most probable one with `act_deterministically`.
        """
        rng = None if self.act_deterministically else self._eval_rng
        return self._choose(self._observation(obs), rng)

    def stop_episode(self):
        """End an episode of `act`; there is nothing to forget."""

    # Acting in many environments

    def batch_act_and_train(self, batch_obs):
        """Choose an action in each environment.

        Parameters
        ----------
        batch_obs : sequence of array-like, shape (S,)
            One observation an environment.

        Returns
        -------
        array, shape (E, A) or (E,)
            Actions.
        """
        obs = self._observations(batch_obs)
        actions = self._choose(obs, self._train_rng)
        for slot, pair in enumerate(zip(obs, actions)):
            self._recorder.act(*pair, slot)
        return actions

    def batch_observe_and_train(self, batch_obs, batch_reward, batch_done, batch_reset):
        """Learn from what followed `batch_act_and_train`.

        Parameters
        ----------
        batch_obs : sequence of array-like, shape (S,)
            The next observations; where an episode ended, its last one.
        batch_reward : sequence of float
            Rewards.
        batch_done : sequence of bool
            The observation is terminal.
        batch_reset : sequence of bool
            The episode is cut there.
        """
        obs = self._observations(batch_obs)
        for slot, reward in enumerate(batch_reward):
            self._recorder.observe(reward, slot)
            if batch_done[slot] or batch_reset[slot]:
                self._recorder.close(obs[slot], batch_done[slot], slot)
                self._last_obs.pop(slot, None)
            else:
                self._last_obs[slot] = obs[slot]
        self._update_if_ready()

    def batch_act(self, batch_obs):
        """Choose an action in each environment without learning.

        Parameters
        ----------
        batch_obs : sequence of array-like, shape (S,)
            One observation an environment.

        Returns
        -------
        array, shape (E, A) or (E,)
            Actions.
        """
        rng = None if self.act_deterministically else self._eval_rng
        return self._choose(self._observations(batch_obs), rng)

    def batch_observe(self, batch_obs, batch_reward, batch_done, batch_reset):
        """Follow `batch_act`; there is nothing to remember.

        Parameters
        ----------
        batch_obs, batch_reward, batch_done, batch_reset : sequence
            As in `batch_observe_and_train`.
        """

    # Learning

    def update(self, paths):
        """Improve the policy and fit the value function on paths of the present policy.

        Parameters
        ----------
        paths : list of Path
            At least one step in all.

        Raises
        ------
        ValueError
            There is no step in `paths`.
        """
        if not sum(len(path.reward) for path in paths):
            raise ValueError("expected paths with at least one step, got none.")
        paths = self.rewards(paths)
        batch = self.batch(paths)
        self.last_step = self.improve(self.policy, batch)
        self.last_fit = self.fit(self.vf, self.vf_optimizer, batch, self._fit_rng)
        self.record(self.last_step, self.last_fit)

    def batch(self, paths):
        """Values, log-probabilities and advantages of paths: one trip to the device.

        As in ChainerRL, log π_old and V are those of the normaliser under which the
        actions were taken; then the normaliser learns from the batch, and the update
        sees observations under the new statistics.

        Parameters
        ----------
        paths : list of Path
            What was experienced.

        Returns
        -------
        Batch
            On the policy's device.

        Raises
        ------
        ValueError
            `vf` does not give one value a state.
        """
        raw = numpy.concatenate([path.obs for path in paths])
        lengths = [len(path.reward) for path in paths]
        ends = numpy.cumsum([n + 1 for n in lengths])
        taken = numpy.ones(len(raw), bool)
        taken[ends - 1] = False  # the last observation of a path has a value, no action
        send = self.policy.device.send
        action = send(numpy.concatenate([path.action for path in paths]))

        with chainer.no_backprop_mode(), chainer.using_config("train", False):
            obs = send(self._normalize(raw))
            value = _to_host(self.vf(obs)).reshape(-1)
            if len(value) != len(raw):
                raise ValueError(
                    f"expected one value a state from vf, got {len(value)} for "
                    f"{len(raw)} states. Its last layer must have one output."
                )
            dist = self.policy(obs[send(taken)])
            log_prob = dist.log_prob(action).array
            self._entropies.extend(_to_host(dist.entropy).tolist())

        advantage = numpy.concatenate(
            [
                generalized_advantages(
                    path.reward,
                    value[end - len(path.obs) : end],
                    path.terminal,
                    self.gamma,
                    self.lambd,
                )
                for path, end in zip(paths, ends)
            ]
        )
        value = value[taken]
        target = advantage + value
        self._values.extend(value.tolist())
        self._explained_variance = _explained_variance(value, target)
        if self.standardize_advantages:
            advantage = standardize(advantage)
        if self.obs_normalizer is None:
            obs = obs[send(taken)]
        else:
            self.obs_normalizer.experience(raw[taken])
            obs = send(self._normalize(raw[taken]))
        return Batch(
            obs,
            action,
            log_prob,
            send(advantage.astype(numpy.float32)),
            send(target.astype(numpy.float32)),
        )

    def record(self, step, fit):
        """Remember what an update did, for `get_statistics`, and act as it says.

        Parameters
        ----------
        step : StepReport
            Of the policy.
        fit : FitReport
            Of the value function.
        """
        self.n_updates += 1
        self._host = host_policy(self.policy)
        self._step_sizes.append(step.fraction)
        if step.accepted:
            self._kls.append(step.kl)
        self.logger.debug("update %d: %s, %s", self.n_updates, step, fit)

    def get_statistics(self):
        """Averages over recent steps and updates, with ChainerRL's names.

        Returns
        -------
        list of (str, float)
            average_value, average_entropy (nats), average_kl (nats, accepted steps),
            average_policy_step_size (fraction of the full step, 0 if rejected),
            explained_variance (of the last update's value targets); nan before any.
        """
        return [
            ("average_value", _mean(self._values)),
            ("average_entropy", _mean(self._entropies)),
            ("average_kl", _mean(self._kls)),
            ("average_policy_step_size", _mean(self._step_sizes)),
            ("explained_variance", self._explained_variance),
        ]

    # Files

    def save(self, dirname):
        """Write policy, value function, optimiser and normaliser to a folder.

        Parameters
        ----------
        dirname : str or os.PathLike
            Made if missing.
        """
        os.makedirs(dirname, exist_ok=True)
        save_objects(dirname, self._saved())

    def load(self, dirname):
        """Read what `save` wrote; on any error nothing is changed.

        Parameters
        ----------
        dirname : str or os.PathLike
            The folder.
        """
        load_objects(dirname, self._saved())
        self._host = host_policy(self.policy)

    def _saved(self):
        objects = {name: getattr(self, name) for name in self.saved_attributes}
        return {name: x for name, x in objects.items() if x is not None}

    # Helpers

    def _observation(self, obs):
        return as_observation(obs if self.phi is None else self.phi(obs))

    def _observations(self, batch_obs):
        return numpy.stack([self._observation(obs) for obs in batch_obs])

    def _normalize(self, obs):
        if self.obs_normalizer is None:
            return obs
        return chainer.as_array(self.obs_normalizer(obs, update=False))

    def _choose(self, obs, rng):
        obs = self._normalize(obs)
        if rng is None:
            return self._host.most_probable(obs)
        return self._host.sample(obs, rng)

    def _update_if_ready(self):
        if len(self._recorder) < self.update_interval:
            return
        for slot, obs in sorted(self._last_obs.items()):
            self._recorder.close(obs, False, slot)
        self._last_obs.clear()
        self.update(self._recorder.drain())


def _mean(values):
    return float(numpy.mean(values)) if values else numpy.nan


def _to_host(x):
    return chainer.backends.cuda.to_cpu(chainer.as_array(x))


def _explained_variance(value, target):
    variance = numpy.var(target)
    return float(1 - numpy.var(target - value) / variance) if variance else numpy.nan


def _check_settings(gamma, lambd, update_interval):
    if not (0 <= gamma <= 1 and 0 <= lambd <= 1):
        raise ValueError(
            f"expected gamma and lambd in [0, 1], got gamma={gamma}, lambd={lambd}."
        )
    if update_interval < 2:
        raise ValueError(
            f"expected update_interval >= 2, got {update_interval}; TRPO's batches have "
            "thousands of steps."
        )


def _check_links(policy, vf, vf_optimizer):
    if policy.device != vf.device:
        raise ValueError(
            f"expected policy and vf on one device, got policy on {policy.device} and vf "
            f"on {vf.device}. Call vf.to_device(policy.device)."
        )
    for what, link in (("policy", policy), ("vf", vf)):
        for name, param in link.namedparams():
            if param.array is not None and param.dtype not in ("float32", "float64"):
                raise TypeError(
                    f"expected float32 parameters, got {param.dtype} in {what}{name}. "
                    "Half precision cannot hold a KL divergence of 0.01: build the model "
                    "with chainer.config.dtype = numpy.float32."
                )
    shared = {id(p) for p in policy.params()} & {id(p) for p in vf.params()}
    if shared:
        raise ValueError(
            f"expected separate networks, but policy and vf share {len(shared)} "
            "parameters. The natural step and the optimiser would move them both ways: "
            "build vf as its own link."
        )
    target = getattr(vf_optimizer, "target", None)
    if target is not vf:
        raise ValueError(
            "expected vf_optimizer to be set up with vf, got one "
            + ("without a target" if target is None else "set up with another link")
            + ". Call vf_optimizer.setup(vf)."
        )
