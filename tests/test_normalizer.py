"""Running moments against the moments of all data at once."""

import io

from chainertrpo import EmpiricalNormalization

import chainer
import numpy as np
import pytest


def pieces(data, rng, n=20):
    """The data in batches of random sizes, empty ones and single rows among them."""
    cuts = np.sort(rng.integers(0, len(data) + 1, n))
    return np.split(data, [0, 1, *cuts])


def fed(data, rng, **settings):
    normalizer = EmpiricalNormalization(data.shape[1:], **settings)
    for batch in pieces(data, rng):
        normalizer.experience(batch)
    return normalizer


def assert_moments(normalizer, data, rtol=1e-12):
    data = np.float64(data)
    assert normalizer.count == len(data)
    np.testing.assert_allclose(normalizer.mean, data.mean(axis=0), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(normalizer.std, data.std(axis=0), rtol=rtol, atol=rtol)


@pytest.mark.parametrize("shape", [(3,), (2, 2), ()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_merged_moments_are_those_of_all_data(rng, shape, dtype):
    data = (5 + 3 * rng.standard_normal((1000, *shape))).astype(dtype)
    assert_moments(fed(data, rng), data)


def test_a_large_mean_does_not_drown_the_variance(rng):
    """σ = 1 about 1e6: a sum of squares would lose twelve digits, merging loses six."""
    data = 1e6 + rng.standard_normal((1000, 2))
    normalizer = fed(data, rng)
    np.testing.assert_allclose(normalizer.std, data.std(axis=0), rtol=1e-9)


def test_constant_columns_stay_finite_and_at_zero(rng):
    data = np.tile(np.float32([0, 0.1, -1e6]), (500, 1))
    normalizer = fed(data, rng)
    # The rounding of the mean of equal numbers, 1e-16 of each.
    assert (normalizer.std <= 1e-15 * np.abs(data[0])).all()
    # √eps is 0.1 here: up to 1e-15 · 1e6 / 0.1.
    assert np.abs(normalizer(data, update=False)).max() < 1e-7


def test_a_spike_does_not_wear_the_moments_out(rng):
    data = rng.standard_normal((2000, 2))
    data[700, 0] = 1e8
    normalizer = fed(data, rng)
    assert_moments(normalizer, data)
    assert normalizer.std[0] == pytest.approx(1e8 / 2000**0.5, rel=1e-3)
    assert np.isfinite(normalizer(data.astype("f"), update=False)).all()


def test_many_observations_weigh_as_many(rng):
    """As after 1e12 observations; then a thousand more, by the formula in Python ints."""
    normalizer = EmpiricalNormalization(1)
    normalizer.count[...], normalizer._mean[...], normalizer._var[...] = (
        10**12,
        2.0,
        9.0,
    )
    data = 5 + rng.standard_normal((1000, 1))
    normalizer.experience(data)
    n, m = 10**12, len(data)
    mean = 2.0 + (data.mean() - 2.0) * m / (n + m)
    square = (n * (9.0 + 2.0**2) + m * (data.var() + data.mean() ** 2)) / (n + m)
    assert normalizer.count == n + m
    assert normalizer.mean.item() == pytest.approx(mean, rel=1e-15)
    assert normalizer.std.item() ** 2 == pytest.approx(square - mean**2, rel=1e-13)


def test_normalises_by_its_formula(rng):
    data = rng.standard_normal((100, 3)) * [1, 0.01, 100] + [0, 5, -3]
    normalizer = fed(data, rng, eps=1e-4)
    truth = (data - data.mean(axis=0)) / np.sqrt(data.var(axis=0) + 1e-4)
    exact = normalizer(data, update=False)
    assert exact.dtype == np.float64  # for exact comparisons; what is float32 stays it
    np.testing.assert_allclose(exact, truth, rtol=1e-9, atol=1e-11)
    data = data.astype("f")
    y = normalizer(data, update=False)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, truth, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(normalizer(data[7], update=False), y[7])


def test_a_floor_is_for_small_variances_only(rng):
    data = rng.standard_normal((100, 3)) * [1, 0.01, 0] + [0, 5, -3]
    normalizer = fed(data, rng, eps=0.0, floor=1e-2)
    truth = (data - data.mean(axis=0)) / [data[:, 0].std(), 0.1, 0.1]
    y = normalizer(data, update=False)
    np.testing.assert_allclose(y, truth, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(normalizer.inverse(y), data, rtol=1e-6, atol=1e-6)


def test_before_any_observation_it_only_shrinks_by_eps():
    y = EmpiricalNormalization(2, eps=0.21)(np.float32([[1.1, -2.2]]), update=False)
    np.testing.assert_allclose(y, [[1, -2]], rtol=1e-6)


def test_calling_learns_first_unless_told_not_to(rng):
    data = rng.standard_normal((50, 2))
    one, two = EmpiricalNormalization(2), EmpiricalNormalization(2)
    one.experience(data)
    assert np.array_equal(two(data), one(data, update=False))
    assert one.count == two.count == 50


def test_clips_both_sides_and_passes_the_inside(rng):
    data = rng.standard_normal((1000, 2)).astype("f")
    free, clipped = fed(data, rng), fed(data, rng, clip_threshold=1.5)
    y = free(data, update=False)
    np.testing.assert_array_equal(
        clipped(data, update=False), np.clip(y, np.float32(-1.5), np.float32(1.5))
    )
    assert (np.abs(y) > 1.5).any()
    huge = clipped(np.float32([[1e38, -1e38]]), update=False)
    assert huge.tolist() == [[1.5, -1.5]]


def test_the_input_is_not_modified(rng):
    data = rng.standard_normal((10, 2)).astype("f")
    before = data.copy()
    normalizer = EmpiricalNormalization(2, clip_threshold=0.1)
    normalizer(data)
    assert np.array_equal(data, before)


def test_inverse_undoes_what_was_not_clipped(rng):
    data = (3 + 2 * rng.standard_normal((100, 2))).astype("f")
    normalizer = fed(data, rng)
    again = normalizer.inverse(normalizer(data, update=False))
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, data, rtol=1e-6, atol=1e-6)


def test_until_stops_learning(rng):
    """The batch that passes the limit still counts; none after it does."""
    data = rng.standard_normal((100, 2))
    normalizer = EmpiricalNormalization(2, until=45)
    for batch in np.split(data, 10):
        normalizer.experience(batch)
    assert_moments(normalizer, data[:50])


def test_stored_statistics_come_back_in_full(rng):
    data = rng.standard_normal((100, 3)) / 3
    normalizer, other = fed(data, rng), EmpiricalNormalization(3)
    file = io.BytesIO()
    chainer.serializers.save_npz(file, normalizer)
    file.seek(0)
    chainer.serializers.load_npz(file, other)
    assert other.mean.tobytes() == normalizer.mean.tobytes()
    assert other.std.tobytes() == normalizer.std.tobytes()
    assert (other.count, other.count.dtype) == (100, normalizer.count.dtype)
    other.experience(data)  # what was read can be written
    assert_moments(other, np.concatenate([data, data]))


def test_has_no_parameters_to_be_optimised():
    assert list(EmpiricalNormalization(3).params()) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_observations_are_refused_and_change_nothing(rng, bad):
    data = rng.standard_normal((20, 2))
    normalizer = fed(data, rng)
    worse = data.copy()
    worse[3, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        normalizer.experience(worse)
    assert_moments(normalizer, data)


@pytest.mark.parametrize("shape", [(5, 3), (5,), (2,), (5, 2, 1), ()])
def test_other_shapes_are_refused_also_if_they_would_broadcast(shape):
    with pytest.raises(ValueError, match="batch of observations of shape"):
        EmpiricalNormalization(2).experience(np.zeros(shape))


@pytest.mark.parametrize(
    "settings",
    [{"eps": 0}, {"eps": -1}, {"eps": float("nan")}, {"clip_threshold": 0}],
)
def test_refuses_what_cannot_work(settings):
    with pytest.raises(ValueError, match="expected (eps and floor|clip_threshold)"):
        EmpiricalNormalization(2, **settings)
