"""Links with ChainerRL's interface of memory, as policies and value functions with a carry.

ChainerRL's recurrent links (``StatelessRecurrentSequential`` and its like) take a list of
sequences and a recurrent state, and give outputs and the next state:
``n_step_forward(sequences, state, output_mode="concat")``.  A state is a tuple, one part
each of ``recurrent_children``: of Chainer's ``NStepGRU`` an array (layers, K, width), of
``NStepLSTM`` two, of another such link a tuple again.  Here it is one row of numbers a
sequence, the carry (K, C), zero at an episode's start, as everywhere in this project.
"""

from chainertrpo.numerics.functions import functions
from chainertrpo.policies.recurrent import pack

import chainer
import numpy


def takes_sequences(link):
    """Whether it is called with sequences, as ChainerRL's recurrent links."""
    return hasattr(link, "n_step_forward")


def carry_size(link):
    """C: the width of a link's hidden state; 0 without memory.

    Raises
    ------
    ValueError
        It takes sequences, and does not say what it remembers.
    """
    if takes_sequences(link):
        return sum(cells * layers * width for cells, layers, width in _leaves(link))
    return getattr(link, "carry_size", 0)


def _leaves(link):
    """(states, layers, width) of each of Chainer's recurrent links, in their order."""
    children = getattr(link, "recurrent_children", None)
    if children is not None:
        return [leaf for child in children for leaf in _leaves(child)]
    try:
        return [(link.n_cells, link.n_layers * link.direction, link.out_size)]
    except (AttributeError, NotImplementedError):
        raise ValueError(
            "expected recurrent_children, links such as chainer.links.NStepGRU and "
            f"NStepLSTM, of a link with n_step_forward, got {type(link).__name__}. Build "
            "it of ChainerRL's StatelessRecurrentSequential, or derive it from "
            "StatelessRecurrentChainList."
        ) from None


def _state(link, parts):
    """The recurrent state that arrays (layers, K, width), in order, stand for."""
    children = getattr(link, "recurrent_children", None)
    if children is not None:
        return tuple(_state(child, parts) for child in children)
    found = tuple(next(parts) for _ in range(link.n_cells))
    return found if len(found) > 1 else found[0]


def _arrays(state):
    if isinstance(state, (tuple, list)):
        return [x for part in state for x in _arrays(part)]
    return [chainer.as_array(state)]


def run(link, obs, carry, starts):
    """Call a link with sequences.

    Parameters
    ----------
    link : chainer.Link
        With ``n_step_forward``.
    obs : array, shape (N, S)
        Rows, sequence after sequence.
    carry : array, shape (K, C)
        The hidden state before each sequence.
    starts : numpy.ndarray of int, shape (K,)
        In which rows they begin.

    Returns
    -------
    out : object
        What the link gives of all rows.
    carry : array, shape (K, C)
        The hidden state after each sequence.
    """
    xp, count = functions(obs), len(starts)
    shapes = [
        (layers, width) for cells, layers, width in _leaves(link) for _ in range(cells)
    ]
    ends = numpy.cumsum([0, *(layers * width for layers, width in shapes)]).tolist()
    parts = (
        xp.ascontiguousarray(
            carry[:, begin:end].reshape(count, *shape).transpose(1, 0, 2)
        )
        for begin, end, shape in zip(ends, ends[1:], shapes)
    )
    cuts = [*starts.tolist(), len(obs)]
    sequences = [obs[begin:end] for begin, end in zip(cuts, cuts[1:])]
    out, after = link.n_step_forward(
        sequences, _state(link, parts), output_mode="concat"
    )
    rows = [x.transpose(1, 0, 2).reshape(count, -1) for x in _arrays(after)]
    return out, xp.concatenate([carry[:, :0], *rows], axis=1)


def states(link, obs, carry, starts):
    """The hidden state after every row, (N, C): step by step, without a graph."""
    order, steps, paths = pack(starts, len(obs))
    xp = functions(obs)
    found = xp.empty((len(obs), carry.shape[1]), carry.dtype)
    h = carry.take(xp.asarray(paths), axis=0)
    with chainer.no_backprop_mode(), chainer.using_config("train", False):
        for rows in steps:
            here = xp.asarray(order[rows])
            _, h = run(link, obs[here], h[: len(here)], numpy.arange(len(here)))
            found[here] = h
    return found
