"""Record updates of Tianshou's TRPO and NPG in float64.

pip install torch tianshou==2.0.1; python tests/parity/record_tianshou.py
"""

import gymnasium
import numpy
import torch
from recording import ACTION_SIZE, HIDDEN, OBS_SIZE, experience, named, shaken, write
from tianshou.algorithm import NPG, TRPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, ReplayBuffer
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from tianshou.utils.torch_utils import policy_within_training_step
from torch import nn
from torch.distributions import Independent, Normal

# Tianshou writes torch.float32 in words.
torch.set_default_dtype(torch.float64)
torch.float = torch.float32 = torch.float64
torch.Tensor.float = torch.Tensor.double

SETTINGS = {
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "optim_critic_iters": 20,
    "return_scaling": True,
}
BOUND = 0.5  # of actions; Tianshou's policy knows ±1 only
SEARCH = {"max_kl": 0.01, "backtrack_coeff": 0.8, "max_backtracks": 10}


def net():
    return Net(
        state_shape=(OBS_SIZE,), hidden_sizes=[HIDDEN, HIDDEN], activation=nn.Tanh
    )


def gaussian(loc_scale):
    return Independent(Normal(*loc_scale), 1)


def arrays_of(model):
    layers = [x for x in model.modules() if isinstance(x, nn.Linear)]
    pairs = [(x.weight.detach().numpy(), x.bias.detach().numpy()) for x in layers]
    heads = [
        x.detach().numpy()[:, 0] for k, x in model.named_parameters() if "sigma" in k
    ]
    return named(pairs, *heads)


def buffer_of(data):
    buffer, row = ReplayBuffer(256), 0
    for i, n in enumerate(data["lengths"]):
        for t in range(n):
            over = t == n - 1
            terminal = over and bool(data["terminal"][i])
            # The last path runs on: its value is bootstrapped as a cut one's is.
            cut = over and not terminal and i < len(data["lengths"]) - 1
            buffer.add(
                Batch(
                    obs=data["obs"][row + i],
                    obs_next=data["obs"][row + i + 1],
                    act=data["action"][row],
                    rew=data["reward"][row],
                    terminated=terminal,
                    truncated=cut,
                    info={},
                )
            )
            row += 1
    return buffer


def units_of(returns):
    return {
        "_mean": numpy.array([returns.mean]),
        "_var": numpy.array([returns.var]),
        "count": numpy.array(returns.count),
    }


def record(preset, algorithm, **settings):
    actor = ContinuousActorProbabilistic(
        preprocess_net=net(), action_shape=(ACTION_SIZE,), unbounded=True
    )
    critic = ContinuousCritic(preprocess_net=net())
    rng = numpy.random.RandomState(1)
    for param in (*actor.parameters(), *critic.parameters()):
        param.data = torch.as_tensor(shaken(param.detach().numpy(), rng))
    policy = ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=gaussian,
        action_space=gymnasium.spaces.Box(-BOUND, BOUND, (ACTION_SIZE,)),
        action_scaling=True,
    )
    learner = algorithm(
        policy=policy,
        critic=critic,
        optim=AdamOptimizerFactory(lr=1e-3),
        **SETTINGS,
        **settings,
    )
    returns = learner.ret_rms
    returns.mean, returns.var, returns.count = 5.0, 900.0, 512  # of earlier batches
    units = [units_of(returns)]
    data = experience()
    before = {"policy": arrays_of(actor), "vf": arrays_of(critic)}
    with policy_within_training_step(policy):
        learner.update(buffer=buffer_of(data), batch_size=None, repeat=1)
    after = {"policy": arrays_of(actor), "vf": arrays_of(critic)}
    units.append(units_of(returns))
    data["action"] = BOUND * data["action"]  # as an environment is given them
    data["low"], data["high"] = -BOUND, BOUND
    given, then = ({"unit": x} for x in units)
    packages = ["tianshou", "torch", "numpy"]
    write(preset, data, before, after, packages, given=given, then=then)


if __name__ == "__main__":
    record("tianshou-trpo", TRPO, **SEARCH)
    record("tianshou-npg", NPG, trust_region_size=0.1)
