"""Microseconds to act, ours."""

import json
import sys
import time
import types

from chainertrpo import make_agent, settings_of

import numpy
from acting_clock import microseconds, observations
from serve import serve


def main(obs_size, action_size):
    """Measure."""
    spaces = [types.SimpleNamespace(shape=(n,)) for n in (obs_size, action_size)]
    agent = make_agent(*spaces, settings_of("chainerrl-reproduction"), seed=0)
    agent.update_interval = 10**9
    obs = observations(obs_size)
    agent.obs_normalizer.experience(obs)
    actor, rng = agent.actor(), numpy.random.default_rng(0)
    rows = obs.astype(numpy.float32)
    action = actor.sample_batch(rows, rng)

    def log_probabilities():
        agent.policy(actor.normalize(rows)).log_prob(action)

    def measure():
        acting = microseconds(lambda x: agent.act_and_train(x, 0.0), obs)
        start = time.perf_counter()
        log_probabilities()
        log_prob = 1e6 * (time.perf_counter() - start) / len(rows)
        return {
            "chainertrpo, act_and_train": acting,
            "chainertrpo, in a worker": microseconds(
                lambda x: actor.sample(actor.features(x), rng), obs
            ),
            "chainertrpo, log-probability, in the batch": log_prob,
            "chainertrpo, act_and_train and log-probability": acting + log_prob,
        }

    serve(measure)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
