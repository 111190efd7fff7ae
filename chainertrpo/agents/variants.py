"""The agents by name: constructors that choose values, and no other method."""

from __future__ import annotations

import logging
import typing

from chainertrpo._renamed import renamed_arguments
from chainertrpo.agents.checks import check_recurrent
from chainertrpo.agents.on_policy import OnPolicyAgent
from chainertrpo.agents.rewards import environment_rewards
from chainertrpo.agents.spelling import Setting, exclusive_args
from chainertrpo.agents.statistics import Statistics
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    GradientStep,
    NaturalStep,
    Surrogate,
    TrustRegion,
    ValueFit,
)

if typing.TYPE_CHECKING:
    from chainertrpo.agents.batching import Estimation
    from chainertrpo.policies import EmpiricalNormalization


class TRPO(OnPolicyAgent):
    """Trust Region Policy Optimization with a separate value network.

    maximise E[π_θ/π_old · A] + c·E[H] subject to E[KL(π_old ‖ π_θ)] ≤ δ, by a natural
    step and a line search (Schulman et al. 2015, arXiv:1502.05477) with generalised
    advantages (Schulman et al. 2016, arXiv:1506.02438).  Names, order, defaults and
    statistics are those of ``chainerrl.agents.TRPO`` 0.8.

    Parameters
    ----------
    policy, vf, vf_optimizer, obs_normalizer, gamma, lambd, phi
        As in `OnPolicyAgent`.
    entropy_coef : float
        c ≥ 0.
    update_interval : int
        Steps an iteration.
    max_kl : float
        δ > 0, nats.
    vf_epochs, vf_batch_size : int
        Of the value fit.
    standardize_advantages : bool
        As in `OnPolicyAgent`.
    batch_states : None
        ChainerRL's place for a function that batches states; use `phi`.
    recurrent : bool
        True: the policy must have memory.  What counts is the policy.
    max_recurrent_sequence_len : int, optional
        With memory: the step's ``piece_length``.
    line_search_max_backtrack : int
        Halvings after the full step.
    conjugate_gradient_max_iter : int
        Iterations of conjugate gradient.
    conjugate_gradient_damping : float
        λ ≥ 0.
    act_deterministically, logger, seed, rewards, estimation
        As in `OnPolicyAgent`.
    value_stats_window, entropy_stats_window, kl_stats_window : int
        Over how many values the averages of `get_statistics` run.
    policy_step_size_stats_window : int
        Likewise.
    policy_step : NaturalStep, optional
        Instead of ``entropy_coef``, ``max_kl``, ``line_search_…`` and
        ``conjugate_gradient_…``.
    value_step : ValueFit, optional
        Instead of vf_epochs and vf_batch_size.
    curvature : str
        ``hessian`` (double backprop) or ``gauss_newton``; the products are equal.
    """

    saved_attributes = ("policy", "vf", "vf_optimizer", "obs_normalizer")
    max_kl = Setting("region.max_kl")
    entropy_coef = Setting("objective.entropy_coef")
    conjugate_gradient_max_iter = Setting("solver.iterations")
    conjugate_gradient_damping = Setting("curvature.damping")

    @renamed_arguments(improve="policy_step", fit="value_step")
    @exclusive_args(
        policy_step=(
            "entropy_coef",
            "max_kl",
            "line_search_max_backtrack",
            "conjugate_gradient_max_iter",
            "conjugate_gradient_damping",
            "curvature",
            "max_recurrent_sequence_len",
        ),
        value_step=("vf_epochs", "vf_batch_size"),
    )
    def __init__(
        self,
        policy: typing.Any,
        vf: typing.Any,
        vf_optimizer: typing.Any,
        obs_normalizer: EmpiricalNormalization | None = None,
        gamma: float = 0.99,
        lambd: float = 0.95,
        phi: typing.Callable | None = None,
        entropy_coef: float = 0.01,
        update_interval: int = 2048,
        max_kl: float = 0.01,
        vf_epochs: int = 3,
        vf_batch_size: int = 64,
        standardize_advantages: bool = True,
        batch_states: typing.Any = None,
        recurrent: bool = False,
        max_recurrent_sequence_len: int | None = None,
        line_search_max_backtrack: int = 10,
        conjugate_gradient_max_iter: int = 10,
        conjugate_gradient_damping: float = 1e-2,
        act_deterministically: bool = False,
        value_stats_window: int = 1000,
        entropy_stats_window: int = 1000,
        kl_stats_window: int = 100,
        policy_step_size_stats_window: int = 100,
        logger: logging.Logger | None = None,
        *,
        policy_step: typing.Any = None,
        value_step: typing.Any = None,
        rewards: typing.Any = environment_rewards,
        estimation: Estimation | None = None,
        curvature: str = "hessian",
        seed: int | None = None,
    ) -> None:
        check_recurrent(policy, batch_states, recurrent, max_recurrent_sequence_len)
        super().__init__(
            policy,
            vf,
            vf_optimizer,
            policy_step=policy_step
            or NaturalStep(
                objective=Surrogate(entropy_coef),
                curvature=Curvature(curvature, conjugate_gradient_damping),
                solver=CG(conjugate_gradient_max_iter),
                region=TrustRegion(max_kl),
                search=Backtrack(n_tries=line_search_max_backtrack + 1),
                piece_length=max_recurrent_sequence_len,
            ),
            value_step=value_step
            or ValueFit(
                vf_epochs, vf_batch_size, piece_length=max_recurrent_sequence_len
            ),
            rewards=rewards,
            obs_normalizer=obs_normalizer,
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
                    "average_kl": kl_stats_window,
                    "average_policy_step_size": policy_step_size_stats_window,
                }
            ),
            logger=logger,
            seed=seed,
        )


class NPG(OnPolicyAgent):
    """Natural policy gradient: the step of TRPO without its search.

    θ + √(2δ / xᵀFx) x with Fx = ∇L (Kakade 2001; Peters and Schaal 2008 with a fixed step
    size: a `NaturalStep` of ``TrustRegion(step_size=0.1)`` and no search).  Constructor:
    `OnPolicyAgent`.
    """

    POLICY_STEP = NaturalStep(search=None)


class NaturalActorCritic(OnPolicyAgent):
    """Natural Actor-Critic: the step is the weights of a critic linear in ∇log π.

    w minimises E[(wᵀ∇log π − A)²]; θ + √(2δ / wᵀFw) w, or θ + αw with
    a `NaturalStep` of ``Curvature("scores")`` and ``TrustRegion(step_size=α)`` (Peters and
    Schaal 2008; see `chainertrpo.updates.compatible`).  Constructor: `OnPolicyAgent`.
    """

    POLICY_STEP = NaturalStep(curvature=Curvature("scores"), search=None)


class PenaltyTRPO(OnPolicyAgent):
    """TRPO with a penalty for a constraint: L(θ) − β·E[KL(π_old ‖ π_θ)] by an optimiser.

    β adapts to a target divergence, or is fixed: ``policy_step=GradientStep(beta=1.0)``
    (Schulman et al. 2017, section 4).  Constructor: `OnPolicyAgent`, with ``optimizer=``
    set up with the policy.
    """

    POLICY_STEP = GradientStep(beta=1.0, target_kl=0.01)
    beta, target_kl = Setting("beta"), Setting("target_kl")


class PolicyGradient(OnPolicyAgent):
    """Plain policy gradient: one step of an optimiser along E[∇log π · A].

    (Williams 1992; Sutton et al. 2000.)  Constructor: `OnPolicyAgent`, with ``optimizer=``
    set up with the policy.  ``policy_step=GradientStep(clip_eps=0.2)`` makes it PPO whose
    values are fitted apart, by `ValueFit` (Spinning Up).
    """

    POLICY_STEP = GradientStep(epochs=1, batch_size=None)
