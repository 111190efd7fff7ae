"""Record updates of Stable-Baselines3's PPO and sb3-contrib's TRPO in float64.

pip install torch sb3-contrib==2.9.2; python tests/parity/record_sb3.py
"""

import types

import gymnasium
import numpy
import stable_baselines3
import torch
from recording import (
    ACTION_SIZE,
    HIDDEN,
    OBS_SIZE,
    Case,
    experience,
    named,
    shaken,
    start_of,
    write,
)
from sb3_contrib import TRPO
from sb3_contrib.trpo import trpo
from stable_baselines3.common import buffers, logger
from stable_baselines3.common.vec_env import dummy_vec_env

torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double  # observations pass through it
permutations, noise = [], []
N_ACTIONS = 3


class Double(types.ModuleType):
    """NumPy whose float32 is float64."""

    float32 = numpy.float64

    def __getattr__(self, name):
        return getattr(numpy, name)


buffers.np = dummy_vec_env.np = Double("numpy")


divergences, products, successes = [], [], []


def noted(function, calls):
    """Note what a random function gives."""

    def wrapped(*args, **kwargs):
        result = function(*args, **kwargs)
        calls.append(
            numpy.array(result.detach() if torch.is_tensor(result) else result)
        )
        return result

    return wrapped


def noted_success(function):
    """Note what is logged of the line search."""

    def wrapped(self, key, value, *args, **kwargs):
        if key == "train/is_line_search_success":
            successes.append(value)
        return function(self, key, value, *args, **kwargs)

    return wrapped


class Replay(gymnasium.Env):
    """An environment that gives what was written down, whatever is done."""

    observation_space = gymnasium.spaces.Box(-99, 99, (OBS_SIZE,), numpy.float64)
    action_space = gymnasium.spaces.Box(-9, 9, (ACTION_SIZE,), numpy.float64)

    def __init__(self, data):
        if data["action"].ndim == 1:
            self.action_space = gymnasium.spaces.Discrete(N_ACTIONS)
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


def layers_of(policy):
    """The layers of both networks, in order."""
    mlp = policy.mlp_extractor
    return {
        "policy": linear([*mlp.policy_net, policy.action_net]),
        "vf": linear([*mlp.value_net, policy.value_net]),
    }


def linear(modules):
    return [x for x in modules if isinstance(x, torch.nn.Linear)]


def arrays_of(policy):
    found = {
        network: named([(x.weight.detach(), x.bias.detach()) for x in layers])
        for network, layers in layers_of(policy).items()
    }
    if hasattr(policy, "log_std"):
        found["policy"]["log_std"] = policy.log_std.detach().numpy().copy()
    return found


def put(policy, preset):
    """Begin where <preset>.npz did."""
    for network, layers in layers_of(policy).items():
        arrays = start_of(preset, network)
        for i, layer in enumerate(layers):
            layer.weight.data = torch.as_tensor(arrays[f"mlp/{i}/W"])
            layer.bias.data = torch.as_tensor(arrays[f"mlp/{i}/b"])
        if "log_std" in arrays:
            policy.log_std.data = torch.as_tensor(arrays["log_std"])


def as_arrays(policy, flat):
    """sb3-contrib's flat vector as arrays: the parameters without values, in its order."""
    named_parts, begin = {}, 0
    for name, param in policy.named_parameters():
        if "value" not in name:
            named_parts[name] = flat[begin : begin + param.numel()].reshape(param.shape)
            begin += param.numel()
    layers = ["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"]
    pairs = [(named_parts[f"{x}.weight"], named_parts[f"{x}.bias"]) for x in layers]
    return named(pairs, named_parts.get("log_std"))


def record(preset, algorithm, n_whole, case=None, changes=None, sigma=0.0, **settings):
    """Let an algorithm learn once; `n_whole` permutations are of whole batches.

    `changes` are our settings of a case, as `settings` are theirs.
    """
    for calls in (permutations, noise, divergences, products, successes):
        calls.clear()
    softmax = case == "softmax"
    data = experience(n_actions=N_ACTIONS if softmax else None)
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
    if case is not None and not softmax:
        put(model.policy, preset)
        model.policy.log_std.data += sigma
    before = arrays_of(model.policy)
    model.learn(256)
    actions = model.rollout_buffer.actions.reshape(data["action"].shape).copy()
    assert numpy.array_equal(
        model.rollout_buffer.rewards.ravel()[:60], data["reward"][:60]
    )
    more = {}
    if noise:
        more = {"start": {"policy": as_arrays(model.policy, noise[0])}}
    after = arrays_of(model.policy)
    if case is not None:
        # The first divergence is differentiated; the first product is the start's, and
        # the last that of the step's length.
        n_tries, (success,) = len(divergences) - 1, successes
        fraction = float(success) * model.line_search_shrinking_factor ** (n_tries - 1)
        case = Case(case, changes, n_tries, fraction, len(products) - 2)
    write(
        preset,
        {**data, "action": actions.astype("i") if softmax else actions},
        before,
        after,
        ["stable-baselines3", "sb3-contrib", "torch", "numpy"],
        permutations[n_whole:],
        case=case,
        **more,
    )


def of_step(max_kl=0.01, **more):
    return {"policy_step": {"region": {"max_kl": max_kl}, **more}}


if __name__ == "__main__":
    numpy.random.permutation = noted(numpy.random.permutation, permutations)
    torch.randn_like = noted(torch.randn_like, noise)
    trpo.kl_divergence = noted(trpo.kl_divergence, divergences)
    TRPO.hessian_vector_product = noted(TRPO.hessian_vector_product, products)
    logger.Logger.record = noted_success(logger.Logger.record)
    record("sb3-contrib", TRPO, 1)
    zoo = {"cg_max_steps": 25, "n_critic_updates": 20}
    record("sb3-zoo-mujoco", TRPO, 1, **zoo)
    record("sb3-ppo", stable_baselines3.PPO, 0)
    for max_kl, case in (
        (10.0, "kl"),
        (30.0, "kl-twice"),
        (100.0, "kl-then-gain"),
        (1e4, "spent"),
        (1e-40, "nothing"),
    ):
        record("sb3-contrib", TRPO, 1, case, of_step(max_kl), target_kl=max_kl)
    record("sb3-contrib", TRPO, 1, "flat", {}, sigma=5.0)
    # A single iteration keeps the most of where it starts.
    one = {"policy_step": {"solver": {"iterations": 1}}}
    record("sb3-contrib", TRPO, 1, "start", one, cg_max_steps=1)
    damping = of_step(curvature={"damping": 10.0})
    record("sb3-contrib", TRPO, 1, "damped", damping, cg_damping=10.0)
    record("sb3-contrib", TRPO, 1, "softmax", {})
