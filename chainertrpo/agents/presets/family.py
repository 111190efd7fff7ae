"""The variants of TRPO, each otherwise with the settings of ChainerRL's reproduction."""

from chainertrpo.agents.presets.trpo import TRPO_PRESETS, vary

_REPRODUCTION = TRPO_PRESETS["chainerrl-reproduction"]

FAMILY_PRESETS = {
    "npg": vary(
        "chainerrl-reproduction",
        "Kakade 2001: no search",
        algorithm="NPG",
        policy_step={"search": None},
    ),
    "nac": vary(
        "chainerrl-reproduction",
        "Peters and Schaal 2008: a compatible critic",
        algorithm="NaturalActorCritic",
        policy_step={"curvature": {"kind": "scores"}, "search": None},
    ),
    "trpo-max-kl": vary(
        "chainerrl-reproduction",
        "Schulman et al. 2015, section 4: the largest divergence is bounded",
        policy_step={"region": {"over": "max", "max_kl": 0.1}},
    ),
    "trpo-natural-vf": vary(
        "chainerrl-reproduction",
        "Schulman et al. 2016, section 5: values within a trust region",
        # In units of returns, so that the damping weighs the same whatever they are; five
        # steps, as the regression that this replaces makes five passes.
        value_step={
            "kind": "natural",
            "curvature": {"damping": 0.1, "kind": "gauss_newton"},
            "schedule": {"n": 5},
        },
        vf={"scaled": True},
        vf_optimizer=None,
    ),
    "trpo-repeated": vary(
        "chainerrl-reproduction",
        "three smaller steps from one batch",
        policy_step={"schedule": {"n": 3}, "region": {"max_kl": 0.003}},
    ),
    "policy-gradient": {
        **_REPRODUCTION,
        "source": "Williams 1992; one step of Adam a batch",
        "algorithm": "PolicyGradient",
        "policy_step": {"epochs": 1, "batch_size": None},
        "optimizer": {"alpha": 1e-2},
    },
    "penalty-trpo": {
        **_REPRODUCTION,
        "source": "Schulman et al. 2017, section 4: an adapted penalty",
        "algorithm": "PenaltyTRPO",
        "policy_step": {"epochs": 10, "batch_size": 64, "beta": 1.0, "target_kl": 0.01},
        "optimizer": {"alpha": 3e-4},
    },
    "penalty-trpo-fixed": {
        **_REPRODUCTION,
        "source": "Schulman et al. 2015, section 4: a fixed penalty",
        "algorithm": "PenaltyTRPO",
        "policy_step": {"epochs": 10, "batch_size": 64, "beta": 3.0},
        "optimizer": {"alpha": 3e-4},
    },
}
