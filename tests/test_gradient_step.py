"""Steps along a gradient, against plain NumPy, Chainer's optimisers and by law."""

import dataclasses
import math

from chainertrpo import ActorCritic, GradientStep, ValueFunction
from chainertrpo.data.pieces import minibatches
from chainertrpo.numerics import flatten
from chainertrpo.updates import (
    GradientReport,
    clipped_surrogate,
    likelihood,
    said,
    surrogate,
    value_loss,
)

import chainer
import numpy as np
import pytest
from conftest import POLICY_KINDS
from plain import PlainPolicy, column_by_column

every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)


def sgd(link, lr=0.1):
    return chainer.optimizers.SGD(lr).setup(link)


def adam(link):
    return chainer.optimizers.Adam(0.01).setup(link)


@pytest.fixture
def case(request, float64, make_policy, make_batch):
    """A policy, its plain twin, and a batch of another policy: ratios are not 1."""
    kind = getattr(request, "param", "state_independent")
    policy = make_policy(kind, hidden=(5,))
    return policy, PlainPolicy(policy), make_batch(make_policy(kind, (5,), seed=1))


every_case = pytest.mark.parametrize("case", POLICY_KINDS, indirect=True)


# Objectives


@every_case
def test_the_clipped_surrogate_is_its_definition(case):
    policy, plain, batch = case
    ratio = np.exp(
        plain.log_prob(plain.theta, batch.obs, batch.action) - batch.log_prob
    )
    assert (abs(ratio - 1) > 0.2).any() and (abs(ratio - 1) < 0.2).any()
    truth = np.mean(
        [min(r * a, min(max(r, 0.8), 1.2) * a) for r, a in zip(ratio, batch.advantage)]
    )
    found = clipped_surrogate(policy(batch.obs), batch, 0.2).array
    assert found == pytest.approx(truth, rel=1e-12)
    assert found < surrogate(policy(batch.obs), batch).array


def test_clipping_stops_the_gradient_only_where_it_would_gain():
    """The figure of PPO: for A > 0 flat above 1 + ε, for A < 0 flat below 1 − ε."""

    class At:
        def __init__(self, log_ratio):
            self.log_ratio = log_ratio

        def log_prob(self, action):
            return self.log_ratio

    for advantage in (1.0, -1.0):
        for ratio in (0.5, 0.9, 1.1, 1.5):
            x = chainer.Variable(np.log([ratio]))
            batch = Rows(np.zeros(1), np.array([advantage]))
            gain = clipped_surrogate(At(x), batch, 0.2)
            (slope,) = chainer.grad([gain], [x])
            flat = ratio > 1.2 if advantage > 0 else ratio < 0.8
            assert slope.array.item() == pytest.approx(
                0 if flat else ratio * advantage, abs=1e-12
            )


class Rows:
    action = None

    def __init__(self, log_prob, advantage):
        self.log_prob, self.advantage = log_prob, advantage


@every_case
def test_the_likelihood_has_the_policy_gradient(case):
    policy, plain, batch = case
    gain = likelihood(policy(batch.obs), batch)
    log_prob = plain.log_prob(plain.theta, batch.obs, batch.action)
    assert gain.array == pytest.approx((log_prob * batch.advantage).mean(), rel=1e-12)


def test_the_clipped_value_loss_is_its_definition(
    float64, rng, make_policy, make_batch
):
    batch = make_batch(make_policy("fixed"))
    value = batch.value_target + rng.standard_normal(len(batch.obs))
    batch = batch._replace(value=value - rng.standard_normal(len(value)))
    truth = [
        max((v - t) ** 2, (min(max(v, old - 0.3), old + 0.3) - t) ** 2)
        for v, t, old in zip(value, batch.value_target, batch.value)
    ]
    x = chainer.Variable(value[:, None])
    assert value_loss(x, batch, 0.3).array == pytest.approx(np.mean(truth), rel=1e-12)
    plain = ((value - batch.value_target) ** 2).mean()
    assert value_loss(x, batch).array == pytest.approx(plain, rel=1e-12)


# Laws


@every_case
@pytest.mark.parametrize("clip_eps", [None, 1e9])
def test_one_epoch_of_one_batch_is_one_surrogate_gradient_step(case, rng, clip_eps):
    """PPO with ε = ∞: θ + α ∇L(θ), the gradient by complex steps."""
    policy, plain, batch = case
    step = GradientStep(epochs=1, batch_size=None, clip_eps=clip_eps, entropy_coef=0.3)
    report = step(policy, batch, sgd(policy), rng)
    truth = plain.theta + 0.1 * plain.gain_gradient(plain.theta, batch, 0.3)
    np.testing.assert_allclose(plain.read(policy), truth, rtol=0, atol=1e-12)
    assert (report.accepted, report.n_updates, report.epochs) == (True, 1, 1)
    gain = plain.gain(plain.theta, batch)
    assert report.policy_losses == (pytest.approx(-gain, rel=1e-12),)
    kl = plain.kl(plain.theta, plain.read(policy), batch.obs).mean()
    assert report.kl == pytest.approx(kl, rel=1e-9)


@every_case
def test_the_penalty_is_that_of_the_divergence_from_the_start(case, rng):
    """Two steps: at the first the divergence has no gradient, at the second it has."""
    policy, plain, batch = case
    step = GradientStep(epochs=2, batch_size=None, beta=3.0)
    step(policy, batch, sgd(policy), rng)
    theta = plain.theta + 0.1 * plain.gain_gradient(plain.theta, batch)
    penalty = plain.mean_kl_gradient(plain.theta, theta, batch.obs)
    assert np.abs(penalty).max() > 1e-3
    theta = theta + 0.1 * (plain.gain_gradient(theta, batch) - 3 * penalty)
    np.testing.assert_allclose(plain.read(policy), theta, rtol=0, atol=1e-11)


def test_a_joint_model_descends_the_joint_loss(float64, case, rng):
    """−L + c_V E[(V − target)²], the value's part by complex steps too."""
    policy, plain, batch = case
    vf = ValueFunction(4, (5,), seed=0)
    model = ActorCritic(policy, vf)
    before = flatten(vf)
    GradientStep(epochs=1, batch_size=None, value_coef=0.5)(
        model, batch, sgd(model), rng
    )

    def loss(theta):
        b0, w0, b1, w1 = np.split(theta, np.cumsum([5, 20, 1]))
        order = w0.reshape(5, 4), b0, w1.reshape(1, 5), b1
        hidden = np.tanh(batch.obs @ order[0].T + order[1])
        value = (hidden @ order[2].T + order[3])[:, 0]
        return 0.5 * ((value - batch.value_target) ** 2).mean()

    # Names sort as 0/W, 0/b, 1/W, 1/b.
    def named(theta):
        w0, b0, w1, b1 = np.split(theta, np.cumsum([20, 5, 5]))
        return loss(np.concatenate([b0, w0, b1, w1]))

    truth = before - 0.1 * column_by_column(named, before)
    np.testing.assert_allclose(flatten(vf), truth, rtol=0, atol=1e-12)
    truth = plain.theta + 0.1 * plain.gain_gradient(plain.theta, batch)
    np.testing.assert_allclose(plain.read(policy), truth, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch_size", [7, 16, 64])
def test_minibatches_are_seen_in_their_order(case, batch_size):
    policy, plain, batch = case
    step = GradientStep(epochs=3, batch_size=batch_size)
    report = step(policy, batch, sgd(policy, 0.01), np.random.default_rng(5))
    rows = minibatches(40, batch_size, 3, np.random.default_rng(5))
    theta = plain.theta
    for index in rows:
        part = batch._make(None if x is None else x[index] for x in batch)
        theta = theta + 0.01 * plain.gain_gradient(theta, part)
    np.testing.assert_allclose(plain.read(policy), theta, rtol=0, atol=1e-11)
    assert report.n_updates == len(rows) == math.ceil(120 / batch_size)


def test_epochs_end_early_at_a_divergence(case, rng):
    policy, plain, batch = case
    step = GradientStep(epochs=50, batch_size=None, stop_kl=0.01)
    report = step(policy, batch, sgd(policy, 0.02), rng)
    assert 1 < report.epochs < 50 and report.n_updates == report.epochs
    assert 0.01 < report.kl < 0.02
    kl = plain.kl(plain.theta, plain.read(policy), batch.obs).mean()
    assert report.kl == pytest.approx(kl, rel=1e-9)


def test_epochs_end_early_at_a_log_ratio(case, rng):
    """Looked at before each step; the one after too much of it is still taken."""
    policy, plain, batch = case
    log_prob = plain.log_prob(plain.theta, batch.obs, batch.action)
    # What is bad only: its actions become less probable with every step.
    batch = batch._replace(log_prob=log_prob, advantage=-abs(batch.advantage))
    step = GradientStep(50, None, stop_kl=0.01, stop_on="log_ratio", chunk_rows=7)
    report = step(policy, batch, sgd(policy, 1e-4), rng)
    theta, n, far = plain.theta, 0, False
    while not far:
        moved = log_prob - plain.log_prob(theta, batch.obs, batch.action)
        theta, n = theta + 1e-4 * plain.gain_gradient(theta, batch), n + 1
        far = moved.mean() > 0.01
    assert 2 < n == report.epochs < 50
    np.testing.assert_allclose(plain.read(policy), theta, rtol=0, atol=1e-11)
    kl = plain.kl(plain.theta, theta, batch.obs).mean()
    assert report.kl == pytest.approx(kl, rel=1e-6)


def test_the_penalty_adapts_by_factors_of_two():
    step = GradientStep(beta=1.0, target_kl=0.03)
    for kl, beta in [(0.019, 0.5), (0.021, 1.0), (0.044, 1.0), (0.046, 2.0)]:
        assert step.after(Report(kl)).beta == beta
    assert step.after(Report(9.0, accepted=False)) is step
    fixed = GradientStep(beta=1.0)
    assert fixed.after(Report(9.0)) is fixed


class Report:
    def __init__(self, kl, accepted=True):
        self.kl, self.accepted = kl, accepted


# Failures


def state_of(model, optimizer):
    moments = [
        sorted((k, v.tobytes()) for k, v in (p.update_rule.state or {}).items())
        for p in model.params()
    ]
    counts = [p.update_rule.t for p in model.params()]
    arrays = [(id(p.array), p.array.tobytes()) for p in model.params()]
    return arrays, moments, counts, optimizer.t


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_changes_nothing(case, rng, warm, bad):
    """Also if the first minibatches were all right."""
    policy, _, batch = case
    optimizer = adam(policy)
    if warm:
        GradientStep(epochs=2)(policy, batch, optimizer, rng)
    before = state_of(policy, optimizer)
    batch.advantage[-1] = bad
    report = GradientStep(epochs=3, batch_size=4)(policy, batch, optimizer, rng)
    assert report.reason == "nonfinite" and report.fraction == 0
    after = state_of(policy, optimizer)
    assert after[0] == before[0] and after[2:] == before[2:]
    assert after[1] == before[1]


def test_an_exception_changes_nothing(case, rng):
    policy, _, batch = case
    optimizer = adam(policy)
    GradientStep(epochs=1)(policy, batch, optimizer, rng)
    before = state_of(policy, optimizer)
    calls = []

    def hook(optimizer):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    optimizer.add_hook(hook)
    with pytest.raises(KeyboardInterrupt):
        GradientStep(epochs=3, batch_size=8)(policy, batch, optimizer, rng)
    assert state_of(policy, optimizer) == before


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"clip_eps": 0.0}, "clip_eps"),
        ({"clip_eps_vf": -1.0}, "clip_eps_vf"),
        ({"entropy_coef": -1.0}, "entropy_coef"),
        ({"beta": math.nan}, "beta"),
        ({"stop_kl": 0.0}, "stop_kl"),
        ({"stop_on": "kl"}, "stop_on"),
        ({"target_kl": 0.01}, "beta > 0 with target_kl"),
        ({"standardize_by": "deviation"}, "standardize_by"),
        ({"standardize_eps": -1.0}, "standardize_eps"),
    ],
)
def test_refuses_what_cannot_work(settings, message):
    with pytest.raises(ValueError, match=message):
        GradientStep(**settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        GradientStep().epochs = 3


@pytest.mark.parametrize("chunk_rows", [7, 25_000])
def test_links_of_any_kind_are_looked_at_in_chunks(make_policy, make_batch, chunk_rows):
    """The memory that a link of a user needs does not grow with the batch."""
    policy = make_policy("state_dependent")
    batch, most = make_batch(policy, n=50), []

    def forward(obs, own=policy.forward):
        if not chainer.config.enable_backprop:
            most.append(len(obs))
        return own(obs)

    twin = make_policy("state_dependent")
    policy.forward = forward
    step = GradientStep(
        epochs=2, batch_size=10, chunk_rows=chunk_rows, stop_kl=9.0, stop_on="log_ratio"
    )
    reports = [
        step(link, batch, adam(link), np.random.default_rng(0))
        for link in (policy, twin)
    ]
    assert max(most) <= chunk_rows and most
    assert reports[0].kl == pytest.approx(reports[1].kl, rel=1e-3)


def test_what_was_said_does_not_move_with_the_policy(make_policy, make_batch):
    policy = make_policy("state_independent")
    batch = make_batch(policy, n=20)
    before = said(policy, batch.obs)
    entropy, log_prob = before.entropy(), before.log_prob(batch.action)
    for param in policy.params():
        param.array += 0.5
    assert np.array_equal(before.entropy(), entropy)
    assert np.array_equal(before.log_prob(batch.action), log_prob)


def test_a_report_is_one_short_line():
    losses = tuple(0.5 - 1e-3 * i for i in range(320))
    report = GradientReport("accepted", 0.01234567, 320, losses, (2.0,) * 320, 10)
    assert f"{report}" == (
        "accepted, KL 0.01235, 320 minibatches in 10 epochs, loss of the policy 0.5 to "
        "0.181, of values 2 to 2"
    )
    assert "nan" in str(GradientReport("nonfinite"))
