"""Record updates of ChainerRL 0.8 in float64, and agents that it saved in float32.

make record-chainerrl
"""

import pathlib
import sys
import types
import warnings

import chainer
import chainer.functions as F
import chainer.links as L
import numpy
from recording import (
    ACTION_SIZE,
    FOLDER,
    HIDDEN,
    OBS_SIZE,
    Case,
    episodes,
    experience,
    named,
    shaken,
    start_of,
    write,
)

# ChainerRL imports this recorder of videos unasked; gym has dropped it.
stub = types.ModuleType("chainerrl.wrappers.monitor")
stub.Monitor = None
sys.modules[stub.__name__] = stub
warnings.simplefilter("ignore")
import chainerrl  # noqa: E402

N_ACTIONS = 3
PACKAGES = ["chainerrl", "chainer", "numpy"]
REPRODUCTION = {"gamma": 0.995, "lambd": 0.97, "entropy_coef": 0}
TRPO = {**REPRODUCTION, "max_kl": 0.01, "vf_epochs": 5}
TRPO.update(conjugate_gradient_max_iter=20, conjugate_gradient_damping=1e-1)
PPO_EXAMPLE = {"entropy_coef": 0, "standardize_advantages": False}
SIZES = {"n_hidden_layers": 2, "n_hidden_channels": HIDDEN, "nonlinearity": F.tanh}
NORMALIZED = {"reproduction": {"clip_threshold": 5}, "example": {}, "class": None}


def log_std(x):
    """What ChainerRL's scripts make of var_param."""
    return F.exp(2 * x)


def sequential(n_out, *head):
    """As the reproduction scripts write their networks."""
    return chainer.Sequential(
        L.Linear(OBS_SIZE, HIDDEN),
        F.tanh,
        L.Linear(HIDDEN, HIDDEN),
        F.tanh,
        L.Linear(HIDDEN, n_out),
        *head,
    )


def networks(kind):
    """Policy and value function as the scripts build them, with all arrays shaken."""
    if kind == "sequential":
        head = chainerrl.policies.GaussianHeadWithStateIndependentCovariance(
            ACTION_SIZE, "diagonal", log_std
        )
        policy, vf = sequential(ACTION_SIZE, head), sequential(1)
    else:
        if kind == "relu values":  # the example of PPO
            vf = chainerrl.links.MLP(OBS_SIZE, 1, (HIDDEN, HIDDEN))
        else:
            vf = chainerrl.v_functions.FCVFunction(OBS_SIZE, **SIZES)
        if kind == "softmax":
            policy = chainerrl.policies.FCSoftmaxPolicy(OBS_SIZE, N_ACTIONS, **SIZES)
        else:
            build = chainerrl.policies.FCGaussianPolicyWithStateIndependentCovariance
            policy = build(
                OBS_SIZE, ACTION_SIZE, var_type="diagonal", var_func=log_std, **SIZES
            )
    rng = numpy.random.RandomState(1)
    for link in (policy, vf):
        for _, param in sorted(link.namedparams()):
            param.array = shaken(param.array, rng).astype(chainer.config.dtype)
    return policy, vf


def layers_of(link):
    """The linear layers in the order in which they are applied, and log sigma."""
    if isinstance(link, chainer.Sequential):
        layers = [x for x in link if isinstance(x, L.Linear)]
    elif isinstance(link, chainerrl.links.MLP):
        layers = [*link.hidden_layers, link.output]
    elif hasattr(link, "hidden_layers"):
        layers = [x for x in link.hidden_layers if isinstance(x, L.Linear)]
    else:
        layers = [*link.model.hidden_layers, link.model.output]
    heads = [x for name, x in link.namedparams() if name.endswith("var_param")]
    return layers, heads


def arrays_of(link):
    """The arrays under our names."""
    layers, heads = layers_of(link)
    return named([(x.W.array, x.b.array) for x in layers], *[x.array for x in heads])


def put(link, arrays):
    """The inverse of `arrays_of`."""
    layers, heads = layers_of(link)
    for i, layer in enumerate(layers):
        layer.W.array[...] = arrays[f"mlp/{i}/W"]
        layer.b.array[...] = arrays[f"mlp/{i}/b"]
    for head in heads:
        head.array[...] = arrays["log_std"]


def agent_of(algorithm, kind, normalized, settings, dtype):
    policy, vf = networks(kind)
    normalizer = None
    if normalized is not None:
        normalizer = chainerrl.links.EmpiricalNormalization(
            OBS_SIZE, dtype=dtype, **normalized
        )
        normalizer.experience(seen(dtype))
    if algorithm == "TRPO":
        agent = chainerrl.agents.TRPO(
            policy,
            vf,
            chainer.optimizers.Adam().setup(vf),
            normalizer,
            update_interval=256,
            **settings,
        )
    else:
        model = chainerrl.links.Branched(policy, vf)
        optimizer = chainer.optimizers.Adam(3e-4, eps=1e-5).setup(model)
        agent = chainerrl.agents.PPO(
            model, optimizer, normalizer, update_interval=256, **settings
        )
    return agent, policy, vf


def seen(dtype):
    """What the normaliser has seen before."""
    return numpy.random.RandomState(2).normal(0, 3, (500, OBS_SIZE)).astype(dtype)


def update(agent, data):
    Recording.rows = []
    agent.memory = episodes(data)
    agent._update_if_dataset_is_ready()


class Recording(chainer.iterators.SerialIterator):
    """Notes which rows each minibatch has."""

    def __next__(self):
        batch = super().__next__()
        self.rows.append([transition["index"] for transition in batch])
        return batch


def record(
    preset,
    algorithm,
    kind,
    normalized,
    settings,
    reward_scale=1.0,
    sharpness=1,
    sigma=0.0,
    case=None,
    changes=None,
):
    """Record an update; `changes` are our settings of a case, as `settings` are theirs."""
    data = experience(n_actions=N_ACTIONS if kind == "softmax" else None)
    agent, policy, vf = agent_of(algorithm, kind, normalized, settings, "d")
    if sharpness != 1:  # so that ratios move far enough to be clipped
        policy.model.output.W.array *= sharpness
    if case is not None:
        put(policy, start_of(preset, "policy"))
        put(vf, start_of(preset, "vf"))
        for head in layers_of(policy)[1]:
            head.array += sigma
    before = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    normalizer = {}
    if normalized is not None:
        names = ("_mean", "_var", "count")
        found = {name: getattr(agent.obs_normalizer, name) for name in names}
        normalizer = {"normalizer": {k: numpy.array(x) for k, x in found.items()}}
    gains = counted(agent, "_compute_gain") if case is not None else []
    update(agent, {**data, "reward": data["reward"] * reward_scale})
    after = {"policy": arrays_of(policy), "vf": arrays_of(vf)}
    if case is not None:
        moves = any(
            (after["policy"][k] != x).any() for k, x in before["policy"].items()
        )
        (fraction,) = agent.policy_step_size_record
        # The first gain is the one that is differentiated.
        case = Case(case, changes, len(gains) - 1, fraction, moves=moves)
    write(
        preset,
        data,
        before,
        after,
        PACKAGES,
        Recording.rows,
        case=case,
        given=normalizer,
    )


def counted(agent, name):
    """A list that grows with every call of a method."""
    function, calls = getattr(agent, name), []

    def wrapped(*args, **kwargs):
        calls.append(name)
        return function(*args, **kwargs)

    setattr(agent, name, wrapped)
    return calls


def record_cases():
    """Every branch of the line search, and a gradient so small that 1e-8 is not."""
    tries = {
        "kl": (0.1, {}, {}),
        "kl-then-gain": (5.0, {}, {}),
        "gain": (
            100.0,
            {"conjugate_gradient_damping": 10.0},
            {"curvature": {"damping": 10.0}},
        ),
        "far": (1e8, {}, {}),
        "spent": (
            1e8,
            {"line_search_max_backtrack": 3},
            {"search": {"n_tries": 4}},
        ),
        "nothing": (1e-40, {}, {}),
    }
    for case, (max_kl, theirs, ours) in tries.items():
        record(
            "chainerrl-class",
            "TRPO",
            "fc",
            None,
            {"max_kl": max_kl, **theirs},
            case=case,
            changes={"policy_step": {"region": {"max_kl": max_kl}, **ours}},
        )
    record("chainerrl-class", "TRPO", "fc", None, {}, sigma=5, case="flat", changes={})
    for preset, kind in (
        ("chainerrl-reproduction", "sequential"),
        ("chainerrl-example", "softmax"),
    ):
        record(
            preset,
            "TRPO",
            kind,
            NORMALIZED[preset.split("-")[1]],
            {**TRPO, "max_kl": 1.0},
            case="kl",
            changes={"policy_step": {"region": {"max_kl": 1.0}}},
        )


def save(name, algorithm, kind, normalized, settings):
    """An agent's folder as ChainerRL wrote it, and what its networks say."""
    data = experience(n_actions=N_ACTIONS if kind == "softmax" else None)
    floats = {k: x.astype("f") for k, x in data.items() if x.dtype == "d"}
    agent, policy, vf = agent_of(algorithm, kind, normalized, settings, "f")
    update(agent, {**data, **floats})
    agent.save(str(pathlib.Path(FOLDER, "chainerrl_agents", name)))
    obs = seen("f")[:7]
    x = obs if normalized is None else agent.obs_normalizer(obs, update=False)
    dist = policy(x)
    outputs = {"logits": dist.logits} if kind == "softmax" else {"mean": dist.mean}
    outputs["value"] = vf(x)
    numpy.savez_compressed(
        FOLDER / "chainerrl_agents" / f"{name}.npz",
        obs=obs,
        **{k: y.array for k, y in outputs.items()},
        **arrays_of(policy),
    )


class Double(types.ModuleType):
    """NumPy whose float32 is float64."""

    float32 = numpy.float64

    def __getattr__(self, name):
        return getattr(numpy, name)


def compute_in_double():
    """ChainerRL writes float32 in words: in its agents, and as xp.float32 of a link."""
    chainer.global_config.dtype = numpy.float64
    double = Double("numpy")
    chainerrl.agents.trpo.np = double
    chainer.device_resident.DeviceResident.xp = double


if __name__ == "__main__":
    chainer.iterators.SerialIterator = Recording
    numpy.random.seed(0)  # noqa: NPY002  (the iterators shuffle with it)
    reproduction, example = NORMALIZED["reproduction"], NORMALIZED["example"]
    save("reproduction", "TRPO", "sequential", reproduction, TRPO)
    save("example", "TRPO", "fc", example, TRPO)
    save("softmax", "TRPO", "softmax", example, TRPO)
    save("ppo", "PPO", "sequential", reproduction, REPRODUCTION)
    compute_in_double()
    record("chainerrl-reproduction", "TRPO", "sequential", reproduction, TRPO)
    record("chainerrl-example", "TRPO", "softmax", example, TRPO)
    record("chainerrl-class", "TRPO", "fc", None, {})
    record(
        "chainerrl-ppo-reproduction", "PPO", "sequential", reproduction, REPRODUCTION
    )
    record(
        "chainerrl-ppo-example",
        "PPO",
        "relu values",
        reproduction,
        PPO_EXAMPLE,
        1e-2,
    )
    record("chainerrl-ppo-class", "PPO", "softmax", None, {}, sharpness=8)
    record_cases()
