"""Record updates of PFRL in float64.

pip install torch pfrl==0.4.0; python tests/parity/record_pfrl.py
"""

import numpy
import pfrl
import torch
from recording import (
    ACTION_SIZE,
    HIDDEN,
    OBS_SIZE,
    episodes,
    experience,
    named,
    shaken,
    write,
)
from torch import nn

# PFRL writes torch.float in words.
torch.set_default_dtype(torch.float64)
torch.float = torch.float32 = torch.float64
torch.Tensor.float = torch.Tensor.double

SETTINGS = {"gamma": 0.995, "lambd": 0.97, "entropy_coef": 0, "update_interval": 256}
TRPO = {"max_kl": 0.01, "vf_epochs": 5, "conjugate_gradient_max_iter": 20}
TRPO["conjugate_gradient_damping"] = 1e-1
rows = []


def noted(yield_minibatches):
    """Note which rows each minibatch has."""

    def wrapped(dataset, **settings):
        for batch in yield_minibatches(dataset, **settings):
            rows.append([transition["index"] for transition in batch])
            yield batch

    return wrapped


pfrl.agents.trpo._yield_minibatches = noted(pfrl.agents.trpo._yield_minibatches)
pfrl.agents.ppo._yield_minibatches = noted(pfrl.agents.ppo._yield_minibatches)


def sequential(n_out, *head):
    """As the reproduction scripts write their networks."""
    return nn.Sequential(
        nn.Linear(OBS_SIZE, HIDDEN),
        nn.Tanh(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.Tanh(),
        nn.Linear(HIDDEN, n_out),
        *head,
    )


def arrays_of(model):
    layers = [x for x in model if isinstance(x, nn.Linear)]
    heads = [x.var_param.detach().numpy() for x in model if hasattr(x, "var_param")]
    return named(
        [(x.weight.detach().numpy(), x.bias.detach().numpy()) for x in layers], *heads
    )


def record(preset):
    rows.clear()
    torch.manual_seed(0)
    head = pfrl.policies.GaussianHeadWithStateIndependentCovariance(
        action_size=ACTION_SIZE,
        var_type="diagonal",
        var_func=lambda x: torch.exp(2 * x),  # as in PFRL's scripts: log sigma
        var_param_init=0,
    )
    policy, vf = sequential(ACTION_SIZE, head), sequential(1)
    rng = numpy.random.RandomState(1)
    for param in (*policy.parameters(), *vf.parameters()):
        param.data = torch.as_tensor(shaken(param.detach().numpy(), rng))
    if preset == "pfrl-ppo":
        head.var_param.data -= 1.5  # a small σ moves ratios far enough to be clipped
    normalizer = pfrl.nn.EmpiricalNormalization(
        OBS_SIZE, clip_threshold=5, dtype=numpy.float64
    )
    seen = numpy.random.RandomState(2).normal(0, 3, (500, OBS_SIZE))
    normalizer.experience(torch.as_tensor(seen))
    names = ("_mean", "_var", "count")
    given = {name: getattr(normalizer, name).numpy().copy() for name in names}
    if preset == "pfrl":
        optimizer = torch.optim.Adam(vf.parameters())
        agent = pfrl.agents.TRPO(policy, vf, optimizer, normalizer, **SETTINGS, **TRPO)
    else:
        model = pfrl.nn.Branched(policy, vf)
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, eps=1e-5)
        agent = pfrl.agents.PPO(model, optimizer, normalizer, **SETTINGS)
    data = experience()
    before = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    agent.memory = episodes(data)
    agent._update_if_dataset_is_ready()
    after = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    packages = ["pfrl", "torch", "numpy"]
    write(preset, data, before, after, packages, rows, given={"normalizer": given})


if __name__ == "__main__":
    record("pfrl")
    record("pfrl-ppo")
