"""Whether an optimiser is set up with the link that it is to move."""


def check_target(name, optimizer, link):
    """Check that an optimiser is there and set up with its link."""  # noqa: DOC501
    target = getattr(optimizer, "target", None)
    if optimizer is None:
        got = "none"
    elif target is None:
        got = "one without a target"
    else:
        got = "one set up with another link"
    if target is not link:
        raise ValueError(
            f"expected {name} to be set up with the agent's {type(link).__name__}, got "
            f"{got}. Call {name}.setup(link) and give it as {name}=."
        )
