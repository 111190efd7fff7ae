"""Parallel collection, in real processes, against a loop in this one."""

import functools

from chainertrpo import TRPO
from chainertrpo.experiments import Collector

import numpy as np
import pytest
from collecting import (
    ENVIRONMENTS,
    NAMES,
    Dicing,
    ForeignPolicy,
    actor_of,
    joined,
    point,
    raw_cartpole,
    same,
    truth,
)
from test_agents import make_agent, parts

pytestmark = pytest.mark.usefixtures("quick_workers")


@pytest.mark.parametrize("name", NAMES)
def test_two_workers_and_one_and_the_truth_agree_bit_for_bit(name):
    make, sizes = ENVIRONMENTS[name]
    # Another policy every call; the last asks for fewer steps than there are environments.
    steps = (100, 41, 60, 1)
    calls = [(actor_of(*sizes, seed=i), n) for i, n in enumerate(steps)]
    results = []
    with Collector(make, 2, 3) as one, Collector(make, 2, 3, workers=1) as two:
        for collector in (one, two):
            results.append([collector.collect(*call) for call in calls])
        one.restart(9)
        restarted = one.collect(*calls[0])
        one.restart(9)
        again = one.collect(*calls[0])
    expected = truth(make, 2, 3, calls)
    for a, b, (paths, episodes) in zip(*results, expected):
        assert same(a.paths, paths) and same(b.paths, paths)
        assert a.episodes == b.episodes
        ended = [(total, length) for _, _, total, length in episodes]
        assert sorted(x[1:] for x in a.episodes) == sorted(ended)
    # What was before a restart is forgotten.
    assert same(again.paths, restarted.paths)
    (fresh,) = truth(make, 2, 3, calls[:1], generation=9)
    assert same(restarted.paths, fresh[0])
    assert not same(restarted.paths, results[0][0].paths)


def test_a_collector_begun_at_a_generation_is_one_restarted_there():
    make, sizes = ENVIRONMENTS["CartPole"]
    call = (actor_of(*sizes), 150)
    with Collector(make, 2, 3, generation=700) as collector:
        collected = collector.collect(*call)
    ((paths, _),) = truth(make, 2, 3, [call], generation=700)
    assert same(collected.paths, paths)


@pytest.mark.parametrize("name", ["Point, cut", "CartPole"])
def test_episodes_go_on_across_calls(name):
    """Many short calls give the trajectory of one long one, cut in pieces."""
    make, sizes = ENVIRONMENTS[name]
    actor = actor_of(*sizes)
    with Collector(make, 1, 5) as collector:
        pieces = [collector.collect(actor, n) for n in (3, 20, 1, 50, 26)]
    ((whole, episodes),) = truth(make, 1, 5, [(actor, 100)])
    paths = [path for piece in pieces for path in piece.paths]
    for field in range(3):
        assert joined(paths, field).tobytes() == joined(whole, field).tobytes()
    assert [path.terminal for path in paths].count(True) == sum(p[3] for p in whole)
    ended = [(total, length) for _, _, total, length in episodes]
    assert [x[1:] for piece in pieces for x in piece.episodes] == ended
    # A path that the end of a call cut and the one that goes on share an observation.
    running = length = 0
    for piece, after in zip(pieces, pieces[1:]):
        length += sum(len(path.reward) for path in piece.paths)
        if length in np.cumsum([n for _, n in ended]):
            continue  # the call ended with an episode
        assert not piece.paths[-1].terminal
        assert np.array_equal(piece.paths[-1].obs[-1], after.paths[0].obs[0])
        running += 1
    assert running >= 3


def test_steps_are_shared_out_evenly():
    actor = actor_of(2)
    with Collector(point, 3, 0, workers=2) as collector:
        for n in (100, 101, 2):
            collected = collector.collect(actor, n)
            ((paths, episodes),) = truth(point, 3, 0, [(actor, n)])
            assert sum(len(path.reward) for path in collected.paths) == n
            assert len(collected.episodes) == len(episodes)
            collector.restart(0)
            assert same(collected.paths, paths)


def test_the_step_at_which_an_episode_ended():
    """Environments in turn: the k-th step of i is step (k − 1) E + i + 1 of the call."""
    actor = actor_of(2)
    with Collector(point, 3, 0) as collector:
        for n in (90, 100, 3):
            collected = collector.collect(actor, n)
            ((_, episodes),) = truth(point, 3, 0, [(actor, n)])
            collector.restart(0)
            steps = [step for step, _, _ in collected.episodes]
            expected = [min((k - 1) * 3 + i + 1, n) for i, k, _, _ in episodes]
            assert steps == sorted(expected)
            assert not steps or (steps[0] >= 1 and steps[-1] <= n)


def test_seeds_and_environments_differ():
    actor = actor_of(2)
    with Collector(point, 2, 0) as a, Collector(point, 2, 1) as b:
        one, other = a.collect(actor, 60), b.collect(actor, 60)
    assert not same(one.paths, other.paths)
    # So do the environments of one collector.
    assert not np.array_equal(one.paths[0].action, one.paths[3].action)


def test_paths_make_an_update():
    agent = make_agent(update_interval=100)
    with Collector(point, 2, 0) as collector:
        agent.update(collector.collect(agent.actor(), 100).paths)
    assert agent.last_step.accepted


def test_environments_and_policies_that_draw_from_the_global_generators():
    """No generator is left to chance: np.random's and random's are seeded too."""
    _, vf, optimizer = parts()
    policy = ForeignPolicy(2, 1, (8,), last_scale=1.0, seed=0)
    foreign = TRPO(policy, vf, optimizer, seed=0).actor()
    make = functools.partial(point, cls=Dicing)
    with Collector(make, 1, 0) as a, Collector(make, 1, 0) as b:
        first = a.collect(foreign, 30)
        a.restart(4)
        b.collect(actor_of(2), 10)
        b.restart(4)
        after = a.collect(foreign, 30), b.collect(foreign, 30)
    with Collector(make, 1, 0) as c:
        assert same(c.collect(foreign, 30).paths, first.paths)
    assert same(after[0].paths, after[1].paths)


def test_an_environment_as_its_package_makes_it():
    actor = actor_of(4, 2)
    make = ENVIRONMENTS["CartPole"][0]
    with Collector(raw_cartpole, 1, 0) as collector:
        collected = collector.collect(actor, 60)
        collector.restart(8)
        restarted = collector.collect(actor, 60)
    ((paths, _),) = truth(make, 1, 0, [(actor, 60)])
    assert same(collected.paths, paths)
    ((paths, _),) = truth(make, 1, 0, [(actor, 60)], generation=8)
    assert same(restarted.paths, paths)
