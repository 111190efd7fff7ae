"""The fit of the value function against Adam written out, and its minibatches."""

import math

from chainertrpo import ActorCritic, GaussianPolicy, ValueFit, ValueFunction
from chainertrpo.data import Batch
from chainertrpo.data.pieces import minibatches
from chainertrpo.numerics import flatten
from chainertrpo.policies import ScaledValueFunction, parts

import chainer
import numpy as np
import pytest

SIZES = [
    (10, 5, 2),
    (10, 4, 3),
    (7, 3, 1),
    (7, 7, 2),
    (5, 1, 1),
    (64, 64, 3),
    (9, 2, 5),
]


def some_batch(rng, n=50, dtype="float64"):
    def normal(*shape):
        return rng.standard_normal(shape).astype(dtype)

    return Batch(normal(n, 4), normal(n, 2), normal(n), normal(n), normal(n))


def value_function(build=ValueFunction, make_optimizer=None, **settings):
    vf = build(4, (6, 5), seed=0, **settings)
    optimizer = (make_optimizer or chainer.optimizers.Adam)(0.02)
    optimizer.setup(vf)
    return vf, optimizer


class OursScaled(ScaledValueFunction):
    """As `Ours`."""

    def forward(self, obs):
        return super().forward(obs)


# Minibatches


@pytest.mark.parametrize("n, batch_size, epochs", [*SIZES, (5, 8, 3), (3, 7, 1)])
def test_each_epoch_is_covered_exactly_before_the_next(rng, n, batch_size, epochs):
    rows = minibatches(n, batch_size, epochs, rng)
    assert len(rows) == math.ceil(epochs * n / batch_size)
    assert all(len(index) == batch_size for index in rows)
    flat = np.concatenate(rows)
    for epoch in range(epochs):
        part = flat[epoch * n : (epoch + 1) * n]
        assert sorted(part) == list(range(n))
    rest = flat[epochs * n :]
    assert len(rest) < batch_size


@pytest.mark.parametrize("n, batch_size, epochs", SIZES)
def test_minibatches_are_those_of_chainers_iterator(n, batch_size, epochs):
    """Its permutations drawn from the same generator; ``epoch < epochs`` as ChainerRL."""
    rng = np.random.default_rng(1)
    iterator = chainer.iterators.SerialIterator(
        np.arange(n), batch_size, order_sampler=lambda order, at: rng.permutation(n)
    )
    truth = []
    while iterator.epoch < epochs:
        truth.append(iterator.next())
    found = minibatches(n, batch_size, epochs, np.random.default_rng(1))
    assert np.array_equal(found, truth)


def test_epochs_are_shuffled_anew_and_a_seed_repeats_them():
    draws = [
        np.concatenate(minibatches(20, 5, 2, np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert not np.array_equal(draws[0][:20], draws[0][20:])


# The fit


class PlainFit:
    """A tanh network, its loss's gradient by hand, and Adam (Kingma and Ba)."""

    def __init__(self, vf, rate):
        self.params = [p.array.copy() for p in params_of(vf)]
        self.m = [np.zeros_like(p) for p in self.params]
        self.v = [np.zeros_like(p) for p in self.params]
        self.rate, self.t = rate, 0

    def loss_and_gradient(self, x, target):
        w0, b0, w1, b1, w2, b2, *log_std = self.params
        h0 = np.tanh(x @ w0.T + b0)
        h1 = np.tanh(h0 @ w1.T + b1)
        error = (h1 @ w2.T + b2)[:, 0] - target
        d2, loss, by_log_std = 2 * error[:, None] / len(x), (error**2).mean(), []
        if log_std:
            variance = np.exp(2 * log_std[0])
            density = np.exp(-0.5 * error**2 / variance) / (2 * np.pi * variance) ** 0.5
            d2, loss = d2 / (2 * variance), -np.log(density).mean()
            by_log_std = [(1 - error**2 / variance).mean(keepdims=True)]
        d1 = d2 @ w2 * (1 - h1**2)
        d0 = d1 @ w1 * (1 - h0**2)
        pairs = ((d0, x), (d1, h0), (d2, h1))
        grads = [g for d, h in pairs for g in (d.T @ h, d.sum(axis=0))]
        return loss, grads + by_log_std

    def step(self, x, target):
        loss, grads = self.loss_and_gradient(x, target)
        self.t += 1
        rate = self.rate * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for p, g, m, v in zip(self.params, grads, self.m, self.v):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= rate * m / (np.sqrt(v) + 1e-8)
        return loss


def params_of(vf):
    log_std = [vf.log_std] if hasattr(vf, "log_std") else []
    return [p for layer in vf.mlp for p in (layer.W, layer.b)] + log_std


class Ours(ValueFunction):
    """A subclass that may compute anything: it is fitted through Chainer's graphs."""

    def forward(self, obs):
        return super().forward(obs)


class Same(ValueFunction):
    """A subclass that computes what ours does: it is written out too."""


every_way = pytest.mark.parametrize(
    "build", [ValueFunction, Same, Ours], ids=["flat", "subclass", "graphs"]
)


def test_what_is_written_out():
    assert parts(ValueFunction(4)) and parts(Same(4)) and not parts(Ours(4))
    assert parts(ScaledValueFunction(4)) and not parts(OursScaled(4))
    vf = ValueFunction(4)
    vf.forward = lambda obs: None
    assert not parts(vf)


@every_way
@pytest.mark.parametrize("log_std_init", [None, 0.0, -0.5])
@pytest.mark.parametrize("epochs, batch_size", [(3, 16), (1, 50), (2, 7), (1, 64)])
def test_a_fit_is_adam_on_the_minibatches(
    float64, rng, build, epochs, batch_size, log_std_init
):
    vf, optimizer = value_function(build, log_std_init=log_std_init)
    plain, batch = PlainFit(vf, 0.02), some_batch(rng)
    report = ValueFit(epochs, batch_size)(
        vf, optimizer, batch, np.random.default_rng(3)
    )
    losses = [
        plain.step(batch.obs[index], batch.value_target[index])
        for index in minibatches(50, batch_size, epochs, np.random.default_rng(3))
    ]
    assert report.n_updates == optimizer.t == len(losses)
    assert report.loss == pytest.approx(np.mean(losses), rel=1e-12)
    for have, want in zip(params_of(vf), plain.params):
        # Adam divides by √v, which for a gradient near zero magnifies its rounding.
        np.testing.assert_allclose(have.array, want, rtol=0, atol=1e-9)


@every_way
def test_fits_follow_each_other(float64, rng, build):
    """The optimiser's moments carry over: two fits of an epoch are one of two."""
    batch = some_batch(rng)
    vf, optimizer = value_function(build)
    plain = PlainFit(vf, 0.02)
    fit, shuffle = ValueFit(1, 25), np.random.default_rng(3)
    for _ in range(2):
        fit(vf, optimizer, batch, shuffle)
    shuffle = np.random.default_rng(3)
    for _ in range(2):
        for index in minibatches(50, 25, 1, shuffle):
            plain.step(batch.obs[index], batch.value_target[index])
    np.testing.assert_allclose(vf.mlp[0].W.array, plain.params[0], rtol=0, atol=1e-9)


def with_hook(hook):
    def change(vf, optimizer):
        optimizer.add_hook(hook)

    return change


def slow_layer(vf, optimizer):
    vf.mlp[1].W.update_rule.hyperparam.alpha = 1e-3


def frozen_layer(vf, optimizer):
    vf.mlp[0].disable_update()


def hook_of_a_parameter(vf, optimizer):
    vf.mlp[0].W.update_rule.add_hook(chainer.optimizer_hooks.WeightDecay(0.1))


CLIP = chainer.optimizer_hooks.GradientClipping(0.01)


def other_numbers(vf, optimizer):
    optimizer.alpha, optimizer.beta1, optimizer.beta2 = 0.01, 0.5, 0.9
    optimizer.eps, optimizer.eta = 0.1, 0.5


def variant(**settings):
    return lambda rate: chainer.optimizers.Adam(rate, **settings)


@pytest.mark.parametrize(
    ("make_optimizer", "change"),
    [
        (None, lambda vf, optimizer: None),
        (None, other_numbers),
        (None, slow_layer),
        (None, frozen_layer),
        (None, hook_of_a_parameter),
        (None, with_hook(chainer.optimizer_hooks.GradientClipping(0.01))),
        (None, with_hook(chainer.optimizer_hooks.WeightDecay(0.1))),
        (variant(amsgrad=True), lambda vf, optimizer: None),
        (variant(weight_decay_rate=0.1), lambda vf, optimizer: None),
        (chainer.optimizers.MomentumSGD, lambda vf, optimizer: None),
    ],
)
def test_the_flat_way_is_the_way_through_graphs(float64, rng, make_optimizer, change):
    """Whatever the optimiser: the same parameters, moments, counts and loss."""
    batch, results = some_batch(rng), []
    for build in (ValueFunction, Ours):
        vf, optimizer = value_function(build, make_optimizer)
        fit, shuffle = ValueFit(2, 16), np.random.default_rng(3)
        fit(vf, optimizer, batch, shuffle)
        change(vf, optimizer)
        report = fit(vf, optimizer, batch, shuffle)
        rules = [param.update_rule for _, param in sorted(vf.namedparams())]
        state = [x for rule in rules for _, x in sorted((rule.state or {}).items())]
        results.append((flatten(vf), flatten(state), report, optimizer.t))
        assert len({rule.t for rule in rules}) <= 2
    (theta, state, report, t), (theta_2, state_2, report_2, t_2) = results
    np.testing.assert_allclose(theta, theta_2, rtol=0, atol=1e-11)
    np.testing.assert_allclose(state, state_2, rtol=0, atol=1e-11)
    assert report.loss == pytest.approx(report_2.loss, rel=1e-11)
    assert (report.n_updates, t) == (report_2.n_updates, t_2) == (7, 14)


def test_a_linear_function_is_learned_whatever_the_shape_of_values(xp, rng):
    class Flat(chainer.Chain):
        """Values of shape (N,), not (N, 1)."""

        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.layer = chainer.links.Linear(4, 1)

        def forward(self, x):
            return chainer.functions.reshape(self.layer(x), (-1,))

    vf = Flat()
    if xp is not np:
        vf.to_device("@cupy:0")
    optimizer = chainer.optimizers.Adam(0.05)
    optimizer.setup(vf)
    batch = some_batch(rng, 200, "float32")
    weights = np.float32([1, -2, 0.5, 0])
    batch = batch._replace(value_target=batch.obs @ weights + 3)
    batch = Batch(*(x if x is None else xp.asarray(x) for x in batch))
    report = ValueFit(100, 50)(vf, optimizer, batch, np.random.default_rng(0))
    assert isinstance(report.loss, float)
    np.testing.assert_allclose(
        chainer.backends.cuda.to_cpu(vf.layer.W.array)[0], weights, atol=1e-3
    )


@every_way
def test_the_likeliest_deviation_is_that_of_the_residual(float64, rng, build):
    vf, optimizer = value_function(build, log_std_init=0.0)
    batch = some_batch(rng, 500)
    batch = batch._replace(value_target=0.3 * batch.value_target + batch.obs[:, 0])
    ValueFit(300, None)(vf, optimizer, batch, np.random.default_rng(0))
    mean_square = ((vf(batch.obs).array[:, 0] - batch.value_target) ** 2).mean()
    assert mean_square == pytest.approx(0.3**2, rel=0.2)
    assert np.exp(2 * vf.log_std.array[0]) == pytest.approx(mean_square, rel=0.01)


def test_a_joint_model_has_no_deviation_of_values():
    policy, (vf, _) = GaussianPolicy(4, 2), value_function(log_std_init=0.0)
    with pytest.raises(ValueError, match="without log_std"):
        ActorCritic(policy, vf)


every_scaled = pytest.mark.parametrize(
    "build", [ScaledValueFunction, OursScaled], ids=["flat", "graphs"]
)


@every_scaled
@pytest.mark.parametrize("learns", ["before_fit", "after_fit"])
@pytest.mark.parametrize("centered", [True, False])
def test_scaled_values_are_fitted_in_their_units(float64, rng, build, centered, learns):
    """As plain ones on standardised targets, by the moments of all or of those before."""
    batches = [some_batch(rng), some_batch(rng)]
    batches = [x._replace(value_target=40 + 7 * x.value_target) for x in batches]
    vf, optimizer = value_function(build, centered=centered, learns=learns)
    plain, plain_optimizer = value_function()
    seen, fit = [], ValueFit(2, 16)
    for i, batch in enumerate(batches):
        target = batch.value_target
        moments = [*seen, *target] if learns == "before_fit" else seen
        seen = [*seen, *target]
        unit, origin = 1 + 1e-6, 0
        if len(moments):
            unit, origin = np.std(moments) + 1e-6, np.mean(moments) * centered
        within = batch._replace(value_target=(target - origin) / unit)
        ways = (vf, optimizer, batch), (plain, plain_optimizer, within)
        losses = [fit(*way, np.random.default_rng(i)).loss for way in ways]
        assert losses[0] == pytest.approx(losses[1], rel=1e-9)
    np.testing.assert_allclose(flatten(vf), flatten(plain), rtol=0, atol=1e-9)
    unit, origin = np.std(seen) + 1e-6, np.mean(seen) * centered
    expected = origin + unit * plain(batch.obs).array
    np.testing.assert_allclose(vf(batch.obs).array, expected, rtol=1e-9)


@every_scaled
def test_a_fit_that_fails_leaves_the_units(rng, build):
    vf, optimizer = value_function(build)
    batch = some_batch(rng, dtype="float32")
    ValueFit(1, 16)(vf, optimizer, batch, rng)
    before = vf.moments
    batch.value_target[3] = np.inf
    with pytest.raises(FloatingPointError), np.errstate(invalid="ignore"):
        ValueFit(1, 16)(vf, optimizer, batch, rng)
    assert before == vf.moments and before[2] == 50


def test_settings_of_scaled_values(rng):
    with pytest.raises(ValueError, match="learns to be one of"):
        ScaledValueFunction(4, learns="never")


def test_what_values_are_in_units_and_back(rng):
    vf, _ = value_function(ScaledValueFunction)
    vf.experience(40 + 7 * rng.standard_normal(30))
    out = rng.standard_normal((9, 1)).astype("f")
    value = vf.value(out)
    assert value.dtype == vf.in_units(value).dtype == np.float32
    np.testing.assert_allclose(vf.in_units(value), out, atol=1e-5)
    np.testing.assert_allclose(
        vf.in_units(chainer.Variable(value)).array, out, atol=1e-5
    )


class Reversed(ScaledValueFunction):
    def forward(self, obs):
        return super().forward(obs[:, ::-1])


def test_a_subclass_of_scaled_values_is_fitted_as_it_is(float64, rng):
    """Its own `forward` counts, not the MLP within."""
    batch = some_batch(rng, 200)
    batch = batch._replace(value_target=40 + 7 * batch.obs[:, 0])
    vf, optimizer = value_function(Reversed)
    fit, shuffle = ValueFit(200, None), np.random.default_rng(0)
    losses = [fit(vf, optimizer, batch, shuffle).loss for _ in range(3)]
    error = ((vf(batch.obs).array[:, 0] - batch.value_target) ** 2).mean()
    assert error < 0.05 * batch.value_target.var() and losses[-1] < 0.05


def test_only_observations_and_targets_are_read(rng):
    batch = some_batch(rng, dtype="float32")
    nothing = batch._replace(action=None, log_prob=None, advantage=None)
    results = []
    for data in (batch, nothing):
        vf, optimizer = value_function()
        ValueFit(1, 16)(vf, optimizer, data, np.random.default_rng(0))
        results.append(flatten(vf))
    assert np.array_equal(*results)


def test_no_epochs_change_nothing(rng):
    vf, optimizer = value_function()
    before = flatten(vf)
    report = ValueFit(epochs=0)(vf, optimizer, some_batch(rng, dtype="float32"), rng)
    assert report == (0, 0.0)
    assert np.array_equal(flatten(vf), before)


@every_way
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_an_error(rng, build, bad):
    batch = some_batch(rng, dtype="float32")
    batch.value_target[3] = bad
    vf, optimizer = value_function(build)
    with pytest.raises(FloatingPointError, match="finite loss of the value function"):
        ValueFit(1, 16)(vf, optimizer, batch, rng)


@pytest.mark.parametrize(
    "settings, message",
    [({"epochs": -1}, "epochs .* >= 0"), ({"batch_size": 0}, "batch_size .* >= 1")],
)
def test_refuses_what_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        ValueFit(**settings)


@pytest.mark.gpu
@pytest.mark.parametrize("on_host", [True, False])
@pytest.mark.parametrize("build", [ValueFunction, ScaledValueFunction])
@pytest.mark.parametrize(
    "change", [lambda vf, optimizer: None, other_numbers, with_hook(CLIP)]
)
def test_a_fit_on_the_gpu_is_that_of_the_cpu(float64, rng, build, on_host, change):
    """Parameters, moments, counts and loss, twice; on the host too."""
    import cupy

    batch, results = some_batch(rng), []
    for xp in (np, cupy):
        vf, optimizer = value_function(build)
        if xp is cupy:
            vf.to_device("@cupy:0")
        change(vf, optimizer)
        data = batch._make(x if x is None else xp.asarray(x) for x in batch)
        shuffle = np.random.default_rng(3)
        fit = ValueFit(2, 16, on_host=on_host)
        reports = [fit(vf, optimizer, data, shuffle) for _ in range(2)]
        rules = [param.update_rule for _, param in sorted(vf.namedparams())]
        assert all(isinstance(rule.state["m"], xp.ndarray) for rule in rules)
        state = [rule.state[k] for rule in rules for k in "mv"]
        found = [chainer.backends.cuda.to_cpu(flatten(x)) for x in (vf, state)]
        results.append((*found, [r.loss for r in reports], optimizer.t))
    for here, there in zip(*results):
        np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-11)
