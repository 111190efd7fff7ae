"""Milliseconds of a Gauss–Newton product through a GRU by torch.func, on one thread."""

import json
import sys
import time

import torch
from torch.func import linearize, vjp


def policy(theta, x):
    """Means of 20 paths at once, step by step: tanh layer, GRU, linear layer."""
    w, b, w_in, b_in, w_h, b_h, w_out, b_out = theta
    sums = torch.tanh(x @ w.T + b) @ w_in.T + b_in
    h, found = torch.zeros(x.shape[1], w_h.shape[1]), []
    for a in sums:
        from_h = h @ w_h.T + b_h
        (a_r, a_z, a_n), (h_r, h_z, h_n) = a.chunk(3, 1), from_h.chunk(3, 1)
        z = torch.sigmoid(a_z + h_z)
        new = torch.tanh(a_n + torch.sigmoid(a_r + h_r) * h_n)
        h = new + z * (h - new)
        found.append(h)
    return torch.stack(found) @ w_out.T + b_out


def main(sizes, paths, steps, rounds):
    """Measure; what does not depend on the vector is done once, outside."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    n_in, width, n_out = sizes
    shapes = [(width, n_in), (width,), (3 * width, width), (3 * width,)]
    shapes += [(3 * width, width), (3 * width,), (n_out, width), (n_out,)]
    theta = tuple(torch.randn(s) / s[-1] ** 0.5 for s in shapes)
    v = tuple(torch.randn(s) for s in shapes)
    x = torch.randn(steps, paths, n_in)
    mean, forward = linearize(lambda *t: policy(t, x), *theta)
    _, back = vjp(lambda *t: policy(t, x), *theta)
    times = []
    for _ in range(rounds + 1):
        start = time.process_time()
        back(forward(*v) / mean[..., 0].numel(), retain_graph=True)
        times.append(1e3 * (time.process_time() - start))
    # And by jvp, which runs the network again for every vector.
    again = []
    for _ in range(rounds + 1):
        start = time.process_time()
        _, moved = torch.func.jvp(lambda *t: policy(t, x), theta, v)
        back(moved / mean[..., 0].numel(), retain_graph=True)
        again.append(1e3 * (time.process_time() - start))
    print(json.dumps({"linearize": min(times[1:]), "jvp": min(again[1:])}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
