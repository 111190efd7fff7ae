"""Seconds of training iterations, sb3-contrib's TRPO."""

import json
import sys
import time

import torch
from sb3_contrib import TRPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize


class Clock(BaseCallback):
    """Notes when each iteration begins, and when training ends."""

    def __init__(self):
        super().__init__()
        self.times = []

    def _on_rollout_start(self):
        self.times.append(time.perf_counter())

    def _on_step(self):
        return True

    def _on_training_end(self):
        self.times.append(time.perf_counter())


def build(env_id, n_envs, seed):
    """Make the model, with the settings of ChainerRL's reproduction."""
    kind = DummyVecEnv if n_envs == 1 else SubprocVecEnv
    spawn = {} if n_envs == 1 else {"start_method": "spawn"}
    env = make_vec_env(
        env_id, n_envs, seed=seed, vec_env_cls=kind, vec_env_kwargs=spawn
    )
    env = VecNormalize(env, norm_reward=False, clip_obs=5.0, gamma=0.995)
    return TRPO(
        "MlpPolicy",
        env,
        learning_rate=1e-3,
        n_steps=5000 // n_envs,
        batch_size=64,
        gamma=0.995,
        gae_lambda=0.97,
        cg_max_steps=20,
        cg_damping=0.1,
        line_search_shrinking_factor=0.5,
        line_search_max_iter=11,
        n_critic_updates=5,
        target_kl=0.01,
        policy_kwargs={
            "net_arch": {"pi": [64, 64], "vf": [64, 64]},
            "activation_fn": torch.nn.Tanh,
        },
        seed=seed,
        device="cpu",
    )


def train(env_id, n_envs, iterations, seed):
    """Return the seconds of all iterations but the first."""
    model, clock = build(env_id, n_envs, seed), Clock()
    model.learn((iterations + 1) * 5000, callback=clock)
    model.get_env().close()
    return {"seconds": clock.times[-1] - clock.times[1], "steps": iterations * 5000}


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
