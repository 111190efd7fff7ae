"""The minibatch steps of PPO and its kin without a graph for each.

For our own policies and value functions and Chainer's Adam the gradient of

    −E[min(r·A, clip(r, 1 ± ε)·A)] − c·E[H] + β·E[KL(π_old ‖ π)] + c_V·E[(V − target)²]

is written out: u = ∂L/∂log π is r·A where clipping leaves it, and 0 elsewhere; from there
∂log π/∂μ = z/σ and ∂log π/∂log σ = z² − 1 with z = (a − μ)/σ, or e_a − p for logits.  The
divergence has ∂/∂μ = d/σ and ∂/∂log σ = 1 − (σ_old/σ)² − d² with d = (μ − μ_old)/σ, or
p − p_old.  Then `LinearizedMLP` and `FlatAdam`.  The results are those of `GradientStep`
through graphs, to rounding.
"""

import math

from chainertrpo.numerics import at
from chainertrpo.policies import (
    ActorCritic,
    BoundedGaussianPolicy,
    GaussianPolicy,
    LinearizedMLP,
    ScaledGaussianPolicy,
    SoftmaxPolicy,
    ValueFunction,
)
from chainertrpo.updates.flat_adam import FlatAdam, can_be_flat
from chainertrpo.updates.regression import layers_of
from chainertrpo.updates.rows import minibatch

import chainer


def can_step_flat(model, optimizer):
    """Whether a model and an optimiser are of the kind written out here.

    Parameters
    ----------
    model : chainer.Link
        A policy, or policy and value function in one.
    optimizer : chainer.Optimizer
        Set up with `model`.

    Returns
    -------
    bool
        One of our policies, alone or with a `ValueFunction` in an `ActorCritic`, and an
        Adam that `can_be_flat`.
    """
    policy, vf = _halves(model)
    return (
        type(policy) in HEADS
        and (vf is None or type(vf) is ValueFunction)
        and can_be_flat(optimizer)
    )


def _halves(model):
    if type(model) is ActorCritic:
        return model.policy, model.vf
    return model, None


def flat_steps(step, model, batch, optimizer, theta, rows):
    """Step over minibatches.

    Parameters
    ----------
    step : GradientStep
        The objective.
    model, optimizer : chainer.Link, chainer.Optimizer
        That `can_step_flat`; both are moved.
    batch : Batch
        On the model's device.
    theta : array, shape (P,)
        The model's parameters as the batch was collected: π_old of the penalty.
    rows : list of array of int
        Of each minibatch.

    Returns
    -------
    list of (array, array)
        Policy and value loss of each, before its step; scalars on the device.
    """
    policy, vf = _halves(model)
    adam = FlatAdam(model, optimizer)
    owner = "" if vf is None else "/policy"
    actor, actor_grads = _mlp(adam, owner, policy)
    head = HEADS[type(policy)](policy, adam, owner)
    if vf is not None:
        critic, critic_grads = _mlp(adam, "/vf", vf)
    old = ()
    if step.beta:
        with at(model, theta), chainer.no_backprop_mode():
            out = _outputs(policy, batch.obs, step.chunk_rows)
            old = head.parameters(policy.distribution(out))
    losses = []
    for index in rows:
        index = model.device.send(index)
        part = minibatch(step, batch, index)
        output, kept = actor.forward(part.obs)
        gain, cotangent = head(output, part, step, *(x[index] for x in old))
        actor.pull(kept, cotangent, out=actor_grads)
        error = gain * 0
        if vf is not None:
            value, kept = critic.forward(part.obs)
            error, cotangent = _value_loss(
                model.xp, value[:, 0], part, step.clip_eps_vf
            )
            cotangent *= step.value_coef
            critic.pull(kept, cotangent[:, None], out=critic_grads)
        adam.step()
        losses.append((-gain, error))
    adam.store()
    return losses


def _mlp(adam, owner, link):
    layers, grads = [
        layers_of(x, owner, len(link.mlp)) for x in (adam.value, adam.grad)
    ]
    return LinearizedMLP(layers, link.mlp.activation), grads


def _outputs(policy, obs, size):
    """The MLP's outputs, `size` rows at a time."""
    chunks = range(0, len(obs), size)
    return policy.xp.concatenate([policy.mlp(obs[i : i + size]).array for i in chunks])


def _surrogate(xp, log_prob, part, clip_eps):
    """L and ∂L/∂log π of each row."""
    weighted = xp.exp(log_prob - part.log_prob)
    if clip_eps is None:
        weighted *= part.advantage
        return weighted.mean(), weighted * (1 / len(weighted))
    clipped = xp.clip(weighted, 1 - clip_eps, 1 + clip_eps)
    clipped *= part.advantage
    weighted *= part.advantage
    smaller = xp.minimum(weighted, clipped)
    return smaller.mean(), weighted * (weighted <= clipped) * (1 / len(weighted))


def _value_loss(xp, value, part, clip_eps):
    """E[(V − target)²] and its derivative by each value."""
    residual = value - part.value_target
    loss, slope = residual * residual, residual * (2 / len(value))
    if clip_eps is not None:
        low, high = part.value - clip_eps, part.value + clip_eps
        near = value.clip(low, high)  # exactly the value where it is within
        near -= part.value_target
        near *= near
        slope *= loss >= near  # elsewhere a constant is the larger
        loss = xp.maximum(loss, near)
    return loss.mean(), slope


class _Gaussian:
    """From the MLP's outputs to the gain and the loss's derivatives."""

    def __init__(self, policy, adam, owner):
        self.xp, self.size, self.kind = (
            policy.xp,
            policy.action_size,
            policy.log_std_kind,
        )
        name = f"{owner}/log_std"
        self.log_std = adam.value.get(name, getattr(policy, "log_std", None))
        self.grad = adam.grad.get(name)
        if self.kind == "shared":  # a view: it moves with the parameter
            self.log_std = self.xp.broadcast_to(self.log_std, (self.size,))

    def placed(self, mean, log_std):
        """μ and log σ by the MLP's outputs, and ∂μ by the output; None is 1."""
        return mean, log_std, None

    def parameters(self, dist):
        """μ and log σ of every state."""
        mean, log_std = (x.array for x in dist.params)
        return mean, self.xp.broadcast_to(log_std, mean.shape)

    def __call__(self, output, part, step, old_mean=None, old_log_std=None):
        xp, mean, log_std = self.xp, output, self.log_std
        if self.kind == "state_dependent":
            mean, log_std = output[:, : self.size], output[:, self.size :]
        mean, log_std, slope = self.placed(mean, log_std)
        precision = xp.exp(-log_std)
        z = (part.action - mean) * precision
        constant = 0.5 * math.log(2 * math.pi) * self.size
        log_det = log_std.sum(axis=-1)
        square = z * z
        log_prob = -0.5 * square.sum(axis=1) - log_det - constant
        gain, u = _surrogate(xp, log_prob, part, step.clip_eps)
        u = -u[:, None]
        by_mean, by_log_std = u * z * precision, u * (square - 1)
        if old_mean is not None:
            weight, shift = step.beta / len(z), (mean - old_mean) * precision
            by_mean += weight * shift * precision
            change = xp.exp(2 * (old_log_std - log_std)) + shift * shift
            by_log_std += weight * (1 - change)
        if slope is not None:
            by_mean *= slope
        if self.kind == "state_dependent":
            by_log_std -= step.entropy_coef / len(z)
            return gain, xp.concatenate([by_mean, by_log_std], axis=1)
        if self.grad is not None:
            by_log_std = by_log_std.sum(axis=0) - step.entropy_coef
            self.grad[...] = by_log_std.reshape(len(self.grad), -1).sum(axis=1)
        return gain, by_mean


class _InBounds(_Gaussian):
    """Outputs in units of h around c."""

    def __init__(self, policy, adam, owner):
        super().__init__(policy, adam, owner)
        self.reach, self.middle = policy.reach, policy.middle


class _Scaled(_InBounds):
    """μ = c + h·output and σ = h·exp(log σ)."""

    def placed(self, mean, log_std):
        """As above."""
        mean = mean * self.reach + self.middle
        return mean, log_std + self.xp.log(self.reach), self.reach


class _Bounded(_InBounds):
    """μ = c + h·tanh(output)."""

    def placed(self, mean, log_std):
        """As above."""
        unit = self.xp.tanh(mean)
        slope = self.reach * (1 - unit * unit)
        return unit * self.reach + self.middle, log_std, slope


class _Softmax:
    """From logits to the gain and the loss's derivatives."""

    def __init__(self, policy, adam, owner):
        self.xp = policy.xp

    def parameters(self, dist):
        """The probabilities in every state."""
        return (self.xp.exp(dist.all_log_prob.array),)

    def __call__(self, output, part, step, old_p=None):
        xp, n = self.xp, len(output)
        log_p = output - output.max(axis=1, keepdims=True)
        log_p -= xp.log(xp.exp(log_p).sum(axis=1, keepdims=True))
        p, chosen = xp.exp(log_p), (xp.arange(n), part.action)
        gain, u = _surrogate(xp, log_p[chosen], part, step.clip_eps)
        cotangent = p * u[:, None]
        cotangent[chosen] -= u
        if old_p is not None:
            cotangent += (p - old_p) * (step.beta / n)
        if step.entropy_coef:
            entropy = -(p * log_p).sum(axis=1, keepdims=True)
            cotangent += p * (log_p + entropy) * (step.entropy_coef / n)
        return gain, cotangent


HEADS = {
    GaussianPolicy: _Gaussian,
    ScaledGaussianPolicy: _Scaled,
    BoundedGaussianPolicy: _Bounded,
    SoftmaxPolicy: _Softmax,
}
