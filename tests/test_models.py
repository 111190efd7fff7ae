"""Links: what they compute, how they start, and how they are stored."""

import io

from chainertrpo import GaussianPolicy, SoftmaxPolicy, ValueFunction
from chainertrpo.numerics import flatten
from chainertrpo.policies import MLP
from chainertrpo.policies.families import Gaussian, Softmax

import chainer
import numpy as np
import pytest
from chainer.backends.cuda import to_cpu
from conftest import GAUSSIAN_KINDS, POLICY_KINDS
from plain import PlainPolicy

LINKS = {
    "gaussian": lambda **kw: GaussianPolicy(4, 2, (8, 6), **kw),
    "softmax": lambda **kw: SoftmaxPolicy(4, 3, (8, 6), **kw),
    "value": lambda **kw: ValueFunction(4, (8, 6), **kw),
}
every_link = pytest.mark.parametrize("build", LINKS.values(), ids=LINKS)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_policies_compute_what_numpy_does(
    xp, make_policy, make_batch, kind, activation
):
    plain = PlainPolicy(make_policy(kind, activation=activation))
    policy = make_policy(kind, activation=activation, xp=xp)
    batch = make_batch(policy)
    dist = policy(batch.obs)
    assert isinstance(dist.family, Softmax if kind == "categorical" else Gaussian)
    obs = np.float64(to_cpu(batch.obs))
    for found, truth in zip(dist.params, plain.params(plain.theta, obs)):
        assert found.dtype == np.float32
        np.testing.assert_allclose(
            np.broadcast_to(to_cpu(found.array), truth.shape),
            truth,
            rtol=0,
            atol=1e-5,  # three float32 layers of numbers up to about ten
        )


def test_values_have_one_column(xp):
    vf = LINKS["value"](seed=0)
    if xp is not np:
        vf.to_device("@cupy:0")
    assert vf(xp.ones((5, 4), "f")).shape == (5, 1)


@every_link
def test_a_seed_repeats_the_weights(build):
    first, again, other = (flatten(build(seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.float32
    shared = np.random.RandomState(1)  # noqa: NPY002
    assert np.array_equal(flatten(build(seed=shared)), first)
    assert not np.array_equal(flatten(build(seed=shared)), first)


@every_link
def test_weights_draw_from_the_global_generator_only_without_a_seed(build):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    build(seed=1)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert not np.array_equal(flatten(build()), flatten(build()))


@every_link
def test_a_link_in_float64_is_so_throughout(float64, build):
    link = build(seed=0)
    assert {p.dtype for p in link.params()} == {np.dtype("float64")}
    out = link(np.ones((2, 4)))
    assert all(y.dtype == np.float64 for y in getattr(out, "params", [out]))


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_orthogonal_layers_are_orthogonal_and_scaled(scale):
    mlp = MLP((5, 20, 3), init="orthogonal", hidden_scale=scale, last_scale=2, seed=0)
    wide, tall = mlp[0].W.array, mlp[1].W.array
    np.testing.assert_allclose(wide.T @ wide, scale**2 * np.eye(5), atol=1e-6)
    np.testing.assert_allclose(tall @ tall.T, 4 * np.eye(3), atol=1e-5)


def test_lecun_layers_have_their_deviation():
    mlp = MLP((100, 200, 50), init="lecun_normal", last_scale=0.1, seed=0)
    for layer, scale, fan_in in zip(mlp, (1, 0.1), (100, 200)):
        std = layer.W.array.std() * fan_in**0.5 / scale
        # The deviation of n normals has the relative standard error 1/√2n.
        assert std == pytest.approx(1, abs=5 / (2 * layer.W.size) ** 0.5)


def test_unit_rows_have_their_length_in_all_directions():
    mlp = MLP((40, 500, 3), init="unit_rows", last_scale=0.01, seed=0)
    for layer, length in zip(mlp, (1, 0.01)):
        norms = np.linalg.norm(layer.W.array, axis=1)
        np.testing.assert_allclose(norms, length, rtol=1e-6)
    # E[wᵢwⱼ] of a random direction is δᵢⱼ/n, within 5 standard errors.
    found = 40 * np.cov(mlp[0].W.array.T, bias=True)
    assert abs(found - np.eye(40)).max() < 5 * (2 / 500) ** 0.5
    assert MLP((4, 2), init="unit_rows")[0].W.array.any()


@every_link
def test_biases_start_at_zero(build):
    biases = [p for name, p in build(seed=0).namedparams() if name.endswith("/b")]
    assert len(biases) == 3
    assert not any(p.array.any() for p in biases)


@pytest.mark.parametrize("kind", GAUSSIAN_KINDS)
def test_log_std_starts_where_it_is_told(kind):
    policy = GaussianPolicy(4, 2, log_std=kind, log_std_init=-0.7, last_scale=0.0)
    mean, log_std = policy(np.ones((3, 4), "f")).params
    np.testing.assert_allclose(log_std.array, -0.7, rtol=1e-6)
    assert not mean.array.any()
    sizes = {name: param.size for name, param in policy.namedparams()}
    learned = {"state_independent": 2, "shared": 1}
    assert sizes.get("/log_std") == learned.get(kind)


def test_a_learned_log_std_is_not_copied_for_each_state():
    policy = GaussianPolicy(4, 2)
    assert policy(np.ones((3, 4), "f")).log_std is policy.log_std


def test_no_hidden_layers_is_a_linear_policy():
    policy = GaussianPolicy(4, 2, ())
    assert [n for n, _ in sorted(policy.namedparams())] == [
        "/log_std",
        "/mlp/0/W",
        "/mlp/0/b",
    ]


@pytest.mark.parametrize("kind", POLICY_KINDS)
def test_a_stored_policy_is_the_same_policy(make_policy, make_batch, kind):
    policy, other = make_policy(kind), make_policy(kind, seed=1)
    if kind == "fixed":
        policy.log_std[...] = [0.1, 0.2]
    file = io.BytesIO()
    chainer.serializers.save_npz(file, policy)
    file.seek(0)
    chainer.serializers.load_npz(file, other)
    obs = make_batch(policy).obs
    for a, b in zip(policy(obs).params, other(obs).params):
        assert np.array_equal(a.array, b.array)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "selu"}, "activation to be one of"),
        ({"init": "he"}, "init to be one of"),
        ({"hidden_sizes": (8, 0)}, "each of hidden_sizes to be a whole number >= 1"),
        ({"hidden_sizes": (8, 2.5)}, "each of hidden_sizes .* got 2.5"),
        ({"hidden_sizes": "64"}, "a sequence of whole numbers >= 1, got '64'"),
        ({"hidden_sizes": 64}, "a sequence of whole numbers >= 1, got 64"),
    ],
)
def test_unknown_choices_are_refused(settings, message):
    for build in (lambda **kw: GaussianPolicy(4, 2, **kw), SoftmaxPolicy):
        arguments = (
            {} if build is not SoftmaxPolicy else {"obs_size": 4, "n_actions": 2}
        )
        with pytest.raises(ValueError, match=message):
            build(**arguments, **settings)


def test_unknown_log_std_is_refused():
    with pytest.raises(ValueError, match="log_std to be one of"):
        GaussianPolicy(4, 2, log_std="none")
    with pytest.raises(ValueError, match="positive layer widths"):
        MLP((4,))
