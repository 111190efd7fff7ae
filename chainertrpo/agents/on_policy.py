"""The agent: ChainerRL's protocol over a path recorder, and one update in ten lines."""

from __future__ import annotations

import hashlib
import logging
import typing

from chainertrpo import ranks
from chainertrpo._renamed import renamed_arguments, renamed_attribute
from chainertrpo._threads import single_blas_thread
from chainertrpo.agents.acting import Actor, stack, unstack, with_mask
from chainertrpo.agents.batching import Estimation, make_batch, renormalized
from chainertrpo.agents.checks import (
    check_kinds,
    check_links,
    check_memory,
    check_settings,
)
from chainertrpo.agents.elsewhere import Elsewhere
from chainertrpo.agents.health import Health
from chainertrpo.agents.rewards import environment_rewards
from chainertrpo.agents.statistics import TRPO_WINDOWS, Statistics
from chainertrpo.agents.storage import (
    Scalar,
    arrays_of,
    check_finite,
    digest,
    fill,
    load_objects,
    save_objects,
)
from chainertrpo.data import PathRecorder
from chainertrpo.updates import NaturalStep, ValueFit, fitted_with_the_policy

import numpy

if typing.TYPE_CHECKING:
    from chainertrpo.data import Path
    from chainertrpo.policies import EmpiricalNormalization

ACTING = {"policy", "model", "obs_normalizer"}  # of an agent's files, those it acts by


class OnPolicyAgent(Elsewhere):
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
    vf_optimizer : chainer.Optimizer or None
        Set up with `vf`; a `ValueFit` needs it.
    obs_normalizer : EmpiricalNormalization, optional
        Moved to the host, where it is used.
    policy_step : NaturalStep, GradientStep or callable, optional
        (policy, batch, optimizer, rng) -> report; by default the class's `POLICY_STEP`.
    value_step : ValueFit, NaturalFit or callable, optional
        (vf, vf_optimizer, batch, rng) -> FitReport; by default ``ValueFit()``.
    optimizer : chainer.Optimizer, optional
        Set up with `policy`; a `GradientStep` needs it.
    model : chainer.Link, optional
        Gives distribution and values at once, as `policy` and `vf` do apart; then
        `policy_step` and `optimizer` are for it, and `value_step` has nothing to do.
    rewards : callable
        list of Path -> list of Path: whose rewards count.  If it has ``saved``,
        ``get_state``, ``set_state`` and ``get_statistics`` (see `Discriminator`), it is
        saved and reported with the agent.
    gamma, lambd : float
        Discount γ and GAE's λ, in [0, 1].
    phi : callable
        Observation -> features, before everything else.
    update_interval : int
        Steps after which `act_and_train` updates.
    standardize_advantages : bool
        Bring advantages to mean 0 and deviation 1 over the batch.
    estimation : Estimation, optional
        How advantages and value targets come about.
    act_deterministically : bool
        Whether `act` takes the most probable action.
    statistics : Statistics, optional
        What `get_statistics` averages, and over how many values; ChainerRL's for TRPO.
    logger : logging.Logger, optional
        By default this module's.
    seed : int, optional
        Of sampled actions and shuffling.  None draws one from NumPy's global generator,
        so that code which seeds that one (ChainerRL's ``set_random_seed``) is repeatable.
    """

    POLICY_STEP: typing.Any = NaturalStep()
    saved_attributes: tuple[str, ...] = (
        "policy",
        "vf",
        "vf_optimizer",
        "optimizer",
        "obs_normalizer",
    )

    improve = renamed_attribute("improve", "policy_step")
    fit = renamed_attribute("fit", "value_step")

    @renamed_arguments(improve="policy_step", fit="value_step")
    def __init__(
        self,
        policy: typing.Any,
        vf: typing.Any,
        vf_optimizer: typing.Any,
        obs_normalizer: EmpiricalNormalization | None = None,
        *,
        policy_step: typing.Any = None,
        value_step: typing.Any = None,
        optimizer: typing.Any = None,
        model: typing.Any = None,
        rewards: typing.Any = environment_rewards,
        gamma: float = 0.99,
        lambd: float = 0.95,
        phi: typing.Callable | None = None,
        update_interval: int = 2048,
        standardize_advantages: bool = True,
        estimation: Estimation | None = None,
        act_deterministically: bool = False,
        statistics: typing.Any = None,
        logger: logging.Logger | None = None,
        seed: int | None = None,
    ) -> None:
        self.policy_step = policy_step or self.POLICY_STEP
        apart = model is None
        self.value_step = value_step or (
            ValueFit() if apart else fitted_with_the_policy
        )
        self.model = policy if apart else model
        self.estimation = estimation or Estimation()
        check_kinds(
            policy,
            vf,
            model,
            obs_normalizer,
            self.estimation,
            policy_step=self.policy_step,
            value_step=self.value_step,
            rewards=rewards,
            phi=phi,
        )
        if apart:
            check_links(policy, vf)
        check_settings(
            gamma,
            lambd,
            update_interval,
            standardize_advantages=standardize_advantages,
            act_deterministically=act_deterministically,
        )
        for step, link, its_optimizer in (
            (self.value_step, vf, vf_optimizer),
            (self.policy_step, self.model, optimizer),
        ):
            if hasattr(step, "check"):
                step.check(link, its_optimizer)
        self.policy, self.vf, self.vf_optimizer = policy, vf, vf_optimizer
        self.optimizer = optimizer
        self.obs_normalizer = obs_normalizer
        if obs_normalizer is not None:
            obs_normalizer.to_device("@numpy")
        self.rewards = rewards
        self.gamma, self.lambd, self.phi = gamma, lambd, phi
        self.update_interval = update_interval
        self.standardize_advantages = standardize_advantages
        check_memory(policy, vf, self.model, self.policy_step, self.estimation)
        self.act_deterministically = act_deterministically
        self.logger = logger or logging.getLogger(__name__)
        if seed is None:
            seed = numpy.random.randint(2**31)  # noqa: NPY002 (so that it can be seeded)
        # Separate streams: evaluating more often does not change what is learned.
        self._streams = {
            name: numpy.random.default_rng(sequence)
            for name, sequence in zip(
                ("train", "eval", "fit"), numpy.random.SeedSequence(seed).spawn(3)
            )
        }
        self._statistics = statistics or Statistics(TRPO_WINDOWS)
        self._health = Health(self.logger)
        self._recorder = PathRecorder()
        self._last_obs = {}
        self.refresh()
        # Of episodes that are learned from, and of those that are not.
        self._carry, self._eval_carry = self._actor.carry(), self._actor.carry()
        self._carries = self._eval_carries = None  # of many environments
        self.n_updates = 0
        self.last_step = self.last_fit = None

    # Acting in one environment

    def act_and_train(self, obs, reward, mask=None):
        """Choose an action, learn from the reward of the one before.

        Parameters
        ----------
        obs : array-like, shape (S,), or MaskedObs
            s_t.
        reward : float
            r_{t−1}, which followed the previous action; ignored at an episode's start.
        mask : array of bool, shape (M,), optional
            What can be chosen in s_t, where `obs` does not say it.

        Returns
        -------
        array, shape (A,), or int
            a_t, not clipped to the action space.
        """
        obs = self._actor.features(with_mask(obs, mask))
        if self._recorder.waiting():
            self._recorder.observe(reward)
            self._last_obs[0] = obs
            self._update_if_ready()
        carry = self._carry
        before = carry.now
        action = self._actor.sample(obs, self._streams["train"], carry)
        self._recorder.act(obs, action, carry=before)
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
        self._carry.reset()
        if not self._recorder.waiting():
            return
        obs = self._actor.features(obs)
        self._recorder.observe(reward)
        self._recorder.close(obs, done)
        self._last_obs.pop(0, None)
        self._update_if_ready()

    def act(self, obs: typing.Any, mask: typing.Any = None) -> typing.Any:
        """Choose an action without learning.

        Parameters
        ----------
        obs : array-like, shape (S,), or MaskedObs
            An observation.
        mask : array of bool, shape (M,), optional
            What can be chosen there, where `obs` does not say it.

        Returns
        -------
        array, shape (A,), or int
            Sampled, or the most probable one with `act_deterministically`.
        """
        features = self._actor.features(with_mask(obs, mask))
        if self.act_deterministically:
            return self._actor.most_probable(features, self._eval_carry)
        return self._actor.sample(features, self._streams["eval"], self._eval_carry)

    def stop_episode(self):
        """End an episode of `act`: with memory it is forgotten."""
        self._eval_carry.reset()

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
        carry = self._carries = self._for_all(self._carries, len(batch_obs))
        before = carry.now
        actions = self._actor.sample_batch(obs, self._streams["train"], carry)
        for slot, pair in enumerate(zip(unstack(obs), actions)):
            own = None if before is None else before[slot]
            self._recorder.act(*pair, slot, own)
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
        obs = [self._actor.features(one) for one in batch_obs]
        for slot, reward in enumerate(batch_reward):
            self._recorder.observe(reward, slot)
            if batch_done[slot] or batch_reset[slot]:
                self._recorder.close(obs[slot], batch_done[slot], slot)
                self._last_obs.pop(slot, None)
            else:
                self._last_obs[slot] = obs[slot]
        if self._carries is not None:
            self._carries.reset(_over(batch_done, batch_reset))
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
        features = self._observations(batch_obs)
        carry = self._eval_carries = self._for_all(self._eval_carries, len(batch_obs))
        if self.act_deterministically:
            return self._actor.most_probable_batch(features, carry)
        return self._actor.sample_batch(features, self._streams["eval"], carry)

    def batch_observe(self, batch_obs, batch_reward, batch_done, batch_reset):
        """Follow `batch_act`: with memory the episodes that ended are forgotten.

        Parameters
        ----------
        batch_obs, batch_reward, batch_done, batch_reset : sequence
            As in `batch_observe_and_train`.
        """
        if self._eval_carries is not None:
            self._eval_carries.reset(_over(batch_done, batch_reset))

    # Learning

    @single_blas_thread()
    def update(
        self, paths: typing.Sequence[Path], improved: typing.Callable = lambda: None
    ) -> None:
        """Improve the policy and fit the value function on paths of the present policy.

        Parameters
        ----------
        paths : list of Path
            At least one step in all.  With several ranks (`chainertrpo.ranks`) those of
            this one; there may be none, but one path of no steps has to say what
            observations and actions are like.
        improved : callable
            Called without arguments as soon as `actor` is what it will be after the
            update: collection can go on while the value function is fitted.

        Raises
        ------
        ValueError
            There is no step in `paths`.
        """
        if not ranks.sum(sum(len(path.reward) for path in paths)):
            raise ValueError("expected paths with at least one step, got none.")
        paths = self.rewards(paths)
        batch, predictions = self.batch(paths)
        rng = self._streams["fit"]
        self.last_step = self.policy_step(self.model, batch, self.optimizer, rng)
        check_finite(self.model)
        self._health.look(
            self.policy, predictions.entropy, batch.action, self.last_step
        )
        improved()
        if self.obs_normalizer is not None and self.estimation.learns_after_step:
            batch = renormalized(batch, paths, self.obs_normalizer, self.vf.device)
        batch = batch.for_values()
        self.last_fit = self.value_step(self.vf, self.vf_optimizer, batch, rng)
        self.record(predictions, self.last_step, self.last_fit)

    def batch(self, paths):
        """Values, log-probabilities and advantages of paths: see `make_batch`.

        Parameters
        ----------
        paths : list of Path
            What was experienced.

        Returns
        -------
        Batch, Predictions
            The batch is on the policy's device.
        """
        return make_batch(
            paths,
            self.policy,
            self.vf,
            actor=self._actor,
            normalizer=self.obs_normalizer,
            gamma=self.gamma,
            lambd=self.lambd,
            standardize_advantages=self.standardize_advantages,
            estimation=self.estimation,
        )

    def record(self, predictions, step, fit):
        """Remember an update for `get_statistics`; steps and actor follow it.

        Parameters
        ----------
        predictions : Predictions
            Of the batch.
        step : StepReport or GradientReport
            Of the policy.
        fit : FitReport
            Of the value function.
        """
        self.n_updates += 1
        if hasattr(self.policy_step, "after"):
            self.policy_step = self.policy_step.after(step)
        self.refresh()
        self._statistics.add(predictions, step)
        self.logger.debug("update %d: %s, %s", self.n_updates, step, fit)

    def actor(self):
        """What this agent does with observations at this moment.

        Returns
        -------
        Actor
            In plain NumPy; it can be sent to another process.
        """
        return Actor(self.policy, self.obs_normalizer, self.phi, self.vf)

    def refresh(self):
        """Act by the parameters and statistics of this moment, after a change of either."""
        self._actor = self.actor()

    def get_statistics(self) -> list[tuple[str, float]]:
        """Averages over recent steps and updates, with ChainerRL's names.

        Returns
        -------
        list of (str, float)
            average_value, average_entropy (nats), average_kl (nats, accepted steps),
            average_policy_step_size (fraction of the full step, 0 if rejected),
            explained_variance (of the last update's value targets); nan before any.
            PPO's are average_value_loss, average_policy_loss and n_updates instead of KL
            and step size.
        """
        more = getattr(self.rewards, "get_statistics", list)
        return self._statistics.named() + more()

    # Files

    def save(self, dirname: str) -> None:
        """Write policy, value function, optimisers, normaliser and penalty to a folder.

        Parameters
        ----------
        dirname : str or os.PathLike
            Made if missing.
        """
        save_objects(dirname, self._saved())

    def load(self, dirname: str, to_act: bool = False) -> None:
        """Read what `save` wrote; on any error nothing is changed.

        Parameters
        ----------
        dirname : str or os.PathLike
            The folder.
        to_act : bool
            Read only the policy and the normaliser.  So an agent can act that was saved
            with a value function, optimisers or a discriminator which this one lacks.
        """
        objects = self._saved()
        load_objects(dirname, objects, only=ACTING if to_act else None)
        self._adopt(objects, () if to_act else self._adapted())

    def _adopt(self, objects, adapted):
        """Go on by what has been read into the things that are saved."""
        if adapted:
            found = {name: objects[name].value.item() for name in adapted}
            self.policy_step = self.policy_step.with_adapted(found)
        self.refresh()

    def digests(self):
        """Return the SHA-256 of each thing that has to be the same on all ranks, by name.

        Returns
        -------
        dict of str to str
            Of what `save` writes, and of the stream that shuffles rows.
        """
        objects = self._saved().items()
        shuffling = str(self._streams["fit"].bit_generator.state).encode()
        return {
            **{name: digest(arrays_of(x)) for name, x in objects},
            "shuffling": hashlib.sha256(shuffling).hexdigest(),
        }

    def agree(self):
        """Take over what rank 0 saves, and its state, on all ranks."""
        objects = self._saved()
        arrays = {name: arrays_of(x) for name, x in objects.items()}
        arrays, state = ranks.agreed((arrays, self.get_state()))
        fill(objects, arrays)
        self._adopt(objects, self._adapted())
        self.set_state(state)

    def get_state(self):
        """Return what goes on beside the files of `save`, as JSON.

        Returns
        -------
        dict
            Random streams, statistics and the number of updates; not running paths.
        """
        rewards = getattr(self.rewards, "get_state", dict)
        return {
            "rewards": rewards(),
            "streams": {k: rng.bit_generator.state for k, rng in self._streams.items()},
            "statistics": self._statistics.get_state(),
            "n_updates": self.n_updates,
        }

    def set_state(self, state):
        """Go on from a state.

        Parameters
        ----------
        state : dict
            Of `get_state`.
        """
        for name, rng in self._streams.items():
            rng.bit_generator.state = state["streams"][name]
        self._statistics.set_state(state["statistics"])
        self.n_updates = state["n_updates"]
        if hasattr(self.rewards, "set_state"):
            self.rewards.set_state(state["rewards"])

    def _saved(self):
        objects = {name: getattr(self, name) for name in self.saved_attributes}
        objects.update({k: Scalar(x) for k, x in self._adapted().items()})
        objects.update(getattr(self.rewards, "saved", dict)())
        return {name: x for name, x in objects.items() if x is not None}

    # Helpers

    def _adapted(self):
        """Numbers of the step that have adapted, by name."""
        return getattr(self.policy_step, "adapted", dict)()

    def _for_all(self, carry, count):
        """The hidden states of so many environments: those of before, or new ones."""
        known = carry is not None and (carry.now is None or len(carry.now) == count)
        return carry if known else self._actor.carry(count)

    def _observations(self, batch_obs):
        return stack([self._actor.features(obs) for obs in batch_obs])

    def _update_if_ready(self):
        if len(self._recorder) < self.update_interval:
            return
        for slot, obs in sorted(self._last_obs.items()):
            self._recorder.close(obs, False, slot)
        self._last_obs.clear()
        self.update(self._recorder.drain())


def _over(done, reset):
    """Which episodes have ended."""
    return numpy.logical_or(done, reset)
