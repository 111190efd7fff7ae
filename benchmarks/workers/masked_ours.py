"""Scores and seconds of masked PPO and TRPO, ours."""

import json
import sys
import tempfile
import time

from chainertrpo import make_agent, settings_of
from chainertrpo.experiments import adapt, eval_performance, train_agent

from masked_env import Blind, Invalid

ROWS = 2048
SETTINGS = {
    "PPO": {"preset": "sb3-ppo"},
    "TRPO": {"preset": "sb3-contrib", "agent": {"update_interval": ROWS}},
}


def train(algorithm, steps, points, seed, masked=True):
    """Return scores at `points` times of a run, and the seconds that learning took."""
    make = Invalid if masked else Blind
    env, test = make(), adapt(make())
    env.reset(seed=seed)
    env, settings = adapt(env), dict(SETTINGS[algorithm])
    test.seed(seed + 1000)
    settings = settings_of(settings.pop("preset"), **settings)
    agent = make_agent(env.observation_space, env.action_space, settings, seed=seed)
    scores, seconds = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        for i in range(points):
            start = time.perf_counter()
            begin, end = steps * i // points, steps * (i + 1) // points
            train_agent(agent, env, end, folder, step_offset=begin)
            seconds += time.perf_counter() - start
            agent.act_deterministically = True
            scores.append(eval_performance(test, agent, None, 20)["mean"])
            agent.act_deterministically = False
    return {"scores": scores, "seconds": seconds, "steps": steps}


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
