"""Settings of historical PPO implementations, as data."""

import math

from chainertrpo.agents.presets.trpo import (
    EVERY_STEP,
    ROOT2,
    TIME_LIMIT,
    TORCH_ADAM,
    TRPO_PRESETS,
    UNCLIPPED,
)

_REPRODUCTION = TRPO_PRESETS["chainerrl-reproduction"]
_PPO = {"algorithm": "PPO", "value_step": None, "vf_optimizer": None}
_AGENT = {"update_interval": 2048, "gamma": 0.99, "lambd": 0.95}
_CLIPPED_ADAM = {"alpha": 3e-4, "eps": 1e-5, "max_grad_norm": 0.5}

PPO_PRESETS = {
    "chainerrl-ppo-reproduction": {
        **_REPRODUCTION,
        **_PPO,
        "source": "ChainerRL 0.8, examples/mujoco/reproduction/ppo/train_ppo.py",
        "agent": {"update_interval": 2048, "gamma": 0.995, "lambd": 0.97},
        "policy_step": {"epochs": 10, "batch_size": 64, "clip_eps": 0.2},
        "optimizer": {"alpha": 3e-4, "eps": 1e-5},
    },
    "chainerrl-ppo-example": {
        **_PPO,
        "source": "ChainerRL 0.8, examples/mujoco/train_ppo_gym.py",
        "differs": TIME_LIMIT
        + "σ² was the softplus of its parameter; softmax policies and their values had "
        "two hidden layers of 200, relu",
        "env": UNCLIPPED,
        "agent": {
            "update_interval": 2048,
            "gamma": 0.99,
            "lambd": 0.95,
            "standardize_advantages": False,
        },
        "policy_step": {"epochs": 10, "batch_size": 64, "clip_eps": 0.2},
        "rewards": {"scale": 1e-2},
        "policy": {
            "init": "lecun_normal",
            "hidden_scale": 1.0,
            "last_scale": 1e-2,
            "log_std_init": 0.5 * math.log(math.log(2)),  # softplus(0) is σ²
        },
        "vf": {
            "activation": "relu",
            "init": "lecun_normal",
            "hidden_scale": 1.0,
            "last_scale": 1.0,
        },
        "optimizer": {"alpha": 3e-4, "eps": 1e-5},
        "obs_normalizer": {"clip_threshold": 5},
        "schedules": {"optimizer.alpha": [3e-4, 0.0], "clip_eps": [0.2, 1e-8]},
    },
    "chainerrl-ppo-class": {
        **_PPO,
        "source": "ChainerRL 0.8, the defaults of chainerrl.agents.PPO itself",
        "policy_step": {"clip_eps": 0.2, "entropy_coef": 0.01},
        "policy": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1.0},
        "optimizer": {"alpha": 3e-4, "eps": 1e-5},
    },
    "sb3-ppo": {
        **_PPO,
        "source": "Stable-Baselines3 2.9, stable_baselines3/ppo/ppo.py",
        "agent": {**_AGENT, "standardize_advantages": False},
        "policy_step": {
            "epochs": 10,
            "batch_size": 64,
            "clip_eps": 0.2,
            "value_coef": 0.5,
            "standardize_by": "unbiased_std",
        },
        "policy": {"init": "orthogonal", "hidden_scale": ROOT2, "last_scale": 1e-2},
        "vf": {"init": "orthogonal", "hidden_scale": ROOT2, "last_scale": 1.0},
        "optimizer": {**_CLIPPED_ADAM, **TORCH_ADAM},
    },
    "baselines-ppo2": {
        **_PPO,
        "source": "openai/baselines, baselines/ppo2, defaults.py mujoco()",
        "differs": TIME_LIMIT + EVERY_STEP + "rewards were normalised",
        "agent": {**_AGENT, "standardize_advantages": False},
        "policy_step": {
            "epochs": 10,
            "batch_size": 64,
            "clip_eps": 0.2,
            "clip_eps_vf": 0.2,
            "standardize_by": "std",
            "value_coef": 0.25,  # its 0.5 is of half the squared error
        },
        "policy": {"init": "orthogonal", "hidden_scale": ROOT2, "last_scale": 1e-2},
        "vf": {"init": "orthogonal", "hidden_scale": ROOT2, "last_scale": 1.0},
        "optimizer": _CLIPPED_ADAM,
        "obs_normalizer": {"clip_threshold": 10, "eps": 1e-8},
        "schedules": {"optimizer.alpha": [3e-4, 0.0]},
    },
}
PPO_PRESETS["baselines-ppo1"] = {
    **_PPO,
    "source": "openai/baselines, baselines/ppo1/run_mujoco.py and pposgd_simple.py",
    "differs": TIME_LIMIT
    + "the normaliser began as if a hundredth of an observation had been seen; until "
    "February 2019 ε of the clip went to 0 too",
    "env": UNCLIPPED,
    "agent": _AGENT,
    "policy_step": {"epochs": 10, "batch_size": 64, "clip_eps": 0.2},
    "estimation": {"standardize_eps": 0.0, "normalizer_learns": "before_log_prob"},
    "policy": {"init": "unit_rows", "hidden_scale": 1.0, "last_scale": 1e-2},
    "vf": {"init": "unit_rows", "hidden_scale": 1.0, "last_scale": 1.0},
    "optimizer": {"alpha": 3e-4, "eps": 1e-5},
    "obs_normalizer": {"clip_threshold": 5, "eps": 0.0, "floor": 1e-2},
    "schedules": {"optimizer.alpha": [3e-4, 0.0]},
}
PPO_PRESETS["drlm-ppo1"] = {
    **PPO_PRESETS["baselines-ppo1"],
    "source": "Deep RL that Matters (Henderson et al. 2018), baselines/ppo1/run_mujoco.py "
    "of Breakend/baselines, 7c80811",
    "differs": TIME_LIMIT
    + "the normaliser began as if a hundredth of an observation had been seen",
    "agent": {"update_interval": 2048, "gamma": 0.995, "lambd": 0.97},
    "schedules": {},
}
# PPO's loss for the policy alone; the values are fitted apart, as its TRPO's are.
PPO_PRESETS["spinningup-ppo"] = {
    **TRPO_PRESETS["spinningup-trpo"],
    "source": "openai/spinningup, spinup/algos/tf1/ppo/ppo.py",
    "differs": TIME_LIMIT,
    "algorithm": "PolicyGradient",
    "policy_step": {
        "epochs": 80,
        "batch_size": None,
        "clip_eps": 0.2,
        "stop_kl": 0.015,  # half as much again as its target_kl
        "stop_on": "log_ratio",
    },
    "optimizer": {"alpha": 3e-4},
}
PPO_PRESETS["pfrl-ppo"] = {
    **PPO_PRESETS["chainerrl-ppo-reproduction"],
    "source": "PFRL, examples/mujoco/reproduction/ppo/train_ppo.py",
    "differs": TIME_LIMIT,
    "optimizer": {"alpha": 3e-4, "eps": 1e-5, **TORCH_ADAM},
}
PPO_PRESETS["cleanrl-ppo"] = {
    **PPO_PRESETS["baselines-ppo2"],
    "source": "vwxyzjn/cleanrl, cleanrl/ppo_continuous_action.py",
    "policy_step": {
        **PPO_PRESETS["baselines-ppo2"]["policy_step"],
        "standardize_by": "unbiased_std",
    },
    "optimizer": {**_CLIPPED_ADAM, **TORCH_ADAM},
}
