"""The agents by name: constructors that choose values, and no other method."""

import functools
import inspect

from chainertrpo.agents.on_policy import OnPolicyAgent, environment_rewards
from chainertrpo.updates import Backtrack, NaturalStep, ValueFit


def _one_spelling(**spelled):
    """Refuse a call that gives a setting both by itself and within a whole.

    ``_one_spelling(improve=("max_kl",))`` makes ``f(max_kl=…, improve=…)`` a TypeError.
    """

    def decorate(init):
        signature = inspect.signature(init)

        @functools.wraps(init)
        def checked(self, *args, **kwargs):
            given = signature.bind(self, *args, **kwargs).arguments
            for whole, parts in spelled.items():
                both = [part for part in parts if part in given]
                if both and given.get(whole) is not None:
                    raise TypeError(
                        f"{', '.join(both)} and {whole} both say the same setting. Give "
                        f"it inside {whole}, or leave {whole} out."
                    )
            return init(self, *args, **kwargs)

        return checked

    return decorate


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
        Must be False.
    max_recurrent_sequence_len : None
        Must be None.
    line_search_max_backtrack : int
        Halvings after the full step.
    conjugate_gradient_max_iter : int
        Iterations of conjugate gradient.
    conjugate_gradient_damping : float
        λ ≥ 0.
    act_deterministically, value_stats_window, entropy_stats_window, kl_stats_window
        As in `OnPolicyAgent`.
    policy_step_size_stats_window, logger, seed, rewards
        As in `OnPolicyAgent`.
    improve : NaturalStep, optional
        Instead of entropy_coef, max_kl, line_search_… and conjugate_gradient_….
    fit : ValueFit, optional
        Instead of vf_epochs and vf_batch_size.
    curvature : str
        ``hessian`` (double backprop) or ``gauss_newton``; the products are equal.
    """

    @_one_spelling(
        improve=(
            "entropy_coef",
            "max_kl",
            "line_search_max_backtrack",
            "conjugate_gradient_max_iter",
            "conjugate_gradient_damping",
            "curvature",
        ),
        fit=("vf_epochs", "vf_batch_size"),
    )
    def __init__(
        self,
        policy,
        vf,
        vf_optimizer,
        obs_normalizer=None,
        gamma=0.99,
        lambd=0.95,
        phi=None,
        entropy_coef=0.01,
        update_interval=2048,
        max_kl=0.01,
        vf_epochs=3,
        vf_batch_size=64,
        standardize_advantages=True,
        batch_states=None,
        recurrent=False,
        max_recurrent_sequence_len=None,
        line_search_max_backtrack=10,
        conjugate_gradient_max_iter=10,
        conjugate_gradient_damping=1e-2,
        act_deterministically=False,
        value_stats_window=1000,
        entropy_stats_window=1000,
        kl_stats_window=100,
        policy_step_size_stats_window=100,
        logger=None,
        *,
        improve=None,
        fit=None,
        rewards=environment_rewards,
        curvature="hessian",
        seed=None,
    ):
        if (
            batch_states is not None
            or recurrent
            or max_recurrent_sequence_len is not None
        ):
            raise ValueError(
                "expected batch_states=None, recurrent=False and "
                "max_recurrent_sequence_len=None: recurrent policies are not supported, "
                "and observations are batched as arrays. Transform them with phi."
            )
        super().__init__(
            policy,
            vf,
            vf_optimizer,
            improve=improve
            or NaturalStep(
                max_kl=max_kl,
                cg_iterations=conjugate_gradient_max_iter,
                damping=conjugate_gradient_damping,
                entropy_coef=entropy_coef,
                curvature=curvature,
                search=Backtrack(n_tries=line_search_max_backtrack + 1),
            ),
            fit=fit or ValueFit(vf_epochs, vf_batch_size),
            rewards=rewards,
            obs_normalizer=obs_normalizer,
            gamma=gamma,
            lambd=lambd,
            phi=phi,
            update_interval=update_interval,
            standardize_advantages=standardize_advantages,
            act_deterministically=act_deterministically,
            value_stats_window=value_stats_window,
            entropy_stats_window=entropy_stats_window,
            kl_stats_window=kl_stats_window,
            policy_step_size_stats_window=policy_step_size_stats_window,
            logger=logger,
            seed=seed,
        )
