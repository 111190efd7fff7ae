"""Environments in one process against each alone: the same bits, however shared out.

Without processes; tests/test_collection.py has them.
"""

import functools

from chainertrpo import TRPO, EmpiricalNormalization
from chainertrpo.experiments.acting_together import Together
from chainertrpo.experiments.episodes import OWN_STEPS, STATE_SIZE, STEPS, WHICH
from chainertrpo.experiments.sharing import default_num_envs, share_out
from chainertrpo.policies import BoundedGaussianPolicy

import numpy as np
import pytest
from collecting import (
    Dicing,
    ForeignPolicy,
    SeededPoint,
    actor_of,
    point,
    same,
    streams,
    truth,
)
from test_agents import parts
from test_reach import agent_for, masked_env

SEED = 3


def collected(make, actor, num_envs, workers, calls=(400, 401), state=None):
    """Paths, episodes and states by environment, of `workers` that are no processes."""
    shares = [share_out(n, num_envs) for n in calls]
    found, first = [], 0
    for n in share_out(num_envs, workers):
        mine, first = range(first, first + n), first + n
        watched = np.zeros(STATE_SIZE) if state is None else state
        envs = Together(make, SEED, mine, num_envs, watched)
        envs.restart(0)
        results = [envs.collect(actor, share, True) for share in shares]
        found += zip(*results)
    return found


def assert_same_results(found, expected):
    assert len(found) == len(expected)
    for calls, others in zip(found, expected):
        for (paths, ended, state), (paths_too, ended_too, state_too) in zip(
            calls, others
        ):
            assert same(paths, paths_too) and ended == ended_too
            arrays, about = state
            arrays_too, about_too = state_too
            assert about == about_too and arrays.keys() == arrays_too.keys()
            assert all(np.array_equal(x, arrays_too[k]) for k, x in arrays.items())


def normalizing_actor(kind):
    normalizer = EmpiricalNormalization(2)
    normalizer.experience(np.random.RandomState(0).randn(50, 2).astype("f") + 1)
    policy = {
        "foreign": lambda: ForeignPolicy(2, 1, (8,), last_scale=1.0, seed=0),
        "bounded": lambda: BoundedGaussianPolicy(2, 1, -2, 1, (33, 17), **OURS),
    }[kind]()
    return TRPO(policy, *parts()[1:], normalizer, seed=0).actor()


OURS = {"last_scale": 1.0, "seed": 0}
ACTORS = {
    "Gaussian": lambda: actor_of(2),
    "bounded, normalised": lambda: normalizing_actor("bounded"),
    "foreign": lambda: normalizing_actor("foreign"),
}
WORLDS = {
    "Point": functools.partial(point, length=30),
    "global generators": functools.partial(point, cls=Dicing, length=30),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", ACTORS)
@pytest.mark.parametrize("num_envs", [3, 13])
def test_bits_do_not_depend_on_how_environments_are_shared_out(num_envs, kind, world):
    make, actor = WORLDS[world], ACTORS[kind]()
    expected = collected(make, actor, num_envs, num_envs)
    assert not same(expected[0][0][0], expected[1][0][0])
    for workers in (1, 2, 3):
        if workers < num_envs:
            found = collected(make, actor, num_envs, workers)
            assert_same_results(found, expected)


def test_masks_are_each_environments_own():
    make = functools.partial(masked_env, name="tuple")
    actor = agent_for(make(0)).actor()
    expected = collected(make, actor, 3, 3, (100,))
    assert_same_results(collected(make, actor, 3, 1, (100,)), expected)
    masks = [one[0][0][0].mask for one in expected]
    assert not np.array_equal(*masks[:2]) and not np.all(masks[0])
    rewards = np.concatenate([p.reward for one in expected for p in one[0][0]])
    assert rewards.max() < 9  # what is not allowed would be paid so


@pytest.mark.parametrize("num_envs", [1, 2, 11])
def test_they_are_the_truth(num_envs):
    make, actor = WORLDS["Point"], actor_of(2)
    found = collected(make, actor, num_envs, 1)
    expected = truth(make, num_envs, SEED, [(actor, 400), (actor, 401)])
    for i, (paths, episodes) in enumerate(expected):
        assert same([p for one in found for p in one[i][0]], paths)
        ended = [(k, *x) for k, one in enumerate(found) for x in one[i][1]]
        assert ended == episodes


def test_one_environment_is_a_plain_loop():
    """One row at a time, as ChainerRL's loop acts."""
    actor, (rng, env_seed) = actor_of(2), streams(SEED, 0)
    env, rows = point(env_seed, length=30), []
    obs = env.reset()
    for _ in range(60):
        action = actor.sample(actor.features(obs), rng)
        after, reward, done, _ = env.step(action)
        rows.append((obs, action, np.float32(reward)))
        obs = env.reset() if done else after
    ((paths, _, _),) = collected(WORLDS["Point"], actor, 1, 1, (60,))[0]
    assert [len(path.reward) for path in paths] == [30, 30]
    for name, expected in zip(("obs", "action", "reward"), zip(*rows)):
        found = np.concatenate([getattr(p, name)[:30] for p in paths])
        assert found.tobytes() == np.stack(expected).tobytes()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("workers", [1, 2])
def test_they_go_on_where_they_were_in_other_processes(workers, world):
    """Three environments, brought from one process to one or two."""
    make, actor, calls = WORLDS[world], actor_of(2), (3700, 100)
    whole = collected(make, actor, 3, 1, calls)
    states, first = [one[0][2] for one in whole], 0
    for n in share_out(3, workers):
        mine, first = range(first, first + n), first + n
        envs = Together(make, SEED, mine, 3, np.zeros(STATE_SIZE))
        envs.restart(0)
        envs.restore(actor, [states[i] for i in mine])
        found = envs.collect(actor, share_out(100, 3), True)
        assert_same_results([[x] for x in found], [whole[i][1:] for i in mine])


def test_rows_are_shared_out_exactly():
    assert sorted(share_out(5000, 16)) == [312] * 8 + [313] * 8
    for n, parts_ in ((1, 49), (7, 3), (5000, 16), (2**53 + 1, 3)):
        shares = share_out(n, parts_)
        assert sum(shares) == n and max(shares) - min(shares) <= 1


def test_who_is_being_called_can_be_seen():
    seen, state = [], np.zeros(STATE_SIZE)

    class Looking(SeededPoint):
        def step(self, action):
            seen.append(tuple(state[[WHICH, OWN_STEPS, STEPS]].tolist()))
            return super().step(action)

    collected(functools.partial(point, cls=Looking), actor_of(2), 2, 1, (5,), state)
    assert seen == [(0, 0, 0), (1, 0, 1), (0, 1, 2), (1, 1, 3), (1, 2, 4)]
    assert state[WHICH] == -1


def test_how_many_by_default():
    """A power of two, with a thousand steps of a batch each."""
    for rows, expected in ((5000, 4), (2048, 2), (1000, 1), (10, 1), (50_000, 32)):
        assert default_num_envs(rows) == expected
