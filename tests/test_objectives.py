"""What is maximised and what is bounded, against plain NumPy and by law."""

from chainertrpo.numerics import flatten, gradient, named_params
from chainertrpo.updates import max_kl, mean_entropy, mean_kl, surrogate

import numpy as np
import pytest
from conftest import POLICY_KINDS
from plain import PlainPolicy, column_by_column

every_kind = pytest.mark.parametrize("kind", POLICY_KINDS)


@pytest.fixture(params=POLICY_KINDS)
def case(request, float64, make_policy, make_batch):
    """A policy, its plain twin, its batch, and another policy of the same kind."""
    policy = make_policy(request.param)
    other = make_policy(request.param, seed=1)
    return policy, PlainPolicy(policy), make_batch(policy), other


def test_surrogate_is_the_mean_of_ratio_times_advantage(case):
    policy, plain, batch, other = case
    theta = plain.read(other)
    truth = plain.gain(theta, batch)
    found = surrogate(other(batch.obs), batch)
    assert found.shape == ()
    assert found.array == pytest.approx(truth, rel=1e-11)
    at_home = surrogate(policy(batch.obs), batch).array
    assert at_home == pytest.approx(batch.advantage.mean(), rel=1e-11)


def test_its_gradient_at_the_old_policy_is_the_policy_gradient(case):
    """E[A ∇log π], each score by complex steps."""
    policy, plain, batch, _ = case
    scores = column_by_column(
        lambda theta: plain.log_prob(theta, batch.obs, batch.action), plain.theta
    )
    truth = batch.advantage @ scores / len(scores)
    found = flatten(gradient(surrogate(policy(batch.obs), batch), named_params(policy)))
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-12 * np.abs(truth).max())


def test_divergences_are_the_mean_and_the_largest(case):
    policy, plain, batch, other = case
    truth = plain.kl(plain.theta, plain.read(other), batch.obs)
    old, new = policy(batch.obs), other(batch.obs)
    assert mean_kl(old=old, new=new).array == pytest.approx(truth.mean(), rel=1e-11)
    assert max_kl(old=old, new=new).array == pytest.approx(truth.max(), rel=1e-11)
    if plain.kind != "fixed":  # of equal deviations the divergence has no side
        assert mean_kl(old=new, new=old).array != pytest.approx(truth.mean(), rel=0.01)


def test_divergences_are_called_by_name(case):
    policy, _, batch, _ = case
    dist = policy(batch.obs)
    for kl in (mean_kl, max_kl):
        with pytest.raises(TypeError):
            kl(dist, dist)


def test_entropy_is_the_mean_of_minus_log_prob(case):
    """Monte Carlo with 40 · 500 samples: within five standard errors."""
    policy, _, batch, _ = case
    dist = policy(np.repeat(batch.obs, 500, axis=0))
    information = -dist.log_prob(dist.sample()).array
    error = 5 * information.std() / len(information) ** 0.5
    found = mean_entropy(policy(batch.obs)).array
    assert found == pytest.approx(information.mean(), abs=error)


@every_kind
def test_scalars_are_the_same_on_the_gpu(xp, make_policy, make_batch, kind):
    """In float32: the mean of 40 numbers of order one."""
    scalars = []
    for module in (np, xp):
        policy, other = (make_policy(kind, seed=seed, xp=module) for seed in (0, 1))
        batch = make_batch(policy)
        old, new = policy(batch.obs), other(batch.obs)
        scalars.append(
            [
                float(surrogate(new, batch).array),
                float(mean_entropy(new).array),
                float(mean_kl(old=old, new=new).array),
                float(max_kl(old=old, new=new).array),
            ]
        )
    np.testing.assert_allclose(scalars[1], scalars[0], rtol=1e-4, atol=1e-5)
