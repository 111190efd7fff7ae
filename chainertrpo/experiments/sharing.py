"""How the steps of a batch are shared out among environments, and these among processes."""

import os

ROWS_EACH = 1000  # of a batch: as long as an episode of MuJoCo's tasks
FEW_ROWS = 300  # of a batch, below which an environment's episodes are cut too often


def available_cores():
    """Return how many cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_num_envs(update_interval):
    """Return how many environments share the steps of a batch by default.

    The largest power of two that leaves a thousand steps to each, so that a whole episode
    of most tasks is not cut; at least 1.  A power of two is shared out among as many
    processes without a remainder.

    Parameters
    ----------
    update_interval : int
        Steps of a batch.
    """
    return 2 ** max(0, (update_interval // ROWS_EACH).bit_length() - 1)


def share_out(n, parts):
    """Cut n in parts that differ by 1 at most."""
    cuts = [n * i // parts for i in range(parts + 1)]
    return [end - begin for begin, end in zip(cuts, cuts[1:])]


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
