"""A policy that has stopped learning is said to have, once."""

from chainertrpo.agents import health

import numpy as np
from protocol import drive
from test_agents import make_agent
from test_training import _agent as agent_for
from worlds import Point, some_paths


def test_a_collapsed_sigma(caplog):
    agent = make_agent()
    agent.update(some_paths())
    assert not caplog.text
    agent.policy.log_std.array[...] = -12
    for _ in range(3):
        agent.update(some_paths())
    assert caplog.text.count("the smallest log σ is -1") == 1
    assert "entropy_coef" in caplog.text


def test_a_policy_that_is_certain(caplog):
    agent = agent_for(2, True, {"update_interval": 50, "vf_epochs": 1})
    drive(agent, Point(discrete=True), 101)
    assert not caplog.text
    for name, param in agent.policy.namedparams():
        if name.endswith("/b"):
            param.array[0] += 1000
    drive(agent, Point(discrete=True), 201)
    assert caplog.text.count("the entropy of its actions is") == 1


def test_a_policy_that_does_not_change(caplog, monkeypatch):
    monkeypatch.setattr(health, "REJECTED", 5)
    agent = make_agent()

    def reject(policy, batch, optimizer, rng):
        step = agent.POLICY_STEP(policy, batch, optimizer, rng)
        return step._replace(reason="no_gain")

    agent.update(some_paths())
    agent.policy_step = reject
    for _ in range(4):
        agent.update(some_paths())
    assert not caplog.text
    agent.update(some_paths())
    agent.update(some_paths())
    assert caplog.text.count("5 updates in a row have changed nothing") == 1
    assert np.isfinite(agent.policy.log_std.array).all()
