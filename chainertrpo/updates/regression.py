"""Many small Adam steps on an MLP without a graph for each.

A value fit makes hundreds of steps of 64 rows, where Chainer spends its time on building
graphs and on one optimiser call a parameter.  For our own `ValueFunction` and Chainer's
plain Adam the same steps are written out on flat vectors: gradients from `LinearizedMLP`,
moments and parameters updated in place, in the order of operations of
``chainer.optimizers.Adam`` (Kingma and Ba 2015, algorithm 1).  The optimiser's own state
is read before and written after.
"""

import math

from chainertrpo.numerics import flatten, named_params, unflatten
from chainertrpo.policies import LinearizedMLP, ValueFunction

import chainer
from chainer import backend


def can_fit_flat(vf, optimizer):
    """Whether a value function and its optimiser are of the kind written out here.

    Parameters
    ----------
    vf : chainer.Link
        Any value function.
    optimizer : chainer.Optimizer
        Its optimiser.

    Returns
    -------
    bool
        A `ValueFunction` itself, and Adam without variants, hooks or frozen parameters.
    """
    if type(vf) is not ValueFunction or type(optimizer) is not chainer.optimizers.Adam:
        return False
    hp = optimizer.hyperparam
    variant = hp.amsgrad or hp.adabound or hp.weight_decay_rate
    rules = [param.update_rule for param in vf.params()]
    return (
        not variant
        and optimizer._loss_scale is None
        and not _has_hooks(optimizer)
        and all(map(_is_plain, rules))
    )


def _is_plain(rule):
    """Whether a parameter is updated as the optimiser says, without settings of its own."""
    own = vars(rule.hyperparam).keys() - {"_parent"} if rule is not None else ()
    return rule is not None and rule.enabled and not own and not _has_hooks(rule)


def _has_hooks(x):
    return bool(x._hookable._pre_update_hooks or x._hookable._post_update_hooks)


def fit_flat(vf, optimizer, obs, target, batches):
    """Regress a value function on targets, one Adam step a minibatch.

    Parameters
    ----------
    vf : ValueFunction
        Fitted in place.
    optimizer : chainer.optimizers.Adam
        Set up with `vf`; goes on from its state, and has the new state afterwards.
    obs : array, shape (N, S)
        Inputs.
    target : array, shape (N,)
        Targets.
    batches : sequence of array of int
        Row indices of each minibatch.

    Returns
    -------
    array, shape ()
        The sum of the minibatches' losses, each before its step; on the device.  If it
        is not finite, value function and optimiser are left as they were.
    """
    params = named_params(vf)
    rules = [param.update_rule for param in params.values()]
    for param, rule in zip(params.values(), rules):
        if rule.state is None:
            rule._init_states(param)
    theta = flatten(params.values())
    m = flatten([rule.state["m"] for rule in rules])
    v = flatten([rule.state["v"] for rule in rules])
    g = backend.get_array_module(theta).empty_like(theta)
    layers, grads = [_by_layer(vf, params, x) for x in (theta, g)]
    mlp = LinearizedMLP(layers, vf.mlp.activation)
    adam = _Adam(optimizer.hyperparam, rules[0].t, theta, m, v, g)
    total = theta.dtype.type(0)
    for index in batches:
        output, kept = mlp.forward(obs[index])
        residual = output - target[index][:, None]
        total = total + residual.ravel().dot(residual.ravel()) * (1 / len(index))
        residual *= 2 / len(index)
        mlp.pull(kept, residual, out=grads)
        adam.step()
    if not math.isfinite(float(total)):
        return total
    for param, rule, *parts in zip(
        params.values(), rules, *(unflatten(x, params.values()) for x in (theta, m, v))
    ):
        param.array[...], rule.state["m"][...], rule.state["v"][...] = parts
        rule.t += len(batches)
    optimizer.t += len(batches)
    return total


def _by_layer(vf, params, flat):
    parts = dict(zip(params, unflatten(flat, params.values())))
    return [(parts[f"/mlp/{i}/W"], parts[f"/mlp/{i}/b"]) for i in range(len(vf.mlp))]


class _Adam:
    """Adam on flat vectors, in place."""

    def __init__(self, hyperparam, t, theta, m, v, g):
        self.hp, self.t = hyperparam, t
        self.theta, self.m, self.v, self.g = theta, m, v, g
        self.xp = backend.get_array_module(theta)
        self.work = self.xp.empty_like(theta)

    def step(self):
        hp, xp, work = self.hp, self.xp, self.work
        self.t += 1
        alpha = hp.alpha * math.sqrt(1 - hp.beta2**self.t) / (1 - hp.beta1**self.t)
        xp.subtract(self.g, self.m, out=work)
        work *= 1 - hp.beta1
        self.m += work
        xp.multiply(self.g, self.g, out=work)
        work -= self.v
        work *= 1 - hp.beta2
        self.v += work
        xp.sqrt(self.v, out=work)
        work += hp.eps
        xp.divide(alpha, work, out=work)
        work *= self.m
        if hp.eta != 1:
            work *= hp.eta
        self.theta -= work
