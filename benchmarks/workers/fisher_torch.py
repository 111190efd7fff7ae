"""Milliseconds a Fisher product: PyTorch's double backprop, as in sb3-contrib."""

import json
import sys

import torch
from fisher_problem import milliseconds, problem
from sb3_contrib.common.utils import flat_grad
from serve import serve
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence


def main(sizes, batch):
    """Measure."""
    weights, log_std, obs, vector = problem(sizes, batch)
    layers = []
    for w in weights:
        linear = nn.Linear(w.shape[1], w.shape[0])
        linear.weight.data.copy_(torch.from_numpy(w))
        linear.bias.data.zero_()
        layers += [linear, nn.Tanh()]
    mlp = nn.Sequential(*layers[:-1])
    log_std = nn.Parameter(torch.from_numpy(log_std))
    params = [*mlp.parameters(), log_std]

    def distribution():
        mean = mlp(torch.from_numpy(obs))
        return Independent(Normal(mean, torch.ones_like(mean) * log_std.exp()), 1)

    with torch.no_grad():
        old = distribution()
    kl = kl_divergence(distribution(), old).mean()
    grad = flat_grad(kl, params, create_graph=True, retain_graph=True)
    v = torch.from_numpy(vector)

    def product():
        return flat_grad((grad * v).sum(), params, retain_graph=True)

    def measure(method, seconds):
        return {"ms": milliseconds(product, seconds), "check": float(v.dot(product()))}

    serve(measure)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
