"""Compatible features: a critic that is linear in ∇log π.

With Â(s, a) = wᵀ∇log π(a|s) fitted to the advantages by least squares, the policy gradient
E[∇log π · A] is E[∇log π ∇log πᵀ]w, so w itself is the natural gradient (Kakade 2001,
theorem 1; Peters and Schaal 2008).  The normal equations are solved by conjugate gradient
with products; no feature is ever stored.
"""

from chainertrpo.numerics import (
    conjugate_gradient,
    damped,
    flatten,
    gauss_newton_product,
    named_params,
)

import chainer
from chainer import Variable


def score_product(log_prob, params):
    """Return v -> E[∇log π ∇log πᵀ]v over the rows of a batch.

    Parameters
    ----------
    log_prob : Variable, shape (N,)
        log π_θ(a|s), with its graph.
    params : dict of str to chainer.Parameter
        θ, by name.

    Returns
    -------
    callable
        v of shape (P,) -> the product, of shape (P,).
    """
    return gauss_newton_product(
        [log_prob], params, lambda rows: [rows[0] * (1 / len(log_prob))]
    )


def compatible_weights(policy, batch, *, damping=0.0, n_iter=10):
    """Minimise E[(wᵀ∇log π(a|s) − A)²] + λ‖w‖² over w: the natural gradient, by regression.

    Parameters
    ----------
    policy : chainer.Link
        Observations -> distribution; only functions with second derivatives.
    batch : Batch
        With actions and advantages.
    damping : float
        λ ≥ 0.
    n_iter : int
        Iterations of conjugate gradient on the normal equations.

    Returns
    -------
    Solution
        ``x`` is w, of shape (P,), in the order of `named_params`.
    """
    params = named_params(policy)
    log_prob = policy(batch.obs).log_prob(batch.action)
    seed = Variable(batch.advantage * (1 / len(batch.advantage)))
    rhs = chainer.grad([log_prob], list(params.values()), grad_outputs=[seed])
    product = damped(score_product(log_prob, params), damping)
    return conjugate_gradient(product, flatten(rhs), n_iter)
