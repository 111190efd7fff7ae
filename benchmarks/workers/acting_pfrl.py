"""Microseconds to act, PFRL's."""

import json
import sys

import numpy
from acting_clock import microseconds, observations
from serve import serve
from train_pfrl import build


def main(obs_size, action_size):
    """Measure."""
    agent = build(obs_size, action_size)
    agent.update_interval = 10**9
    obs = observations(obs_size).astype(numpy.float32)

    def act_and_train(x):
        agent.act(x)
        agent.observe(x, 0.0, False, False)

    serve(lambda: {"pfrl, act and observe": microseconds(act_and_train, obs)})


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
