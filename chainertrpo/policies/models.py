"""Links that hold the parameters of networks, and how these begin."""

from chainertrpo.policies import network

import chainer
import chainer.links as L
import numpy
from chainer import initializers


class UnitRows(initializers.Normal):
    """The weights of each output: a random direction of length `scale` (Baselines' normc).

    Parameters
    ----------
    scale : float
        Length.
    rng : numpy.random.RandomState, optional
        By default NumPy's global generator.
    """

    def __init__(self, scale=1.0, rng=None):
        super().__init__(1.0, rng=rng)
        self.length = scale

    def __call__(self, array):
        """Fill an array of shape (n_out, n_in)."""
        super().__call__(array)
        array *= self.length / (array * array).sum(axis=1, keepdims=True) ** 0.5


INITIALIZERS = {
    "lecun_normal": initializers.LeCunNormal,
    "orthogonal": initializers.Orthogonal,
    "glorot_uniform": initializers.GlorotUniform,
    "lecun_uniform": initializers.LeCunUniform,
    "unit_rows": UnitRows,
}


class MLP(chainer.ChainList):
    """Fully connected layers, the last one linear; children are named 0, 1, ...

    Parameters
    ----------
    sizes : sequence of int
        Input, hidden and output widths.
    activation : str
        Between the layers: a key of `chainertrpo.policies.network.ACTIVATIONS`.
    init : str
        ``lecun_normal`` (ChainerRL's example; std = scale/√fan_in) or ``orthogonal``
        (ChainerRL's reproduction); ``glorot_uniform`` (TensorFlow), ``lecun_uniform`` (with
        a scale of 1/√3, PyTorch); ``unit_rows`` (Baselines' normc).  Biases start at zero.
    hidden_scale, last_scale : float
        Factors of the initial weights, of the hidden layers and of the last.
    seed : int, numpy.random.RandomState or None
        Of the initial weights; None takes NumPy's global generator.
    """

    def __init__(
        self,
        sizes,
        *,
        activation="tanh",
        init="orthogonal",
        hidden_scale=1.0,
        last_scale=1.0,
        seed=None,
    ):
        super().__init__()
        self.network, self.activation = network.MLP("", sizes, activation), activation
        if init not in INITIALIZERS:
            raise ValueError(
                f"expected init to be one of {sorted(INITIALIZERS)}, got {init!r}."
            )
        initializer = INITIALIZERS[init]
        rng = seed  # None: the initialisers take the global generator
        if seed is not None and not hasattr(seed, "normal"):
            rng = numpy.random.RandomState(seed)
        for i, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:])):
            scale = last_scale if i == len(sizes) - 2 else hidden_scale
            self.append(L.Linear(n_in, n_out, initialW=initializer(scale, rng=rng)))

    def forward(self, x):
        """Apply the layers.

        Parameters
        ----------
        x : array or Variable, shape (N, sizes[0])
            Inputs.

        Returns
        -------
        Variable, shape (N, sizes[-1])
            Outputs of the last, linear layer.
        """
        return self.network.graph(dict(self.namedparams()), x)
