"""Ranks as threads of one process, and the updates that several ranks take together.

mpiexec -n 3 python tests/ranked.py      # the same cases on MPI: prints the worst error
"""

import copy
import sys
import threading

from chainertrpo import (
    PPO,
    TRPO,
    ActorCritic,
    EmpiricalNormalization,
    GaussianPolicy,
    SoftmaxPolicy,
    ValueFunction,
    ranks,
)
from chainertrpo.data import Path
from chainertrpo.numerics import flatten
from chainertrpo.policies import ScaledValueFunction
from chainertrpo.updates import (
    CG,
    Curvature,
    GradientStep,
    Minibatches,
    NaturalFit,
    NaturalStep,
    TrustRegion,
    ValueFit,
)

import chainer
import numpy as np

SIZES, N_OUT, LENGTHS = 4, 2, (37, 24, 50, 9)


class Threads:
    """One of K threads that stand for ranks: what ChainerMN's communicator does."""

    def __init__(self, rank, size, slots, barrier):
        self.rank, self.size, self.slots, self.barrier = rank, size, slots, barrier

    def _all(self, x):
        self.slots[self.rank] = copy.deepcopy(x)  # a message: who sends goes on
        self.barrier.wait()
        found = list(self.slots)
        self.barrier.wait()
        return found

    def allreduce(self, x):
        found = self._all(x)
        like = {(y.shape, str(y.dtype)) for y in found}
        assert len(like) == 1, f"not the same sum: {like}"
        return np.sum(found, axis=0, dtype=x.dtype)

    def bcast_obj(self, x):
        assert (x is None) == (self.rank != 0), "ChainerMN refuses it"
        return self._all(x)[0]

    def gather_obj(self, x):
        found = self._all(x)
        return found if self.rank == 0 else None


def on_ranks(size, work):
    """[work(rank)] of so many ranks, each in a thread; the first error is raised."""
    slots, barrier = [None] * size, threading.Barrier(size, timeout=60)
    results, errors = [None] * size, []
    dtype = chainer.config.dtype

    def run(rank):
        try:
            group = Threads(rank, size, slots, barrier)
            with ranks.using(group), chainer.using_config("dtype", dtype):
                results[rank] = work(rank)
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    broken = threading.BrokenBarrierError
    for error in sorted(errors, key=lambda error: isinstance(error, broken)):
        raise error
    return results


def paths_of(dtype, lengths=LENGTHS, seed=1, discrete=False, carry_size=0):
    """A recorded batch: paths of random steps."""
    rng = np.random.default_rng(seed)
    found = []
    for i, n in enumerate(lengths):
        action = rng.standard_normal((n, N_OUT)).astype("f")
        if discrete:
            action = rng.integers(3, size=n).astype("i")
        found.append(
            Path(
                (rng.standard_normal((n + 1, SIZES)) * 3 + 1).astype(dtype),
                action,
                (rng.standard_normal(n) * 2 + 1).astype("f"),
                bool(i % 2),
                np.zeros(carry_size, "f") if carry_size else None,
            )
        )
    return found


def nothing_of(path):
    """A path of no steps, of observations and actions like those of another."""
    return path._replace(
        obs=path.obs[:1], action=path.action[:0], reward=path.reward[:0], terminal=False
    )


def split(paths, size, how):
    """The paths of each rank: about the same of them, one and the rest, or none."""
    paths, cuts = list(paths), {}
    if how == "even":
        cuts = [len(paths) * i // size for i in range(size + 1)]
    elif how == "one to nine":  # the last path is a tenth of the rows
        cuts = [0] + [len(paths) - 1] * (size - 1) + [len(paths)]
    else:
        cuts = [0, 0, *[len(paths) * i // (size - 1) for i in range(1, size)]]
    shares = [paths[a:b] for a, b in zip(cuts, cuts[1:])]
    return [share or [nothing_of(paths[0])] for share in shares]


def trpo(step, discrete=False, fit=None, scaled=False, **settings):
    """An agent with a value function of its own."""
    kind = SoftmaxPolicy if discrete else GaussianPolicy
    policy = kind(SIZES, N_OUT + discrete, (8, 6), seed=1, **settings)
    size = SIZES + getattr(policy, "carry_size", 0)
    vf = (ScaledValueFunction if scaled else ValueFunction)(size, (7,), seed=2)
    return TRPO(
        policy,
        vf,
        chainer.optimizers.Adam(1e-2).setup(vf),
        EmpiricalNormalization(SIZES, clip_threshold=5),
        policy_step=step,
        value_step=fit or ValueFit(epochs=2, batch_size=32),
        seed=3,
    )


def ppo(step, optimizer=chainer.optimizers.Adam):
    """Policy and values in one, moved by an optimiser."""
    model = ActorCritic(
        GaussianPolicy(SIZES, N_OUT, (8,), seed=1), ValueFunction(SIZES, (7,), seed=2)
    )
    optimizer = optimizer(3e-3).setup(model)
    normalizer = EmpiricalNormalization(SIZES, clip_threshold=5)
    return PPO(model, optimizer, normalizer, policy_step=step, seed=3)


# What conjugate gradient makes of a rounding error grows with A's condition: the damping
# bounds it, so that 1e-10 says something.
CG_ONLY = CG(iterations=8)
TINY_STEPS = Minibatches(epochs=2, rows=40, target_kl=0.05)
GAUSS = Curvature("gauss_newton", damping=0.1)
HESSIAN = Curvature("hessian", damping=0.1)
CLIPPED = {"epochs": 3, "batch_size": 32, "clip_eps": 0.2, "entropy_coef": 0.01}
CASES = {
    "trpo": lambda: trpo(NaturalStep(curvature=HESSIAN)),
    "gauss-newton": lambda: trpo(NaturalStep(curvature=GAUSS, chunk_rows=30)),
    "categorical": lambda: trpo(NaturalStep(curvature=GAUSS), discrete=True),
    "max-kl": lambda: trpo(
        NaturalStep(curvature=GAUSS, region=TrustRegion(over="max"))
    ),
    "max-kl by graph": lambda: trpo(
        NaturalStep(curvature=HESSIAN, region=TrustRegion(over="max"))
    ),
    "npg": lambda: trpo(NaturalStep(curvature=GAUSS, search=None)),
    "every third row": lambda: trpo(
        NaturalStep(curvature=Curvature("gauss_newton", 0.1, stride=3))
    ),
    "critic": lambda: trpo(NaturalStep(curvature=Curvature("scores", 0.1))),
    "minibatches": lambda: trpo(
        NaturalStep(curvature=GAUSS, solver=CG_ONLY, schedule=TINY_STEPS)
    ),
    "natural fit": lambda: trpo(
        NaturalStep(curvature=GAUSS), fit=NaturalFit(), scaled=True
    ),
    "scaled values": lambda: trpo(NaturalStep(curvature=GAUSS), scaled=True),
    "memory": lambda: trpo(
        NaturalStep(curvature=Curvature("gauss_newton", 1.0), piece_length=8),
        core="gru",
        core_size=5,
    ),
    "ppo": lambda: ppo(GradientStep(**CLIPPED)),
    "ppo by graph": lambda: ppo(GradientStep(**CLIPPED), chainer.optimizers.SGD),
    "ppo that stops": lambda: ppo(
        GradientStep(**CLIPPED, standardize_by="std", stop_kl=1e-3, clip_eps_vf=0.5)
    ),
    "penalty": lambda: ppo(GradientStep(epochs=2, batch_size=50, beta=1.0)),
}


def outcome(make, paths, updates=1):
    """Everything that updates move, in float64, and what is reported."""
    agent = make()
    for _ in range(updates):
        agent.update(paths)
    links = {"policy": agent.policy, "vf": agent.vf}
    found = {name: flatten(link).astype(float) for name, link in links.items()}
    normalizer = agent.obs_normalizer
    if normalizer is not None:
        found["normalizer"] = np.concatenate([normalizer.mean, normalizer.std])
    numbers = [x for _, x in agent.get_statistics()]
    return found, agent.last_step, np.array(numbers)


def worst(found, truth):
    """The largest difference of what was moved, where numbers are of the order of 1."""
    return max(float(abs(found[k] - truth[k]).max()) for k in truth)


def recorded(name, dtype):
    """The recorded batch of a case."""
    size = 5 if name == "memory" else 0
    return paths_of(dtype, discrete=name == "categorical", carry_size=size)


def main():
    """Every case on the ranks of mpiexec, against the serial step."""
    with ranks.joined(), chainer.using_config("dtype", np.float64):
        for name, make in CASES.items():
            paths, size = recorded(name, np.float64), ranks.size()
            with ranks.apart():
                truth = outcome(make, paths)[0]
            found = outcome(make, split(paths, size, "empty")[ranks.rank()])[0]
            error = ranks.largest(worst(found, truth))
            if ranks.rank() == 0:
                print(size, name, error, sep="\t", flush=True)
        if "fail" in sys.argv and ranks.rank() == 1:
            raise RuntimeError("what rank 1 says")
        if "fail" in sys.argv:
            ranks.sum(1.0)


if __name__ == "__main__":
    main()
