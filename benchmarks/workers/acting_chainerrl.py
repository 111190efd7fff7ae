"""Microseconds to act, ChainerRL's."""

import json
import sys

import numpy
from acting_clock import microseconds, observations
from serve import serve
from train_chainerrl import build


def main(obs_size, action_size):
    """Measure."""
    agent = build(obs_size, action_size)
    agent.update_interval = 10**9
    obs = observations(obs_size).astype(numpy.float32)

    def measure():
        act = microseconds(lambda x: agent.act_and_train(x, 0.0), obs)
        return {"chainerrl, act_and_train": act}

    serve(measure)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
