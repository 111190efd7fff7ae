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


def make_env(env_id, seed, cut):
    """Make an environment as PFRL's example does, or without gym's time limit.

    At that limit an episode is done; at the loop's own limit it is only cut.
    """
    env = gym.make(env_id)
    if cut:
        assert isinstance(env, gym.wrappers.TimeLimit)
        env = env.env
    env.seed(seed)
    return pfrl.wrappers.CastObservationToFloat32(env)


def evaluate(agent, env, n_episodes, limit):
    """Return the statistics of some episodes."""
    return pfrl.experiments.evaluator.eval_performance(
        env, agent, None, n_episodes, max_episode_len=limit
    )


def train(env, seed, steps, eval_interval, eval_n_runs, final_n_runs, cut):
    """Train; return versions, the evaluations on the way, and those of the end."""
    pfrl.utils.set_random_seed(seed)
    training = make_env(env, seed, cut)
    limit = training.spec.max_episode_steps
    agent = build(training.observation_space.low.size, training.action_space.low.size)
    began = time.time()
    with tempfile.TemporaryDirectory() as outdir:
        pfrl.experiments.train_agent_with_evaluation(
            agent=agent,
            env=training,
            eval_env=make_env(env, 2**32 - 1 - seed, cut),
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
    scored = [final_n_runs, limit]
    final = evaluate(agent, make_env(env, 2**31 + seed, cut), *scored)
    agent.act_deterministically = True
    mode = evaluate(agent, make_env(env, 2**31 + seed, cut), *scored)
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
