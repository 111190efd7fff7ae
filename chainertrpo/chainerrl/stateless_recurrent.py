"""Links that take sequences and a recurrent state, with ChainerRL's names.

What an agent makes of them is in `chainertrpo.policies.sequences`.
"""

import chainer
import chainer.functions as F
import numpy


def _is_recurrent(layer):
    """Whether it takes sequences: one of these, or Chainer's ``NStepGRU`` and the like."""
    return hasattr(layer, "n_step_forward") or hasattr(layer, "rnn")


def _call(link, sequences, state):
    """One layer: (list of sequences, state or None) -> (list of sequences, next state)."""
    if hasattr(link, "n_step_forward"):
        return link.n_step_forward(sequences, state, output_mode="split")
    states = state if link.n_cells > 1 else (state,)
    if state is None:
        states = (None,) * link.n_cells
    *after, out = link(*states, sequences)
    return out, tuple(after) if link.n_cells > 1 else after[0]


def _joined(sequences):
    if isinstance(sequences[0], tuple):
        return tuple(map(_joined, zip(*sequences)))
    return F.concat(sequences, axis=0)


def _cut(x, lengths):
    if isinstance(x, tuple):
        return list(zip(*(_cut(part, lengths) for part in x)))
    ends = numpy.cumsum(lengths)[:-1]
    return list(F.split_axis(x, ends, axis=0)) if len(ends) else [x]


class StatelessRecurrent:
    """The interface of a link that takes sequences and a recurrent state.

    A link of yours has ``n_step_forward(sequences, recurrent_state, output_mode)``; what
    it remembers is that of its ``recurrent_children``, in their order.
    """

    def __call__(self, x, recurrent_state):
        """Take one step in each row of a batch; returns outputs and the next state."""
        rows = _cut(chainer.as_variable(x), [1] * len(x))
        return self.n_step_forward(rows, recurrent_state, output_mode="concat")


class StatelessRecurrentChainList(StatelessRecurrent, chainer.ChainList):
    """A ``ChainList`` whose recurrent state is the tuple of its children's."""

    @property
    def recurrent_children(self):
        """The children that remember."""
        return tuple(link for link in self.children() if _is_recurrent(link))


class StatelessRecurrentSequential(StatelessRecurrentChainList, chainer.Sequential):
    """Layers one after the other, some of which take sequences.

    Parameters
    ----------
    *layers : callable
        As of ``chainer.Sequential``; also ``NStepGRU``, ``NStepLSTM``, ``NStepRNNTanh`` and
        ``NStepRNNReLU`` of Chainer.  The others see the rows of all sequences at once.
    """

    @property
    def recurrent_children(self):
        """The layers that remember, in the order in which they are applied."""
        return tuple(layer for layer in self if _is_recurrent(layer))

    def n_step_forward(self, sequences, recurrent_state, output_mode):
        """Apply the layers to sequences.

        Parameters
        ----------
        sequences : list of (array or Variable), each of shape (n, S)
            One after the other.
        recurrent_state : tuple or None
            Before them; None is zero.
        output_mode : str
            ``concat``: outputs of all rows in one; ``split``: a list.

        Returns
        -------
        out, recurrent_state : object
            Outputs, and the state after each sequence.
        """
        lengths = [len(x) for x in sequences]
        before = iter(recurrent_state or [None] * len(self.recurrent_children))
        x, rows, after = sequences, None, []
        for layer in self:
            if _is_recurrent(layer):
                x, rows = _cut(rows, lengths) if rows is not None else x, None
                x, state = _call(layer, x, next(before))
                after.append(state)
            else:
                rows = _joined(x) if rows is None else rows
                rows = layer(*rows) if isinstance(rows, tuple) else layer(rows)
        if output_mode == "split":
            return x if rows is None else _cut(rows, lengths), tuple(after)
        return _joined(x) if rows is None else rows, tuple(after)


class StatelessRecurrentBranched(StatelessRecurrentChainList):
    """Links side by side, which each take the sequences: a policy and a value function."""

    def n_step_forward(self, sequences, recurrent_state, output_mode):
        """Call each link; see `StatelessRecurrentSequential`."""
        states = recurrent_state or [None] * len(self)
        pairs = [
            link.n_step_forward(sequences, state, output_mode=output_mode)
            for link, state in zip(self, states)
        ]
        out, after = zip(*pairs)
        return out if output_mode == "concat" else list(zip(*out)), after
