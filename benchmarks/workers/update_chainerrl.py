"""Milliseconds of an update, ChainerRL's `_update_policy` and `_update_vf`."""

import time

import gym
from serve import serve
from train_chainerrl import build, chainerrl


def collect(agent, env):
    """Let the agent act until it would learn; return what it would have learned from."""
    found = []
    agent._update = found.append
    obs, reward = env.reset(), 0.0
    while not found:
        obs, reward, done, _ = env.step(agent.act_and_train(obs, reward))
        if done:
            agent.stop_episode_and_train(obs, reward, done)
            obs, reward = env.reset(), 0.0
    return found[0]


def main():
    """Measure, always from the same parameters."""
    env = gym.make("Humanoid-v4")
    env.seed(0)
    env = chainerrl.wrappers.CastObservationToFloat32(env)
    agent = build(env.observation_space.low.size, env.action_space.low.size)
    data = collect(agent, env)
    agent._update_obs_normalizer(data)
    params = [*agent.policy.params(), *agent.vf.params()]
    before = [param.array.copy() for param in params]

    def measure():
        for param, array in zip(params, before):
            param.array = array.copy()
        start = time.perf_counter()
        agent._update_policy(data)
        middle = time.perf_counter()
        agent._update_vf(data)
        end = time.perf_counter()
        size = agent.policy_step_size_record[-1]
        return {
            "policy": 1000 * (middle - start),
            "value": 1000 * (end - middle),
            "tries": {0.5**i: i + 1 for i in range(11)}.get(size, 11),
        }

    serve(measure)


if __name__ == "__main__":
    main()
