"""How the steps of a batch are shared out among environments, and these among processes."""

from chainertrpo import ranks

ROWS_EACH = 1000  # of a batch: as long as an episode of MuJoCo's tasks
FEW_ROWS = 300  # of a batch, below which an environment's episodes are cut too often


def available_cores():
    """Return how many cores this process may use, at least 1; a rank has its part."""
    return ranks.cores()


def default_num_envs(update_interval):
    """Return how many environments share the steps of a batch by default.

    The largest power of two that leaves a thousand steps to each, so that a whole episode
    of most tasks is not cut; at least one for each rank.  A power of two is shared out
    among as many processes without a remainder.

    Parameters
    ----------
    update_interval : int
        Steps of a batch.
    """
    found = 2 ** max(0, (update_interval // ROWS_EACH).bit_length() - 1)
    return max(found, ranks.size())


def share_out(n, parts):
    """Cut n in parts that differ by 1 at most."""
    cuts = [n * i // parts for i in range(parts + 1)]
    return [end - begin for begin, end in zip(cuts, cuts[1:])]


def envs_of_rank(num_envs, update_interval):
    """Return which environments this rank steps: a part of them, in the order of ranks."""  # noqa: DOC501
    size = ranks.size()
    if size > 1 and not size <= num_envs <= update_interval:
        raise ValueError(
            f"expected at least one environment for each of {size} ranks, and a step of a "
            f"batch ({update_interval}) for each of them, got num_envs={num_envs}. Start "
            "fewer ranks, or take more environments (num_envs, --num-envs)."
        )
    shares = share_out(num_envs, size)
    first = sum(shares[: ranks.rank()])
    return range(first, first + shares[ranks.rank()])


def check_one_process(name):
    """Refuse several ranks, for a function that is of one process."""  # noqa: DOC501
    if ranks.size() > 1:
        raise ValueError(
            f"expected one process for {name}, got {ranks.size()} ranks, each of which "
            "would train an agent of its own in the same folder. train_agent_parallel "
            "trains one agent on all of them."
        )


def check_num_envs(before, now):
    """See that a run goes on with as many environments as it had."""  # noqa: DOC501
    if before != now:
        raise ValueError(
            f"expected num_envs={before}, as before, got {now}: with another number other "
            "data would be collected. The number of workers may change."
        )


def say_what_is_odd(num_envs, workers, update_interval, logger):
    """Say that environments have few steps of a batch each, or workers none."""
    if num_envs > 1 and update_interval < FEW_ROWS * num_envs:
        logger.warning(
            "%d environments share the %d steps of a batch, fewer than %d for each: "
            "episodes are cut often, and less is learned from them; take fewer "
            "(num_envs, --num-envs) or larger batches",
            num_envs,
            update_interval,
            FEW_ROWS,
        )
    if workers > num_envs:
        logger.warning(
            "%d workers for num_envs=%d: a worker steps one environment at least, so %d "
            "are started; --num-envs takes more, if a batch has %d steps for each",
            workers,
            num_envs,
            num_envs,
            FEW_ROWS,
        )
