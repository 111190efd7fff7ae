"""Adam on one flat vector instead of one call a parameter.

Moments and parameters are updated in place, in the order of operations of
``chainer.optimizers.Adam`` (Kingma and Ba 2015, algorithm 1), so that the results are the
same bit for bit; the optimiser's own state is read before and written after.
"""

import math

from chainertrpo.numerics import flatten, named_params, unflatten
from chainertrpo.numerics.kernels import adam

import chainer
import numpy
from chainer import backend

_Clipping = chainer.optimizer_hooks.GradientClipping


def can_be_flat(optimizer):
    """Whether an optimiser is of the kind written out here."""
    if type(optimizer) is not chainer.optimizers.Adam:
        return False
    hp = optimizer.hyperparam
    variant = hp.amsgrad or hp.adabound or hp.weight_decay_rate
    hookable = optimizer._hookable
    hooks = [*hookable._pre_update_hooks.values()]
    return (
        not variant
        and optimizer._loss_scale is None
        and all(type(x) in (CorrectedEps, _Clipping) for x in hooks)
        and not hookable._post_update_hooks
        and all(_is_plain(param.update_rule) for param in optimizer.target.params())
    )


def _is_plain(rule):
    """Whether a parameter is updated as the optimiser says, without settings of its own."""
    own = vars(rule.hyperparam).keys() - {"_parent"} if rule is not None else ()
    return rule is not None and rule.enabled and not own and not _has_hooks(rule)


def _has_hooks(x):
    return bool(x._hookable._pre_update_hooks or x._hookable._post_update_hooks)


class CorrectedEps:
    """Adam's ε as PyTorch adds it: α·m̂ / (√v̂ + ε), with the corrected moments.

    That is algorithm 1 of Kingma and Ba 2015.  Chainer and TensorFlow have the form that
    its section 2 recommends, in which one ε counts for 1/√(1 − β₂ᵗ) times as much: 32
    times at the first step, still twice at the 288th.  A hook for
    ``chainer.optimizers.Adam``: it sets the optimiser's own ε before each step.

    Parameters
    ----------
    eps : float
        ε.
    """

    name = "CorrectedEps"
    timing = "pre"

    def __init__(self, eps):
        self.eps = eps

    def at(self, t, beta2):
        """Return Chainer's ε for a step.

        Parameters
        ----------
        t : int
            The step, from 1.
        beta2 : float
            Of Adam.

        Returns
        -------
        float
            ε·√(1 − β₂ᵗ).
        """
        return self.eps * math.sqrt(1 - beta2**t)

    def __call__(self, optimizer):
        """Set ε for the step that follows."""
        optimizer.eps = self.at(optimizer.t + 1, optimizer.beta2)


class FlatAdam:
    """The parameters of a link, its gradients and Adam's moments as flat vectors.

    Parameters
    ----------
    link : chainer.Link
        What the optimiser was set up with.
    optimizer : chainer.optimizers.Adam
        One that `can_be_flat`; goes on from its state, and has the new one after `store`.
    device : chainer.backend.Device, optional
        Where the vectors are; by default that of the link.

    Attributes
    ----------
    value, grad : dict of str to array
        Parameters and room for their gradients by name: views, written in place.
    gradient : array, shape (P,)
        The latter as one vector.
    """

    def __init__(self, link, optimizer, device=None):
        self._optimizer, self._hp = optimizer, optimizer.hyperparam
        self._send_back = link.device.send
        send = (device or link.device).send
        self._params = named_params(link)
        self._rules = [param.update_rule for param in self._params.values()]
        for param, rule in zip(self._params.values(), self._rules):
            if rule.state is None:
                rule._init_states(param)
        moments = [[rule.state[k] for rule in self._rules] for k in "mv"]
        vectors = map(flatten, (self._params.values(), *moments))
        self._theta, self._m, self._v = map(send, vectors)
        self._xp = backend.get_array_module(self._theta)
        self.gradient, self._work = [self._xp.empty_like(self._theta) for _ in range(2)]
        self.value, self.grad = map(self.by_name, (self._theta, self.gradient))
        self._start = self._t = self._rules[0].t
        hooks = list(optimizer._hookable._pre_update_hooks.values())
        self._thresholds = [x.threshold for x in hooks if type(x) is _Clipping]
        self._corrected = [x for x in hooks if type(x) is CorrectedEps]

    def by_name(self, flat):
        """Views of a flat vector, by the names of the parameters."""
        return dict(zip(self._params, unflatten(flat, self._params.values())))

    def step(self):
        """Take a step along `grad`."""
        hp, xp, work = self._hp, self._xp, self._work
        for threshold in self._thresholds:
            norm = xp.sqrt(self.gradient.dot(self.gradient))
            self.gradient *= xp.minimum(threshold / xp.maximum(norm, 1e-30), 1)
        self._t += 1
        alpha = hp.alpha * math.sqrt(1 - hp.beta2**self._t) / (1 - hp.beta1**self._t)
        eps = hp.eps
        for corrected in self._corrected:
            eps = corrected.at(self._t, hp.beta2)
        if xp is not numpy:
            rates = alpha, hp.beta1, hp.beta2, eps, hp.eta
            adam(xp, self._theta, self._m, self._v, self.gradient, *rates)
            return
        xp.subtract(self.gradient, self._m, out=work)
        work *= 1 - hp.beta1
        self._m += work
        xp.multiply(self.gradient, self.gradient, out=work)
        work -= self._v
        work *= 1 - hp.beta2
        self._v += work
        xp.sqrt(self._v, out=work)
        work += eps
        xp.divide(alpha, work, out=work)
        work *= self._m
        if hp.eta != 1:
            work *= hp.eta
        self._theta -= work

    def store(self):
        """Write parameters and moments to the link and the optimiser."""
        like = self._params.values()
        vectors = map(self._send_back, (self._theta, self._m, self._v))
        moved = zip(*(unflatten(x, like) for x in vectors))
        for param, rule, (theta, m, v) in zip(like, self._rules, moved):
            param.array[...], rule.state["m"][...], rule.state["v"][...] = theta, m, v
            rule.t = self._t
        self._optimizer.t += self._t - self._start
        self._start = self._t
