"""What share of an iteration of GAIL the discriminator's fit and its pay are.

    OMP_NUM_THREADS=1 python benchmarks/discriminator.py

Seconds of the processor, in one process with one environment, so that other programs and
workers do not count; where workers collect side by side the share of an iteration grows
with their number.  The preset `ho2016` with batches of 5,000, as the study of Hopper has
it; the demonstrations are a random player's, as only their number matters.
"""

import argparse
import json
import pathlib
import statistics
import tempfile
import time

from chainertrpo.agents import make_gail_agent
from chainertrpo.experiments import describe_environment, make_env, train_agent
from chainertrpo.experiments.recording import record_episodes

import numpy

VARIANTS = {
    "plain": {},
    "gradient penalty": {"gradient_penalty": 10.0},
    "spectral norm": {"spectral_norm": 1.0},
    "observations only": {"sees": "next_observations"},
}


class Clock:
    """Notes how long a callable takes, and where its calls begin."""

    def __init__(self, call):
        self.call, self.taken, self.begun = call, [], []

    def __call__(self, *args):
        """Call it."""
        self.begun.append(time.process_time())
        found = self.call(*args)
        self.taken.append(time.process_time() - self.begun[-1])
        return found


def measure(env, demos, judge, iterations):
    """Milliseconds of fit, pay and iteration, medians over iterations."""
    agent, _ = make_gail_agent(
        env.observation_space,
        env.action_space,
        demos,
        every=1,
        discriminator=judge,
        agent={"update_interval": 5000},
        policy_step={"curvature": {"kind": "gauss_newton"}},
    )
    rewards = agent.rewards
    rewards.fit, rewards.relabel = Clock(rewards.fit), Clock(rewards.relabel)
    with tempfile.TemporaryDirectory() as folder:
        train_agent(agent, env, 5000 * (iterations + 1), folder)
    whole = numpy.diff(rewards.fit.begun)
    found = {"fit": rewards.fit.taken, "pay": rewards.relabel.taken, "iteration": whole}
    found = {name: 1000 * statistics.median(x) for name, x in found.items()}
    return {**found, "share": (found["fit"] + found["pay"]) / found["iteration"]}


def main():
    """Measure all variants."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="Hopper-v4")
    parser.add_argument("--iterations", type=int, default=6)
    args = parser.parse_args()
    rng, env = numpy.random.default_rng(0), make_env(args.env)
    low, high = env.action_space.low, env.action_space.high
    demos = record_episodes(env, lambda _: rng.uniform(low, high).astype("f"), 50)
    results = {}
    for name, judge in VARIANTS.items():
        results[name] = found = measure(env, demos, judge, args.iterations)
        print(
            f"{name:18} fit {found['fit']:6.1f} ms  pay {found['pay']:5.1f} ms  of "
            f"{found['iteration']:7.1f} ms: {found['share']:.1%}",
            flush=True,
        )
    path = pathlib.Path(__file__).parent / "results" / "discriminator.json"
    about = {"environment": describe_environment(env), "medians": results}
    path.write_text(json.dumps(about, indent=1) + "\n")


if __name__ == "__main__":
    main()
