"""That the agents of all ranks are the same, bit for bit."""

from chainertrpo import ranks


class RanksDifferError(RuntimeError):
    """The ranks do not have the same agent; the message says which, and what differs."""


def check_alike(agent, t):
    """See that all ranks have the agent of rank 0.

    Parameters
    ----------
    agent : object
        With ``digests``.
    t : int
        Steps done.

    Raises
    ------
    RanksDifferError
        On all ranks: some have another.
    """
    if ranks.size() == 1:
        return
    first, *others = ranks.everyone(agent.digests())
    differ = [rank for rank, found in enumerate(others, 1) if found != first]
    if differ:
        names = [k for k in first if any(x.get(k) != first[k] for x in others)]
        raise RanksDifferError(
            f"expected the agent of rank 0 on all {ranks.size()} ranks at step {t}, got "
            f"another on {', '.join(f'rank {rank}' for rank in differ)} (in "
            f"{', '.join(names)}). Build it from one seed on all of them, let hooks set "
            "the same on all, and use machines and versions of one kind; a run goes on "
            "from its newest checkpoint, which is from before."
        )
