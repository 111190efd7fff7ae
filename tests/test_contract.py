"""ChainerRL's protocol over spaces of actions × cores × masks; see also `protocol`."""

from chainertrpo.data import MaskedObs
from chainertrpo.experiments.envs import Env

import numpy as np
import pytest
from protocol import drive, theta
from test_reach import agent_for
from worlds import ACTION_SPACES, Repeat

CASES = [
    (name, core, masks)
    for name in ACTION_SPACES
    for core in (None, "gru")
    for masks in (None, "info")
    if masks is None or name != "grid"  # a Box has none
]
every_case = pytest.mark.parametrize("name, core, masks", CASES)


def world(name, masks, seed=0):
    return Env(Repeat(ACTION_SPACES[name], masks), seed)


def make(name, core, masks, update_interval=50, seed=0):
    policy = {"hidden_sizes": [8]}
    if core is not None:
        policy.update(core=core, core_size=4)
    return agent_for(
        world(name, masks),
        seed=seed,
        agent={"update_interval": update_interval},
        policy=policy,
        vf={"hidden_sizes": [8]},
        policy_step={"curvature": {"kind": "gauss_newton"}},
    )


@every_case
def test_paths_are_what_happened(name, core, masks):
    agent, paths = make(name, core, masks, 25), []
    agent.update = paths.extend
    log = drive(agent, world(name, masks), 51)
    assert [len(p.reward) for p in paths] == [20, 5, 15, 10]
    assert [p.terminal for p in paths] == [True, False, True, False]
    obs, action, reward, _ = zip(*log[:50])
    if masks is not None:
        assert all(type(x) is MaskedObs for x in obs)
        obs, mask = zip(*obs)
        assert np.array_equal(np.concatenate([p.mask for p in paths]), mask)
        assert not np.all(mask)
    else:
        assert all(p.mask is None for p in paths)
    assert np.array_equal(np.concatenate([p.obs[:-1] for p in paths]), obs)
    assert np.array_equal(np.concatenate([p.action for p in paths]), action)
    assert np.array_equal(np.concatenate([p.reward for p in paths]), np.float32(reward))
    for path, goes_on in zip(paths, (False, False, True, False)):
        if core is None:
            assert path.carry is None
        else:
            assert path.carry.shape == (4,) and path.carry.any() == goes_on


@every_case
def test_a_saved_agent_acts_and_learns_as_it_would_have(name, core, masks, tmp_path):
    agent, twin = (make(name, core, masks) for _ in range(2))
    for one in (agent, twin):
        log = drive(one, world(name, masks), 101)
    assert agent.n_updates == 2 and agent.last_step.accepted
    assert np.array_equal(theta(agent), theta(twin))
    agent.save(tmp_path)
    other = make(name, core, masks, seed=77)
    assert not np.array_equal(theta(other), theta(agent))
    other.load(tmp_path)
    paths, update = [], other.update
    other.update = paths.extend
    drive(other, world(name, masks, 5), 51)
    other.update = update
    for one in (agent, other):
        one.act_deterministically = True
    for obs, *_ in log[:3]:
        assert np.array_equal(agent.act(obs), other.act(obs))
    for one in (agent, other):
        one._streams["fit"] = np.random.default_rng(3)
        one.update(paths)
    assert np.array_equal(theta(other), theta(agent))
    assert not np.array_equal(theta(other), theta(twin))


@every_case
def test_many_environments_are_acted_in_as_one_is(name, core, masks):
    """Deterministically, with a mask and a memory each."""
    agent = make(name, core, masks)
    agent.act_deterministically = True
    envs = [world(name, masks, seed) for seed in (1, 2)]
    rows = [[env.reset() for env in envs]]
    for _ in range(3):
        rows.append([env.step(agent.act(o))[0] for env, o in zip(envs, rows[-1])])
    alone = []
    for i in range(2):
        agent.stop_episode()
        alone.append([agent.act(row[i]) for row in rows])
    for row, one, two in zip(rows, *alone):
        found = agent.batch_act(row)
        assert np.allclose(found[0], one, atol=1e-5)
        assert np.allclose(found[1], two, atol=1e-5)
