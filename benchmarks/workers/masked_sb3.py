"""Scores and seconds of MaskablePPO, sb3-contrib's."""

import json
import sys
import time

import numpy
from masked_env import Invalid
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor


def train(algorithm, steps, points, seed):
    """Return scores at `points` times of a run, and the seconds that learning took."""
    model = MaskablePPO("MlpPolicy", Monitor(Invalid()), seed=seed, device="cpu")
    test = Monitor(Invalid())
    test.reset(seed=seed + 1000)
    scores, seconds = [], 0.0
    for _ in range(points):
        start = time.perf_counter()
        model.learn(steps // points, reset_num_timesteps=False)
        seconds += time.perf_counter() - start
        mean, _ = evaluate_policy(model, test, n_eval_episodes=20)
        scores.append(float(numpy.mean(mean)))
    return {"scores": scores, "seconds": seconds, "steps": steps}


if __name__ == "__main__":
    print(json.dumps(train(**json.loads(sys.argv[1]))))
