"""Settings of historical PPO implementations, as data."""

import math

from chainertrpo.agents.presets_trpo import (
    EVERY_STEP,
    ROOT2,
    TIME_LIMIT,
    TORCH_ADAM,
    TRPO_PRESETS,
)

_REPRODUCTION = TRPO_PRESETS["chainerrl-reproduction"]
_PPO = {"algorithm": "PPO", "fit": None, "vf_optimizer": None}
_AGENT = {"update_interval": 2048, "gamma": 0.99, "lambd": 0.95}
_CLIPPED_ADAM = {"alpha": 3e-4, "eps": 1e-5, "max_grad_norm": 0.5}

PPO_PRESETS = {
    "chainerrl-ppo-reproduction": {
        **_REPRODUCTION,
        **_PPO,
        "source": "ChainerRL 0.8, examples/mujoco/reproduction/ppo/train_ppo.py",
        "agent": {"update_interval": 2048, "gamma": 0.995, "lambd": 0.97},
        "step": {"epochs": 10, "batch_size": 64, "clip_eps": 0.2},
        "optimizer": {"alpha": 3e-4, "eps": 1e-5},
    },
    "chainerrl-ppo-example": {
        **_PPO,
        "source": "ChainerRL 0.8, examples/mujoco/train_ppo_gym.py",
        "differs": TIME_LIMIT
        + "σ² was the softplus of its parameter; softmax policies and their values had "
        "two hidden layers of 200, relu",
        "agent": {
            "update_interval": 2048,
            "gamma": 0.99,
            "lambd": 0.95,
            "standardize_advantages": False,
        },
        "step": {"epochs": 10, "batch_size": 64, "clip_eps": 0.2},
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
        "step": {"clip_eps": 0.2, "entropy_coef": 0.01},
        "policy": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1e-2},
        "vf": {"init": "lecun_normal", "hidden_scale": 1.0, "last_scale": 1.0},
        "optimizer": {"alpha": 3e-4, "eps": 1e-5},
    },
    "sb3-ppo": {
        **_PPO,
        "source": "Stable-Baselines3 2.9, stable_baselines3/ppo/ppo.py",
        "agent": {**_AGENT, "standardize_advantages": False},
        "step": {
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
        "step": {
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
PPO_PRESETS["pfrl-ppo"] = {
    **PPO_PRESETS["chainerrl-ppo-reproduction"],
    "source": "PFRL, examples/mujoco/reproduction/ppo/train_ppo.py",
    "optimizer": {"alpha": 3e-4, "eps": 1e-5, **TORCH_ADAM},
}
PPO_PRESETS["cleanrl-ppo"] = {
    **PPO_PRESETS["baselines-ppo2"],
    "source": "vwxyzjn/cleanrl, cleanrl/ppo_continuous_action.py",
    "step": {**PPO_PRESETS["baselines-ppo2"]["step"], "standardize_by": "unbiased_std"},
    "optimizer": {**_CLIPPED_ADAM, **TORCH_ADAM},
}
