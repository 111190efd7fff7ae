"""What an agent refuses when it is built, each with the remedy."""

from chainertrpo._checks import flag, in_range, made_of, whole
from chainertrpo.agents.batching import Estimation
from chainertrpo.agents.memory import memory_size
from chainertrpo.policies import carry_size, parts, takes_sequences

from chainer import Link


def check_settings(gamma, lambd, update_interval, **flags):
    """Refuse numbers that are out of range, and flags that are neither True nor False."""
    in_range("gamma", gamma, 0, 1)
    in_range("lambd", lambd, 0, 1)
    whole("update_interval", update_interval, 2)  # TRPO's batches have thousands
    for name, value in flags.items():
        flag(name, value)


def check_kinds(policy, vf, model, obs_normalizer, estimation, **callables):
    """Refuse what is not of the kind that an agent needs of it."""  # noqa: DOC501
    apart = {"policy": policy, "vf": vf} if model is None else {"model": model}
    for name, link in apart.items():
        made_of(name, link, [Link])
    made_of("estimation", estimation, [Estimation])
    for name, value in callables.items():
        if value is not None and not callable(value):
            raise ValueError(f"expected {name} to be callable, got {value!r}.")
    needed = ("experience", "to_device")
    if obs_normalizer is not None and not all(
        hasattr(obs_normalizer, name) for name in needed
    ):
        raise ValueError(
            "expected obs_normalizer to be EmpiricalNormalization(...) or None, got "
            f"{obs_normalizer!r}."
        )


def check_recurrent(link, batch_states, recurrent, max_recurrent_sequence_len):
    """Refuse what does not go with a policy; ``batch_states`` is for ChainerRL only."""  # noqa: DOC501
    if batch_states is not None:
        raise ValueError(
            "expected batch_states=None: observations are batched as arrays. Transform "
            "them with phi."
        )
    policy = getattr(link, "policy", link)
    known = takes_sequences(policy) or carry_size(policy)
    if (recurrent or max_recurrent_sequence_len is not None) and not known:
        raise ValueError(
            "expected a policy with memory for recurrent=True or "
            "max_recurrent_sequence_len, such as GaussianPolicy(..., core='gru') or "
            "ChainerRL's StatelessRecurrentSequential, got "
            f"{type(link).__name__}, which remembers nothing here. A link of yours needs "
            "n_step_forward and recurrent_children: derive it from "
            "chainertrpo.chainerrl.links.StatelessRecurrentChainList."
        )


def check_memory(policy, vf, model, step, estimation):
    """Refuse what a policy with memory does not go with."""  # noqa: DOC501
    size = carry_size(policy)
    if takes_sequences(vf) and not takes_sequences(policy):
        raise ValueError(
            "expected a policy that takes sequences beside a vf that does, got "
            f"{type(policy).__name__} beside {type(vf).__name__}. Build both of "
            "StatelessRecurrentSequential, or give vf = ValueFunction(obs_size + "
            "policy.carry_size), which sees the policy's hidden state."
        )
    if not memory_size(policy, vf):
        return
    if estimation.pad_to is not None:
        raise ValueError(
            f"expected pad_to=None of a policy with memory, got {estimation.pad_to}: what "
            "it would remember of rows that nobody saw is not defined. Leave it out."
        )
    if getattr(getattr(step, "solver", None), "in_sample_space", False):
        raise ValueError(
            "expected the solver CG of a policy with memory, got Gram, whose scores are "
            "of rows without a past. In settings: policy_step={'solver': {'kind': 'cg'}}."
        )
    halves = getattr(model, "halves", None)
    together = takes_sequences(model) or (halves and not takes_sequences(policy))
    if model is not policy and not together:
        raise ValueError(
            "expected an ActorCritic, or policy and vf apart, or ChainerRL's "
            "StatelessRecurrentBranched of two links that take sequences, of a policy "
            f"with memory, got the joint model {type(model).__name__}."
        )
    widths = [_inputs(link) for link in (policy, vf)]
    if None not in widths and widths[1] != widths[0] + size:
        raise ValueError(
            f"expected a vf of {widths[0]} + {size} inputs, the observation and the hidden "
            f"state, got {widths[1]}. Build it with obs_size + policy.carry_size."
        )


def _inputs(link):
    """How many columns a link takes, or None if it is not ours."""
    for part in parts(link):
        return part.network.shapes[part.network.first][1]
    return None


def check_links(policy, vf):
    """Refuse networks on two devices, of half precision, or with common parameters."""  # noqa: DOC501
    if policy.device != vf.device:
        raise ValueError(
            f"expected policy and vf on one device, got policy on {policy.device} and vf "
            f"on {vf.device}. Call vf.to_device(policy.device)."
        )
    check_precision(policy, "policy")
    check_precision(vf, "vf")
    shared = {id(p) for p in policy.params()} & {id(p) for p in vf.params()}
    if shared:
        raise ValueError(
            f"expected separate networks, but policy and vf share {len(shared)} "
            "parameters. The natural step and the optimiser would move them both ways: "
            "build vf as its own link."
        )


def check_precision(link, what):
    """Refuse parameters of half precision in a link that errors call `what`."""  # noqa: DOC501
    for name, param in link.namedparams():
        if param.array is not None and param.dtype not in ("float32", "float64"):
            raise TypeError(
                f"expected float32 parameters, got {param.dtype} in {what}{name}. "
                "Half precision cannot hold a KL divergence of 0.01: build the model "
                "with chainer.config.dtype = numpy.float32."
            )
