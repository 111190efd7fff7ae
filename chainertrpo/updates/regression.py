"""Many small Adam steps on an MLP without a graph for each.

A value fit makes hundreds of steps of 64 rows, where Chainer spends its time on building
graphs and on one optimiser call a parameter.  For our own `ValueFunction` and Chainer's
plain Adam the same steps are written out: gradients from `LinearizedMLP`, and `FlatAdam`.
"""

import math

from chainertrpo.policies import LinearizedMLP, ScaledValueFunction, ValueFunction
from chainertrpo.policies.distributions import LOG_2PI
from chainertrpo.updates.flat_adam import FlatAdam, can_be_flat


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
        A `ValueFunction` or `ScaledValueFunction` itself, and plain Adam.
    """
    ours = type(vf) in (ValueFunction, ScaledValueFunction)
    return ours and can_be_flat(optimizer)


def fit_flat(vf, optimizer, obs, target, batches):
    """Regress a value function's MLP on targets, one Adam step a minibatch.

    With a ``log_std`` −log N(target; V, σ²) is minimised: its derivatives are (V − y)/σ² by
    V and 1 − (V − y)²/σ² by log σ.

    Parameters
    ----------
    vf : ValueFunction
        Fitted in place.
    optimizer : chainer.optimizers.Adam
        Set up with `vf`; goes on from its state, and has the new state afterwards.
    obs : array, shape (N, S)
        Inputs.
    target : array, shape (N,)
        Targets of the MLP.
    batches : sequence of array of int
        Row indices of each minibatch.

    Returns
    -------
    array, shape ()
        The sum of the minibatches' losses, each before its step; on the device.  If it
        is not finite, value function and optimiser are left as they were.
    """
    adam = FlatAdam(vf, optimizer)
    layers, grads = [layers_of(x, "", len(vf.mlp)) for x in (adam.value, adam.grad)]
    mlp = LinearizedMLP(layers, vf.mlp.activation)
    log_std = adam.value.get("/log_std")
    total = obs.dtype.type(0)
    for index in batches:
        output, kept = mlp.forward(obs[index])
        residual = output - target[index][:, None]
        loss = square = residual.ravel().dot(residual.ravel()) * (1 / len(index))
        slope = 2 / len(index)
        if log_std is not None:
            precision = vf.xp.exp(-2 * log_std[0])
            loss = 0.5 * square * precision + log_std[0] + 0.5 * LOG_2PI
            slope = precision / len(index)
            adam.grad["/log_std"][...] = 1 - square * precision
        total = total + loss
        residual *= slope
        mlp.pull(kept, residual, out=grads)
        adam.step()
    if math.isfinite(float(total)):
        adam.store()
    return total


def layers_of(parts, owner, n):
    """(W, b) of each layer of an MLP.

    Parameters
    ----------
    parts : dict of str to array
        By parameter name.
    owner : str
        What the MLP's names begin with, such as ``/vf``.
    n : int
        Layers.

    Returns
    -------
    list of (array, array)
        For `LinearizedMLP`.
    """
    return [
        (parts[f"{owner}/mlp/{i}/W"], parts[f"{owner}/mlp/{i}/b"]) for i in range(n)
    ]
