"""ChainerRL's own recurrent links, in its own loop, with our agents."""

from chainertrpo import PPO, TRPO
from chainertrpo.numerics import flatten

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from chainerrl_parts import chainerrl

pytest.importorskip("chainerrl")


class Hidden(chainerrl.env.Env):
    """The action must be the first observation, ±1 in turns; ten steps."""

    goal = 1.0

    def reset(self):
        self.t, self.goal = 0, -self.goal
        return np.array([self.goal, 1], "f")

    def step(self, action):
        self.t += 1
        reward = -abs(float(action[0]) - self.goal)
        return np.zeros(2, "f"), reward, self.t == 10, {}

    def close(self):
        pass


def networks():
    build = chainerrl.links.StatelessRecurrentSequential
    head = chainerrl.policies.GaussianHeadWithStateIndependentCovariance
    policy = build(
        L.Linear(2, 4),
        F.tanh,
        L.NStepLSTM(1, 4, 5, 0),
        L.Linear(5, 1),
        head(1, "diagonal", lambda x: F.exp(2 * x)),
    )
    return policy, build(L.NStepGRU(1, 2, 5, 0), L.Linear(5, 1))


def trpo():
    policy, vf = networks()
    optimizer = chainer.optimizers.Adam().setup(vf)
    return TRPO(policy, vf, optimizer, update_interval=20, recurrent=True)


def ppo():
    model = chainerrl.links.StatelessRecurrentBranched(*networks())
    optimizer = chainer.optimizers.Adam().setup(model)
    return PPO(model, optimizer, update_interval=20, epochs=1, recurrent=True)


@pytest.mark.parametrize("make", [trpo, ppo])
def test_its_recurrent_links_learn_in_its_loop(make, tmp_path):
    agent = make()
    before = flatten(agent.policy).copy()
    chainerrl.experiments.train_agent(agent, Hidden(), 45, str(tmp_path))
    assert agent.n_updates == 2 and agent.last_step.accepted
    assert (flatten(agent.policy) != before).mean() > 0.9
