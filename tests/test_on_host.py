"""Acting in plain NumPy: the same policy as Chainer's, and the same memory."""

import pickle

from chainertrpo import GaussianPolicy
from chainertrpo.numerics import at, flatten
from chainertrpo.policies import MLP, DiagonalGaussian, OnHost, Policy, on_host
from chainertrpo.policies.families import Bernoulli, Gaussian, Product, Softmax

import chainer
import numpy as np
import pytest
import scipy.stats
from chainer.backends.cuda import to_cpu
from conftest import GAUSSIAN_KINDS, POLICY_KINDS

every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)


def chainer_params(policy, obs):
    with chainer.no_backprop_mode():
        return [to_cpu(p.array) for p in policy(policy.xp.asarray(obs)).params]


def host_params(host, obs):
    m = host._at(obs)
    return getattr(m, "params", None) or (m.logits,)


@every_kind
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_host_computes_what_chainer_does(xp, rng, make_policy, kind, activation):
    policy = make_policy(kind, activation=activation, xp=xp)
    host = pickle.loads(pickle.dumps(on_host(policy)))  # as for another process
    obs = rng.standard_normal((50, 4)).astype("f")
    for ours, theirs in zip(host_params(host, obs), chainer_params(policy, obs)):
        assert ours.dtype == np.float32
        ours = np.broadcast_to(ours, theirs.shape)  # a shared log σ is one number
        # Sums of up to eight terms, three times, in another order.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


@every_kind
def test_one_observation_is_a_batch_of_one(rng, make_policy, kind):
    host = on_host(make_policy(kind))
    obs = rng.standard_normal((5, 4)).astype("f")
    batch = host.most_probable(obs)
    for row, want in zip(obs, batch):
        one = host.most_probable(row)
        assert one.shape == want.shape
        assert one.dtype == want.dtype
        np.testing.assert_allclose(one, want, atol=2e-6)
    one = host.sample(obs[0], np.random.default_rng(1))
    row = host.sample(obs[:1], np.random.default_rng(1))
    np.testing.assert_allclose(one, row[0], atol=2e-6)
    assert one.dtype == (np.int32 if kind == "categorical" else np.float32)


@every_kind
def test_most_probable_is_that_of_the_distribution(rng, make_policy, kind):
    policy = make_policy(kind)
    obs = rng.standard_normal((50, 4)).astype("f")
    found = on_host(policy).most_probable(obs)
    np.testing.assert_allclose(found, policy(obs).most_probable.array, atol=2e-6)


@every_kind
def test_on_the_cpu_the_memory_is_shared(rng, make_policy, make_batch, kind):
    """Whatever writes parameters in place is seen at once: steps, loads, optimisers."""
    policy = make_policy(kind)
    host = on_host(policy)
    for name, param in policy.namedparams():
        assert np.shares_memory(param.array, host.theta[name])
    theta = flatten(policy)
    obs = rng.standard_normal((5, 4)).astype("f")
    before = host.most_probable(obs)
    with at(policy, 3 * theta) as keep:
        keep()
    fresh = on_host(policy)
    for have, want in zip(host_params(host, obs), host_params(fresh, obs)):
        assert np.array_equal(have, want)
    if kind != "categorical":
        assert not np.allclose(host.most_probable(obs), before, atol=1e-3)


def test_a_changed_log_std_is_seen(make_policy, rng):
    for kind in ("state_independent", "fixed"):
        policy = make_policy(kind)
        host = on_host(policy)
        getattr(policy.log_std, "array", policy.log_std)[...] = -100
        obs = rng.standard_normal((5, 4)).astype("f")
        assert np.array_equal(host.sample(obs, rng), host.most_probable(obs))


@pytest.mark.parametrize("kind", GAUSSIAN_KINDS)
def test_gaussian_samples_have_the_moments(make_policy, rng, kind):
    policy = make_policy(kind)
    host, n = on_host(policy), 20000
    obs = rng.standard_normal(4).astype("f")
    mean, log_std = chainer_params(policy, obs[None])
    sample = host.sample(np.tile(obs, (n, 1)), rng)
    assert sample.dtype == np.float32
    z = (np.float64(sample) - mean[0]) / np.exp(log_std.reshape(-1, 2)[0])
    # Within five standard errors.
    assert np.abs(z.mean(axis=0)).max() < 5 / n**0.5
    assert np.abs(z.var(axis=0) - 1).max() < 5 * (2 / n) ** 0.5
    assert abs(np.corrcoef(z.T)[0, 1]) < 5 / n**0.5


def test_categorical_samples_have_the_frequencies(make_policy, rng):
    policy = make_policy("categorical")
    host, n = on_host(policy), 20000
    obs = rng.standard_normal(4).astype("f")
    (logits,) = np.float64(chainer_params(policy, obs[None]))
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    counts = np.bincount(host.sample(np.tile(obs, (n, 1)), rng), minlength=3)
    assert scipy.stats.chisquare(counts, n * p).pvalue > 1e-5


@every_kind
def test_a_generator_repeats_a_sample(make_policy, rng, kind):
    host = on_host(make_policy(kind))
    obs = rng.standard_normal((20, 4)).astype("f")
    draws = [host.sample(obs, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


class Shifted(GaussianPolicy):
    """A subclass whose forward is not the MLP alone."""

    def forward(self, obs):
        dist = super().forward(obs)
        return DiagonalGaussian(dist.mean + 10, dist.log_std)


def test_an_overridden_forward_goes_through_chainer(xp, rng):
    policy = Shifted(4, 2, seed=0, log_std_init=-20)
    if xp is not np:
        policy.to_device("@cupy:0")
    host = on_host(policy)
    obs = rng.standard_normal((5, 4)).astype("f")
    (truth, _) = chainer_params(policy, obs)
    for act in (host.most_probable, lambda x: host.sample(x, rng)):
        assert isinstance(act(obs), np.ndarray)
        np.testing.assert_allclose(act(obs), truth, atol=2e-6)
        np.testing.assert_allclose(act(obs[:1]), truth[:1], atol=2e-6)
    assert (truth > 5).all()


FAMILIES = {
    "bits": lambda: Bernoulli(3),
    "product": lambda: Product([Gaussian(2), Softmax(3), Bernoulli(2)]),
    "by state": lambda: Product([Gaussian(1, "state_dependent"), Softmax(2)]),
}


@pytest.mark.parametrize("build", FAMILIES.values(), ids=FAMILIES)
def test_policies_of_any_family_act_on_the_host(xp, rng, build):
    """By rows and by batches; pickled, as for a worker."""
    family = build()
    own = {name[1:]: (-0.5, shape) for name, shape in family.shapes.items()}
    policy = Policy(MLP((4, 6, family.width), seed=0), family, own)
    if xp is not np:
        policy.to_device("@cupy:0")
    host = pickle.loads(pickle.dumps(on_host(policy)))
    assert isinstance(host, OnHost)
    assert {name for name, _ in policy.namedparams()} >= family.shapes.keys()
    obs = rng.standard_normal((5, 4)).astype("f")
    want = to_cpu(policy(xp.asarray(obs)).most_probable.array)
    np.testing.assert_allclose(host.most_probable(obs), want, atol=2e-6)
    np.testing.assert_allclose(host.most_probable(obs[2]), want[2], atol=2e-6)
    drawn = host.sample(obs[1], np.random.default_rng(1))
    row = host.sample(obs[1:2], np.random.default_rng(1))
    assert drawn.dtype == row.dtype
    np.testing.assert_allclose(drawn, row[0], atol=2e-6)
    assert drawn.shape == (family.size,)
