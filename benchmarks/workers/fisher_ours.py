"""Milliseconds a Fisher product: ours both ways, and its matrix products alone."""

import json
import sys

import chainertrpo
from chainertrpo.numerics import named_params
from chainertrpo.policies import parts as parts_of
from chainertrpo.updates import Linearized, kl_hessian

import numpy
from fisher_problem import milliseconds, problem
from serve import serve


def matrix_products(weights, obs, v_weights):
    """Return a function: the 4L − 2 matrix products of a Gauss–Newton product."""
    rng = numpy.random.default_rng(1)
    inputs = [obs] + [
        rng.standard_normal((len(obs), w.shape[0]), dtype=numpy.float32)
        for w in weights[:-1]
    ]
    tangents = [numpy.empty((len(obs), len(w)), numpy.float32) for w in weights]
    backs = [numpy.empty_like(h) for h in inputs]
    outs = [numpy.empty_like(w) for w in weights]

    def products():
        for i, (w, dw) in enumerate(zip(weights, v_weights)):
            numpy.dot(inputs[i], dw.T, out=tangents[i])
            if i:
                numpy.dot(inputs[i], w.T, out=tangents[i])
        for i, w in enumerate(weights):
            numpy.dot(tangents[i].T, inputs[i], out=outs[i])
            if i:
                numpy.dot(tangents[i], w, out=backs[i])

    return products


def main(sizes, batch):
    """Measure the method asked for."""
    weights, log_std, obs, vector = problem(sizes, batch)
    policy = chainertrpo.GaussianPolicy(sizes[0], sizes[-1], hidden_sizes=sizes[1:-1])
    for layer, w in zip(policy.mlp, weights):
        layer.W.array[...] = w
    policy.log_std.array[...] = log_std
    params = named_params(policy)
    parts, start = {}, 0
    for name in [f"/mlp/{i}/{x}" for i in range(len(weights)) for x in "Wb"]:
        size = params[name].size
        parts[name] = vector[start : start + size].reshape(params[name].shape)
        start += size
    parts["/log_std"] = vector[start:]
    v = numpy.concatenate([parts[name].ravel() for name in params])

    gauss_newton = Linearized(
        parts_of(policy)[0], {k: x.array for k, x in params.items()}, obs
    ).fisher_product
    dist = policy(obs)
    hessian = kl_hessian(dist, dist.copy(), params)
    v_weights = [parts[f"/mlp/{i}/W"] for i in range(len(weights))]
    methods = {
        "Gauss-Newton": lambda: gauss_newton(v),
        "Chainer double backprop": lambda: hessian(v),
        "matrix products alone": matrix_products(weights, obs, v_weights),
    }

    def measure(method, seconds):
        found = {"ms": milliseconds(methods[method], seconds)}
        if method != "matrix products alone":
            found["check"] = float(v.dot(methods[method]()))
        return found

    serve(measure)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
