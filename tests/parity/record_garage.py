"""Record an update of garage's TRPO in float64.

Python 3.8; pip install --no-deps garage==2021.3.0; pip install "numpy<1.24" torch==1.7.1
akro==0.0.8 dowel==0.0.3 gym==0.17.2 cma==2.7.0 click psutil setproctitle;
python tests/parity/record_garage.py
"""

import sys
import unittest.mock

import akro
import numpy
import torch
from recording import ACTION_SIZE, HIDDEN, OBS_SIZE, experience, named, shaken, write
from torch import nn

# Its samplers, which nothing here uses, import Ray and TensorFlow.
for name in ("garage.tf", "garage.tf.samplers", "ray"):
    sys.modules[name] = unittest.mock.MagicMock()
import garage  # noqa: E402
from garage.experiment import deterministic  # noqa: E402
from garage.torch.algos import TRPO  # noqa: E402
from garage.torch.policies import GaussianMLPPolicy  # noqa: E402
from garage.torch.value_functions import GaussianMLPValueFunction  # noqa: E402

# The filter of garage's advantages is float32 in words.
torch.set_default_dtype(torch.float64)
torch.float = torch.float64

shuffle, rows = numpy.random.shuffle, []


def noted_shuffle(order):
    """Shuffle, and note the order."""
    shuffle(order)
    rows.append(order.copy())


def arrays_of(model):
    """Networks by our names; log σ is one number, whatever the dimensions."""
    layers = [x for x in model.modules() if isinstance(x, nn.Linear)]
    pairs = [(x.weight.detach().numpy(), x.bias.detach().numpy()) for x in layers]
    (log_std,) = [x for k, x in model.named_parameters() if k.endswith("_init_std")]
    return named(pairs, log_std.detach().numpy())


def episodes_of(data, spec):
    lengths, n = data["lengths"], len(data["reward"])
    ends = numpy.cumsum(lengths)
    last = ends + numpy.arange(len(lengths))
    step_types = numpy.array([garage.StepType.MID] * n, dtype=garage.StepType)
    step_types[ends - 1] = garage.StepType.TERMINAL
    return garage.EpisodeBatch(
        env_spec=spec,
        episode_infos={},
        observations=numpy.delete(data["obs"], last, axis=0),
        last_observations=data["obs"][last],
        actions=data["action"],
        rewards=data["reward"],
        env_infos={},
        agent_infos={},
        step_types=step_types,
        lengths=lengths,
    )


def record():
    spec = garage.EnvSpec(
        akro.Box(-99, 99, (OBS_SIZE,)),
        akro.Box(-9, 9, (ACTION_SIZE,)),
        max_episode_length=1000,
    )
    deterministic.set_seed(0)
    sizes = {"hidden_sizes": [HIDDEN, HIDDEN], "hidden_nonlinearity": torch.tanh}
    policy = GaussianMLPPolicy(spec, **sizes)
    vf = GaussianMLPValueFunction(spec, **sizes)
    rng = numpy.random.RandomState(1)
    for param in (*policy.parameters(), *vf.parameters()):
        param.data = torch.as_tensor(shaken(param.detach().numpy(), rng))
    algorithm = TRPO(spec, policy, vf, None, discount=0.99, gae_lambda=0.97)
    data = experience(terminal=(True, True, True, True))
    before = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    numpy.random.shuffle = noted_shuffle
    algorithm._train_once(0, episodes_of(data, spec))
    after = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    # It shuffles once more after the last epoch.
    write("garage", data, before, after, ["garage", "torch", "numpy"], rows[:-1])


if __name__ == "__main__":
    record()
