"""Multilayer perceptrons, and policies: from observations to distributions."""

from chainertrpo.policies.distributions import Categorical, DiagonalGaussian

import chainer
import chainer.functions as F
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


ACTIVATIONS = {"tanh": F.tanh, "relu": F.relu}
INITIALIZERS = {
    "lecun_normal": initializers.LeCunNormal,
    "orthogonal": initializers.Orthogonal,
    "glorot_uniform": initializers.GlorotUniform,
    "lecun_uniform": initializers.LeCunUniform,
    "unit_rows": UnitRows,
}
LOG_STD = ("state_independent", "state_dependent", "shared", "fixed")


def _choose(table, key, what):
    if key not in table:
        raise ValueError(f"expected {what} to be one of {sorted(table)}, got {key!r}.")
    return table[key] if isinstance(table, dict) else key


class MLP(chainer.ChainList):
    """Fully connected layers, the last one linear; children are named 0, 1, ...

    Parameters
    ----------
    sizes : sequence of int
        Input, hidden and output widths.
    activation : str
        ``tanh`` or ``relu``, between the layers.
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
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"expected positive layer widths, got {tuple(sizes)}.")
        self.activation = activation
        self._activate = _choose(ACTIVATIONS, activation, "activation")
        initializer = _choose(INITIALIZERS, init, "init")
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
        *hidden, last = self
        for layer in hidden:
            x = self._activate(layer(x))
        return last(x)


class GaussianPolicy(chainer.Chain):
    """An MLP from observations to a `DiagonalGaussian`.

    Parameters
    ----------
    obs_size, action_size : int
        S and A.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    log_std : str
        ``state_independent``: one learned vector (the usual TRPO policy);
        ``state_dependent``: a second half of the last layer; ``shared``: one learned
        number for all dimensions (garage); ``fixed``: a constant.
    log_std_init : float
        The initial (or constant) log σ; 0 is σ = 1.
    activation, init, hidden_scale, last_scale, seed
        As in `MLP`; a small last layer makes the initial mean nearly 0.
    """

    def __init__(
        self,
        obs_size,
        action_size,
        hidden_sizes=(64, 64),
        *,
        log_std="state_independent",
        log_std_init=0.0,
        activation="tanh",
        init="orthogonal",
        hidden_scale=1.0,
        last_scale=0.01,
        seed=None,
    ):
        super().__init__()
        self.log_std_kind = _choose(LOG_STD, log_std, "log_std")
        self.action_size = action_size
        n_out = action_size * (2 if log_std == "state_dependent" else 1)
        with self.init_scope():
            self.mlp = MLP(
                (obs_size, *hidden_sizes, n_out),
                activation=activation,
                init=init,
                hidden_scale=hidden_scale,
                last_scale=last_scale,
                seed=seed,
            )
            if log_std in ("state_independent", "shared"):
                size = 1 if log_std == "shared" else action_size
                self.log_std = chainer.Parameter(log_std_init, (size,))
        if log_std == "fixed":
            constant = numpy.full(action_size, log_std_init, chainer.get_dtype())
            self.add_persistent("log_std", constant)
        if log_std == "state_dependent":
            self.mlp[-1].b.array[action_size:] = log_std_init

    def forward(self, obs):
        """Return the distribution of actions.

        Parameters
        ----------
        obs : array or Variable, shape (N, S)
            Observations, normalised if the agent normalises.

        Returns
        -------
        DiagonalGaussian
            Over actions of shape (N, A).
        """
        return self.distribution(self.mlp(obs))

    def distribution(self, out):
        """Return the distribution that outputs of the MLP stand for.

        Parameters
        ----------
        out : array or Variable, shape (N, A) or (N, 2A)
            Means, and with state-dependent log σ these after them.

        Returns
        -------
        DiagonalGaussian
            Over actions of shape (N, A).
        """
        if self.log_std_kind == "state_dependent":
            return DiagonalGaussian(*F.split_axis(out, 2, axis=1))
        if self.log_std_kind == "shared":
            log_std = F.broadcast_to(self.log_std, (self.action_size,))
            return DiagonalGaussian(out, log_std)
        return DiagonalGaussian(out, self.log_std)

    def fisher(self, dist, tangent, parts, weight):
        """The Fisher matrix in the MLP's outputs and log σ, times a tangent.

        Parameters
        ----------
        dist : DiagonalGaussian
            On n states.
        tangent : array, shape of the outputs
            Of the outputs.
        parts : dict of str to array
            The tangent of the parameters, by name; that of log σ is taken.
        weight : float
            Factor: the share of these n states in all.

        Returns
        -------
        array, dict of str to array
            The product in the outputs, and in parameters that are not the MLP's.
        """
        xp, size = self.xp, self.action_size
        if self.log_std_kind == "state_dependent":
            pair = dist.fisher([tangent[:, :size], tangent[:, size:]], weight)
            return xp.concatenate(pair, axis=1), {}
        dot = parts.get("/log_std")
        at_rest = xp.zeros_like(self.log_std) if dot is None else dot
        u, head = dist.fisher([tangent, xp.broadcast_to(at_rest, (size,))], weight)
        if dot is None:
            return u, {}
        return u, {"/log_std": head.reshape(len(dot), -1).sum(axis=1)}


class SoftmaxPolicy(chainer.Chain):
    """An MLP from observations to a `Categorical`.

    Parameters
    ----------
    obs_size, n_actions : int
        S and the number of actions.
    hidden_sizes : sequence of int
        Widths of the hidden layers.
    activation, init, hidden_scale, last_scale, seed
        As in `MLP`; a small last layer makes the initial policy nearly uniform.
    """

    def __init__(
        self,
        obs_size,
        n_actions,
        hidden_sizes=(64, 64),
        *,
        activation="tanh",
        init="orthogonal",
        hidden_scale=1.0,
        last_scale=0.01,
        seed=None,
    ):
        super().__init__()
        with self.init_scope():
            self.mlp = MLP(
                (obs_size, *hidden_sizes, n_actions),
                activation=activation,
                init=init,
                hidden_scale=hidden_scale,
                last_scale=last_scale,
                seed=seed,
            )

    def forward(self, obs):
        """Return the distribution of actions.

        Parameters
        ----------
        obs : array or Variable, shape (N, S)
            Observations, normalised if the agent normalises.

        Returns
        -------
        Categorical
            Over indices of shape (N,).
        """
        return self.distribution(self.mlp(obs))

    def distribution(self, out):
        """Return the distribution that outputs of the MLP stand for.

        Parameters
        ----------
        out : array or Variable, shape (N, A)
            Logits.

        Returns
        -------
        Categorical
            Over indices of shape (N,).
        """
        return Categorical(out)

    def fisher(self, dist, tangent, parts, weight):
        """The Fisher matrix in the logits, times a tangent.

        Parameters
        ----------
        dist : Categorical
            On n states.
        tangent : array, shape (n, A)
            Of the logits.
        parts : dict
            Not used: there are no parameters beside the MLP's.
        weight : float
            Factor: the share of these n states in all.

        Returns
        -------
        array, dict
            The product in the logits, and an empty dict.
        """
        return dist.fisher([tangent], weight)[0], {}
