"""Seconds of training iterations, ChainerRL's TRPO with its reproduction's settings."""

import json
import sys
import tempfile
import types

import chainer
import chainer.functions as F
import chainer.links as L
import gym
from clock import Clock

# chainerrl 0.8 imports gym.wrappers.Monitor, which gym 0.25 has not.
monitor = types.ModuleType("chainerrl.wrappers.monitor")
monitor.Monitor = None
sys.modules[monitor.__name__] = monitor
import chainerrl  # noqa: E402


def build(obs_size, action_size):
    """Make the agent of examples/mujoco/reproduction/trpo."""
    winit = chainerrl.initializers.Orthogonal(1.0)

    def mlp(n_outputs, last, *head):
        return chainer.Sequential(
            L.Linear(obs_size, 64, initialW=winit),
            F.tanh,
            L.Linear(64, 64, initialW=winit),
            F.tanh,
            L.Linear(64, n_outputs, initialW=last),
            *head,
        )

    head = chainerrl.policies.GaussianHeadWithStateIndependentCovariance(
        action_size=action_size,
        var_type="diagonal",
        var_func=lambda x: F.exp(2 * x),
        var_param_init=0,
    )
    policy = mlp(action_size, chainerrl.initializers.Orthogonal(1e-2), head)
    vf = mlp(1, winit)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(vf)
    return chainerrl.agents.TRPO(
        policy=policy,
        vf=vf,
        vf_optimizer=optimizer,
        obs_normalizer=chainerrl.links.EmpiricalNormalization(
            obs_size, clip_threshold=5
        ),
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
    chainerrl.misc.set_random_seed(seed)
    env = gym.make(env_id)
    env.seed(seed)
    limit = env.spec.max_episode_steps
    env = chainerrl.wrappers.CastObservationToFloat32(env)
    agent = build(env.observation_space.low.size, env.action_space.low.size)
    clock = Clock()
    with tempfile.TemporaryDirectory() as outdir:
        chainerrl.experiments.train_agent(
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
