"""Seconds of a product, a policy step and a value fit on a GPU beside the CPU's.

    make bench-gpu                      # or: python benchmarks/gpu.py --rows 5000

Ten iterations of conjugate gradient at batch 50,000 through 376-400-400-17, by the Hessian
and by Gauss–Newton, beside the chain of matrix products that a Gauss–Newton product cannot
do without; and a value fit of five epochs of 64 on the device and on the host.  Prints
card, driver and versions with the medians.
"""

import argparse
import statistics
import time

from chainertrpo import GaussianPolicy, ValueFit, ValueFunction
from chainertrpo._compat import array_device
from chainertrpo.data import Batch
from chainertrpo.updates import CG, Curvature, NaturalStep

import chainer
import numpy as np


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--hidden", type=int, nargs="+", default=[400, 400])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    devices = [array_device(args.gpu), array_device(-1)]
    describe(devices[0].xp, args.gpu)
    for device in devices:
        for name, run in cases(device, args).items():
            run()  # compiles
            seconds = [timed(device.xp, run) for _ in range(args.repeats)]
            median = statistics.median(seconds)
            print(f"{device.name:10} {name:32} {1e3 * median:9.2f} ms", flush=True)


def describe(cupy, gpu):
    """Print what it is measured on."""
    runtime = cupy.cuda.runtime
    card = runtime.getDeviceProperties(gpu)["name"].decode()
    print(
        f"{card}; driver {runtime.driverGetVersion()}, CUDA {runtime.runtimeGetVersion()},"
        f" CuPy {cupy.__version__}, NumPy {np.__version__}"
    )


def timed(xp, run):
    """Seconds until the device has done it."""

    def wait():
        if xp is not np:
            xp.cuda.Device().synchronize()

    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def cases(device, args):
    """What is measured, by name."""
    policy = GaussianPolicy(376, 17, args.hidden, seed=0)
    vf = ValueFunction(376, (64, 64), seed=0)
    optimizer = chainer.optimizers.Adam().setup(vf)
    policy.to_device(device)
    vf.to_device(device)
    rng = np.random.default_rng(0)

    def normal(*shape):
        return device.send(rng.standard_normal(shape).astype("f"))

    n = args.rows
    obs, action = normal(n, 376), normal(n, 17)
    with chainer.no_backprop_mode():
        log_prob = policy(obs).log_prob(action).array
    batch = Batch(obs, action, log_prob, normal(n), normal(n))
    sizes = [376, *args.hidden, 17]
    hidden = [normal(n, size) for size in sizes]
    weights = [normal(m, k) for k, m in zip(sizes, sizes[1:])]

    def chain():
        """Ten times J·v and Jᵀ·u, of products of matrices alone."""
        for _ in range(10):
            for i, w in enumerate(weights):
                hidden[i].dot(w.T)
                if i:
                    hidden[i].dot(w.T)
            for i, w in enumerate(weights):
                hidden[i + 1].T.dot(hidden[i])
                if i:
                    hidden[i + 1].dot(w)

    def natural(kind):
        step = NaturalStep(curvature=Curvature(kind), solver=CG(10))
        return lambda: step(policy, batch)

    def fit(on_host):
        step = ValueFit(5, 64, on_host=on_host)
        small = batch._make(None if x is None else x[:5000] for x in batch)
        return lambda: step(vf, optimizer, small, np.random.default_rng(0))

    return {
        "chain of matrix products": chain,
        "policy step, gauss_newton": natural("gauss_newton"),
        "policy step, hessian": natural("hessian"),
        "value fit of 5,000, here": fit(False),
        "value fit of 5,000, on the host": fit(True),
    }


if __name__ == "__main__":
    main()
