"""Seconds of training iterations, PFRL's TRPO with its reproduction's settings."""

import json
import sys
import tempfile

import gym
import pfrl
import torch
from clock import Clock
from torch import nn


def ortho_init(layer, gain):
    """Orthogonal weights, no biases."""
    nn.init.orthogonal_(layer.weight, gain=gain)
    nn.init.zeros_(layer.bias)
    return layer


def build(obs_size, action_size):
    """Make the agent of examples/mujoco/reproduction/trpo."""

    def mlp(n_outputs, *head):
        return nn.Sequential(
            ortho_init(nn.Linear(obs_size, 64), 1),
            nn.Tanh(),
            ortho_init(nn.Linear(64, 64), 1),
            nn.Tanh(),
            ortho_init(nn.Linear(64, n_outputs), 1e-2),
            *head,
        )

    head = pfrl.policies.GaussianHeadWithStateIndependentCovariance(
        action_size=action_size,
        var_type="diagonal",
        var_func=lambda x: torch.exp(2 * x),
        var_param_init=0,
    )
    vf = mlp(1)
    return pfrl.agents.TRPO(
        policy=mlp(action_size, head),
        vf=vf,
        vf_optimizer=torch.optim.Adam(vf.parameters()),
        obs_normalizer=pfrl.nn.EmpiricalNormalization(obs_size, clip_threshold=5),
        gpu=-1,
        update_interval=5000,
        max_kl=0.01,
        conjugate_gradient_max_iter=20,
        conjugate_gradient_damping=1e-1,
        gamma=0.995,
        lambd=0.97,
        vf_epochs=5,
        entropy_coef=0,
    )


def train(env_id, iterations, seed):
    """Return the seconds of all iterations but the first."""
    pfrl.utils.set_random_seed(seed)
    env = gym.make(env_id)
    env.seed(seed)
    limit = env.spec.max_episode_steps
    env = pfrl.wrappers.CastObservationToFloat32(env)
    agent = build(env.observation_space.low.size, env.action_space.low.size)
    clock = Clock()
    with tempfile.TemporaryDirectory() as outdir:
        pfrl.experiments.train_agent(
            agent,
            env,
            (iterations + 1) * 5000 + 1,
            outdir,
            max_episode_len=limit,
            step_hooks=[clock],
        )
    return clock.result()


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
