"""Settings of historical TRPO and NPG implementations, as data.

``source`` says where they were read, ``differs`` what of that program is not in them.
docs/quirks.md explains the odd ones.
"""

from chainertrpo.updates.spelling import merged

ROOT2 = 2**0.5
# PyTorch's Linear draws from ±1/√fan_in, which is this part of LeCun's uniform.
TORCH = {"init": "lecun_uniform", "hidden_scale": 3**-0.5}
ADAM = {"alpha": 1e-3}
# Of PyTorch's Adam ε is another number: see CorrectedEps.
TORCH_ADAM = {"corrected_eps": True}
TIME_LIMIT = "a time limit ended an episode for good; "
# An environment saw actions unclipped.
UNCLIPPED = {"clip_actions": False}
EVERY_STEP = "the normaliser learned at every step; "

_EXAMPLE_AGENT = {"update_interval": 5000, "gamma": 0.995, "lambd": 0.97}
_EXAMPLE_STEP = {
    "region": {"max_kl": 0.01},
    "solver": {"iterations": 20},
    "curvature": {"damping": 0.1},
}
_EXAMPLE_NET = {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2}
_ORTHOGONAL = {"init": "orthogonal", "hidden_scale": 1.0, "last_scale": 1e-2}
# Half of xᵀAx/δ had 1e-8 added: to xᵀAx that is 2δ times as much.
_HO_ERMON_STEP = {
    "region": {"max_kl": 0.01, "eps": 2e-10},
    "solver": {"iterations": 10, "rtol": 1e-5},
    "curvature": {"damping": 0.1, "stride": 10},
    "search": {
        "shrink": 0.5,
        "n_tries": 10,
        "kl_slack": 2.0,
        "min_ratio": 0.1,
        "on_failure": "smallest",
    },
}

TRPO_PRESETS = {
    "chainerrl-reproduction": {
        "source": "ChainerRL 0.8, examples/mujoco/reproduction/trpo/train_trpo.py",
        "differs": TIME_LIMIT,
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": _EXAMPLE_AGENT,
        "policy_step": _EXAMPLE_STEP,
        "value_step": {"epochs": 5, "batch_size": 64},
        "policy": _ORTHOGONAL,
        "vf": {**_ORTHOGONAL, "last_scale": 1.0},
        "vf_optimizer": ADAM,
        "obs_normalizer": {"clip_threshold": 5},
    },
    "chainerrl-example": {
        "source": "ChainerRL 0.8, examples/mujoco/train_trpo_gym.py",
        "differs": TIME_LIMIT,
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": _EXAMPLE_AGENT,
        "policy_step": _EXAMPLE_STEP,
        "value_step": {"epochs": 5, "batch_size": 64},
        "policy": _EXAMPLE_NET,
        "vf": _EXAMPLE_NET,
        "vf_optimizer": ADAM,
        "obs_normalizer": {},
    },
    "chainerrl-class": {
        "source": "ChainerRL 0.8, the defaults of chainerrl.agents.TRPO itself",
        "algorithm": "TRPO",
        "policy_step": {"objective": {"entropy_coef": 0.01}},
        "policy": _EXAMPLE_NET,
        "vf": _EXAMPLE_NET,
        "vf_optimizer": ADAM,
    },
    "chainerrl-2018": {
        "source": "muupan/chainerrl, branch trpo, examples/gym/train_trpo_gym.py with 400 "
        "hidden units: the founding run on Humanoid",
        "differs": TIME_LIMIT,
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": _EXAMPLE_AGENT,
        "policy_step": _EXAMPLE_STEP,
        "value_step": {"epochs": 5, "batch_size": 64},
        "estimation": {"normalizer_learns": "before_log_prob"},
        "policy": {**_EXAMPLE_NET, "hidden_sizes": [400, 400]},
        "vf": {**_EXAMPLE_NET, "hidden_sizes": [400, 400]},
        "vf_optimizer": ADAM,
        "obs_normalizer": {},
    },
    "pfrl": {
        "source": "PFRL, examples/mujoco/reproduction/trpo/train_trpo.py",
        "differs": TIME_LIMIT,
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": _EXAMPLE_AGENT,
        "policy_step": _EXAMPLE_STEP,
        "value_step": {"epochs": 5, "batch_size": 64},
        "policy": _ORTHOGONAL,
        "vf": _ORTHOGONAL,
        "vf_optimizer": {**ADAM, **TORCH_ADAM},
        "obs_normalizer": {"clip_threshold": 5},
    },
    "spinningup-trpo": {
        "source": "openai/spinningup, spinup/algos/tf1/trpo/trpo.py, algo='trpo'",
        "differs": TIME_LIMIT + "softmax policies had the other side of the divergence",
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": {"update_interval": 4000, "gamma": 0.99, "lambd": 0.97},
        "policy_step": {
            "region": {"max_kl": 0.01, "side": "new_old"},
            "solver": {"iterations": 10, "eps": 1e-8},
            "curvature": {"damping": 0.1},
            "search": {"shrink": 0.8, "n_tries": 10},
        },
        "value_step": {"epochs": 80, "batch_size": None},
        "estimation": {"value_target": "return", "standardize_eps": 0.0},
        "policy": {
            "init": "glorot_uniform",
            "hidden_scale": 1.0,
            "last_scale": 1.0,
            "log_std_init": -0.5,
        },
        "vf": {"init": "glorot_uniform", "hidden_scale": 1.0, "last_scale": 1.0},
        "vf_optimizer": ADAM,
    },
    "baselines-mujoco": {
        "source": "openai/baselines, baselines/trpo_mpi, defaults.py mujoco()",
        "differs": TIME_LIMIT
        + "VecNormalize normalised observations a first time (±10), "
        "and rewards",
        "algorithm": "TRPO",
        "agent": {"update_interval": 1024, "gamma": 0.99, "lambd": 0.98},
        "policy_step": {
            "region": {"max_kl": 0.01, "eps": 0.0},
            "solver": {"iterations": 10, "tol": 1e-5},
            "curvature": {"damping": 0.1, "stride": 5},
            "search": {"shrink": 0.5, "n_tries": 10, "kl_slack": 1.5},
        },
        "value_step": {"epochs": 5, "batch_size": 64},
        "estimation": {"standardize_eps": 0.0, "normalizer_learns": "before_log_prob"},
        "policy": {
            "init": "orthogonal",
            "hidden_sizes": [32, 32],
            "hidden_scale": ROOT2,
            "last_scale": 1e-2,
        },
        "vf": {
            "init": "orthogonal",
            "hidden_sizes": [32, 32],
            "hidden_scale": ROOT2,
            "last_scale": 1.0,
        },
        "vf_optimizer": ADAM,
        "obs_normalizer": {"clip_threshold": 5, "eps": 0.0, "floor": 1e-2},
    },
    "pg-travel-trpo": {
        "source": "reinforcement-learning-kr/pg_travel, mujoco/agent/trpo_gae.py",
        "differs": TIME_LIMIT + EVERY_STEP + "batches were whole episodes",
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": {"update_interval": 2048, "gamma": 0.99, "lambd": 0.98},
        "policy_step": {
            "region": {"max_kl": 0.01, "eps": 0.0},
            "solver": {"iterations": 10, "tol": 1e-5},
            "curvature": {"damping": 0.1},
            "search": {
                "shrink": 0.5,
                "n_tries": 10,
                "min_ratio": 0.5,
                "strict": True,
                "compound_expected": True,
            },
        },
        "value_step": {"epochs": 5, "batch_size": 64},
        "estimation": {
            "value_target": "return_plus_advantage",
            "standardize_by": "unbiased_std",
            "standardize_eps": 0.0,
        },
        "policy": {**TORCH, "last_scale": 0.1 * 3**-0.5, "log_std": "fixed"},
        "vf": {**TORCH, "last_scale": 0.1 * 3**-0.5},
        "vf_optimizer": {"alpha": 3e-4, "weight_decay": 1e-3, **TORCH_ADAM},
        "obs_normalizer": {"clip_threshold": 5, "eps": 1e-8},
    },
    "sb3-contrib": {
        "source": "Stable-Baselines3-contrib 2.9, sb3_contrib/trpo/trpo.py",
        "algorithm": "TRPO",
        "agent": {"update_interval": 2048, "gamma": 0.99, "lambd": 0.95},
        "policy_step": {
            "region": {"max_kl": 0.01, "eps": 0.0, "side": "new_old"},
            "solver": {"iterations": 15, "tol": 1e-5, "start": 1e-4},
            "curvature": {"damping": 0.1, "per_dimension": True},
            "search": {"shrink": 0.8, "n_tries": 10, "strict": True},
        },
        "value_step": {"epochs": 10, "batch_size": 128},
        "estimation": {"standardize_by": "unbiased_std"},
        "policy": {"init": "orthogonal", "hidden_scale": ROOT2, "last_scale": 1e-2},
        "vf": {"init": "orthogonal", "hidden_scale": ROOT2, "last_scale": 1.0},
        "vf_optimizer": {"alpha": 1e-3, "eps": 1e-5, **TORCH_ADAM},
    },
    "garage": {
        "source": "rlworkgroup/garage, garage/torch/algos/trpo.py and its benchmark",
        "differs": TIME_LIMIT + "batches were whole episodes",
        "algorithm": "TRPO",
        "agent": {"update_interval": 1024, "gamma": 0.99, "lambd": 0.97},
        "policy_step": {
            "region": {"max_kl": 0.01},
            "solver": {"iterations": 10, "tol": 1e-5},
            "curvature": {"damping": 1e-5},
            "search": {"shrink": 0.8, "n_tries": 15, "strict": True},
        },
        "value_step": {"epochs": 10, "batch_size": 64},
        "estimation": {
            "value_target": "return",
            "standardize_by": "unbiased_variance",
            "pad_to": 1000,
        },
        "policy": {
            "init": "glorot_uniform",
            "hidden_sizes": [32, 32],
            "hidden_scale": 1.0,
            "last_scale": 1.0,
            "log_std": "shared",
            "scaled": True,
        },
        "vf": {
            "init": "glorot_uniform",
            "hidden_sizes": [32, 32],
            "hidden_scale": 1.0,
            "last_scale": 1.0,
            "log_std_init": 0.0,
        },
        "vf_optimizer": {"alpha": 2.5e-4, **TORCH_ADAM},
    },
    "openai-imitation": {
        "source": "openai/imitation, scripts/run_rl_mj.py; batches of its expert runs",
        "differs": TIME_LIMIT
        + "the curvature's tenth of the rows was drawn at random; values saw the time "
        "too; a batch before the first was for the normalisers only",
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": {"update_interval": 50_000, "gamma": 0.995, "lambd": 0.97},
        "policy_step": _HO_ERMON_STEP,
        "value_step": {
            **_HO_ERMON_STEP,
            "kind": "natural",
            "curvature": {**_HO_ERMON_STEP["curvature"], "kind": "gauss_newton"},
            "variance": 0.5,
        },
        "estimation": {"value_target": "return", "normalizer_learns": "after_step"},
        "policy": {
            "init": "glorot_uniform",
            "hidden_sizes": [100, 100],
            "hidden_scale": 1.0,
            "last_scale": 0.0,
        },
        "vf": {
            "init": "glorot_uniform",
            "hidden_sizes": [100, 100],
            "hidden_scale": 1.0,
            "last_scale": 0.0,
            "scaled": True,
        },
        "obs_normalizer": {"eps": 1e-6},
    },
    "modular-rl": {
        "source": "joschu/modular_rl, experiments/battery-trpo.yaml (Hopper)",
        "differs": EVERY_STEP + "values by L-BFGS on features with the time, towards a "
        "tenth of the return and nine tenths of what they were; a cut path ended with "
        "the value of the last state acted on, and its returns with 0",
        "env": UNCLIPPED,
        "algorithm": "TRPO",
        "agent": {"update_interval": 25_000, "gamma": 0.995, "lambd": 0.97},
        "policy_step": {
            "region": {"max_kl": 0.01, "eps": 0.0},
            "solver": {"iterations": 10, "tol": 1e-5},
            "curvature": {"damping": 0.1},
            "search": {
                "shrink": 0.5,
                "n_tries": 10,
                "kl_slack": None,
                "min_ratio": 0.1,
                "strict": True,
            },
        },
        "value_step": {"epochs": 25, "batch_size": None},
        "estimation": {"value_target": "return", "standardize_eps": 0.0},
        "policy": {"init": "glorot_uniform", "hidden_scale": 1.0, "last_scale": 0.1},
        "vf": {"init": "glorot_uniform", "hidden_scale": 1.0, "last_scale": 1.0},
        "vf_optimizer": {"alpha": 1e-2},
        "obs_normalizer": {"clip_threshold": 5, "eps": 1e-8},
    },
    "tianshou-trpo": {
        "source": "thu-ml/tianshou, examples/mujoco/mujoco_trpo.py",
        "differs": EVERY_STEP,
        "algorithm": "TRPO",
        "agent": {"update_interval": 1024, "gamma": 0.99, "lambd": 0.95},
        "policy_step": {
            "region": {"max_kl": 0.01, "eps": 0.0},
            "solver": {"iterations": 10, "tol": 1e-5},
            "curvature": {"damping": 0.1},
            "search": {"shrink": 0.8, "n_tries": 10, "strict": True},
        },
        "value_step": {"epochs": 20, "batch_size": None},
        "estimation": {"standardize_by": "unbiased_std", "standardize_eps": 0.0},
        "policy": {
            "init": "orthogonal",
            "hidden_scale": ROOT2,
            "last_scale": 0.01 * ROOT2,
            "log_std_init": -0.5,
            "scaled": True,
        },
        "vf": {
            "init": "orthogonal",
            "hidden_scale": ROOT2,
            "last_scale": ROOT2,
            "scaled": True,
            "centered": False,
            "learns": "after_fit",
        },
        "vf_optimizer": {**ADAM, **TORCH_ADAM},
        "obs_normalizer": {"clip_threshold": 10, "eps": 1e-8},
        "schedules": {"vf_optimizer.alpha": [1e-3, 0.0]},
    },
}


def vary(name, source, **parts):
    """Another preset: `name` with changes by part (see `merged`)."""
    return merged(TRPO_PRESETS[name], {"source": source, **parts})


TRPO_PRESETS.update(
    {
        "spinningup-npg": vary(
            "spinningup-trpo",
            "openai/spinningup, spinup/algos/tf1/trpo/trpo.py, algo='npg'",
            algorithm="NPG",
            policy_step={"search": None},
        ),
        "pg-travel-tnpg": vary(
            "pg-travel-trpo",
            "reinforcement-learning-kr/pg_travel, mujoco/agent/tnpg.py",
            algorithm="NPG",
            policy_step={"region": {"step_size": 0.5}, "search": None},
            estimation={"advantage": "return", "value_target": "advantage"},
        ),
        "sb3-zoo-mujoco": vary(
            "sb3-contrib",
            "DLR-RM/rl-baselines3-zoo, hyperparams/trpo.yml, MuJoCo v4",
            differs=EVERY_STEP
            + "rewards were normalised; two environments; HalfCheetah had δ = 0.04 and "
            "Swimmer γ = 0.9999",
            policy_step={"solver": {"iterations": 25}},
            value_step={"epochs": 20},
            obs_normalizer={"clip_threshold": 10, "eps": 1e-8},
        ),
        "tianshou-npg": vary(
            "tianshou-trpo",
            "thu-ml/tianshou, examples/mujoco/mujoco_npg.py",
            algorithm="NPG",
            policy_step={"region": {"step_size": 0.1}, "search": None},
        ),
    }
)
