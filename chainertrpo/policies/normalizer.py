"""Observations brought to mean 0 and variance 1, as seen so far."""

from __future__ import annotations

import typing

from chainertrpo import ranks
from chainertrpo._threads import parallel_map, row_shards
from chainertrpo.numerics.moments import merge

import chainer
import numpy

BLOCK_ROWS = 250  # float64: what is worked on stays in the cache


class Normalization:
    """y = clip((x − mean) · scale), in float64, given as float32.

    What comes as float64 stays it, for exact comparisons.
    """

    def __init__(self, mean, scale, clip_threshold):
        self.mean, self.scale = mean, scale
        # As arrays: NumPy takes twice as long for a number.
        self.bounds = clip_threshold and [
            numpy.array(s * clip_threshold) for s in (1.0, -1.0)
        ]

    def __call__(self, x):
        """Normalise x, one observation or a batch of them."""
        if x.ndim == self.mean.ndim or len(x) <= BLOCK_ROWS:
            return self._block(x).astype(_dtype(x))
        out = numpy.empty(x.shape, _dtype(x))

        def work(shard):
            for rows in shard:
                out[rows] = self._block(x[rows])

        parallel_map(work, row_shards(x, BLOCK_ROWS))
        return out

    def _block(self, x):
        y = x - self.mean
        y *= self.scale
        if self.bounds:
            numpy.minimum(y, self.bounds[0], out=y)
            numpy.maximum(y, self.bounds[1], out=y)
        return y


def _dtype(x):
    return x.dtype if x.dtype == numpy.float64 else numpy.float32


def _moments(x):
    """Mean, variance and number of rows, in float64."""
    y = x.astype(numpy.float64)
    mean = y.mean(axis=0)
    y -= mean
    y *= y
    return mean, y.mean(axis=0), len(y)


class EmpiricalNormalization(chainer.Link):
    """Running mean and variance of observations.

    Moments are merged block by block in float64 (Chan, Golub and LeVeque 1979), so they
    equal the moments of all data at once and neither constant columns nor spikes of 1e3
    (both occur in Humanoid-v4) wear them out.  Names, arguments and defaults are those of
    ``chainerrl.links.EmpiricalNormalization``; unlike it, the statistics are float64 and
    stay on the host, because observations are normalised there before the one trip to
    the device.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of one observation.
    eps : float
        Added to the variance: y = (x − mean) / √(max(var, floor) + eps).
    clip_threshold : float, optional
        Clip y to ±this; None does not clip.
    until : int, optional
        Stop learning after this many observations.
    floor : float
        Smaller variances count as this (Baselines, which adds nothing).
    """

    def __init__(
        self,
        shape: typing.Any,
        *,
        eps: float = 1e-2,
        clip_threshold: float | None = None,
        until: int | None = None,
        floor: float = 0.0,
    ) -> None:
        super().__init__()
        if not (eps >= 0 and floor >= 0 and eps + floor > 0):
            raise ValueError(
                f"expected eps and floor >= 0, one of them > 0, got eps={eps}, "
                f"floor={floor}."
            )
        if clip_threshold is not None and not clip_threshold > 0:
            raise ValueError(
                f"expected clip_threshold None or > 0, got {clip_threshold}."
            )
        self.floor = floor
        shape = (shape,) if numpy.isscalar(shape) else tuple(shape)
        self.eps, self.clip_threshold, self.until = eps, clip_threshold, until
        self.add_persistent("_mean", numpy.zeros((1, *shape)))
        self.add_persistent("_var", numpy.ones((1, *shape)))
        self.add_persistent("count", numpy.array(0))

    @property
    def mean(self):
        """The mean, float64 array of the shape of one observation."""
        return self._mean[0]

    @property
    def std(self):
        """The standard deviation (population), float64, without `eps`."""
        return numpy.sqrt(self._var[0])

    def experience(self, x):
        """Merge a batch into the statistics.

        Parameters
        ----------
        x : array, shape (N, ...)
            Observations; empty batches change nothing.

        Raises
        ------
        ValueError
            The shape is not that of a batch of observations, or a value is not finite.
        """
        self._check(x)
        if len(x) == 0 or self._is_full():
            return
        self._keep(self._merged(self._now(), x))

    def experience_of_all(self, pieces):
        """Merge the batches of all ranks into the statistics, in the order of ranks.

        Parameters
        ----------
        pieces : iterable of array, shape (N, ...)
            Observations of this rank; with several of them there may be none.
        """
        if self._is_full():
            return
        here = 0.0 * self._mean[0], 0.0 * self._var[0], 0
        for x in pieces:
            self._check(x)
            here = self._merged(here, x) if len(x) else here
        moments, now = ranks.gathered(numpy.stack(here[:2])[None]), self._now()
        for of_rank, more in zip(moments, ranks.table(here[2])[:, 0]):
            if more:
                now = merge(*now, *of_rank, int(more))
        self._keep(now)

    def _is_full(self):
        return self.until is not None and self.count >= self.until

    def _now(self):
        return self._mean[0], self._var[0], int(self.count)

    def _check(self, x):
        if x.shape[1:] != self._mean.shape[1:]:
            raise ValueError(
                f"expected a batch of observations of shape {self._mean.shape[1:]}, "
                f"got an array of shape {x.shape}."
            )

    def _merged(self, moments, x):
        shards = row_shards(x, BLOCK_ROWS)
        with numpy.errstate(over="ignore", invalid="ignore"):
            found = parallel_map(
                lambda shard: [_moments(x[rows]) for rows in shard], shards
            )
            for block in (one for shard in found for one in shard):
                moments = merge(*moments, *block)
        return moments

    def _keep(self, moments):
        mean, var, count = moments
        if not (numpy.isfinite(mean).all() and numpy.isfinite(var).all()):
            raise ValueError("expected finite observations, got NaN or infinity.")
        self._mean[0], self._var[0], self.count[...] = mean, var, count

    def forward(self, x, update=True):
        """Normalise, and by default learn from the batch first.

        Parameters
        ----------
        x : array, shape (N, ...) or that of one observation
            Observations.  Learning needs a batch.
        update : bool
            Call `experience` before; agents pass False.

        Returns
        -------
        array, float32 (float64 if `x` is), shape of `x`
            Normalised and clipped observations.
        """
        if update:
            self.experience(x)
        return self.snapshot()(x)

    def snapshot(self):
        """Return what `forward` does at this moment, as plain NumPy that never learns.

        Returns
        -------
        Normalization
            It can be sent to another process.
        """
        scale = 1 / self._scale()
        return Normalization(self._mean[0].copy(), scale, self.clip_threshold)

    def inverse(self, y):
        """Undo the normalisation, where nothing was clipped.

        Parameters
        ----------
        y : array, shape (N, ...)
            Normalised observations.

        Returns
        -------
        array, float32, shape of `y`
            Observations.
        """
        x = y * self._scale() + self._mean[0]
        return x.astype(numpy.float32)

    def _scale(self):
        return numpy.sqrt(numpy.maximum(self._var[0], self.floor) + self.eps)


def learn(normalizer, pieces):
    """Let a normaliser learn from the observations of all ranks, in the order of ranks.

    Parameters
    ----------
    normalizer : chainer.Link
        Ours, or with one rank any with ``experience``.
    pieces : iterable of array, shape (N, ...)
        Observations of this rank.

    Raises
    ------
    ValueError
        There are several ranks, and it is not ours.
    """
    if ranks.size() == 1:
        for x in pieces:
            normalizer.experience(x)
        return
    if not hasattr(normalizer, "experience_of_all"):
        raise ValueError(
            "expected obs_normalizer to be chainertrpo's EmpiricalNormalization on several "
            f"ranks, got {type(normalizer).__module__}.{type(normalizer).__name__}, which "
            "learns from its own rank only."
        )
    normalizer.experience_of_all(pieces)
