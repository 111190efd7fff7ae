"""Every variant keeps the contract of an agent."""

from chainertrpo import PPO, ActorCritic, EmpiricalNormalization

import chainer
from protocol import AgentContract
from test_agents import parts


def normalizer():
    return EmpiricalNormalization(2, clip_threshold=5)


class TestPPO(AgentContract):
    statistics = [
        "average_value",
        "average_entropy",
        "average_value_loss",
        "average_policy_loss",
        "n_updates",
        "explained_variance",
    ]

    @staticmethod
    def make_agent(discrete=False, seed=0, **settings):
        policy, vf, _ = parts(discrete, seed)
        model = ActorCritic(policy, vf)
        optimizer = chainer.optimizers.Adam(3e-3).setup(model)
        return PPO(model, optimizer, normalizer(), seed=seed, **settings)
