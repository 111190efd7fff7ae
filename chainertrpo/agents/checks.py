"""What an agent refuses when it is built, each with the remedy."""

from chainertrpo._checks import flag, in_range, whole


def check_settings(gamma, lambd, update_interval, **flags):
    """Refuse numbers that are out of range, and flags that are neither True nor False."""
    in_range("gamma", gamma, 0, 1)
    in_range("lambd", lambd, 0, 1)
    whole("update_interval", update_interval, 2)  # TRPO's batches have thousands
    for name, value in flags.items():
        flag(name, value)


def check_not_recurrent(batch_states, recurrent, max_recurrent_sequence_len):
    """Refuse arguments that exist for ChainerRL's sake only."""  # noqa: DOC501
    if batch_states is not None or recurrent or max_recurrent_sequence_len is not None:
        raise ValueError(
            "expected batch_states=None, recurrent=False and "
            "max_recurrent_sequence_len=None: recurrent policies are not supported, "
            "and observations are batched as arrays. Transform them with phi."
        )


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
