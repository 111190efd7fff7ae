"""The founding example: a Hessian-vector product by differentiating a gradient.

y = Σ(2a − b)² at a = b = 0.  The gradient is zero there, the Hessian is not, and its
product with a vector comes from ``chainer.grad`` applied to a gradient.
"""

import argparse

import chainertrpo  # noqa: F401  (prepares Chainer for this Python and NumPy)
from chainertrpo.numerics import dense, flatten, gradient, hessian_vector_product

import chainer
import chainer.functions as F
import numpy as np


def main():
    """Print the gradient, the product, the dense Hessian and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of the vector v")
    args = parser.parse_args()

    a = chainer.Parameter(np.zeros(2, dtype=np.float32))
    b = chainer.Parameter(np.zeros(2, dtype=np.float32))
    y = F.sum((2 * a - b) ** 2)

    grads = gradient(y, [a, b], create_graph=True)
    product = hessian_vector_product(grads, [a, b])
    hessian = dense(product, 4, dtype=np.float32)
    v = np.random.RandomState(args.seed).standard_normal(4).astype(np.float32)

    print("gradient        ", flatten(grads))
    print("v               ", v)
    print("Hv, by products ", product(v))
    print("Hv, dense       ", hessian @ v)
    print("dense Hessian\n", hessian, sep="")
    print("largest difference", np.abs(product(v) - hessian @ v).max())

    expected = np.array([[8, 0, -4, 0], [0, 8, 0, -4], [-4, 0, 2, 0], [0, -4, 0, 2]])
    if not np.array_equal(hessian, expected):
        raise SystemExit(f"expected the Hessian\n{expected}")


if __name__ == "__main__":
    main()
