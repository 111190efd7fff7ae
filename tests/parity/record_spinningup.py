"""Record updates of Spinning Up's TRPO and NPG in float64.

Python 3.7; pip install tensorflow==1.15.5 "protobuf<3.20" "numpy<1.19" "scipy<1.6"
gym==0.17.2 importlib_metadata; git clone of openai/spinningup at 038665d;
python tests/parity/record_spinningup.py PATH, where PATH is the clone.
"""

import importlib
import pathlib
import sys
import types

import gym
import importlib_metadata
import numpy
import tensorflow as tf

importlib.metadata = sys.modules["importlib.metadata"] = importlib_metadata
from recording import (  # noqa: E402
    ACTION_SIZE,
    HIDDEN,
    OBS_SIZE,
    Case,
    experience,
    named,
    write,
)

N_ACTIONS = 3
COPY = {"openai/spinningup": "038665d"}
# It writes float32 in words.
tf.float32 = tf.float64
noise = tf.random_normal


class Double(types.ModuleType):
    """NumPy whose float32 is float64."""

    float32 = numpy.float64

    def __getattr__(self, name):
        return getattr(numpy, name)


class Logger:
    """Keeps what the search says, and the session."""

    def __init__(self, **_):
        Logger.stored, Logger.said = {}, []

    def log(self, text):
        Logger.said.append(text)

    def store(self, **values):
        Logger.stored.update(values)

    def setup_tf_saver(self, session, **_):
        Logger.session = session

    def _nothing(self, *args, **kwargs):
        pass

    save_config = save_state = log_tabular = dump_tabular = _nothing


class Replay(gym.Env):
    """An environment that gives what was written down, and notes what is done."""

    observation_space = gym.spaces.Box(-99, 99, (OBS_SIZE,), numpy.float64)

    def __init__(self, data, softmax):
        self.action_space = gym.spaces.Box(-9, 9, (ACTION_SIZE,), numpy.float64)
        if softmax:
            self.action_space = gym.spaces.Discrete(N_ACTIONS)
        ends = numpy.cumsum(data["lengths"])[:-1]
        obs = numpy.split(data["obs"], numpy.cumsum(data["lengths"] + 1)[:-1])
        rewards = numpy.split(data["reward"], ends)
        self.episodes = list(zip(obs, rewards, data["terminal"]))
        self.episode, self.actions = -1, []

    def reset(self):
        # After the last step there is one more, which nothing uses.
        self.t, self.episode = 0, min(self.episode + 1, len(self.episodes) - 1)
        return self.episodes[self.episode][0][0]

    def step(self, action):
        obs, reward, terminal = self.episodes[self.episode]
        self.actions.append(action)
        self.t += 1
        done = self.t == len(reward) and bool(terminal)
        return obs[self.t], reward[self.t - 1], done, {}


def package(name, path=None, **contents):
    """A package without its __init__, or a module that only has these names."""
    module = sys.modules[name] = types.ModuleType(name)
    if path is not None:
        module.__path__ = [str(path)]
    module.__dict__.update(contents)


def prepare(path):
    """Import Spinning Up's TRPO without MPI, its logger and its other algorithms."""
    root = pathlib.Path(path, "spinup")
    for name in ("spinup", "spinup.algos", "spinup.algos.tf1", "spinup.utils"):
        package(name, root.joinpath(*name.split(".")[1:]))
    package("spinup.utils.logx", EpochLogger=Logger)
    package(
        "spinup.utils.mpi_tools",
        mpi_fork=None,
        mpi_avg=lambda x: x,
        proc_id=lambda: 0,
        num_procs=lambda: 1,
        mpi_statistics_scalar=lambda x: (x.mean(), x.std()),
    )
    package(
        "spinup.utils.mpi_tf",
        MpiAdamOptimizer=tf.train.AdamOptimizer,
        sync_all_params=lambda: start,
    )
    trpo = importlib.import_module("spinup.algos.tf1.trpo.trpo")
    trpo.np = trpo.core.np = Double("numpy")
    return trpo


def network(rng, n_out):
    """Parameters at random, none of them 0."""
    arrays, sizes = [], (OBS_SIZE, HIDDEN, HIDDEN, n_out)
    for n_in, n in zip(sizes, sizes[1:]):
        weight = rng.standard_normal((n, n_in)) / n_in**0.5
        arrays += [(weight, 0.1 * rng.standard_normal(n))]
    return arrays


def started(actor_critic, values):
    """Note, as the start, that every variable has its value of the given ones."""

    def wrapped(*args, **kwargs):
        global start
        outputs = actor_critic(*args, **kwargs)
        start = [
            tf.assign(v, values[v.name.split("/")[0]][v.name.split("/", 1)[1][:-2]])
            for v in tf.trainable_variables()
        ]
        return outputs

    return wrapped


def by_name(layers, log_std=None):
    """Arrays by the names of TensorFlow's variables."""
    found = {} if log_std is None else {"log_std": log_std}
    for i, (weight, bias) in enumerate(layers):
        name = f"dense_{i}" if i else "dense"
        found[f"{name}/kernel"], found[f"{name}/bias"] = weight.T, bias
    return found


def arrays_of(scope):
    """Our names of what the session has now."""
    found = {v.name: v for v in tf.trainable_variables() if v.name.startswith(scope)}
    found = {k.split("/", 1)[1][:-2]: Logger.session.run(v) for k, v in found.items()}
    # TensorFlow numbers the layers of both scopes, by scope or all together.
    kernels = sorted(
        (k for k in found if k.endswith("kernel")),
        key=lambda k: int((k.split("/")[0].split("_") + ["0"])[1]),
    )
    layers = [(found[k].T, found[k.replace("kernel", "bias")]) for k in kernels]
    return named(layers, found.get("log_std"))


def record(preset, case=None, delta=0.01, damping=0.1, spread=1.0, changes=None):
    softmax = case == "softmax"
    tf.reset_default_graph()
    tf.random_normal = lambda shape: spread * noise(shape, dtype=tf.float64, seed=1)
    data = experience(n_actions=N_ACTIONS if softmax else None)
    rng = numpy.random.RandomState(1)
    policy = network(rng, N_ACTIONS if softmax else ACTION_SIZE)
    values = network(rng, 1)
    log_std = None if softmax else 0.1 * rng.standard_normal(ACTION_SIZE)
    before = {"policy": named(policy, log_std), "vf": named(values)}
    env = Replay(data, softmax)
    trpo.trpo(
        lambda: env,
        actor_critic=started(
            trpo.core.mlp_actor_critic,
            {"pi": by_name(policy, log_std), "v": by_name(values)},
        ),
        ac_kwargs={"hidden_sizes": (HIDDEN, HIDDEN)},
        seed=0,
        steps_per_epoch=256,
        epochs=1,
        delta=delta,
        damping_coeff=damping,
        max_ep_len=max(data["lengths"]),
        algo=preset.split("-")[1],
    )
    after = {"policy": arrays_of("pi"), "vf": arrays_of("v")}
    actions = numpy.array(env.actions, "i" if softmax else "d")
    data["action"] = actions.reshape(data["action"].shape)
    if case is not None:
        # NPG takes its one step, and says nothing.
        n_tries = Logger.stored.get("BacktrackIters", 0) + 1
        failed = any("failed" in text for text in Logger.said)
        fraction = 0.0 if failed else 0.8 ** (n_tries - 1)
        ours = {"region": {"max_kl": delta}, "curvature": {"damping": damping}}
        case = Case(case, {"policy_step": ours}, n_tries, fraction)
    packages = ["tensorflow", "numpy"]
    write(preset, data, before, after, packages, copy=COPY, case=case)


if __name__ == "__main__":
    trpo = prepare(sys.argv[1])
    record("spinningup-trpo")
    record("spinningup-trpo", "kl-twice", 10.0, 1e-3)
    record("spinningup-npg")
