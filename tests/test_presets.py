"""Presets: each builds an agent that updates; misspelt keys; what they say."""

import copy
import functools
import json

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
from chainertrpo.policies import ScaledValueFunction
from chainertrpo.updates import Backtrack, NaturalFit, ValueFit

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


def test_what_a_preset_says_is_what_its_agent_does():
    agent, _ = build("baselines-mujoco")
    assert agent.improve == NaturalStep(
        cg_iterations=10,
        cg_tol=1e-5,
        damping=0.1,
        length_eps=0.0,
        curvature_every=5,
        search=Backtrack(n_tries=10, kl_slack=1.5),
    )
    assert agent.fit == ValueFit(5, 64) and type(agent) is TRPO
    assert (agent.gamma, agent.lambd, agent.update_interval) == (0.99, 0.98, 1024)
    assert agent.estimation.normalizer_learns == "before_log_prob"
    assert agent.policy.mlp[0].W.shape == (32, 2)
    agent, _ = build("pg-travel-trpo")
    assert agent.policy.log_std_kind == "fixed"
    hooks = agent.vf_optimizer._hookable._pre_update_hooks
    assert hooks["WeightDecay"].rate == 1e-3 and hooks["CorrectedEps"].eps == 1e-8
    agent, _ = build("garage")
    assert agent.policy.log_std.shape == agent.vf.log_std.shape == (1,)
    assert agent.estimation.pad_to == 1000
    agent, _ = build("openai-imitation")
    assert isinstance(agent.fit, NaturalFit) and agent.vf_optimizer is None
    assert agent.fit.variance == 0.5 and type(agent.vf) is ScaledValueFunction
    assert (
        agent.fit.step.search
        == agent.improve.search
        == Backtrack(n_tries=10, kl_slack=2.0, min_ratio=0.1, on_failure="smallest")
    )
    agent, _ = build("tianshou-npg")
    assert type(agent) is NPG and agent.improve.step_size == 0.1
    assert agent.improve.search is None
    agent, _ = build("sb3-ppo")
    assert agent.improve == GradientStep(
        clip_eps=0.2, value_coef=0.5, standardize_by="unbiased_std"
    )
    assert not agent.standardize_advantages
    assert type(agent) is PPO
    agent, _ = build("chainerrl-ppo-example")
    assert agent.rewards.scale == 0.01


def test_the_class_preset_is_the_constructors_defaults():
    """ChainerRL's defaults, said once there and once here."""
    agent, _ = build("chainerrl-class")
    plain = TRPO(agent.policy, agent.vf, agent.vf_optimizer)
    assert (agent.improve, agent.fit) == (plain.improve, plain.fit)
    agent, _ = build("chainerrl-ppo-class")
    assert agent.improve == PPO(agent.model, agent.optimizer).improve


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
    assert agent.max_kl == agent.improve.max_kl == pytest.approx(0.015, rel=0.01)
    (hook,) = scheduled(
        settings_of("chainerrl-class", schedules={"max_kll": [1, 0]}), 100
    )
    with pytest.raises(AttributeError, match="got 'max_kll': TRPO has no max_kll"):
        hook(None, agent, 50)


def test_changes_do_not_change_the_preset():
    before = copy.deepcopy(PRESETS["sb3-contrib"])
    settings = settings_of("sb3-contrib", step={"max_kl": 0.5}, policy={"seed": 1})
    settings["step"]["search"]["shrink"] = 0.1
    assert settings["step"]["max_kl"] == 0.5 and settings["step"]["damping"] == 0.1
    assert PRESETS["sb3-contrib"] == before


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("chainerl-class", {}, "Did you mean chainerrl-class"),
        ("pfrl", {"steps": {}}, "Did you mean step"),
        ("pfrl", {"step": {"maxkl": 0.1}}, "Did you mean max_kl"),
        ("pfrl", {"agent": {"entcoeff": 0.1}}, "expected keys of agent"),
        ("sb3-ppo", {"step": {"max_kl": 0.1}}, "expected keys of step"),
        ("pfrl", {"vf_optimizer": {"lr": 0.1}}, "expected keys of vf_optimizer"),
        ("pfrl", {"vf": {"scale": True}}, "Did you mean scaled"),
        ("pfrl", {"vf": {"settings": 1}}, "expected keys of vf"),
        ("pfrl", {"natural_fit": {"varianse": 1}}, "Did you mean variance"),
        ("pfrl", {"natural_fit": {"maxkl": 1}}, "Did you mean max_kl"),
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


def test_a_misspelt_part_of_own_settings_is_an_error():
    env, settings = Point(), settings_of("pfrl")
    settings["polcy"] = {}
    with pytest.raises(ValueError, match="Did you mean policy"):
        make_agent(env.observation_space, env.action_space, settings)
    settings = settings_of("pfrl", step={"search": {"trials": 3}})
    with pytest.raises(TypeError, match="trials"):
        make_agent(env.observation_space, env.action_space, settings)
