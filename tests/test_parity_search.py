"""How far an ancestor went, and how often it tried: each branch of a search, by a record.

parity/cases/ has updates of the ancestors under settings that shorten steps, refuse them
or end the search and conjugate gradient early.  A search here that leaves out an option is
a mutant; each must be noticed by a record.
"""

import dataclasses
import math

from chainertrpo.numerics import ACCEPTED
from chainertrpo.updates.region import Curvature, TrustRegion
from chainertrpo.updates.search import Backtrack
from chainertrpo.updates.solver import CG

import pytest
from replaying import FOLDER, TOLERANCE, errors, moved, record_of, updated

CASES = sorted(path.stem for path in (FOLDER / "cases").glob("*.npz"))


def differences(agent, record):
    """What of an update is not the ancestor's: its search, or where it ended."""
    report = agent.last_step
    ours, theirs = (
        (report.n_tries, report.fraction),
        (
            int(record["n_tries"]),
            float(record["fraction"]),
        ),
    )
    found = []
    if ours != pytest.approx(theirs, rel=1e-12):
        found.append(f"{ours} tries and part of the step, not {theirs}")
    if report.cg_iterations != record.get("cg_iterations", report.cg_iterations):
        found.append(f"{report.cg_iterations} iterations of conjugate gradient")
    found += [
        f"{name} off by {error:.1e}"
        for name, error in errors(moved(agent, record), record).items()
        if error > TOLERANCE
    ]
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_the_ancestors(name):
    record = record_of(f"cases/{name}")
    agent = updated(record)
    report, found = agent.last_step, errors(moved(agent, record), record)
    print(
        f"{name}: {report.n_tries} tries, {report.fraction:.4g} of the step,",
        *(f"{network} {error:.1e}" for network, error in found.items()),
    )
    assert differences(agent, record) == []
    assert report.accepted == (record["fraction"] > 0)
    assert name == f"{record['preset']}.{record['case']}"


def mutated(name, changes):
    """What a mutant does otherwise than the ancestor; its values are hardly fitted."""
    record = record_of(f"cases/{name}")
    brief = {"value_step": {"epochs": 1}}
    record = {k: x for k, x in record.items() if not k.startswith("after/vf")}
    if str(record["preset"]).startswith("openai"):
        brief = {}
    return differences(updated(record, policy_step=changes, **brief), record)


def of_search(**options):
    return {"search": options}


def of_region(**options):
    return {"region": options}


def of_solver(**options):
    return {"solver": options}


def of_curvature(**options):
    return {"curvature": options}


# What a step of ours would be without one option, that is with another of its values.
MUTANTS = [
    ("chainerrl-class.kl", {"search": None}),
    ("sb3-contrib.kl", {"search": None}),
    ("chainerrl-class.kl", of_search(shrink=0.8)),
    ("sb3-contrib.kl", of_search(shrink=0.5)),
    ("chainerrl-class.spent", of_search(n_tries=11)),
    ("sb3-contrib.spent", of_search(n_tries=11)),
    ("chainerrl-class.kl", of_search(kl_slack=1.5)),
    ("chainerrl-class.kl", of_search(kl_slack=None)),
    ("sb3-contrib.kl", of_search(kl_slack=2.0)),
    ("chainerrl-class.gain", of_search(min_ratio=0.5)),
    ("pg-travel-trpo.kl-then-gain", of_search(min_ratio=0.0)),
    ("chainerrl-class.nothing", of_search(strict=True)),
    ("sb3-contrib.nothing", of_search(strict=False)),
    ("pg-travel-trpo.kl-then-gain", of_search(compound_expected=False)),
    ("chainerrl-class.spent", of_search(on_failure="smallest")),
    ("pg-travel-trpo.spent", of_search(on_failure="smallest")),
    ("chainerrl-class.kl", of_region(max_kl=0.01)),
    ("chainerrl-class.kl", of_region(over="max")),
    ("sb3-contrib.kl", of_region(side="old_new")),
    ("chainerrl-class.flat", of_region(eps=0.0)),
    ("pg-travel-trpo.gain", of_region(step_size=0.3)),
    ("sb3-contrib.kl", of_solver(iterations=11)),
    ("sb3-contrib.flat", of_solver(tol=None)),
    ("sb3-contrib.damped", of_solver(tol=None)),
    ("chainerrl-class.flat", of_solver(rtol=1e-5)),
    ("sb3-contrib.start", of_solver(start=0.0)),
    ("sb3-contrib.flat", of_solver(eps=1e-8)),
    ("sb3-contrib.damped", of_curvature(damping=0.1)),
    ("openai-imitation.damped", of_curvature(stride=1)),
    ("sb3-contrib.kl", of_curvature(per_dimension=False)),
    ("chainerrl-class.kl", of_curvature(kind="scores")),
]


@pytest.mark.parametrize("name, changes", MUTANTS)
def test_a_record_notices_a_mutant(name, changes):
    found = mutated(name, changes)
    print(name, changes, *found)
    assert found
    assert not mutated(name, {})  # the record notices the mutant, and not the short fit


def test_every_option_has_a_mutant():
    parts = {
        "search": Backtrack,
        "solver": CG,
        "region": TrustRegion,
        "curvature": Curvature,
    }
    options = {
        (part, field.name)
        for part, cls in parts.items()
        for field in dataclasses.fields(cls)
    }
    mutants = {
        (part, option)
        for _, changes in MUTANTS
        for part, changed in changes.items()
        for option in changed or ["none"]
    }
    assert mutants == {*options, ("search", "none")}


# Mutants of the judgement itself, which no setting makes.
JUDGEMENTS = [
    ("chainerrl-class.gain", lambda trial, far, low: trial.kl <= far),
    ("chainerrl-class.kl", lambda trial, far, low: trial.gain >= low),
    ("chainerrl-class.nothing", lambda trial, far, low: trial.gain > low),
    ("chainerrl-class.kl", lambda trial, far, low: True),
    ("chainerrl-class.kl-then-gain", lambda trial, far, low: trial.kl <= far),
    ("chainerrl-class.kl", lambda trial, far, low: False),
]


@pytest.mark.parametrize("name, judge", JUDGEMENTS)
def test_a_record_notices_another_judgement(name, judge, monkeypatch):
    def accept(self, trial, max_kl):
        slack, low = self.kl_slack, self.min_ratio * trial.expected
        far = math.inf if slack is None else slack * max_kl
        return ACCEPTED if judge(trial, far, low) else "kl"

    monkeypatch.setattr(Backtrack, "accept", accept)
    assert mutated(name, {})
