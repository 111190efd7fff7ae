"""Rows on several threads: the same bits on any number of them, and nothing lost."""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

from chainertrpo import _threads as threads
from chainertrpo._threads import (
    parallel_map,
    row_shards,
    single_blas_thread,
    thread_count,
)
from chainertrpo.numerics import flatten, named_params
from chainertrpo.policies import EmpiricalNormalization, parts
from chainertrpo.updates import Curvature, Linearized, NaturalStep

import numpy as np
import pytest
from conftest import POLICY_KINDS
from threadpoolctl import threadpool_info


@pytest.fixture(params=[1, 3])
def n_threads(monkeypatch, request):
    with ThreadPoolExecutor(request.param) as pool:
        monkeypatch.setattr(threads, "thread_count", lambda: request.param)
        monkeypatch.setattr(threads, "_pool", lambda: pool)
        yield request.param


def blas_threads():
    found = [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]
    return max(found)


@pytest.mark.parametrize("n", [0, 1, 2, 999, 1000, 1001, 5000, 12_345, 300_000])
@pytest.mark.parametrize("most", [1, 250, 10**6])
def test_lanes_hold_every_row_once_and_blocks_are_alike(n, most):
    if n > 10_000 and most == 1:
        n = 10_000
    x = np.empty(n)
    shards = row_shards(x, most)
    blocks = [block for shard in shards for block in shard]
    everyone = np.arange(n)
    rows = [everyone[block] for block in blocks]
    assert np.array_equal(np.concatenate(rows), np.arange(n))
    sizes = {len(r) for r in rows}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= min(most, threads.BLOCK_ROWS)
    assert len({len(shard) for shard in shards}) == 1
    assert n < 16_384 or len(shards) == threads.MAX_SHARDS


def test_results_are_in_order_and_errors_are_raised(n_threads):
    def work(item):
        if item == 77:
            raise KeyError(item)
        return item * item

    assert parallel_map(work, range(50)) == [i * i for i in range(50)]
    with pytest.raises(KeyError, match="77"):
        parallel_map(work, range(100))
    assert blas_threads() == thread_count()


def test_work_is_really_shared():
    """Two calls that wait for each other both end."""
    barrier = threading.Barrier(2, timeout=30)
    with ThreadPoolExecutor(2) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "thread_count", lambda: 2)
        patch.setattr(threads, "_pool", lambda: pool)
        parallel_map(lambda _: barrier.wait(), range(2))


def test_the_callers_errstate_holds_in_every_thread(n_threads):
    def overflow(_):
        return np.float32(3e38) * np.float32(10)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(over="ignore"):
            parallel_map(overflow, range(4))
        with np.errstate(over="raise"), pytest.raises(FloatingPointError):
            parallel_map(overflow, range(4))


def test_blas_has_one_thread_inside_and_as_many_as_before_outside():
    before = blas_threads()
    assert thread_count() == before

    @single_blas_thread()
    def inner():
        return blas_threads()

    with single_blas_thread():
        assert inner() == 1
        assert blas_threads() == 1  # leaving the inner one changes nothing
        with pytest.raises(ZeroDivisionError), single_blas_thread():
            1 / 0  # noqa: B018
        assert blas_threads() == 1
    assert blas_threads() == before


def test_limits_of_two_threads_may_overlap():
    """One enters, the other enters, the first leaves, the other leaves."""
    before = blas_threads()
    first, second = single_blas_thread(), single_blas_thread()
    with first:
        second.__enter__()
    assert blas_threads() == 1
    second.__exit__(None, None, None)
    assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_threads_of_its_own():
    parallel_map(abs, range(4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads
        child = os.fork()
    if not child:
        done = parallel_map(abs, range(4)) == [0, 1, 2, 3]
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture(scope="module")
def of_one_thread():
    return {}


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_an_update_has_the_same_bits_on_any_number_of_threads(
    make_policy, make_batch, n_threads, of_one_thread, kind
):
    policy = make_policy(kind)
    batch = make_batch(policy, n=5000)
    report = NaturalStep(curvature=Curvature(kind="gauss_newton", damping=0.1))(
        policy, batch
    )
    assert report.accepted
    theta = np.concatenate([p.array.ravel() for _, p in sorted(policy.namedparams())])
    if n_threads == 1:
        of_one_thread[kind] = theta, report
    else:
        other, same_report = of_one_thread[kind]
        assert theta.tobytes() == other.tobytes()
        assert report == same_report


def test_so_have_normalisers(n_threads, rng):
    x = 5 + rng.standard_normal((5000, 7))
    ours = EmpiricalNormalization(7)
    y = ours(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "thread_count", lambda: 1)
        alone = EmpiricalNormalization(7)
        assert alone(x).tobytes() == y.tobytes()
    assert alone._var.tobytes() == ours._var.tobytes()
    np.testing.assert_allclose(ours._mean[0], x.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(ours._var[0], x.var(axis=0), rtol=1e-13)


@pytest.mark.parametrize("keep_bytes", [0, 2**28])
def test_columns_of_zeros_change_nothing(
    float64, make_policy, make_batch, rng, keep_bytes
):
    """A policy that sees them, and one without the weights that they meet."""
    policy = make_policy("state_independent")
    batch = make_batch(policy, n=3000)
    obs = batch.obs.copy()
    obs[:, 1] = 0
    weights = policy.mlp[0].W.array
    params = {name: p.array for name, p in named_params(policy).items()}
    linear = Linearized(parts(policy)[0], params, obs, keep_bytes=keep_bytes)
    v = rng.standard_normal(sum(p.size for p in policy.params()))
    product = linear.fisher_product(v)
    full = Linearized(parts(policy)[0], params, obs + 1e-300, keep_bytes=keep_bytes)
    np.testing.assert_allclose(product, full.fisher_product(v), rtol=1e-9, atol=1e-12)
    theta = flatten(policy) + 0.1
    means = [
        np.concatenate(x.there(theta, lambda _, m: m.mean)) for x in (linear, full)
    ]
    np.testing.assert_allclose(*means, rtol=1e-12)
    assert linear.columns is not None and full.columns is None
    assert weights is policy.mlp[0].W.array
