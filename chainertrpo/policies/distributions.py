"""Action distributions with ChainerRL's six names, written for double backprop.

``sample``, ``log_prob``, ``entropy``, ``kl(other)``, ``most_probable`` and ``copy`` are
what an update needs; ChainerRL's own distributions have them too.  Everything is plain
`chainer.functions`, the same on NumPy and CuPy, without a trip to the host.
"""

import math

import chainer.functions as F
from chainer import Variable, as_variable, backend

LOG_2PI = math.log(2 * math.pi)


def _per_state(x, shape):
    """Sum over actions, one value a state; x may lack the batch axis."""
    return F.sum(F.broadcast_to(x, shape) if x.shape != shape else x, axis=1)


class DiagonalGaussian:
    """N(μ, diag σ²) for each state of a batch.

    Parameters
    ----------
    mean : Variable or array, shape (N, A)
        μ.
    log_std : Variable or array, shape (N, A) or (A,)
        log σ; of shape (A,) it is the same in every state and is never copied N times.
    """

    def __init__(self, mean, log_std):
        self.mean, self.log_std = as_variable(mean), as_variable(log_std)
        if self.log_std.shape not in (self.mean.shape, self.mean.shape[1:]):
            raise ValueError(
                f"expected log_std of shape {self.mean.shape} or {self.mean.shape[1:]}, "
                f"got {self.log_std.shape}."
            )

    @property
    def params(self):
        """The distribution's own parameters: (mean, log_std), Variables."""
        return self.mean, self.log_std

    @property
    def most_probable(self):
        """The mode μ, Variable of shape (N, A)."""
        return self.mean

    @property
    def entropy(self):
        """H = Σₐ log σₐ + ½(1 + log 2π) A, in nats; Variable of shape (N,)."""
        constant = 0.5 * (1 + LOG_2PI) * self.mean.shape[1]
        return _per_state(self.log_std, self.mean.shape) + constant

    def sample(self, rng=None):
        """Draw one action a state.

        Parameters
        ----------
        rng : numpy.random.Generator or cupy.random.Generator, optional
            By default the array module's global generator, which ChainerRL's
            ``set_random_seed`` seeds.

        Returns
        -------
        Variable, shape (N, A)
            μ + σε, without a graph.
        """
        mean, log_std = self.mean.array, self.log_std.array
        xp = backend.get_array_module(mean)
        noise = (rng or xp.random).standard_normal(mean.shape).astype(mean.dtype)
        return Variable(mean + xp.exp(log_std) * noise)

    def log_prob(self, x):
        """Log p(x) = −½ Σₐ ((xₐ − μₐ)/σₐ)² − Σₐ log σₐ − ½ A log 2π.

        Parameters
        ----------
        x : array or Variable, shape (N, A)
            Actions.

        Returns
        -------
        Variable, shape (N,)
            Log densities, in nats.
        """
        z = (self.mean - x) * F.exp(-self.log_std)
        constant = 0.5 * LOG_2PI * self.mean.shape[1]
        log_det = _per_state(self.log_std, self.mean.shape)
        return -0.5 * F.sum(z * z, axis=1) - log_det - constant

    def kl(self, other):
        """KL(self ‖ other) = Σₐ log σ'ₐ/σₐ + (σₐ² + (μₐ − μ'ₐ)²) / 2σ'ₐ² − ½.

        Parameters
        ----------
        other : DiagonalGaussian
            The second argument of the divergence (primed above).

        Returns
        -------
        Variable, shape (N,)
            Divergences, in nats.
        """
        shift = (self.mean - other.mean) * F.exp(-other.log_std)
        log_ratio = other.log_std - self.log_std
        scale = log_ratio + 0.5 * F.exp(-2 * log_ratio) - 0.5
        return 0.5 * F.sum(shift * shift, axis=1) + _per_state(scale, shift.shape)

    def copy(self):
        """The same distribution, detached from the graph and owning its arrays.

        Returns
        -------
        DiagonalGaussian
            With copies of mean and log_std.
        """
        return DiagonalGaussian(self.mean.array.copy(), self.log_std.array.copy())

    def fisher(self, tangents, weight=1.0):
        """The Fisher matrix of the mean over states, in (μ, log σ), times a tangent.

        Per state it is diag(1/σ²) for μ and 2I for log σ (Amari 1998, section 3).

        Parameters
        ----------
        tangents : sequence of array
            Shaped like `params`.
        weight : float
            A factor of the result.

        Returns
        -------
        list of array
            The product, shaped like `params`.
        """
        mean, log_std = tangents
        xp = backend.get_array_module(mean)
        n = mean.shape[0]
        per_state = log_std.ndim == 2
        return [
            mean * (xp.exp(-2 * self.log_std.array) * (weight / n)),
            log_std * (2 * weight / n if per_state else 2.0 * weight),
        ]


class Categorical:
    """A softmax distribution over action indices for each state of a batch.

    All quantities go through log-softmax: p log p with p = 0 would be NaN.

    Parameters
    ----------
    logits : Variable or array, shape (N, A)
        Unnormalised log-probabilities.
    """

    def __init__(self, logits):
        self.logits = as_variable(logits)
        self.all_log_prob = F.log_softmax(self.logits)

    @property
    def params(self):
        """The distribution's own parameters: (logits,), a Variable."""
        return (self.logits,)

    @property
    def most_probable(self):
        """The most probable index, Variable of shape (N,), int32."""
        return Variable(self.logits.array.argmax(axis=1).astype("i"))

    @property
    def entropy(self):
        """H = −Σ p log p, in nats; Variable of shape (N,)."""
        return -F.sum(F.exp(self.all_log_prob) * self.all_log_prob, axis=1)

    def sample(self, rng=None):
        """Draw one index a state, by the Gumbel-max trick.

        Parameters
        ----------
        rng : numpy.random.Generator or cupy.random.Generator, optional
            By default the array module's global generator, which ChainerRL's
            ``set_random_seed`` seeds.

        Returns
        -------
        Variable, shape (N,), int32
            Indices, without a graph.
        """
        logits = self.logits.array
        xp = backend.get_array_module(logits)
        # -log E with E exponential is a Gumbel variate; CuPy's Generator has no gumbel.
        noise = -xp.log((rng or xp.random).standard_exponential(logits.shape))
        return Variable((logits + noise).argmax(axis=1).astype("i"))

    def log_prob(self, x):
        """Log p(x).

        Parameters
        ----------
        x : array, shape (N,), integer
            Indices.

        Returns
        -------
        Variable, shape (N,)
            Log-probabilities, in nats.
        """
        return F.select_item(self.all_log_prob, x)

    def kl(self, other):
        """KL(self ‖ other) = Σ p (log p − log p').

        Parameters
        ----------
        other : Categorical
            The second argument of the divergence (primed above).

        Returns
        -------
        Variable, shape (N,)
            Divergences, in nats.
        """
        p = F.exp(self.all_log_prob)
        return F.sum(p * (self.all_log_prob - other.all_log_prob), axis=1)

    def copy(self):
        """The same distribution, detached from the graph and owning its array.

        Returns
        -------
        Categorical
            With a copy of the logits.
        """
        return Categorical(self.logits.array.copy())

    def fisher(self, tangents, weight=1.0):
        """The Fisher matrix of the mean over states, in the logits, times a tangent.

        Per state it is diag(p) − ppᵀ.

        Parameters
        ----------
        tangents : sequence of array
            One array of shape (N, A).
        weight : float
            A factor of the result.

        Returns
        -------
        list of array
            The product, one array of shape (N, A).
        """
        (t,) = tangents
        xp = backend.get_array_module(t)
        p = xp.exp(self.all_log_prob.array)
        u = p * (t - (p * t).sum(axis=1, keepdims=True))
        return [u * (weight / t.shape[0])]
