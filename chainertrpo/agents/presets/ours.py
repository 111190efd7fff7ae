"""Settings of our own: many small natural steps from a batch, solved in sample space."""

from chainertrpo.agents.presets.trpo import vary

_NETWORK = {"hidden_sizes": [256, 256], "scaled": True}

OUR_PRESETS = {
    # One long step is as good as its quadratic model; many short ones see the batch anew.
    "minibatch-trpo": vary(
        "chainerrl-reproduction",
        "32 steps a batch, each exact by Woodbury's identity as in RAT (2026), Ren and "
        "Goldfarb (2019) and minSR (2024); KL held near a target",
        differs="",
        env={"clip_actions": True},
        agent={"update_interval": 8192, "gamma": 0.99, "lambd": 0.95},
        policy_step={
            "objective": {"max_ratio": 10.0},
            "curvature": {"kind": "scores", "damping": 0.1},
            "solver": {"kind": "gram"},
            "region": {"max_kl": 0.001},
            "search": None,
            "schedule": {
                "kind": "minibatches",
                "epochs": 4,
                "rows": 1024,
                "target_kl": 0.03,
            },
        },
        policy=_NETWORK,
        vf=_NETWORK,
    ),
}
