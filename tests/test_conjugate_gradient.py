"""Conjugate gradient against direct solvers, and what it says when it cannot go on."""

from chainertrpo.numerics import conjugate_gradient

import numpy as np
import pytest
from chainer.backends.cuda import to_cpu

DTYPES = ("float32", "float64")
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def spd(rng, eigenvalues):
    """A random symmetric matrix with these eigenvalues."""
    n = len(eigenvalues)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return (q * eigenvalues) @ q.T


class Counting:
    """v -> Av, which counts its calls and gives `instead` at the k-th."""

    def __init__(self, matrix, instead=None, at=None):
        self.matrix, self.instead, self.at, self.calls = matrix, instead, at, 0

    def __call__(self, v):
        self.calls += 1
        with np.errstate(over="ignore"):
            if self.calls == self.at:
                return self.instead * v
            return self.matrix.dot(v)


def system(xp, rng, eigenvalues, dtype="float64"):
    a = spd(rng, np.asarray(eigenvalues, float)).astype(dtype)
    b = rng.standard_normal(len(a)).astype(dtype)
    return a, b, Counting(xp.asarray(a)), xp.asarray(b)


@every_dtype
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("condition", [1, 10, 1000])
def test_solves_what_a_direct_solver_solves(xp, dtype, seed, condition):
    rng = np.random.default_rng(seed)
    n = 30
    eigenvalues = np.geomspace(1 / condition, 1, n)
    a, b, product, device_b = system(xp, rng, eigenvalues, dtype)
    truth = np.linalg.solve(np.float64(a), np.float64(b))
    found = conjugate_gradient(product, device_b, n_iter=10 * n)
    assert isinstance(found.x, xp.ndarray)
    assert found.x.dtype == dtype
    assert found.reason == "converged"
    error = np.linalg.norm(to_cpu(found.x) - truth) / np.linalg.norm(truth)
    # A residual of rounding size is an error of up to the condition number as much.
    assert error < 20 * condition * np.finfo(dtype).eps


@every_dtype
def test_ends_within_as_many_iterations_as_distinct_eigenvalues(xp, rng, dtype):
    """Five eigenvalues, forty dimensions: the Krylov space has five (exact arithmetic)."""
    eigenvalues = np.repeat([1.0, 1.5, 2.0, 3.0, 4.0], 8)
    _, _, product, b = system(xp, rng, eigenvalues, dtype)
    size = float(xp.linalg.norm(b))
    eps = np.finfo(dtype).eps
    found = [conjugate_gradient(product, b, k).residual / size for k in range(1, 6)]
    assert found[4] < 100 * eps
    assert found[3] > 1e4 * eps


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_n_dimensions_need_at_most_n_iterations(xp, rng, n):
    a, _, product, b = system(xp, rng, np.linspace(1, 2, n))
    found = conjugate_gradient(product, b, n)
    truth = np.linalg.solve(a, to_cpu(b))
    assert found.n_iter <= n
    np.testing.assert_allclose(to_cpu(found.x), truth, rtol=1e-12)


def test_each_iterate_is_the_best_of_its_krylov_space(rng):
    """x_k minimises ½xᵀAx − bᵀx over span{b, Ab, …, Aᵏ⁻¹b}."""
    a, b, product, _ = system(np, rng, np.geomspace(0.05, 1, 20))
    basis = b[:, None]
    for k in range(1, 8):
        q, _ = np.linalg.qr(basis)
        best = q @ np.linalg.solve(q.T @ a @ q, q.T @ b)
        found = conjugate_gradient(product, b, k)
        np.testing.assert_allclose(found.x, best, rtol=0, atol=1e-11)
        basis = np.column_stack([basis, a @ q[:, -1]])


@every_dtype
@pytest.mark.parametrize("n_iter", [1, 3, 7])
def test_one_product_an_iteration(xp, rng, dtype, n_iter):
    _, _, product, b = system(xp, rng, np.geomspace(0.01, 1, 50), dtype)
    found = conjugate_gradient(product, b, n_iter)
    assert (product.calls, found.n_iter, found.reason) == (n_iter, n_iter, "max_iter")


def test_no_product_once_it_has_ended_on_the_host(rng):
    _, _, product, b = system(np, rng, np.repeat([1.0, 2.0], 10))
    found = conjugate_gradient(product, b, 100)
    assert found.reason == "converged"
    assert product.calls == found.n_iter < 10


@pytest.mark.gpu
@pytest.mark.parametrize("xp", ["cupy"], indirect=True)
def test_on_a_gpu_the_end_changes_nothing_more(xp, rng):
    """Nothing waits for the device, so the products go on; x, count, reason do not."""
    a, b, product, device_b = system(xp, rng, np.repeat([1.0, 2.0], 10))
    found = conjugate_gradient(product, device_b, 100)
    assert product.calls == 100
    there = conjugate_gradient(Counting(a), b, 100)
    assert (found.n_iter, found.reason) == (there.n_iter, there.reason)
    np.testing.assert_allclose(to_cpu(found.x), there.x, rtol=1e-12)


@every_dtype
def test_residual_is_that_of_x(xp, rng, dtype):
    a, b, product, device_b = system(xp, rng, np.geomspace(0.1, 1, 30), dtype)
    for n_iter in (0, 1, 4, 8):
        found = conjugate_gradient(product, device_b, n_iter)
        true = np.linalg.norm(
            np.float64(b) - np.float64(a) @ np.float64(to_cpu(found.x))
        )
        rounding = 100 * float(np.finfo(dtype).eps)
        assert found.residual == pytest.approx(true, rel=1e-3, abs=rounding)


def test_tol_ends_at_the_first_residual_below_it(xp, rng):
    _, _, product, b = system(xp, rng, np.geomspace(0.01, 1, 50))
    residuals = [conjugate_gradient(product, b, k).residual for k in range(30)]
    tol = 0.05
    product.calls = 0
    found = conjugate_gradient(product, b, 30, tol=tol)
    first = next(k for k, r in enumerate(residuals) if r < tol)
    assert found.reason == "converged"
    assert found.n_iter == product.calls == first > 2
    assert found.residual == residuals[first]


def test_no_iterations(xp, rng):
    _, _, product, b = system(xp, rng, np.ones(4))
    found = conjugate_gradient(product, b, 0)
    assert not found.x.any()
    assert (product.calls, found.n_iter, found.reason) == (0, 0, "max_iter")
    assert found.residual == pytest.approx(float(xp.linalg.norm(b)))


@every_dtype
@pytest.mark.parametrize("tol", [None, 1e-3])
@pytest.mark.parametrize("n_iter", [0, 10])
def test_zero_gives_zero(xp, dtype, tol, n_iter):
    product = Counting(xp.eye(3, dtype=dtype))
    found = conjugate_gradient(product, xp.zeros(3, dtype), n_iter, tol)
    assert not found.x.any()
    assert found[1:4] == (0, 0.0, "converged")


def test_neither_b_nor_x_is_shared(rng):
    _, _, product, b = system(np, rng, np.linspace(1, 2, 6))
    before = b.copy()
    for n_iter in (0, 3):
        found = conjugate_gradient(product, b, n_iter)
        assert np.array_equal(b, before)
        assert not np.shares_memory(found.x, b)


@every_dtype
@pytest.mark.parametrize("last", [-1.0, 0.0])
def test_nonpositive_curvature_ends_with_the_best_so_far(xp, dtype, last):
    """The third direction has no curvature; two iterations had."""
    a = np.diag([1.0, 2.0, 3.0, 4.0]).astype(dtype)
    b = xp.ones(4, dtype)
    product = Counting(xp.asarray(a), instead=last, at=3)
    found = conjugate_gradient(product, b, 10)
    best = conjugate_gradient(Counting(xp.asarray(a)), b, 2)
    assert found.reason == "nonpositive_curvature"
    assert found.n_iter == 2
    assert (found.x == best.x).all()
    assert found.residual == best.residual
    assert xp is not np or product.calls == 3


@every_dtype
def test_an_indefinite_matrix_is_found_out(xp, rng, dtype):
    eigenvalues = np.array([-1.0] + 9 * [1.0]) * np.linspace(1, 2, 10)
    _, _, product, b = system(xp, rng, eigenvalues, dtype)
    found = conjugate_gradient(product, b, 50)
    assert found.reason == "nonpositive_curvature"
    assert xp.isfinite(found.x).all()


@pytest.mark.parametrize("matrix", [-np.eye(3), np.zeros((3, 3))])
def test_no_curvature_at_all_gives_zero(xp, matrix):
    found = conjugate_gradient(Counting(xp.asarray(matrix)), xp.ones(3), 10)
    assert not found.x.any()
    assert found[1:4] == (0, pytest.approx(3**0.5), "nonpositive_curvature")


@every_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [1, 3])
def test_a_nonfinite_product_ends_with_the_best_so_far(xp, dtype, bad, at):
    a = xp.asarray(np.diag([1.0, 2.0, 3.0, 4.0]).astype(dtype))
    b = xp.ones(4, dtype)
    found = conjugate_gradient(Counting(a, instead=bad, at=at), b, 10)
    best = conjugate_gradient(Counting(a), b, at - 1)
    assert (found.n_iter, found.reason) == (at - 1, "nonfinite")
    assert (found.x == best.x).all()


@every_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_nonfinite_entry_of_a_product_is_enough(xp, dtype, bad):
    def product(v):
        z = v.copy()
        z[1] = bad
        return z

    found = conjugate_gradient(product, xp.asarray([1, 2, 3], dtype), 10)
    assert not found.x.any()
    assert found.reason == "nonfinite"


@every_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_nonfinite_right_hand_side_gives_zero(xp, dtype, bad):
    product = Counting(xp.eye(3, dtype=dtype))
    found = conjugate_gradient(product, xp.asarray([1, bad, 2], dtype), 10)
    assert not found.x.any()
    assert (found.n_iter, found.reason) == (0, "nonfinite")
    assert xp is not np or product.calls == 0


@pytest.mark.parametrize("size", [1e25, 1e-25])
@pytest.mark.parametrize("curvature", [1e30, 1.0, 1e-30])
def test_overflow_and_underflow_leave_x_finite(xp, size, curvature):
    """In float32 ‖b‖², pᵀAp or ‖x‖² is beyond 3e38, or below 1e-45."""
    a = curvature * xp.eye(3, dtype="float32")
    found = conjugate_gradient(Counting(a), xp.full(3, size, "float32"), 10)
    assert xp.isfinite(found.x).all()
    assert np.isfinite(found.residual)
    assert found.reason in ("nonfinite", "converged", "nonpositive_curvature")


@pytest.mark.parametrize("curvature", [1e38, 1e-38])
def test_an_overflow_inside_is_called_nonfinite(xp, curvature):
    a = xp.asarray([[curvature]], "float32")
    found = conjugate_gradient(Counting(a), xp.full(1, 1e5, "float32"), 10)
    assert not found.x.any()
    assert found.reason == "nonfinite"


def test_what_it_refuses():
    def product(v):
        return v

    with pytest.raises(ValueError, match="n_iter >= 0"):
        conjugate_gradient(product, np.ones(2), -1)
    for b in (np.ones((2, 1)), np.ones(2, "e"), np.ones(2, int), np.ones(2, complex)):
        with pytest.raises(ValueError, match="vector of float32 or float64"):
            conjugate_gradient(product, b)
