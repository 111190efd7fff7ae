"""PPO's minibatch steps written out, against the same steps through Chainer's graphs."""

import math

from chainertrpo import ActorCritic, GaussianPolicy, GradientStep, ValueFunction
from chainertrpo.policies import BoundedGaussianPolicy, ScaledGaussianPolicy, parts
from chainertrpo.policies.network import ACTIVATIONS
from chainertrpo.updates import CorrectedEps, minibatch
from chainertrpo.updates.adam import can_be_flat

import chainer
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from conftest import GAUSSIAN_KINDS, POLICY_KINDS

SETTINGS = {
    "surrogate": {},
    "clip": {"clip_eps": 0.2},
    "entropy": {"clip_eps": 0.2, "entropy_coef": 0.3},
    "values": {"clip_eps": 0.1, "clip_eps_vf": 0.3, "value_coef": 0.7},
    "standardised": {"clip_eps": 0.2, "standardize_by": "unbiased_std"},
    "penalty": {"beta": 3.0},
    "penalty in chunks": {"beta": 3.0, "clip_eps": 0.2, "chunk_rows": 7},
    "whole batch": {"batch_size": None, "clip_eps": 0.2, "entropy_coef": 0.01},
}
every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)


@pytest.fixture
def build(make_policy, make_batch, xp):
    """A model, its optimiser and the batch of another policy: ratios are not 1."""

    def make(
        kind, alone=False, clip=None, corrected=False, cls=GaussianPolicy, **settings
    ):
        model = make_policy(kind, xp=xp, cls=cls, **settings)
        rng = np.random.default_rng(3)
        if not alone:
            settings.setdefault("activation", "tanh")
            vf = ValueFunction(4, (5,), activation=settings["activation"], seed=0)
            for _, param in sorted(vf.namedparams()):
                param.array += 0.3 * rng.standard_normal(param.shape)
            vf.to_device(model.device)
            model = ActorCritic(model, vf)
        optimizer = chainer.optimizers.Adam(0.01, eps=1e-5).setup(model)
        if clip:
            optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(clip))
        if corrected:
            optimizer.add_hook(CorrectedEps(1e-5))
        batch = make_batch(make_policy(kind, seed=1, xp=xp, cls=cls), n=50)
        value = batch.value_target + xp.asarray(rng.standard_normal(50) * 0.5)
        value = value.astype(batch.value_target.dtype)
        return model, optimizer, batch._replace(value=value)

    return make


def written_out(model, optimizer):
    return bool(parts(model)) and can_be_flat(optimizer)


def through_graphs(monkeypatch):
    monkeypatch.setattr(minibatch, "can_be_flat", lambda _: False)


def state_of(model, optimizer):
    """Everything that a step moves, by name."""
    found = {"t": optimizer.t}
    for name, param in sorted(model.namedparams()):
        rule = param.update_rule
        found[name] = to_cpu(param.array).copy()
        found[name + " t"] = rule.t
        for key, x in (rule.state or {}).items():
            found[f"{name} {key}"] = to_cpu(x).copy()
    return found


def run(made, settings, n_updates=2):
    model, optimizer, batch = made
    step = GradientStep(**{"epochs": 2, "batch_size": 16, **settings})
    rng, reports = np.random.default_rng(0), []
    for _ in range(n_updates):
        reports.append(step(model, batch, optimizer, rng))
    return reports, state_of(model, optimizer)


def assert_same(found, truth, rtol):
    assert found.keys() == truth.keys()
    for name, want in truth.items():
        np.testing.assert_allclose(
            found[name], want, rtol=0, atol=rtol * np.abs(want).max(), err_msg=name
        )


@every_kind
@pytest.mark.parametrize("alone", [False, True], ids=["joint", "alone"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_parameters_and_moments_are_those_through_graphs(
    float64, build, monkeypatch, kind, alone, settings
):
    made = build(kind, alone)
    assert written_out(*made[:2])
    reports, found = run(made, settings)
    through_graphs(monkeypatch)
    truth_reports, truth = run(build(kind, alone), settings)
    assert_same(found, truth, 1e-9)
    for report, want in zip(reports, truth_reports):
        assert report.accepted
        assert report.policy_losses == pytest.approx(want.policy_losses, rel=1e-9)
        assert report.value_losses == pytest.approx(want.value_losses, rel=1e-9)
        assert report.kl == pytest.approx(want.kl, rel=1e-8)
        assert (report.n_updates, report.epochs) == (want.n_updates, want.epochs)


@pytest.mark.parametrize("cls", [BoundedGaussianPolicy, ScaledGaussianPolicy])
@pytest.mark.parametrize("kind", GAUSSIAN_KINDS)
def test_policies_that_know_bounds(float64, build, monkeypatch, kind, cls):
    settings = {"clip_eps": 0.2, "entropy_coef": 0.1, "beta": 2.0}
    made = build(kind, cls=cls)
    assert type(made[0].policy) is cls and written_out(*made[:2])
    _, found = run(made, settings)
    through_graphs(monkeypatch)
    _, truth = run(build(kind, cls=cls), settings)
    assert_same(found, truth, 1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["state_dependent", "categorical"])
def test_every_activation(float64, build, monkeypatch, kind, activation):
    """Of policy and values alike."""
    settings = {"clip_eps": 0.2, "entropy_coef": 0.1, "beta": 2.0}
    _, found = run(build(kind, activation=activation), settings, n_updates=2)
    through_graphs(monkeypatch)
    _, truth = run(build(kind, activation=activation), settings, n_updates=2)
    assert_same(found, truth, 1e-9)


class Same(GaussianPolicy):
    """A subclass that computes what ours does: written out too."""


class Through(GaussianPolicy):
    """A subclass that may compute anything: through Chainer's graph."""

    def forward(self, obs):
        return super().forward(obs)


@pytest.mark.parametrize("alone", [False, True], ids=["joint", "alone"])
def test_subclasses(float64, build, alone):
    """Both ways without any patch, of the same formulas: the same steps."""
    settings, states = {"clip_eps": 0.2, "entropy_coef": 0.1, "beta": 2.0}, []
    for cls, flat in ((GaussianPolicy, True), (Same, True), (Through, False)):
        model, optimizer, batch = build("shared", alone)
        policy = model if alone else model.policy
        policy.__class__ = cls
        assert written_out(model, optimizer) == flat
        states.append(run((model, optimizer, batch), settings)[1])
    for state in states[1:]:
        assert_same(state, states[0], 1e-9)


@every_kind
@pytest.mark.parametrize("clip", [0.05, 1e6])
def test_gradients_are_clipped_like_chainers(float64, build, monkeypatch, kind, clip):
    settings = {"clip_eps": 0.2, "entropy_coef": 0.1}
    _, found = run(build(kind, clip=clip, activation="relu"), settings)
    through_graphs(monkeypatch)
    _, truth = run(build(kind, clip=clip, activation="relu"), settings)
    assert_same(found, truth, 1e-9)


@every_kind
def test_epsilon_is_pytorchs(float64, build, monkeypatch, kind):
    """Through graphs and flat alike, by the formula for one step of one parameter."""
    settings = {"clip_eps": 0.2, "epochs": 1, "batch_size": None}
    _, found = run(build(kind, corrected=True), settings, n_updates=3)
    through_graphs(monkeypatch)
    _, truth = run(build(kind, corrected=True), settings, n_updates=3)
    assert_same(found, truth, 1e-9)
    start, made = build(kind)[0], build(kind, corrected=True)
    before = {name: to_cpu(x.array) for name, x in start.namedparams()}
    _, after = run(made, settings, n_updates=1)
    for name, x in before.items():
        m, v = after[f"{name} m"] / (1 - 0.9), after[f"{name} v"] / (1 - 0.999)
        step = 0.01 * m / (np.sqrt(v) + 1e-5)
        np.testing.assert_allclose(after[name], x - step, rtol=0, atol=1e-12)


@every_kind
@pytest.mark.parametrize("settings", ["entropy", "penalty"])
def test_float32_stays_and_is_close(build, monkeypatch, kind, settings):
    settings = SETTINGS[settings]
    _, found = run(build(kind), settings, n_updates=1)
    through_graphs(monkeypatch)
    _, truth = run(build(kind), settings, n_updates=1)
    assert_same(found, truth, 2e-4)  # Adam's first steps divide by small roots
    arrays = [x for x in found.values() if hasattr(x, "dtype")]
    assert {x.dtype for x in arrays} == {np.dtype("float32")}


@every_kind
def test_an_update_that_is_not_finite_leaves_everything(build, kind):
    model, optimizer, batch = build(kind)
    step = GradientStep(epochs=1, batch_size=16, clip_eps=0.2)
    step(model, batch, optimizer, np.random.default_rng(0))
    before = state_of(model, optimizer)
    batch.advantage[7] = math.inf
    report = step(model, batch, optimizer, np.random.default_rng(0))
    assert report.reason == "nonfinite"
    after = state_of(model, optimizer)
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_what_is_not_written_out_goes_through_graphs(build):
    model, optimizer, _ = build("fixed")
    assert written_out(model, optimizer)

    class Other(GaussianPolicy):
        def forward(self, obs):
            return super().forward(obs)

    other = Other(4, 2, (5,))
    assert not written_out(other, chainer.optimizers.Adam().setup(other))
    sgd = chainer.optimizers.SGD().setup(model)
    assert not written_out(model, sgd)
    decaying = chainer.optimizers.Adam().setup(model)
    decaying.add_hook(chainer.optimizer_hooks.WeightDecay(0.1))
    assert not written_out(model, decaying)
    amsgrad = chainer.optimizers.Adam(amsgrad=True).setup(model)
    assert not written_out(model, amsgrad)
