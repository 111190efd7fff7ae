"""How steps and settings are spelt: as values, as plain data, and as they once were."""

import copy
import dataclasses
import json
import warnings

from chainertrpo import (
    PPO,
    PRESETS,
    TRPO,
    ActorCritic,
    GradientStep,
    NaturalStep,
    settings_of,
)
from chainertrpo import make_agent as make_agent_of
from chainertrpo.agents import GAIL_PRESETS, make_gail_agent
from chainertrpo.agents.presets.parts import natural_step
from chainertrpo.updates import (
    CG,
    Backtrack,
    Curvature,
    Likelihood,
    NaturalFit,
    Repeats,
    Surrogate,
    TrustRegion,
    ValueFit,
)
from chainertrpo.updates.spelling import (
    FLAT,
    VALUES,
    as_data,
    make,
    merged,
    nested,
)

import chainer
import pytest
from test_agents import parts
from test_gail import expert
from worlds import Point, some_paths

# An old name, another value than the default, and the step that it makes.
OLD = {
    "objective": ("likelihood", {"objective": Likelihood()}),
    "entropy_coef": (0.5, {"objective": Surrogate(0.5)}),
    "curvature": ("scores", {"curvature": Curvature("scores")}),
    "damping": (0.3, {"curvature": Curvature(damping=0.3)}),
    "curvature_every": (5, {"curvature": Curvature(stride=5)}),
    "kl_per_dimension": (True, {"curvature": Curvature(per_dimension=True)}),
    "cg_iterations": (7, {"solver": CG(7)}),
    "cg_tol": (1e-3, {"solver": CG(tol=1e-3)}),
    "cg_rtol": (1e-4, {"solver": CG(rtol=1e-4)}),
    "cg_start": (1e-5, {"solver": CG(start=1e-5)}),
    "cg_eps": (1e-6, {"solver": CG(eps=1e-6)}),
    "max_kl": (0.2, {"region": TrustRegion(0.2)}),
    "constraint": ("max_kl", {"region": TrustRegion(over="max")}),
    "kl_side": ("new_old", {"region": TrustRegion(side="new_old")}),
    "length_eps": (0.0, {"region": TrustRegion(eps=0.0)}),
    "step_size": (0.7, {"region": TrustRegion(step_size=0.7)}),
    "repeats": (3, {"schedule": Repeats(3)}),
}
ALL_OLD = {name: value for name, (value, _) in OLD.items()}
ALL_NEW = NaturalStep(
    objective=Likelihood(0.5),
    curvature=Curvature("scores", 0.3, 5, True),
    solver=CG(7, 1e-3, 1e-4, 1e-5, 1e-6),
    region=TrustRegion(0.2, "max", "new_old", 0.0, 0.7),
    schedule=Repeats(3),
)


def steps():
    """A step with every kind of every value, and each without a search."""
    found = [NaturalStep(), ALL_NEW, NaturalStep(chunk_rows=7)]
    found += [NaturalStep(curvature=Curvature(kind)) for kind in ("gauss_newton",)]
    for name, made in VALUES.items():
        for cls in made.values() if isinstance(made, dict) else (made,):
            changes = {name: cls()}
            if getattr(cls, "in_sample_space", False):  # it asks for these scores
                changes["curvature"] = Curvature("scores")
            found.append(NaturalStep(**changes))
    return [*found, *(dataclasses.replace(step, search=None) for step in found)]


# The old constructor


def test_every_old_name_is_tried():
    assert OLD.keys() == FLAT.keys()


@pytest.mark.parametrize("name", OLD)
def test_an_old_name_makes_the_same_step_and_warns(name):
    value, new = OLD[name]
    said = rf"{name} as {'.'.join(FLAT[name])} now"
    with pytest.warns(DeprecationWarning, match=said) as caught:
        step = NaturalStep(**{name: value})
    assert step == NaturalStep(**new) != NaturalStep()
    assert [x.filename for x in caught] == [__file__]  # where it was written


def test_all_old_names_at_once_warn_once():
    with pytest.warns(DeprecationWarning) as caught:
        step = NaturalStep(**ALL_OLD, search=None)
    assert step == dataclasses.replace(ALL_NEW, search=None) and len(caught) == 1


def test_an_old_name_beside_new_ones_changes_what_they_say():
    with pytest.warns(DeprecationWarning):
        step = NaturalStep(
            Surrogate(0.1), Curvature("gauss_newton"), damping=0.3, cg_tol=0.1
        )
    assert step == NaturalStep(
        Surrogate(0.1), Curvature("gauss_newton", 0.3), CG(tol=0.1)
    )


@pytest.mark.parametrize("name", sorted(OLD.keys() - {"objective", "curvature"}))
def test_a_step_is_replaced_by_an_old_name(name):
    """Whatever else the step says stays."""
    value, new = OLD[name]
    ((part, one),) = new.items()
    field = FLAT[name][1]
    with pytest.warns(DeprecationWarning, match=name):
        step = dataclasses.replace(NaturalStep(), **{name: value})
    assert step == NaturalStep(**new)
    other = dataclasses.replace(ALL_NEW, search=Backtrack(n_tries=3))
    default = {"constraint": "mean_kl", "kl_side": "old_new"}.get(name, value)
    with pytest.warns(DeprecationWarning, match=name):
        step = dataclasses.replace(other, **{name: default})
    kept = getattr(other, part)
    wanted = {"constraint": "mean", "kl_side": "old_new"}.get(name, getattr(one, field))
    assert getattr(step, part) == dataclasses.replace(kept, **{field: wanted})
    assert step == dataclasses.replace(other, **{part: getattr(step, part)})


def test_new_names_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dataclasses.replace(NaturalStep(), region=TrustRegion(0.2)).search
        assert NaturalStep(**dict(vars(ALL_NEW))) == ALL_NEW


def test_what_never_was_a_name_is_an_error():
    with pytest.raises(TypeError, match="max_kll"):
        NaturalStep(max_kll=0.1)
    with pytest.warns(DeprecationWarning), pytest.raises(
        ValueError, match="the kind of objective to be one of .* got 'reward'"
    ):
        NaturalStep(objective="reward")
    with pytest.warns(DeprecationWarning), pytest.raises(ValueError, match="max_kl"):
        NaturalStep(max_kl=-1)


# As plain data


@pytest.mark.parametrize("step", steps(), ids=repr)
def test_a_step_goes_through_plain_data(step):
    data = as_data(step)
    assert json.loads(json.dumps(data)) == data
    assert natural_step(**data) == step
    assert natural_step(**nested(data)) == step


def test_nested_puts_old_names_where_they_belong():
    assert nested({}) == {}
    as_new = as_data(ALL_NEW)
    for kind in ("solver", "schedule"):
        del as_new[kind]["kind"]
    assert nested(ALL_OLD) == {k: as_new[k] for k in VALUES if k != "search"}
    both = {"damping": 0.1, "curvature": {"stride": 5}, "search": None, "chunk_rows": 9}
    before = copy.deepcopy(both)
    assert nested(both) == {
        "curvature": {"stride": 5, "damping": 0.1},
        "search": None,
        "chunk_rows": 9,
    }
    assert both == before
    assert nested(nested(both)) == nested(both)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert natural_step(**nested(ALL_OLD)) == ALL_NEW


def test_merged_replaces_what_is_said_and_keeps_the_rest():
    old = {"region": {"max_kl": 0.1, "eps": 0.0}, "search": {"n_tries": 3}}
    new = {"region": {"max_kl": 0.2}, "search": None, "solver": {"iterations": 3}}
    before = copy.deepcopy((old, new))
    assert merged(old, new) == {
        "region": {"max_kl": 0.2, "eps": 0.0},
        "search": None,
        "solver": {"iterations": 3},
    }
    assert (
        merged({"search": None}, {"search": {"n_tries": 2}})["search"]["n_tries"] == 2
    )
    assert merged(old, None) is None and merged(None, new) == new
    assert (old, new) == before


@pytest.mark.parametrize(
    "name, first, other",
    [
        ("value_step", "fit", "natural"),
        ("solver", "cg", "?"),
        ("schedule", "repeats", "?"),
    ],
)
def test_another_kind_replaces_a_value_as_a_whole(name, first, other):
    for old in ({"a": 1, "b": 2}, {"kind": first, "a": 1, "b": 2}):
        for said in ({}, {"kind": first}):  # the first kind need not be said
            assert merged(old, {**said, "a": 3}, name) == {**old, **said, "a": 3}
        assert merged(old, {"kind": other, "a": 3}, name) == {"kind": other, "a": 3}
    old = {name: {"kind": other, "a": 1, "b": 2}}
    assert merged(old, {name: {"a": 3}}) == {name: {"kind": other, "a": 3, "b": 2}}
    assert merged(old, {name: {"kind": first}}) == {name: {"kind": first}}


def test_make_begins_with_the_default():
    assert make("search", None) is None
    assert make("region", {"eps": 0.5}) == TrustRegion(eps=0.5)
    assert make("objective", {}) == Surrogate()
    assert make("objective", {"kind": "likelihood"}) == Likelihood()
    assert make("objective", {"entropy_coef": 0.1}, Likelihood(0.3)) == Likelihood(0.1)
    assert make("objective", {"kind": "surrogate"}, Likelihood(0.3)) == Surrogate()
    assert make("curvature", {"stride": 2}, Curvature("scores")).kind == "scores"
    settings = {"kind": "cg", "iterations": 4}
    assert make("solver", settings, CG(9, tol=0.5)) == CG(4, tol=0.5)
    assert settings == {"kind": "cg", "iterations": 4}
    with pytest.raises(ValueError, match="the kind of solver .*Did you mean cg?"):
        make("solver", {"kind": "cgg"})


# Presets


def in_old_spelling(settings):
    """Settings as an earlier release wrote them, or None: it had no word for some."""
    old = copy.deepcopy(settings)
    names = {place: name for name, place in FLAT.items()}

    def flat(step):
        found = {}
        for name, x in step.items():
            if not isinstance(x, dict) or name == "search":
                found[name] = x
                continue
            for field, value in x.items():
                value = f"{value}_kl" if field == "over" else value
                found[names[name, field]] = value
        return found

    gradient = old["algorithm"] in ("PPO", "PolicyGradient", "PenaltyTRPO")
    try:
        if "policy_step" in old:
            step = old.pop("policy_step")
            old["step"] = step if gradient else flat(step)
        value = old.pop("value_step", None) if "value_step" in old else {}
        if value is None or value.get("kind", "fit") == "fit":
            if value != {}:
                old["fit"] = value
        else:
            value = {k: x for k, x in value.items() if k != "kind"}
            old["natural_fit"] = flat(value)
    except KeyError:
        return None
    return old


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_in_the_old_spelling_are_the_same(name):
    old = in_old_spelling(PRESETS[name])
    if old is None:
        assert name == "minibatch-trpo"  # of today
        return
    before = copy.deepcopy(old)
    assert not {"policy_step", "value_step"} & old.keys()
    assert settings_of(old) == settings_of(name)
    assert old == before
    space = Point().observation_space, Point().action_space
    agents = [make_agent_of(*space, one, seed=0) for one in (old, settings_of(name))]
    assert agents[0].policy_step == agents[1].policy_step
    assert agents[0].value_step == agents[1].value_step


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_written_in_todays_spelling(name):
    preset = PRESETS[name]
    assert not {"step", "fit", "natural_fit"} & preset.keys()
    assert settings_of(name) == preset  # nothing to spell anew
    assert settings_of(settings_of(name)) == preset


@pytest.mark.parametrize(
    "old, new",
    [
        ({"step": {"max_kl": 0.2}}, {"policy_step": {"region": {"max_kl": 0.2}}}),
        (
            {"policy_step": {"damping": 1}},
            {"policy_step": {"curvature": {"damping": 1}}},
        ),
        ({"fit": {"epochs": 9}}, {"value_step": {"epochs": 9}}),
        (
            {"natural_fit": {"repeats": 2, "variance": 0.5}},
            {"value_step": {"kind": "natural", "schedule": {"n": 2}, "variance": 0.5}},
        ),
        (
            {"step": {"curvature": "scores", "search": None}},
            {"policy_step": {"curvature": {"kind": "scores"}, "search": None}},
        ),
    ],
)
def test_changes_in_the_old_spelling_are_the_same(old, new):
    for preset in ("chainerrl-reproduction", settings_of("sb3-contrib")):
        assert settings_of(preset, **old) == settings_of(preset, **new)


def test_a_change_keeps_what_it_does_not_name():
    settings = settings_of("pfrl", policy_step={"solver": {"kind": "cg", "rtol": 1e-5}})
    assert settings["policy_step"]["solver"]["iterations"] == 20
    settings = settings_of("pfrl", value_step={"kind": "fit", "epochs": 3})
    assert settings["value_step"] == {"kind": "fit", "epochs": 3, "batch_size": 64}
    settings = settings_of("pfrl", value_step={"kind": "natural"})
    assert settings["value_step"] == {"kind": "natural"}


def test_an_objective_of_a_natural_fit_is_not_ignored():
    value = {"kind": "natural", "objective": {"entropy_coef": 0.1}}
    settings = settings_of("trpo-natural-vf", value_step=value)
    with pytest.raises(TypeError, match="objective"):
        make_agent_of(Point().observation_space, Point().action_space, settings)


@pytest.mark.filterwarnings("ignore::chainertrpo.updates.TerminationBiasWarning")
def test_changes_of_gail_are_merged_with_its_own():
    """ho2016 has ten iterations, the preset that it begins with twenty."""
    assert GAIL_PRESETS["ho2016"]["base"] == "chainerrl-reproduction"
    spaces = Point().observation_space, Point().action_space
    made = [
        make_gail_agent(*spaces, expert(), "ho2016", every=1, **changes)
        for changes in (
            {"policy_step": {"solver": {"rtol": 1e-5}}},
            {"step": {"cg_rtol": 1e-5}},
        )
    ]
    for agent, _ in made:
        assert agent.policy_step.solver == CG(10, rtol=1e-5)
    assert made[0][1]["generator"] == made[1][1]["generator"]


# Agents


def test_old_arguments_of_agents_work_and_warn():
    step, fit = NaturalStep(region=TrustRegion(0.5)), ValueFit(7)
    with pytest.warns(DeprecationWarning, match="improve is now policy_step") as one:
        agent = TRPO(*parts(), improve=step)
    assert agent.policy_step == step and one[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="fit is now value_step"):
        agent = TRPO(*parts(), fit=fit)
    assert agent.value_step == fit
    policy, vf, _ = parts()
    model = ActorCritic(policy, vf)
    adam = chainer.optimizers.Adam().setup(model)
    with pytest.warns(DeprecationWarning, match="improve is now policy_step"):
        agent = PPO(model, adam, improve=GradientStep(clip_eps=0.5))
    assert agent.clip_eps == 0.5
    with pytest.raises(TypeError, match="give policy_step only"):
        TRPO(*parts(), improve=step, policy_step=step)
    with pytest.warns(DeprecationWarning), pytest.raises(
        TypeError, match="max_kl and policy_step both say"
    ):
        TRPO(*parts(), improve=step, max_kl=0.1)


def test_old_attributes_of_agents_work_and_warn():
    agent = TRPO(*parts(), seed=0)
    with pytest.warns(
        DeprecationWarning, match="TRPO.improve is now policy_step"
    ) as at:
        assert agent.improve is agent.policy_step
    assert at[0].filename == __file__
    with pytest.warns(DeprecationWarning, match="TRPO.fit is now value_step"):
        assert agent.fit is agent.value_step
    with pytest.warns(DeprecationWarning):
        agent.improve = NaturalStep(search=None)
    with pytest.warns(DeprecationWarning):
        agent.fit = NaturalFit()
    assert agent.policy_step.search is None
    agent.update(some_paths())
    assert agent.last_step.n_tries == 1 and agent.last_fit.n_updates == 1
