"""Record updates of pg_travel in float64.

pip install torch numpy; git clone of reinforcement-learning-kr/pg_travel at c61a11e;
python tests/parity/record_pg_travel.py PATH, where PATH is the clone.
"""

import pathlib
import sys

import numpy
import torch
from recording import (
    ACTION_SIZE,
    OBS_SIZE,
    Case,
    experience,
    named,
    shaken,
    start_of,
    write,
)
from recording import HIDDEN as WIDTH

sys.path.insert(0, str(pathlib.Path(sys.argv[1], "mujoco")))
from agent import tnpg, trpo_gae  # noqa: E402
from hparams import HyperParams  # noqa: E402
from model import Actor, Critic  # noqa: E402

torch.set_default_dtype(torch.float64)
HyperParams.hidden = WIDTH
COPY = {"reinforcement-learning-kr/pg_travel": "c61a11e"}
MAX_KL = HyperParams.max_kl
shuffle = numpy.random.shuffle
rows, gains, products, said = [], [], [], []


def noted_shuffle(order):
    """Shuffle, and note the order."""
    shuffle(order)
    rows.append(order.copy())


def counted(function, calls):
    """Note that a function is called."""

    def wrapped(*args, **kwargs):
        calls.append(function.__name__)
        return function(*args, **kwargs)

    return wrapped


def layers_of(model):
    return [model.fc1, model.fc2, model.fc3]


def arrays_of(model):
    return named([(x.weight.detach(), x.bias.detach()) for x in layers_of(model)])


def put(model, arrays):
    for i, layer in enumerate(layers_of(model)):
        layer.weight.data = torch.as_tensor(arrays[f"mlp/{i}/W"])
        layer.bias.data = torch.as_tensor(arrays[f"mlp/{i}/b"])


def memory_of(data):
    """Its list of (state, action, reward, mask), as the array that it makes of it."""
    last = numpy.cumsum(data["lengths"])
    states = numpy.delete(data["obs"], last + numpy.arange(len(last)), axis=0)
    memory = numpy.empty((len(states), 4), object)
    for t, state in enumerate(states):
        mask = float(t + 1 not in last)
        memory[t] = state, data["action"][t], data["reward"][t], mask
    return memory


def record(preset, algorithm, case=None, max_kl=MAX_KL):
    for calls in (rows, gains, products, said):
        calls.clear()
    numpy.random.seed(0)  # noqa: NPY002  (it shuffles with it)
    torch.manual_seed(0)
    HyperParams.max_kl = max_kl
    actor, critic = Actor(OBS_SIZE, ACTION_SIZE), Critic(OBS_SIZE)
    rng = numpy.random.RandomState(1)
    for param in (*actor.parameters(), *critic.parameters()):
        param.data = torch.as_tensor(shaken(param.detach().numpy(), rng))
    if case is not None:
        put(actor, start_of(preset, "policy"))
        put(critic, start_of(preset, "vf"))
    optimizer = torch.optim.Adam(
        critic.parameters(),
        lr=HyperParams.critic_lr,
        weight_decay=HyperParams.l2_rate,
    )
    data = experience(terminal=(True, True, True, True))
    before = {"policy": arrays_of(actor), "vf": arrays_of(critic)}
    algorithm.train_model(actor, critic, memory_of(data), None, optimizer)
    after = {"policy": arrays_of(actor), "vf": arrays_of(critic)}
    if case is not None:
        # The first surrogate is differentiated, the last product gives the step's length;
        # what it says after the tries is that none would do.
        n_tries = len(gains) - 1
        fraction = 0.5 ** (n_tries - 1) if len(said) == n_tries else 0.0
        changes = {"policy_step": {"region": {"max_kl": max_kl}}}
        case = Case(case, changes, n_tries, fraction, len(products) - 1)
    packages = ["torch", "numpy"]
    write(preset, data, before, after, packages, rows, copy=COPY, case=case)


if __name__ == "__main__":
    numpy.random.shuffle = noted_shuffle
    trpo_gae.print = lambda *args: said.append(args)
    trpo_gae.surrogate_loss = counted(trpo_gae.surrogate_loss, gains)
    trpo_gae.fisher_vector_product = counted(trpo_gae.fisher_vector_product, products)
    record("pg-travel-trpo", trpo_gae)
    record("pg-travel-tnpg", tnpg)
    for max_kl, case in (
        (10.0, "gain"),
        (30.0, "gain-twice"),
        (100.0, "gain-thrice"),
        (1e3, "kl-then-gain"),
        (1e8, "spent"),
        (1e-40, "nothing"),
    ):
        record("pg-travel-trpo", trpo_gae, case, max_kl)
