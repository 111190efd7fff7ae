"""Every variant keeps the contract of an agent; the laws between variants."""

import dataclasses

from chainertrpo import (
    NPG,
    PPO,
    TRPO,
    ActorCritic,
    EmpiricalNormalization,
    GradientStep,
    NaturalActorCritic,
    NaturalStep,
    PenaltyTRPO,
    PolicyGradient,
)
from chainertrpo.agents import Estimation
from chainertrpo.experiments import LinearInterpolationHook, train_agent_parallel
from chainertrpo.numerics import flatten
from chainertrpo.policies import ScaledGaussianPolicy, ScaledValueFunction
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    Likelihood,
    NaturalFit,
    Repeats,
    Surrogate,
    TrustRegion,
    compatible_weights,
)

import chainer
import numpy as np
import pytest
from collecting import point
from protocol import AgentContract, drive, theta
from test_agents import expect, parts
from worlds import Point, some_paths


def make(cls, discrete=False, seed=0, optimizer=None, **settings):
    policy, vf, vf_optimizer = parts(discrete, seed)
    if optimizer is not None:
        settings["optimizer"] = optimizer.setup(policy)
    normalizer = EmpiricalNormalization(2, clip_threshold=5)
    return cls(policy, vf, vf_optimizer, normalizer, seed=seed, **settings)


class TestNPG(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        return make(NPG, discrete, **settings)


class TestNPGOfAFixedStep(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        step = NaturalStep(
            region=TrustRegion(step_size=0.5),
            curvature=Curvature(damping=0.1),
            search=None,
        )
        return make(NPG, discrete, policy_step=step, **settings)


class TestNaturalActorCritic(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        return make(NaturalActorCritic, discrete, **settings)


class TestPenaltyTRPO(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        adam = chainer.optimizers.Adam(5e-3)
        step = GradientStep(epochs=4, beta=1.0, target_kl=0.02)
        return make(PenaltyTRPO, discrete, optimizer=adam, policy_step=step, **settings)


class TestPenaltyTRPOOfAFixedPenalty(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        adam, step = chainer.optimizers.Adam(5e-3), GradientStep(epochs=4, beta=1.0)
        return make(PenaltyTRPO, discrete, optimizer=adam, policy_step=step, **settings)


class TestPolicyGradient(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        adam = chainer.optimizers.Adam(0.05)
        return make(PolicyGradient, discrete, optimizer=adam, **settings)


class TestTRPOOfTheLargestDivergence(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        step = NaturalStep(region=TrustRegion(over="max", max_kl=0.03))
        return make(TRPO, discrete, policy_step=step, **settings)


class TestTRPOOfSeveralUpdates(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        return make(
            TRPO, discrete, policy_step=NaturalStep(schedule=Repeats(n=3)), **settings
        )


class TestTRPOWithANaturalFit(AgentContract):
    @staticmethod
    def make_agent(discrete=False, **settings):
        return make(TRPO, discrete, value_step=NaturalFit(), **settings)


class TestTRPOWithScaledValues(AgentContract):
    @staticmethod
    def make_agent(discrete=False, seed=0, normalize=True, **settings):
        policy, _, _ = parts(discrete, seed)
        vf = ScaledValueFunction(2, (8,), seed=seed + 1)
        normalizer = EmpiricalNormalization(2, clip_threshold=5) if normalize else None
        step = NaturalStep(
            objective=Likelihood(), solver=CG(rtol=1e-5), curvature=Curvature(stride=2)
        )
        settings = {"value_step": NaturalFit(step, 0.5), "seed": seed, **settings}
        settings.setdefault("estimation", Estimation(normalizer_learns="after_step"))
        return TRPO(policy, vf, None, normalizer, **settings)


class TestTRPOInUnits(AgentContract):
    """Actions and values in units of their own, as Tianshou's."""

    @staticmethod
    def make_agent(discrete=False, seed=0, **settings):
        policy, _, _ = parts(discrete, seed)
        if not discrete:
            policy = ScaledGaussianPolicy(2, 1, [-2], [2], (8,), seed=seed)
        vf = ScaledValueFunction(
            2, (8,), seed=seed + 1, centered=False, learns="after_fit"
        )
        optimizer = chainer.optimizers.Adam(1e-2).setup(vf)
        normalizer = EmpiricalNormalization(2, clip_threshold=5)
        return TRPO(policy, vf, optimizer, normalizer, seed=seed, **settings)


class TestPPO(AgentContract):
    statistics = [  # ChainerRL's names and order
        "average_value",
        "average_entropy",
        "average_value_loss",
        "average_policy_loss",
        "n_updates",
        "explained_variance",
    ]

    @staticmethod
    def make_agent(discrete=False, seed=0, epochs=3, **settings):
        policy, vf, _ = parts(discrete, seed)
        model = ActorCritic(policy, vf)
        optimizer = chainer.optimizers.Adam(5e-3).setup(model)
        normalizer = EmpiricalNormalization(2, clip_threshold=5)
        settings["epochs"] = epochs
        return PPO(model, optimizer, normalizer, seed=seed, **settings)


class TwoHeads(chainer.Chain):
    """A model of which policy and values share a layer, as ChainerRL's may."""

    def __init__(self, discrete, seed):
        super().__init__()
        policy, vf, _ = parts(discrete, seed)
        with self.init_scope():
            self.trunk = chainer.links.Linear(2, 2)
            self.policy, self.vf = policy, vf
        self.trunk.W.array[...] = np.eye(2)

    def forward(self, obs):
        h = self.trunk(obs)
        return self.policy(h), self.vf(h)


class TestPPOOfASharedTrunk(TestPPO):
    @staticmethod
    def make_agent(discrete=False, seed=0, **settings):
        model = TwoHeads(discrete, seed)
        optimizer = chainer.optimizers.Adam(5e-3).setup(model)
        return PPO(model, optimizer, seed=seed, epochs=3, **settings)


# Laws between variants


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
def test_trpo_whose_search_accepts_at_once_is_npg(curvature):
    """Bit for bit, update after update; and a search that refuses is not."""
    step = NaturalStep(curvature=Curvature(kind=curvature))
    anything = Backtrack(kl_slack=None, min_ratio=0.0)
    agents = [
        make(
            TRPO,
            policy_step=dataclasses.replace(step, search=None),
            update_interval=100,
        ),
        make(
            NPG, policy_step=dataclasses.replace(step, search=None), update_interval=100
        ),
        make(
            TRPO,
            policy_step=dataclasses.replace(step, search=anything),
            update_interval=100,
        ),
        make(
            TRPO,
            policy_step=dataclasses.replace(step, search=Backtrack(kl_slack=0.5)),
            update_interval=100,
        ),
    ]
    thetas = []
    for agent in agents:
        drive(agent, Point(), 301)
        assert agent.n_updates == 3
        thetas.append(theta(agent))
    assert np.array_equal(thetas[0], thetas[1])
    assert np.array_equal(thetas[0], thetas[2])
    assert not np.array_equal(thetas[0], thetas[3])


@pytest.mark.parametrize("cls", [NPG, NaturalActorCritic])
def test_the_default_steps_of_npg_and_nac_do_not_search(cls):
    """On a batch and with a δ where the search cuts the step."""
    agents = [make(cls), make(cls), make(cls)]
    searches = [cls.POLICY_STEP.search, None, Backtrack()]
    for agent, search in zip(agents, searches):
        agent.policy_step = dataclasses.replace(
            agent.policy_step, region=TrustRegion(100.0), search=search
        )
        agent.update(some_paths(3))
    full, same, cut = map(theta, agents)
    assert agents[2].last_step.fraction < 1
    assert np.array_equal(full, same) and not np.array_equal(full, cut)


def test_the_default_step_of_nac_goes_along_the_weights_of_its_critic():
    agent = make(NaturalActorCritic)
    batch, _ = agent.batch(some_paths())
    w = compatible_weights(agent.policy, batch, damping=1e-2, n_iter=10).x
    before = theta(agent)
    assert agent.policy_step(agent.policy, batch).accepted
    step = theta(agent) - before
    norms = np.linalg.norm(step), np.linalg.norm(w)
    np.testing.assert_allclose(step / norms[0], w / norms[1], atol=1e-3)


def test_the_default_penalty_adapts():
    agent = make(PenaltyTRPO, optimizer=chainer.optimizers.Adam(1e-9))
    agent.update(some_paths())
    assert (agent.last_step.kl < 1e-6, agent.beta) == (True, 0.5)


def test_ppo_without_clip_in_one_epoch_of_one_batch_is_a_policy_gradient():
    """The same surrogate gradient step of the same optimiser."""
    paths = some_paths()
    ppo = TestPPO.make_agent(
        epochs=1, minibatch_size=20, clip_eps=1e9, entropy_coef=0.0
    )
    before = theta(ppo)
    plain = make(PolicyGradient, optimizer=chainer.optimizers.Adam(5e-3))
    for agent in (ppo, plain):
        agent.update(paths)
    moved = theta(plain) - before
    assert np.abs(moved).max() > 1e-3
    np.testing.assert_allclose(theta(ppo) - before, moved, atol=1e-6)


def test_many_ratios_leave_the_clip():
    """PPO with its clip differs from PPO without: the test above could fail."""
    paths = some_paths(lengths=(60, 80))
    agents = [
        TestPPO.make_agent(epochs=20, minibatch_size=16, clip_eps=eps)
        for eps in (0.05, 1e9)
    ]
    for agent in agents:
        agent.update(paths)
    assert not np.allclose(theta(agents[0]), theta(agents[1]), atol=1e-3)
    assert agents[0].last_step.kl < agents[1].last_step.kl


# Settings


def test_what_chainerrls_hooks_assign_is_what_the_step_has():
    agent = TestPPO.make_agent()
    agent.clip_eps = 0.05
    agent.optimizer.alpha = 1e-5
    assert (agent.policy_step.clip_eps, agent.clip_eps) == (0.05, 0.05)
    assert (agent.epochs, agent.minibatch_size, agent.value_func_coef) == (3, 64, 1.0)
    trpo = make(TRPO)
    names = ("max_kl", "entropy_coef", "conjugate_gradient_max_iter")
    before = trpo.policy_step
    for name, value in zip((*names, "conjugate_gradient_damping"), (0.02, 0.5, 7, 0.3)):
        setattr(trpo, name, value)
        assert getattr(trpo, name) == value
    assert trpo.policy_step == NaturalStep(
        objective=Surrogate(0.5),
        curvature=Curvature(damping=0.3),
        solver=CG(7),
        region=TrustRegion(0.02),
        search=before.search,
    )
    assert before.region.max_kl == 0.01  # steps are values


def test_the_unit_of_values_is_saved(tmp_path):
    agent, other = (TestTRPOWithScaledValues.make_agent(seed=seed) for seed in (0, 1))
    agent.update(some_paths())
    agent.save(tmp_path)
    other.load(tmp_path)
    obs = np.ones((3, 2), "f")
    assert agent.vf.count == other.vf.count == 20
    assert np.array_equal(agent.vf(obs).array, other.vf(obs).array)


@pytest.mark.parametrize(
    "make_one, names",
    [
        (lambda **windows: make(TRPO, **windows), ("kl", "policy_step_size")),
        (TestPPO.make_agent, ("value_loss", "policy_loss")),
    ],
)
def test_every_statistic_has_its_window(make_one, names):
    sizes = dict(zip(("value", "entropy", *names), (7, 6, 3, 2)))
    agent = make_one(**{f"{name}_stats_window": n for name, n in sizes.items()})
    for _ in range(5):
        agent.update(some_paths())
    kept = agent._statistics.get_state()
    assert {name: len(kept[f"average_{name}"]) for name in sizes} == sizes


def test_an_adapted_penalty_is_saved(tmp_path):
    agent = TestPenaltyTRPO.make_agent()
    agent.target_kl = 10.0
    agent.update(some_paths())
    assert agent.beta == 0.5
    agent.save(tmp_path)
    other = TestPenaltyTRPO.make_agent()
    other.load(tmp_path)
    assert other.beta == 0.5


def test_ppo_refuses_two_spellings_and_wrong_optimizers():
    policy, vf, optimizer = parts()
    model = ActorCritic(policy, vf)
    expect(ValueError, "another link", PPO, model, optimizer)
    expect(ValueError, "without a target", PPO, model, chainer.optimizers.Adam())
    optimizer.setup(model)
    step = GradientStep()
    expect(
        TypeError,
        "clip_eps and policy_step",
        PPO,
        model,
        optimizer,
        clip_eps=1,
        policy_step=step,
    )
    expect(ValueError, "core='gru'", PPO, model, optimizer, recurrent=True)
    expect(TypeError, "clipeps", PPO, model, optimizer, clipeps=0.1)


def test_a_gradient_step_needs_an_optimizer():
    expect(ValueError, "got none. Call optimizer.setup", make, PenaltyTRPO)
    policy, vf, vf_optimizer = parts()
    expect(
        ValueError,
        "another link",
        PolicyGradient,
        policy,
        vf,
        vf_optimizer,
        optimizer=vf_optimizer,
    )


def test_a_natural_fit_needs_no_optimizer():
    policy, vf, _ = parts()
    agent = TRPO(policy, vf, None, value_step=NaturalFit(), seed=0)
    before = flatten(vf)
    agent.update(some_paths())
    assert agent.last_fit.n_updates == 1 and not np.array_equal(flatten(vf), before)
    expect(ValueError, "vf_optimizer", TRPO, policy, vf, None)
    expect(ValueError, "objective Likelihood", NaturalFit, NaturalStep())
    expect(ValueError, "variance", NaturalFit, variance=0.0)


# Resumption


def ppo_run():
    agent = TestPPO.make_agent(update_interval=100, epochs=2)
    hooks = [
        LinearInterpolationHook(
            800, 0.2, 1e-8, lambda env, agent, x: setattr(agent, "clip_eps", x)
        ),
        LinearInterpolationHook(
            800, 5e-3, 0, lambda env, agent, x: setattr(agent.optimizer, "alpha", x)
        ),
    ]
    return agent, hooks


def penalty_run():
    return TestPenaltyTRPO.make_agent(update_interval=100), []


@pytest.mark.parametrize("make_run", [ppo_run, penalty_run])
def test_a_resumed_run_is_the_one_that_never_stopped(tmp_path, make_run):
    """Schedules, moments, and a penalty that has adapted go on where they were."""
    agents = []
    for folder, stops in (("never", [800]), ("resumed", [400, 800])):
        for i, steps in enumerate(stops):
            agent, hooks = make_run()
            train_agent_parallel(
                agent,
                point,
                steps,
                str(tmp_path / folder),
                workers=1,
                seed=3,
                checkpoint_interval=2,
                resume=i > 0,
                step_hooks=hooks,
            )
        agents.append(agent)
    assert np.array_equal(theta(agents[0]), theta(agents[1]))
    assert np.array_equal(flatten(agents[0].vf), flatten(agents[1].vf))
    assert agents[0].policy_step == agents[1].policy_step
    assert agents[0].policy_step != make_run()[0].policy_step
    assert str(agents[0].get_statistics()) == str(agents[1].get_statistics())


# On a GPU


@pytest.mark.gpu
@pytest.mark.parametrize(
    "case",
    [
        TestPPO,
        TestPenaltyTRPO,
        TestTRPOWithANaturalFit,
        TestTRPOWithScaledValues,
        TestTRPOInUnits,
    ],
)
def test_an_update_on_the_gpu_is_that_of_the_cpu(case):
    agents = [case.make_agent(), case.make_agent()]
    for link in (agents[1].model, agents[1].policy, agents[1].vf):
        link.to_device("@cupy:0")
    before = theta(agents[0])
    for agent in agents:
        agent.update(some_paths(lengths=(50, 70)))
    moved = theta(agents[0]) - before
    found = chainer.backends.cuda.to_cpu(theta(agents[1])) - before
    np.testing.assert_allclose(found, moved, rtol=1e-2, atol=1e-4)
