"""TRPO: the protocol, the constructor's checks, and one update by hand."""

import copy
import math
import re

import chainertrpo
from chainertrpo import TRPO, EmpiricalNormalization, GaussianPolicy, SoftmaxPolicy
from chainertrpo.agents import OnPolicyAgent
from chainertrpo.data import BadObservationError
from chainertrpo.numerics import flatten
from chainertrpo.policies import Categorical, DiagonalGaussian
from chainertrpo.updates import NaturalStep, TrustRegion, ValueFit

import chainer
import numpy as np
import pytest
from conftest import GAUSSIAN_KINDS
from protocol import AgentContract, drive, theta
from worlds import Point, some_paths


def parts(discrete=False, seed=0, hidden=(8,)):
    build = SoftmaxPolicy if discrete else GaussianPolicy
    policy = build(2, 3 if discrete else 1, hidden, seed=seed)
    vf = chainertrpo.ValueFunction(2, hidden, seed=seed + 1)
    optimizer = chainer.optimizers.Adam(1e-2)
    optimizer.setup(vf)
    return policy, vf, optimizer


def make_agent(discrete=False, seed=0, normalize=True, **settings):
    normalizer = EmpiricalNormalization(2, clip_threshold=5) if normalize else None
    return TRPO(*parts(discrete, seed), normalizer, seed=seed, **settings)


class TestTRPO(AgentContract):
    make_agent = staticmethod(make_agent)


def test_batch_holds_what_the_equations_say():
    """GAE by its definition, log π and V by a pass a state, float64."""
    agent = make_agent(normalize=False, standardize_advantages=False)
    paths = some_paths()
    batch, _ = agent.batch(paths)
    row = 0
    for path in paths:
        value = agent.vf(path.obs).array[:, 0].astype(float)
        if path.terminal:
            value[-1] = 0
        n = len(path.reward)
        for t in range(n):
            expected = sum(
                (agent.gamma * agent.lambd) ** k
                * (path.reward[t + k] + agent.gamma * value[t + k + 1] - value[t + k])
                for k in range(n - t)
            )
            dist = agent.policy(path.obs[t : t + 1])
            z = path.action[t] - dist.mean.array[0]
            log_prob = float(-0.5 * (z**2).sum() - 0.5 * math.log(2 * math.pi))
            assert batch.advantage[row] == pytest.approx(expected, rel=1e-5)
            assert batch.value_target[row] == pytest.approx(
                expected + value[t], rel=1e-5, abs=1e-6
            )
            assert batch.log_prob[row] == pytest.approx(log_prob, rel=1e-5)
            assert np.array_equal(batch.obs[row], path.obs[t])
            row += 1
    assert row == len(batch.obs)


def test_normalizer_learns_after_log_probs_and_before_the_step():
    agent = make_agent()
    paths = some_paths()
    raw = np.concatenate([path.obs[:-1] for path in paths])
    before = agent.policy(agent.obs_normalizer(raw, update=False))
    expected = before.log_prob(np.concatenate([p.action for p in paths])).array
    batch, _ = agent.batch(paths)
    np.testing.assert_allclose(batch.log_prob, expected, rtol=1e-6)
    assert int(agent.obs_normalizer.count) == len(raw)
    after = agent.obs_normalizer(raw, update=False)
    assert np.array_equal(batch.obs, after)


def test_collected_paths_and_protocol_make_the_same_update():
    one, two = make_agent(update_interval=40), make_agent(update_interval=40)
    paths = []
    update, one.update = one.update, paths.extend
    drive(one, Point(), 41)
    update(paths)
    drive(two, Point(), 41)
    assert np.array_equal(theta(one), theta(two))


def test_a_user_who_seeds_numpy_gets_the_same_run_twice():
    runs = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002 (what set_random_seed does)
        agent = TRPO(*parts(), update_interval=100)
        drive(agent, Point(), 101)
        runs.append(theta(agent))
    assert np.array_equal(*runs)


def test_rewards_may_come_from_elsewhere():
    """A constant reward and values of zero leave nothing to learn."""
    agent = make_agent(
        rewards=lambda paths: [p._replace(reward=p.reward * 0) for p in paths],
        entropy_coef=0.0,
        gamma=0.0,
    )
    for param in agent.vf.params():
        param.array[...] = 0
    before = theta(agent)
    agent.update(some_paths())
    assert agent.last_step.reason == "zero_gradient"
    assert np.array_equal(theta(agent), before)


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
def test_policies_of_any_kind_of_log_std_learn(curvature):
    for kind in GAUSSIAN_KINDS:
        policy = GaussianPolicy(2, 1, (8,), log_std=kind, seed=0)
        _, vf, optimizer = parts()
        agent = TRPO(
            policy, vf, optimizer, seed=0, update_interval=100, curvature=curvature
        )
        drive(agent, Point(), 301)
        assert agent.last_step.accepted


def test_a_foreign_policy_is_acted_with_through_chainer():
    class Scaled(GaussianPolicy):
        def forward(self, obs):
            return super().forward(2 * obs)

    policy = Scaled(2, 1, (8,), last_scale=1.0, seed=0)
    _, vf, optimizer = parts()
    agent = TRPO(policy, vf, optimizer, act_deterministically=True, seed=0)
    obs = np.array([0.5, -0.25], np.float32)
    expected = policy(obs[None]).mean.array[0]
    assert np.array_equal(agent.act(obs), expected)


def test_float64_networks_learn():
    with chainer.using_config("dtype", np.float64):
        policy, vf, optimizer = parts()
    agent = TRPO(policy, vf, optimizer, seed=0, update_interval=100)
    drive(agent, Point(), 201)
    assert agent.last_step.accepted and theta(agent).dtype == np.float64


def test_a_convolutional_policy_acts_on_images():
    class Images(chainer.Chain):
        def __init__(self, n_out):
            super().__init__()
            with self.init_scope():
                self.conv = chainer.links.Convolution2D(1, 2, 3)
                self.out = chainer.links.Linear(None, n_out)

        def forward(self, obs):
            return self.out(chainer.functions.tanh(self.conv(obs)))

    class Policy(Images):
        def forward(self, obs):
            return Categorical(super().forward(obs))

    vf = Images(1)
    optimizer = chainer.optimizers.Adam()
    optimizer.setup(vf)
    agent = TRPO(Policy(3), vf, optimizer, seed=0, update_interval=20)
    rng = np.random.RandomState(0)
    for _ in range(21):
        action = agent.act_and_train(rng.uniform(size=(1, 6, 6)), rng.uniform())
        assert action.shape == ()
    assert agent.last_step.accepted


def test_links_can_be_copied():
    for seed in (None, 0):
        policy = GaussianPolicy(2, 1, (8,), seed=seed)
        assert np.array_equal(flatten(copy.deepcopy(policy)), flatten(policy))
        assert policy.copy("init").log_std.shape == (1,)


# Errors: what was expected, what came, what to do


def expect(error, match, function, *args, **kwargs):
    with pytest.raises(error, match=match):
        function(*args, **kwargs)


def test_two_spellings_of_one_setting():
    expect(
        TypeError,
        "max_kl and policy_step",
        TRPO,
        *parts(),
        max_kl=0.01,
        policy_step=NaturalStep(),
    )
    expect(
        TypeError,
        "vf_epochs and value_step",
        TRPO,
        *parts(),
        vf_epochs=3,
        value_step=ValueFit(),
    )
    agent = TRPO(
        *parts(),
        policy_step=NaturalStep(region=TrustRegion(max_kl=0.5)),
        value_step=ValueFit(7),
    )
    assert (agent.policy_step.region.max_kl, agent.value_step.epochs) == (0.5, 7)


def test_half_precision():
    with chainer.using_config("dtype", np.float16):
        policy = GaussianPolicy(2, 1, (8,), seed=0)
    _, vf, optimizer = parts()
    expect(TypeError, "float16 in policy/", TRPO, policy, vf, optimizer)


def test_shared_parameters_and_wrong_optimizer():
    policy, vf, optimizer = parts()
    other = chainer.optimizers.Adam()
    expect(ValueError, "without a target", TRPO, policy, vf, other)
    other.setup(policy)
    expect(ValueError, "another link", TRPO, policy, vf, other)

    class Shared(chainer.Chain):
        def __init__(self, mlp):
            super().__init__()
            with self.init_scope():
                self.mlp = mlp

    shared = Shared(policy.mlp)
    optimizer.setup(shared)
    expect(ValueError, "separate networks", TRPO, policy, shared, optimizer)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("policy", "x", r"policy to be Link\(\.\.\.\), got 'x'"),
        ("vf", None, r"vf to be Link\(\.\.\.\), got None"),
        ("policy_step", "x", "policy_step to be callable, got 'x'"),
        ("value_step", 3, "value_step to be callable, got 3"),
        ("rewards", "gail", "rewards to be callable, got 'gail'"),
        ("phi", "x", "phi to be callable, got 'x'"),
        ("obs_normalizer", True, "obs_normalizer to be EmpiricalNormalization"),
        ("estimation", {"pad_to": 3}, "estimation to be Estimation"),
    ],
)
def test_what_an_agent_is_not_made_of(name, value, expected):
    policy, vf, optimizer = parts()
    given = {"policy": policy, "vf": vf, "vf_optimizer": optimizer, name: value}
    expect(ValueError, expected, OnPolicyAgent, **given)


@pytest.mark.parametrize("settings", [{"gamma": 1.1}, {"lambd": -0.1}])
def test_discounts_out_of_range(settings):
    expect(ValueError, r"in \[0, 1\]", make_agent, **settings)


def test_settings_that_cannot_work():
    expect(ValueError, "max_kl to be a finite number > 0", make_agent, max_kl=0)
    expect(ValueError, "update_interval", make_agent, update_interval=1)
    expect(ValueError, "standardize_adv", make_agent, standardize_advantages="no")
    expect(ValueError, "n_tries", make_agent, line_search_max_backtrack=-1)
    expect(ValueError, "recurrent", make_agent, recurrent=True)
    expect(ValueError, "gauss_newton", make_agent, curvature="newton")


def test_unused_parameters_are_named():
    class Unused(GaussianPolicy):
        def __init__(self):
            super().__init__(2, 1, (8,), seed=0)
            with self.init_scope():
                self.spare = chainer.Parameter(np.zeros(3, np.float32))

    _, vf, optimizer = parts()
    agent = TRPO(Unused(), vf, optimizer, seed=0)
    expect(ValueError, "/spare", agent.update, some_paths())


def test_old_style_functions_are_named():
    class Old(chainer.Function):
        def forward(self, inputs):
            return (inputs[0] * 2,)

        def backward(self, inputs, grads):
            return (grads[0] * 2,)

    class Policy(GaussianPolicy):
        def forward(self, obs):
            dist = super().forward(obs)
            return DiagonalGaussian(Old()(dist.mean), dist.log_std)

    _, vf, optimizer = parts()
    agent = TRPO(Policy(2, 1, (8,), seed=0), vf, optimizer, seed=0)
    before = theta(agent)
    expect(TypeError, "old-style chainer.Function Old", agent.update, some_paths())
    assert np.array_equal(theta(agent), before)


def test_uninitialised_parameters_are_initialised_by_the_first_batch():
    class Lazy(chainer.Chain):
        def __init__(self):
            super().__init__()
            with self.init_scope():
                self.mean = chainer.links.Linear(None, 1)

        def forward(self, obs):
            mean = self.mean(obs)
            return DiagonalGaussian(mean, np.zeros(1, np.float32))

    _, vf, optimizer = parts()
    agent = TRPO(Lazy(), vf, optimizer, seed=0)
    agent.update(some_paths())
    assert agent.last_step.accepted


def test_bad_observations_and_rewards():
    agent = make_agent()
    expect(BadObservationError, "nan in component 1", agent.act, [0, math.nan])
    agent.act_and_train(np.zeros(2), 0.0)
    expect(
        BadObservationError,
        "finite reward, got inf",
        agent.act_and_train,
        [0, 0],
        math.inf,
    )
    agent.act(np.full(2, 3e30))  # large, but finite


def test_an_empty_update():
    expect(ValueError, "at least one step", make_agent().update, [])


def test_a_value_function_of_the_wrong_size():
    policy, _, optimizer = parts()
    vf = chainertrpo.policies.MLP((2, 8, 2), seed=0)
    optimizer.setup(vf)
    agent = TRPO(policy, vf, optimizer, seed=0)
    expect(ValueError, "one value a state", agent.update, some_paths())


def test_a_failed_update_leaves_the_policy(monkeypatch):
    agent = make_agent()
    before = theta(agent)
    monkeypatch.setattr("chainertrpo.updates.model.mean_kl", lambda old, new: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        agent.update(some_paths())
    assert np.array_equal(theta(agent), before)
    assert np.isfinite(flatten(agent.vf)).all()


@pytest.mark.gpu
def test_one_update_on_the_gpu_is_that_of_the_cpu():
    agents = [make_agent(), make_agent()]
    agents[1].policy.to_device("@cupy:0")
    agents[1].vf.to_device("@cupy:0")
    for agent in agents:
        agent.update(some_paths(lengths=(500, 700)))
    assert all(agent.last_step.accepted for agent in agents)
    step = theta(agents[0])
    np.testing.assert_allclose(
        chainer.backends.cuda.to_cpu(theta(agents[1])), step, rtol=1e-3, atol=1e-5
    )


@pytest.mark.gpu
def test_policy_and_value_function_on_different_devices():
    policy, vf, optimizer = parts()
    policy.to_device("@cupy:0")
    expect(ValueError, "on one device", TRPO, policy, vf, optimizer)


@pytest.mark.gpu
def test_the_protocol_with_networks_on_the_gpu():
    policy, vf, optimizer = parts()
    policy.to_device("@cupy:0")
    vf.to_device("@cupy:0")
    agent = TRPO(policy, vf, optimizer, update_interval=100, seed=0)
    drive(agent, Point(), 201)
    assert agent.n_updates == 2


@pytest.mark.parametrize(
    "name, where",
    [
        ("learn", "experiments.train_agent_parallel(agent, make_env, steps, outdir)"),
        ("predict", "agent.act(obs)"),
        ("set_parameters", "agent.load(folder)"),
        ("observe", "agent.act_and_train(obs, reward)"),
    ],
)
def test_methods_of_other_libraries_say_where_they_are(name, where):
    agent = make_agent()
    with pytest.raises(AttributeError, match=re.escape(where)):
        getattr(agent, name)
    assert not hasattr(agent, name) and not hasattr(agent, "nothing_like_it")
    called = where.partition("(")[0].rpartition(".")[2]
    assert hasattr(agent, called) or hasattr(chainertrpo.experiments, called)


def test_a_constructor_called_as_elsewhere_names_make_agent():
    for cls in (chainertrpo.TRPO, chainertrpo.PPO):
        with pytest.raises(TypeError, match=f"{cls.__name__}: .*make_agent"):
            cls("MlpPolicy", "CartPole-v1", verbose=1)
