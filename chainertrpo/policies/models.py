"""Links that hold the parameters of networks, and how these begin."""

from chainertrpo.policies import chain, network, recurrent

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
    squash : bool
        Whether the activation follows the last layer too.
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
        squash=False,
    ):
        super().__init__()
        self.network = network.MLP("", sizes, activation, squash)
        self.activation = activation
        initializer, rng = _initializer(init), _generator(seed)
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


class GRU(chainer.Link):
    """The parameters of a `chainertrpo.policies.recurrent.GRU`.

    Parameters
    ----------
    n_in, n_out : int
        Widths.
    init, seed
        As in `MLP`, of each gate by itself.
    """

    def __init__(self, n_in, n_out, *, init="orthogonal", seed=None):
        super().__init__()
        self.network = recurrent.GRU("", n_in, n_out)
        initializer, rng = _initializer(init), _generator(seed)
        with self.init_scope():
            for name, shape in self.network.shapes.items():
                setattr(self, name[1:], chainer.Parameter(0, shape))
        for param in (self.W, self.U):
            for gate in numpy.split(param.array, 3):
                initializer(1.0, rng=rng)(gate)


class RecurrentMLP(chainer.Chain):
    """Layers to a GRU, and a linear layer from its hidden state.

    Parameters
    ----------
    sizes : sequence of int
        Input, hidden and output widths; without hidden ones the GRU takes the inputs.
    core_size : int
        Width of the hidden state.
    activation, init, hidden_scale, last_scale, seed
        As in `MLP`.
    """

    def __init__(
        self,
        sizes,
        *,
        core_size=64,
        activation="tanh",
        init="orthogonal",
        hidden_scale=1.0,
        last_scale=1.0,
        seed=None,
    ):
        super().__init__()
        *inner, n_out = sizes
        settings = {"activation": activation, "init": init, "seed": _generator(seed)}
        with self.init_scope():
            if len(inner) > 1:
                self.encoder = MLP(
                    inner,
                    hidden_scale=hidden_scale,
                    last_scale=hidden_scale,
                    squash=True,
                    **settings,
                )
            self.core = GRU(inner[-1], core_size, init=init, seed=settings["seed"])
            self.head = MLP((core_size, n_out), last_scale=last_scale, **settings)
        self.activation = activation
        made = [("/core", self.core.network), ("/head", self.head.network)]
        if len(inner) > 1:
            made.insert(0, ("/encoder", self.encoder.network))
        self.network = chain.Chain(made)

    def forward(self, x, carry, starts):
        """Apply the layers.

        Parameters
        ----------
        x : array or Variable, shape (N, sizes[0])
            Inputs, path after path.
        carry : array, shape (K, C)
            The hidden state before each path.
        starts : numpy.ndarray of int, shape (K,)
            Where paths begin.

        Returns
        -------
        Variable, shape (N, sizes[-1])
            Outputs of the last, linear layer.
        """
        return self.network.graph(dict(self.namedparams()), x, carry, starts)

    def __getitem__(self, i):
        return self.head[i]


def _initializer(init):
    if init not in INITIALIZERS:
        raise ValueError(
            f"expected init to be one of {sorted(INITIALIZERS)}, got {init!r}."
        )
    return INITIALIZERS[init]


def _generator(seed):
    if seed is None or hasattr(seed, "normal"):
        return seed  # None: the initialisers take the global generator
    return numpy.random.RandomState(seed)


CORES = {"gru": RecurrentMLP}
