"""One run of PFRL's TRPO with its reproduction's settings, evaluated as ours are."""

import csv
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version

import gym
import pfrl
from train_pfrl import build


def make_env(env_id, seed):
    """Make an environment as PFRL's example does."""
    env = gym.make(env_id)
    env.seed(seed)
    return pfrl.wrappers.CastObservationToFloat32(env)


def evaluate(agent, env_id, seed, n_episodes, limit):
    """Return the statistics of some episodes."""
    env = make_env(env_id, seed)
    return pfrl.experiments.evaluator.eval_performance(
        env, agent, None, n_episodes, max_episode_len=limit
    )


def train(env, seed, steps, eval_interval, eval_n_runs, final_n_runs):
    """Train; return versions, the evaluations on the way, and those of the end."""
    pfrl.utils.set_random_seed(seed)
    training = make_env(env, seed)
    limit = training.spec.max_episode_steps
    agent = build(training.observation_space.low.size, training.action_space.low.size)
    began = time.time()
    with tempfile.TemporaryDirectory() as outdir:
        pfrl.experiments.train_agent_with_evaluation(
            agent=agent,
            env=training,
            eval_env=make_env(env, 2**32 - 1 - seed),
            outdir=outdir,
            steps=steps,
            eval_n_steps=None,
            eval_n_episodes=eval_n_runs,
            eval_interval=eval_interval,
            train_max_episode_len=limit,
        )
        elapsed = time.time() - began
        with open(os.path.join(outdir, "scores.txt"), newline="") as file:
            scores = list(csv.DictReader(file, delimiter="\t"))
    final = evaluate(agent, env, 2**31 + seed, final_n_runs, limit)
    agent.act_deterministically = True
    mode = evaluate(agent, env, 2**31 + seed, final_n_runs, limit)
    packages = ("pfrl", "torch", "gym", "mujoco")
    return {
        "version": "; ".join(f"{name} {version(name)}" for name in packages),
        "elapsed": elapsed,
        "evaluation": scores,
        "final": final,
        "final-deterministic": mode,
    }


if __name__ == "__main__":
    result = train(**json.loads(sys.argv[1]))
    print(json.dumps(result, default=float))
