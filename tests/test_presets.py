"""Presets: each builds an agent that updates; misspelt keys; what they say."""

import copy
import dataclasses
import functools
import json
import pathlib

from chainertrpo import (
    NPG,
    PPO,
    PRESETS,
    TRPO,
    GradientStep,
    NaturalStep,
    make_agent,
    settings_of,
)
from chainertrpo.agents import describe_presets
from chainertrpo.experiments import scheduled
from chainertrpo.policies import (
    ScaledGaussianPolicy,
    ScaledValueFunction,
    ValueFunction,
)
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    Likelihood,
    NaturalFit,
    Repeats,
    TrustRegion,
    ValueFit,
)

import numpy as np
import pytest
from protocol import drive, theta
from worlds import Point


def build(name, discrete=False, **changes):
    env = Point(discrete=discrete)
    settings = settings_of(name, **changes)
    agent = make_agent(env.observation_space, env.action_space, settings, seed=0)
    return agent, env


@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_makes_an_agent_that_updates(name, discrete):
    agent, env = build(name, discrete)
    assert type(agent).__name__ == PRESETS[name]["algorithm"]
    agent.update_interval = 200
    before = theta(agent)
    drive(agent, env, 201)
    assert agent.last_step.accepted and not np.array_equal(theta(agent), before)


def test_presets_are_plain_data_with_sources():
    for name, preset in PRESETS.items():
        # Lists, not tuples: what is written to config.json is what is read back.
        assert json.loads(json.dumps(preset)) == preset, name
        assert len(preset["source"]) > 10
        assert name in describe_presets() and preset["source"] in describe_presets()


def test_who_clipped_actions():
    """As their programs did; classes, which have no environment, do as ours do."""
    clipped = {
        name
        for name in PRESETS
        if settings_of(name).get("env", {}).get("clip_actions", True)
    }
    assert clipped == {
        *("chainerrl-class", "chainerrl-ppo-class", "garage", "cleanrl-ppo"),
        *("baselines-mujoco", "baselines-ppo2", "sb3-contrib", "sb3-zoo-mujoco"),
        *("sb3-ppo", "tianshou-trpo", "tianshou-npg", "minibatch-trpo"),
    }


def test_what_a_preset_says_is_what_its_agent_does():
    agent, _ = build("baselines-mujoco")
    assert agent.policy_step == NaturalStep(
        solver=CG(iterations=10, tol=1e-5),
        curvature=Curvature(damping=0.1, stride=5),
        region=TrustRegion(eps=0.0),
        search=Backtrack(n_tries=10, kl_slack=1.5),
    )
    assert agent.value_step == ValueFit(5, 64) and type(agent) is TRPO
    assert (agent.gamma, agent.lambd, agent.update_interval) == (0.99, 0.98, 1024)
    assert agent.estimation.normalizer_learns == "before_log_prob"
    assert agent.policy.mlp[0].W.shape == (32, 2)
    agent, _ = build("pg-travel-trpo")
    assert agent.policy.log_std_kind == "fixed"
    hooks = agent.vf_optimizer._hookable._pre_update_hooks
    assert hooks["WeightDecay"].rate == 1e-3 and hooks["CorrectedEps"].eps == 1e-8
    agent, _ = build("garage")
    assert agent.policy.log_std.shape == agent.vf.log_std.shape == (1,)
    assert type(agent.policy) is ScaledGaussianPolicy
    assert agent.estimation.pad_to == 1000
    agent, _ = build("openai-imitation")
    assert isinstance(agent.value_step, NaturalFit) and agent.vf_optimizer is None
    assert agent.value_step.variance == 0.5 and type(agent.vf) is ScaledValueFunction
    assert (
        agent.value_step.step.search
        == agent.policy_step.search
        == Backtrack(n_tries=10, kl_slack=2.0, min_ratio=0.1, on_failure="smallest")
    )
    agent, _ = build("tianshou-npg")
    assert type(agent) is NPG and agent.policy_step.region.step_size == 0.1
    assert agent.policy_step.search is None
    agent, _ = build("sb3-ppo")
    assert agent.policy_step == GradientStep(
        clip_eps=0.2, value_coef=0.5, standardize_by="unbiased_std"
    )
    assert not agent.standardize_advantages
    assert type(agent) is PPO
    agent, _ = build("chainerrl-ppo-example")
    assert agent.rewards.scale == 0.01
    agent, _ = build("spinningup-ppo")
    assert agent.optimizer.alpha == 3e-4 and agent.value_step == ValueFit(80, None)
    assert (agent.gamma, agent.lambd) == (0.99, 0.97)
    agent, _ = build("baselines-ppo1")
    assert (agent.obs_normalizer.eps, agent.obs_normalizer.floor) == (0, 0.01)
    for layer, length in zip(agent.policy.mlp, (1, 1, 0.01)):
        np.testing.assert_allclose((layer.W.array**2).sum(axis=1), length**2, 1e-5)


def test_the_settings_of_deep_rl_that_matters_are_ppo1s_but_for_numbers():
    ours, base = PRESETS["drlm-ppo1"], PRESETS["baselines-ppo1"]
    differ = {part for part in base if ours[part] != base[part]}
    assert differ == {"source", "differs", "agent", "schedules"}
    assert base["schedules"] == {"optimizer.alpha": [3e-4, 0.0]}
    assert ours["schedules"] == {}
    agent, _ = build("drlm-ppo1")
    assert (agent.gamma, agent.lambd, agent.update_interval) == (0.995, 0.97, 2048)


@pytest.mark.parametrize(
    "name, step",
    [
        ("npg", {"search": None}),
        ("nac", {"search": None, "curvature": Curvature("scores", 0.1)}),
        ("trpo-max-kl", {"region": TrustRegion(0.1, over="max")}),
        ("trpo-repeated", {"schedule": Repeats(3), "region": TrustRegion(0.003)}),
        ("trpo-natural-vf", {}),
    ],
)
def test_variants_differ_from_the_reproduction_by_what_they_are(name, step):
    agent, _ = build(name)
    plain, _ = build("chainerrl-reproduction")
    assert agent.policy_step == dataclasses.replace(plain.policy_step, **step)
    fit, vf = plain.value_step, ValueFunction
    if name == "trpo-natural-vf":
        natural = Curvature("gauss_newton", damping=0.1)
        fit = NaturalFit(NaturalStep(Likelihood(), natural, schedule=Repeats(5)))
        vf = ScaledValueFunction
    assert agent.value_step == fit and type(agent.vf) is vf


@pytest.mark.parametrize(
    "name, step",
    [
        ("penalty-trpo", GradientStep(10, 64, beta=1.0, target_kl=0.01)),
        ("penalty-trpo-fixed", GradientStep(10, 64, beta=3.0)),
        ("policy-gradient", GradientStep(1, None)),
        ("chainerrl-ppo-reproduction", GradientStep(10, 64, clip_eps=0.2)),
        ("chainerrl-ppo-example", GradientStep(10, 64, clip_eps=0.2)),
        ("baselines-ppo1", GradientStep(10, 64, clip_eps=0.2)),
        (
            "spinningup-ppo",
            GradientStep(80, None, clip_eps=0.2, stop_kl=0.015, stop_on="log_ratio"),
        ),
    ],
)
def test_gradient_steps_of_presets(name, step):
    assert build(name)[0].policy_step == step


# Of their sources: hidden widths, log σ at first, steps a batch, where normalised
# observations are clipped (0: there is no normaliser), Adam's step size and ε.
NETWORKS = {
    "chainerrl-class": ([64, 64], 0, 2048, 0, 1e-3, 1e-8),
    "chainerrl-example": ([64, 64], 0, 5000, None, 1e-3, 1e-8),
    "chainerrl-reproduction": ([64, 64], 0, 5000, 5, 1e-3, 1e-8),
    "chainerrl-2018": ([400, 400], 0, 5000, None, 1e-3, 1e-8),
    "pfrl": ([64, 64], 0, 5000, 5, 1e-3, 1e-8),
    "spinningup-trpo": ([64, 64], -0.5, 4000, 0, 1e-3, 1e-8),
    "spinningup-npg": ([64, 64], -0.5, 4000, 0, 1e-3, 1e-8),
    "baselines-mujoco": ([32, 32], 0, 1024, 5, 1e-3, 1e-8),
    "pg-travel-trpo": ([64, 64], 0, 2048, 5, 3e-4, 1e-8),
    "pg-travel-tnpg": ([64, 64], 0, 2048, 5, 3e-4, 1e-8),
    "sb3-contrib": ([64, 64], 0, 2048, 0, 1e-3, 1e-5),
    "sb3-zoo-mujoco": ([64, 64], 0, 2048, 10, 1e-3, 1e-5),
    "garage": ([32, 32], 0, 1024, 0, 2.5e-4, 1e-8),
    "openai-imitation": ([100, 100], 0, 50_000, None, None, None),
    "tianshou-trpo": ([64, 64], -0.5, 1024, 10, 1e-3, 1e-8),
    "tianshou-npg": ([64, 64], -0.5, 1024, 10, 1e-3, 1e-8),
    "chainerrl-ppo-class": ([64, 64], 0, 2048, 0, 3e-4, 1e-5),
    "chainerrl-ppo-example": ([64, 64], -0.1833, 2048, 5, 3e-4, 1e-5),
    "chainerrl-ppo-reproduction": ([64, 64], 0, 2048, 5, 3e-4, 1e-5),
    "pfrl-ppo": ([64, 64], 0, 2048, 5, 3e-4, 1e-5),
    "sb3-ppo": ([64, 64], 0, 2048, 0, 3e-4, 1e-5),
    "spinningup-ppo": ([64, 64], -0.5, 4000, 0, 1e-3, 1e-8),
    "baselines-ppo1": ([64, 64], 0, 2048, 5, 3e-4, 1e-5),
    "drlm-ppo1": ([64, 64], 0, 2048, 5, 3e-4, 1e-5),
    "baselines-ppo2": ([64, 64], 0, 2048, 10, 3e-4, 1e-5),
    "cleanrl-ppo": ([64, 64], 0, 2048, 10, 3e-4, 1e-5),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_a_recorded_update_does_not_show(name):
    agent, _ = build(name)
    sizes, log_std, interval, clip, alpha, eps = NETWORKS[name]
    for link in (agent.policy, agent.vf):
        assert [len(layer.b) for layer in link.mlp][:-1] == sizes
    np.testing.assert_allclose(getattr(agent.policy.log_std, "array", 0), log_std, 1e-3)
    assert agent.update_interval == interval
    normalizer = agent.obs_normalizer
    assert (0 if normalizer is None else normalizer.clip_threshold) == clip
    optimizer = agent.vf_optimizer or agent.optimizer
    assert getattr(optimizer, "alpha", None) == alpha
    assert getattr(optimizer, "eps", None) == eps


def test_every_record_has_a_row():
    folder = pathlib.Path(__file__).parent / "parity"
    recorded = {path.stem for path in folder.glob("*.npz")}
    assert recorded - NETWORKS.keys() == {"modular-rl"}  # its values are by L-BFGS


def test_the_class_preset_is_the_constructors_defaults():
    """ChainerRL's defaults, said once there and once here."""
    agent, _ = build("chainerrl-class")
    plain = TRPO(agent.policy, agent.vf, agent.vf_optimizer)
    assert (agent.policy_step, agent.value_step) == (
        plain.policy_step,
        plain.value_step,
    )
    agent, _ = build("chainerrl-ppo-class")
    assert agent.policy_step == PPO(agent.model, agent.optimizer).policy_step


def test_what_a_schedule_moves_is_there_and_begins_at_its_start():
    moved = set()
    for name, preset in PRESETS.items():
        agent, _ = build(name)
        for path, (start, stop) in preset.get("schedules", {}).items():
            *owners, attribute = path.split(".")
            owner = functools.reduce(getattr, owners, agent)
            assert getattr(owner, attribute) == start, (name, path)
            setattr(owner, attribute, stop)
            assert getattr(owner, attribute) == stop
            moved.add(path)
    assert moved == {"optimizer.alpha", "vf_optimizer.alpha", "clip_eps"}


def test_schedules_of_ones_own():
    settings = settings_of("chainerrl-class", schedules={"max_kl": [0.02, 0.01]})
    assert "schedules" not in PRESETS["chainerrl-class"]
    agent, _ = build("chainerrl-class")
    (hook,) = scheduled(settings, 100)
    hook(None, agent, 50)
    assert agent.max_kl == agent.policy_step.region.max_kl
    assert agent.max_kl == pytest.approx(0.015, rel=0.01)
    (hook,) = scheduled(
        settings_of("chainerrl-class", schedules={"max_kll": [1, 0]}), 100
    )
    with pytest.raises(AttributeError, match="got 'max_kll': TRPO has no max_kll"):
        hook(None, agent, 50)


def test_changes_do_not_change_the_preset():
    before = copy.deepcopy(PRESETS["sb3-contrib"])
    changes = {"policy_step": {"region": {"max_kl": 0.5}}, "policy": {"seed": 1}}
    settings = settings_of("sb3-contrib", **changes)
    step = settings["policy_step"]
    step["search"]["shrink"] = 0.1
    assert step["region"] == {"max_kl": 0.5, "eps": 0.0, "side": "new_old"}
    assert step["curvature"]["damping"] == 0.1
    assert changes == {
        "policy_step": {"region": {"max_kl": 0.5}},
        "policy": {"seed": 1},
    }
    assert PRESETS["sb3-contrib"] == before


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("chainerl-class", {}, "Did you mean chainerrl-class"),
        ("pfrl", {"policy_steps": {}}, "Did you mean policy_step"),
        ("pfrl", {"policy_step": {"regoin": {}}}, "Did you mean region"),
        (
            "pfrl",
            {"policy_step": {"region": {"maxkl": 0.1}}},
            "policy_step's region among .* Did you mean max_kl",
        ),
        ("pfrl", {"step": {"maxkl": 0.1}}, "expected keys of policy_step"),
        ("pfrl", {"agent": {"entcoeff": 0.1}}, "expected keys of agent"),
        ("sb3-ppo", {"step": {"max_kl": 0.1}}, "expected keys of policy_step"),
        ("sb3-ppo", {"policy_step": {"region": {}}}, "expected keys of policy_step"),
        ("pfrl", {"vf_optimizer": {"lr": 0.1}}, "expected keys of vf_optimizer"),
        ("pfrl", {"vf": {"scale": True}}, "Did you mean scaled"),
        ("pfrl", {"vf": {"settings": 1}}, "expected keys of vf"),
        ("pfrl", {"value_step": {"kind": "natural", "varianse": 1}}, "mean variance"),
        ("pfrl", {"natural_fit": {"varianse": 1}}, "Did you mean variance"),
        ("pfrl", {"natural_fit": {"region": {"maxkl": 1}}}, "Did you mean max_kl"),
        (
            "pfrl",
            {"value_step": {"kind": "natural", "epochs": 1}},
            "keys of value_step",
        ),
        ("pfrl", {"value_step": {"region": {}}}, "expected keys of value_step"),
        ("trpo-natural-vf", {"value_step": {"epochs": 1}}, "keys of value_step"),
        ("pfrl", {"value_step": {"kind": "naturl"}}, "Did you mean natural"),
        ("garage", {"policy_step": {"search": {"shrinc": 0.5}}}, "step's search among"),
        ("garage", {"step": {"search": {"shrinc": 0.5}}}, "step's search among"),
        ("pfrl", {"policy_step": {"solver": {"iters": 1}}}, "step's solver among"),
        (
            "pfrl",
            {"estimation": {"value_targt": "return"}},
            "Did you mean value_target",
        ),
    ],
)
def test_a_misspelt_key_is_an_error(name, changes, message):
    with pytest.raises(ValueError, match=message):
        settings_of(name, **changes)


@pytest.mark.parametrize(
    "name, changes, message",
    [
        (
            "pfrl",
            {"vf": {"learns": "after_fit"}},
            "learns.* of vf with scaled=True only",
        ),
        ("pfrl", {"vf": {"scaled": True, "learns": "?"}}, "learns to be one of"),
        ("sb3-ppo", {"vf": {"scaled": True}}, "a vf that is not scaled"),
    ],
)
def test_settings_that_do_not_go_together(name, changes, message):
    with pytest.raises(ValueError, match=message):
        build(name, **changes)


def test_a_misspelt_part_of_own_settings_is_an_error():
    env, settings = Point(), settings_of("pfrl")
    settings["polcy"] = {}
    with pytest.raises(ValueError, match="Did you mean policy"):
        make_agent(env.observation_space, env.action_space, settings)
    settings = settings_of("pfrl")
    settings["policy_step"]["search"] = {"trials": 3}
    with pytest.raises(ValueError, match="step's search among .* Did you mean n_tries"):
        make_agent(env.observation_space, env.action_space, settings)
