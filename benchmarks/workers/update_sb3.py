"""Milliseconds of an update, sb3-contrib's `TRPO.train`."""

import copy
import time

from sb3_contrib import TRPO
from serve import serve
from train_sb3 import build


class Collecting(TRPO):
    """Does not learn, so that `learn` only fills the buffer."""

    def train(self):
        """Leave everything as it is."""


def main():
    """Measure: `train` without critic updates, and what these add."""
    model = build("Humanoid-v4", 1, 0)
    model.__class__ = Collecting
    model.learn(5000)
    model.__class__ = TRPO
    weights = copy.deepcopy(model.policy.state_dict())
    tries = []
    get_distribution = model.policy.get_distribution

    def counted(obs):
        tries[-1] += 1
        return get_distribution(obs)

    model.policy.get_distribution = counted
    products = []
    hessian_vector_product = model.hessian_vector_product

    def counted_product(*args, **kwargs):
        products[-1] += 1
        return hessian_vector_product(*args, **kwargs)

    model.hessian_vector_product = counted_product

    def measure():
        times = []
        for epochs in (0, 5):
            model.policy.load_state_dict(weights)
            model.n_critic_updates = epochs
            tries.append(0)
            products.append(0)
            start = time.perf_counter()
            model.train()
            times.append(1000 * (time.perf_counter() - start))
        # It is asked for the old and the present distribution, and once a try.
        return {
            "policy": times[0],
            "value": times[1] - times[0],
            "tries": tries[-1] - 2,
            "products": products[-1],
        }

    serve(measure)


if __name__ == "__main__":
    main()
