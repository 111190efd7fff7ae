"""A Gauss–Newton product through a GRU, by us, Chainer's double backprop and torch.func.

    python benchmarks/recurrent_product.py

A policy of 17-64-GRU64-6 on 5,000 rows: 20 paths of 250 steps, and paths of random lengths.
Chainer's graph (of NStepGRU) is made once and kept; what is timed is one product on it.
PyTorch's, of the equal paths, is of the environment "sb3" of peers.py: `linearize` and
`vjp` made once, or `jvp` anew.  Times are the processes' own, of one thread, the least of
several rounds; and of one step of acting.
"""

import json
import os
import platform
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

from chainertrpo import GaussianPolicy  # noqa: E402 (after the number of threads)
from chainertrpo.agents.acting import Actor  # noqa: E402
from chainertrpo.numerics import (  # noqa: E402
    flatten,
    gradient,
    hessian_vector_product,
    named_params,
)
from chainertrpo.policies import DiagonalGaussian, parts  # noqa: E402
from chainertrpo.updates.linearized import Linearized  # noqa: E402
from chainertrpo.updates.objectives import mean_kl  # noqa: E402

import chainer  # noqa: E402
import chainer.functions as F  # noqa: E402
import chainer.links as L  # noqa: E402
import numpy as np  # noqa: E402
import peers  # noqa: E402

S, WIDTH, A, ROWS, ROUNDS = 17, 64, 6, 5000, 3


class Theirs(chainer.Chain):
    """The same policy of Chainer's own links."""

    def __init__(self):
        super().__init__()
        with self.init_scope():
            self.encoder = L.Linear(S, WIDTH)
            self.core = L.NStepGRU(1, WIDTH, WIDTH, 0.0)
            self.head = L.Linear(WIDTH, A)
            self.log_std = chainer.Parameter(0, (A,))

    def forward(self, paths):
        """Distributions of the rows of paths, in order."""
        ends = np.cumsum([len(x) for x in paths])[:-1]
        x = F.tanh(self.encoder(np.concatenate(paths)))
        _, ys = self.core(None, list(F.split_axis(x, ends, axis=0)))
        return DiagonalGaussian(self.head(F.concat(ys, axis=0)), self.log_std)


def lengths_of(kind, rng):
    """Of paths with 5,000 steps in all."""
    if kind == "equal":
        return [250] * 20
    found = []
    while sum(found) < ROWS:
        found.append(int(min(rng.integers(1, 1000), ROWS - sum(found))))
    return found


def milliseconds(function, count=1):
    """Of one call, the process's own time."""
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count * 1e3


def compare(kind):
    """The smallest of alternating rounds: ours, and Chainer's."""
    rng = np.random.default_rng(0)
    lengths = lengths_of(kind, rng)
    starts = np.cumsum([0, *lengths[:-1]])
    obs = rng.standard_normal((ROWS, S)).astype("f")
    policy = GaussianPolicy(S, A, (WIDTH,), core="gru", core_size=WIDTH, seed=0)
    (part,) = parts(policy)
    arrays = {name: x.array for name, x in named_params(policy).items()}
    memory = np.zeros((len(lengths), WIDTH), "f"), starts
    ours = Linearized(part, arrays, obs, memory=memory).fisher_product
    theirs, v = Theirs(), np.ones(flatten(policy).size, "f")
    dist = theirs(np.split(obs, starts[1:]))
    kl, params = mean_kl(old=dist.copy(), new=dist), named_params(theirs)
    product = hessian_vector_product(gradient(kl, params, create_graph=True), params)
    u = np.ones(flatten(theirs).size, "f")
    found = {"chainertrpo": [], "chainer": []}
    ours(v)
    for _ in range(ROUNDS):
        found["chainertrpo"].append(milliseconds(lambda: ours(v), 5))
        found["chainer"].append(milliseconds(lambda: product(u)))
    return {name: min(times) for name, times in found.items()}, len(lengths)


def acting():
    """Microseconds of one action, of the network's step and all around it."""
    policy = GaussianPolicy(S, A, (WIDTH,), core="gru", core_size=WIDTH, seed=0)
    actor, rng = Actor(policy), np.random.default_rng(0)
    carry, obs = actor.carry(), rng.standard_normal(S).astype("f")
    step, h = actor.policy.network.acting(actor.policy.theta), np.zeros(WIDTH, "f")
    return {
        "step": min(milliseconds(lambda: step(obs, h), 500) for _ in range(20)) * 1e3,
        "action": min(
            milliseconds(lambda: actor.sample(obs, rng, carry), 500) for _ in range(20)
        )
        * 1e3,
    }


def main():
    """Print the results as JSON lines."""
    for kind in ("equal", "random"):
        times, paths = compare(kind)
        if kind == "equal":
            settings = {"sizes": [S, WIDTH, A], "paths": paths, "steps": ROWS // paths}
            settings["rounds"] = ROUNDS
            found = peers.run("sb3", "recurrent_torch", settings, threads=1)
            times.update({f"torch.func, {k}": x for k, x in found.items()})
        ratio = times["chainertrpo"] / times["chainer"]
        print(json.dumps({"paths": paths, "ms": times, "ratio": round(ratio, 4)}))
    print(json.dumps({"acting_us": acting(), "machine": platform.machine()}))


if __name__ == "__main__":
    main()
