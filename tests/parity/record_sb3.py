"""Record updates of Stable-Baselines3's PPO and sb3-contrib's TRPO in float64.

pip install torch sb3-contrib==2.9.2; python tests/parity/record_sb3.py
"""

import types

import gymnasium
import numpy
import stable_baselines3
import torch
from recording import ACTION_SIZE, HIDDEN, OBS_SIZE, experience, named, shaken, write
from sb3_contrib import TRPO
from stable_baselines3.common import buffers
from stable_baselines3.common.vec_env import dummy_vec_env

torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double  # observations pass through it
permutations, noise = [], []


class Double(types.ModuleType):
    """NumPy whose float32 is float64."""

    float32 = numpy.float64

    def __getattr__(self, name):
        return getattr(numpy, name)


buffers.np = dummy_vec_env.np = Double("numpy")


def noted(function, calls):
    """Note what a random function gives."""

    def wrapped(*args, **kwargs):
        result = function(*args, **kwargs)
        calls.append(numpy.array(result))
        return result

    return wrapped


class Replay(gymnasium.Env):
    """An environment that gives what was written down, whatever is done."""

    observation_space = gymnasium.spaces.Box(-99, 99, (OBS_SIZE,), numpy.float64)
    action_space = gymnasium.spaces.Box(-9, 9, (ACTION_SIZE,), numpy.float64)

    def __init__(self, data):
        ends = numpy.cumsum(data["lengths"] + 1)[:-1]
        rewards = numpy.split(data["reward"], numpy.cumsum(data["lengths"])[:-1])
        self.episodes = list(zip(numpy.split(data["obs"], ends), rewards))
        self.terminal = list(data["terminal"])
        self.episode = -1

    def reset(self, seed=None, options=None):
        self.t = 0
        # After the last step SB3 asks for one more episode, and does not use it.
        self.episode = min(self.episode + 1, len(self.episodes) - 1)
        return self.episodes[self.episode][0][0], {}

    def step(self, action):
        obs, reward = self.episodes[self.episode]
        self.t += 1
        over, is_last = self.t == len(reward), self.episode == len(self.episodes) - 1
        terminated = over and bool(self.terminal[self.episode])
        truncated = over and not terminated and not is_last
        return obs[self.t], reward[self.t - 1], terminated, truncated, {}


def arrays_of(policy):
    def layers(hidden, last):
        linear = [x for x in (*hidden, last) if isinstance(x, torch.nn.Linear)]
        return [(x.weight.detach().numpy(), x.bias.detach().numpy()) for x in linear]

    mlp = policy.mlp_extractor
    return {
        "policy": named(
            layers(mlp.policy_net, policy.action_net), policy.log_std.detach().numpy()
        ),
        "vf": named(layers(mlp.value_net, policy.value_net)),
    }


def start_of(policy, flat):
    """sb3-contrib's flat vector as arrays: the parameters without values, in its order."""
    named_parts, begin = {}, 0
    for name, param in policy.named_parameters():
        if "value" not in name:
            named_parts[name] = flat[begin : begin + param.numel()].reshape(param.shape)
            begin += param.numel()
    layers = ["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"]
    pairs = [(named_parts[f"{x}.weight"], named_parts[f"{x}.bias"]) for x in layers]
    return named(pairs, named_parts["log_std"])


def record(preset, algorithm, n_whole, **settings):
    """Let an algorithm learn once; `n_whole` permutations are of whole batches."""
    permutations.clear()
    noise.clear()
    data = experience()
    model = algorithm(
        "MlpPolicy",
        Replay(data),
        n_steps=256,
        policy_kwargs={"net_arch": [HIDDEN, HIDDEN]},
        seed=0,
        device="cpu",
        **settings,
    )
    rng = numpy.random.RandomState(1)
    for param in model.policy.parameters():
        param.data = torch.as_tensor(shaken(param.detach().numpy(), rng))
    before = arrays_of(model.policy)
    model.learn(256)
    actions = model.rollout_buffer.actions.reshape(-1, ACTION_SIZE)
    assert numpy.array_equal(
        model.rollout_buffer.rewards.ravel()[:60], data["reward"][:60]
    )
    more = {}
    if noise:
        more = {"start": {"policy": start_of(model.policy, noise[0])}}
    write(
        preset,
        {**data, "action": actions.copy()},
        before,
        arrays_of(model.policy),
        ["stable-baselines3", "sb3-contrib", "torch", "numpy"],
        permutations[n_whole:],
        **more,
    )


if __name__ == "__main__":
    numpy.random.permutation = noted(numpy.random.permutation, permutations)
    torch.randn_like = noted(torch.randn_like, noise)
    record("sb3-contrib", TRPO, 1)
    zoo = {"cg_max_steps": 25, "n_critic_updates": 20}
    record("sb3-zoo-mujoco", TRPO, 1, **zoo)
    record("sb3-ppo", stable_baselines3.PPO, 0)
