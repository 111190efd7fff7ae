"""Policies in plain NumPy, written without Chainer: the slower truth of several tests.

Everything is holomorphic in the parameters, so a gradient at θ + ih e_j has the j-th
column of the Hessian as its imaginary part over h.  Nothing is subtracted, hence h may be
1e-30 and the column is exact to rounding (Squire and Trapp 1998, the complex step).
"""

import numpy as np

C = np.sqrt(2 / np.pi)  # of GELU's tanh form
ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda x: x * (x.real > 0),
    "elu": lambda x: np.where(x.real > 0, x, np.expm1(x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(C * (x + 0.044715 * x**3))),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "identity": lambda x: x,
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu_slope(x):
    t = np.tanh(C * (x + 0.044715 * x**3))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * C * (1 + 3 * 0.044715 * x**2)


# The derivatives, holomorphic like the activations: complex steps give the second ones.
SLOPES = {
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "relu": lambda x: (x.real > 0) + 0 * x,
    "elu": lambda x: np.where(x.real > 0, 1 + 0 * x, np.exp(x)),
    "silu": lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    "gelu": gelu_slope,
    "softplus": sigmoid,
    "identity": lambda x: 1 + 0 * x,
}
STEP = 1e-30


def column_by_column(function, theta):
    """∂function/∂θ by complex steps: the derivative by θ_j in column j."""
    columns = [
        function(theta + 1j * STEP * unit).imag / STEP for unit in np.eye(len(theta))
    ]
    return np.stack(columns, axis=-1)


def log_softmax(x):
    x = x - x.real.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


class PlainPolicy:
    """A policy of `chainertrpo.policies` as functions of one vector θ, sorted by name."""

    def __init__(self, policy):
        named = sorted(policy.namedparams())
        self.names = [name for name, _ in named]
        self.shapes = {name: param.shape for name, param in named}
        self.kind = getattr(policy, "log_std_kind", "categorical")
        self.activation = policy.mlp.activation
        self.log_std = policy.log_std if self.kind == "fixed" else None
        self.theta = self.read(policy)

    def read(self, policy):
        """θ of a policy of this shape, float64."""
        arrays = dict(policy.namedparams())
        return np.concatenate(
            [np.float64(arrays[name].array).ravel() for name in self.names]
        )

    def _split(self, theta):
        parts, start = {}, 0
        for name, shape in self.shapes.items():
            end = start + int(np.prod(shape))
            parts[name] = theta[start:end].reshape(shape)
            start = end
        n = sum(name.endswith("/W") for name in self.names)
        return parts, [(parts[f"/mlp/{i}/W"], parts[f"/mlp/{i}/b"]) for i in range(n)]

    def _forward(self, layers, x):
        inputs, sums = [], []
        for w, b in layers:
            if sums:
                x = ACTIVATIONS[self.activation](x)
            inputs.append(x)
            x = x @ w.T + b
            sums.append(x)
        return x, inputs, sums

    def params(self, theta, obs):
        """The distribution's parameters: [mean, log σ], or [logits]."""
        parts, layers = self._split(theta)
        out, _, _ = self._forward(layers, obs)
        if self.kind == "categorical":
            return [out]
        if self.kind == "state_dependent":
            return np.split(out, 2, axis=1)
        log_std = parts.get("/log_std", self.log_std)
        return [out, np.broadcast_to(log_std, out.shape)]

    def pull(self, theta, obs, cotangents):
        """Jᵀ cotangents, with J = ∂params/∂θ: back-propagation by hand."""
        parts, layers = self._split(theta)
        _, inputs, sums = self._forward(layers, obs)
        grads = {}
        if self.kind == "state_dependent":
            back = np.concatenate(cotangents, axis=1)
        else:
            back = cotangents[0]
        if self.kind == "state_independent":
            grads["/log_std"] = cotangents[1].sum(axis=0)
        if self.kind == "shared":
            grads["/log_std"] = cotangents[1].sum()
        for i in reversed(range(len(layers))):
            grads[f"/mlp/{i}/W"] = back.T @ inputs[i]
            grads[f"/mlp/{i}/b"] = back.sum(axis=0)
            if i:
                slope = SLOPES[self.activation](sums[i - 1])
                back = (back @ layers[i][0]) * slope
        return np.concatenate([grads[name].ravel() for name in self.names])

    def log_prob(self, theta, obs, action):
        """log π(a|s), one a state."""
        if self.kind == "categorical":
            (logits,) = self.params(theta, obs)
            return log_softmax(logits)[np.arange(len(obs)), action]
        mean, log_std = self.params(theta, obs)
        z = (action - mean) / np.exp(log_std)
        return (-0.5 * z * z - log_std - 0.5 * np.log(2 * np.pi)).sum(axis=1)

    def entropy(self, theta, obs):
        """H(π_θ), one a state."""
        if self.kind == "categorical":
            log_p = log_softmax(self.params(theta, obs)[0])
            return -(np.exp(log_p) * log_p).sum(axis=1)
        _, log_std = self.params(theta, obs)
        return (log_std + 0.5 * np.log(2 * np.pi * np.e)).sum(axis=1)

    def gain(self, theta, batch, entropy_coef=0.0):
        """E[π_θ/π_old · A] + c E[H], what a step maximises."""
        log_ratio = self.log_prob(theta, batch.obs, batch.action) - batch.log_prob
        mean_entropy = self.entropy(theta, batch.obs).mean()
        return (
            np.exp(log_ratio) * batch.advantage
        ).mean() + entropy_coef * mean_entropy

    def gain_gradient(self, theta, batch, entropy_coef=0.0):
        """∂ gain / ∂θ."""
        return column_by_column(lambda t: self.gain(t, batch, entropy_coef), theta)

    def kl(self, theta_old, theta, obs):
        """KL(π_old ‖ π_θ), one a state."""
        old, new = self.params(theta_old, obs), self.params(theta, obs)
        if self.kind == "categorical":
            log_p, log_q = log_softmax(old[0]), log_softmax(new[0])
            return (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
        (mean_p, log_p), (mean_q, log_q) = old, new
        shift, ratio = (mean_p - mean_q) / np.exp(log_q), log_p - log_q
        return (-ratio + 0.5 * (np.exp(2 * ratio) + shift**2 - 1)).sum(axis=1)

    def mean_kl_gradient(self, theta_old, theta, obs):
        """∂ E[KL(π_old ‖ π_θ)] / ∂θ."""
        old, new = self.params(theta_old, obs), self.params(theta, obs)
        n = len(obs)
        if self.kind == "categorical":
            p, q = (np.exp(log_softmax(logits)) for (logits,) in (old, new))
            cotangents = [(q - p) / n]
        else:
            (mean_p, log_p), (mean_q, log_q) = old, new
            precision = np.exp(-2 * log_q)
            second_moment = np.exp(2 * log_p) + (mean_p - mean_q) ** 2
            cotangents = [
                (mean_q - mean_p) * precision / n,
                (1 - second_moment * precision) / n,
            ]
        return self.pull(theta, obs, cotangents)

    def kl_hessian(self, theta, obs, theta_old=None):
        """∂² E[KL(π_old ‖ π_θ)] / ∂θ², dense; at θ_old unless that is given."""
        old = theta if theta_old is None else theta_old
        return column_by_column(lambda t: self.mean_kl_gradient(old, t, obs), theta)

    def jacobian(self, theta, obs):
        """∂params/∂θ, one array of shape params.shape + (P,) for each."""
        return [
            column_by_column(lambda t, i=i: self.params(t, obs)[i], theta)
            for i in range(len(self.params(theta, obs)))
        ]
