"""PPO with ChainerRL's constructor: one model, one optimiser."""

from __future__ import annotations

import logging
import typing

from chainertrpo import _compat
from chainertrpo._renamed import renamed_arguments
from chainertrpo.agents.checks import check_recurrent
from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.rewards import environment_rewards
from chainertrpo.agents.spelling import Setting, exclusive_args
from chainertrpo.agents.statistics import Statistics
from chainertrpo.policies import halves
from chainertrpo.updates import GradientStep

if typing.TYPE_CHECKING:
    from chainertrpo.agents.batching import Estimation
    from chainertrpo.policies import EmpiricalNormalization


class PPO(OnPolicyAgent):
    """Proximal Policy Optimization: the clipped surrogate by minibatch gradient steps.

    minimise −E[min(r·A, clip(r, 1 ± ε)·A)] + c_V·E[(V − target)²] − c·E[H] (Schulman et
    al. 2017, arXiv:1707.06347, eq. 9).  Names, order, defaults and statistics are those of
    ``chainerrl.agents.PPO`` 0.8: one model gives policy and values, one optimiser moves
    both.

    Parameters
    ----------
    model : chainer.Link
        Observations -> (distribution, values): `ActorCritic`, or a model of ChainerRL.
    optimizer : chainer.Optimizer
        Set up with `model`.
    obs_normalizer : EmpiricalNormalization, optional
        As in `OnPolicyAgent`.
    gpu : int, optional
        Move the model to this CUDA device; None or negative leaves it where it is.
    gamma, lambd, phi
        As in `OnPolicyAgent`.
    value_func_coef : float
        c_V ≥ 0.
    entropy_coef : float
        c ≥ 0.
    update_interval : int
        Steps an iteration.
    minibatch_size, epochs : int
        Rows a minibatch, and passes over the batch.
    clip_eps : float
        ε > 0.
    clip_eps_vf : float, optional
        Of the clipped value loss, in units of return; None does not clip.
    standardize_advantages : bool
        As in `OnPolicyAgent`.
    batch_states : None
        ChainerRL's place for a function that batches states; use `phi`.
    recurrent : bool
        True: the policy must have memory.  What counts is the policy.
    max_recurrent_sequence_len : int, optional
        With memory: the step's ``piece_length``.
    act_deterministically, logger, seed, rewards, estimation
        As in `OnPolicyAgent`.
    value_stats_window, entropy_stats_window, value_loss_stats_window : int
        Over how many values the averages of `get_statistics` run.
    policy_loss_stats_window : int
        Likewise.
    policy_step : GradientStep, optional
        Instead of value_func_coef, entropy_coef, minibatch_size, epochs and clip_eps….
    """

    POLICY_STEP = GradientStep(clip_eps=0.2, entropy_coef=0.01)
    saved_attributes = ("model", "optimizer", "obs_normalizer")
    clip_eps, clip_eps_vf = Setting("clip_eps"), Setting("clip_eps_vf")
    entropy_coef, value_func_coef = Setting("entropy_coef"), Setting("value_coef")
    epochs, minibatch_size = Setting("epochs"), Setting("batch_size")

    @renamed_arguments(improve="policy_step")
    @exclusive_args(
        policy_step=(
            "value_func_coef",
            "entropy_coef",
            "minibatch_size",
            "epochs",
            "clip_eps",
            "clip_eps_vf",
            "max_recurrent_sequence_len",
        )
    )
    def __init__(
        self,
        model: typing.Any,
        optimizer: typing.Any,
        obs_normalizer: EmpiricalNormalization | None = None,
        gpu: int | None = None,
        gamma: float = 0.99,
        lambd: float = 0.95,
        phi: typing.Callable | None = None,
        value_func_coef: float = 1.0,
        entropy_coef: float = 0.01,
        update_interval: int = 2048,
        minibatch_size: int = 64,
        epochs: int = 10,
        clip_eps: float = 0.2,
        clip_eps_vf: float | None = None,
        standardize_advantages: bool = True,
        batch_states: typing.Any = None,
        recurrent: bool = False,
        max_recurrent_sequence_len: int | None = None,
        act_deterministically: bool = False,
        value_stats_window: int = 1000,
        entropy_stats_window: int = 1000,
        value_loss_stats_window: typing.Any = 100,
        policy_loss_stats_window: typing.Any = 100,
        *,
        policy_step: typing.Any = None,
        rewards: typing.Any = environment_rewards,
        estimation: Estimation | None = None,
        logger: logging.Logger | None = None,
        seed: int | None = None,
    ) -> None:
        check_recurrent(model, batch_states, recurrent, max_recurrent_sequence_len)
        if gpu is not None and gpu >= 0:
            model.to_device(_compat.array_device(gpu))
        super().__init__(
            *halves(model),
            None,
            obs_normalizer,
            model=model,
            optimizer=optimizer,
            policy_step=policy_step
            or GradientStep(
                epochs=epochs,
                batch_size=minibatch_size,
                clip_eps=clip_eps,
                entropy_coef=entropy_coef,
                value_coef=value_func_coef,
                clip_eps_vf=clip_eps_vf,
                piece_length=max_recurrent_sequence_len,
            ),
            rewards=rewards,
            gamma=gamma,
            lambd=lambd,
            phi=phi,
            update_interval=update_interval,
            standardize_advantages=standardize_advantages,
            estimation=estimation,
            act_deterministically=act_deterministically,
            statistics=Statistics(
                {
                    "average_value": value_stats_window,
                    "average_entropy": entropy_stats_window,
                    "average_value_loss": value_loss_stats_window,
                    "average_policy_loss": policy_loss_stats_window,
                },
                count_updates=True,
            ),
            logger=logger,
            seed=seed,
        )
