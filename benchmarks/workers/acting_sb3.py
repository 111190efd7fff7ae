"""Microseconds to act, sb3-contrib's policy as its rollouts call it."""

import json
import sys

import numpy
import torch
from acting_clock import microseconds, observations
from gymnasium.spaces import Box
from sb3_contrib.trpo import MlpPolicy
from serve import serve
from stable_baselines3.common.utils import obs_as_tensor


def main(obs_size, action_size):
    """Measure: action, value and log-probability; normalisation is not included."""
    spaces = [Box(-numpy.inf, numpy.inf, (n,)) for n in (obs_size, action_size)]
    policy = MlpPolicy(*spaces, lambda _: 1e-3, net_arch=[64, 64])
    policy.set_training_mode(False)

    def act(x):
        with torch.no_grad():
            actions, _, _ = policy(obs_as_tensor(x[None], "cpu"))
        return actions.numpy()

    obs = observations(obs_size).astype(numpy.float32)
    serve(lambda: {"sb3-contrib, policy(obs)": microseconds(act, obs)})


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
