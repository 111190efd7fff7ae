"""A policy as an ONNX file: what it computes of rows, followed operation by operation.

Networks, placements and normalisers are plain array code; here they are given a `_Row` in
the place of an array, which writes down the operations that are asked of it.  So no
formula stands here a second time, and a new activation is exported as it is.
"""

import numbers
import os

from chainertrpo._extras import pip_install
from chainertrpo._version import __version__
from chainertrpo.data import write_atomically
from chainertrpo.policies import parts
from chainertrpo.policies.families import Gaussian, Softmax

import chainer
import numpy

OPSET, IR = 17, 8  # of 2022: what reads ONNX today knows them

# NumPy's functions -> the operator of the same meaning.
OPERATORS = {
    numpy.add: "Add",
    numpy.subtract: "Sub",
    numpy.multiply: "Mul",
    numpy.true_divide: "Div",
    numpy.maximum: "Max",
    numpy.minimum: "Min",
    numpy.negative: "Neg",
    numpy.exp: "Exp",
    numpy.log: "Log",
    numpy.sqrt: "Sqrt",
    numpy.tanh: "Tanh",
}


def export_onnx(agent, path):
    """Write what an agent acts by as an ONNX file, its normaliser included.

    The input is ``obs``, (N, S) float32, as the environment gives it (flattened).  The
    outputs are ``action``, the most probable ones, (N, A) float32 or (N,) int32; and what
    they can be drawn from: ``mean`` (N, A) and ``log_std`` (N, A) or (A,), or ``logits``
    (N, n).  Actions are not clipped to their bounds.

    Parameters
    ----------
    agent : OnPolicyAgent
        With one of our policies.
    path : str or os.PathLike
        The file, replaced as a whole.

    Raises
    ------
    ImportError
        onnx is missing.
    ValueError
        The policy is a link of others, or its actions have several parts.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"ONNX files need onnx: {pip_install('onnx')}") from error
    found = parts(agent.policy)
    if not found or type(found[0].family) not in (Gaussian, Softmax):
        kind = type(found[0].family if found else agent.policy).__name__
        raise ValueError(
            "expected a policy of chainertrpo.policies for one Box or Discrete, got "
            f"{kind}. Export other links with Chainer's tools."
        )
    part, graph = found[0], _Graph(onnx)
    arrays = {name: x.array for name, x in agent.policy.namedparams()}
    send = chainer.backends.cuda.to_cpu
    theta = {name: send(x) for name, x in part.theta(arrays).items()}
    obs = row = _Row(graph, "obs", numpy.dtype("f"))
    if agent.obs_normalizer is not None:
        row = agent.obs_normalizer.snapshot()(row)
    out, _ = part.network.acting(theta)(row)
    m = part.family.at(out, theta)
    outputs = {"action": part.family.mode(m)}
    if hasattr(m, "logits"):
        outputs["logits"] = m.logits
    elif hasattr(m, "log_std"):
        outputs.update(mean=m.mean, log_std=m.log_std)
    model = graph.model(obs, part.network.sizes[0], outputs)
    write_atomically(os.fspath(path), model.SerializeToString())


class _Graph:
    """Operators and constants, in the order in which they came."""

    def __init__(self, onnx):
        self.onnx, self.nodes, self.constants = onnx, [], []

    def constant(self, x):
        name = f"c{len(self.constants)}"
        x = numpy.ascontiguousarray(x)
        self.constants.append(self.onnx.numpy_helper.from_array(x, name))
        return name

    def add(self, operator, inputs, dtype, **attributes):
        name = f"r{len(self.nodes)}"
        make = self.onnx.helper.make_node
        self.nodes.append(make(operator, inputs, [name], **attributes))
        return _Row(self, name, numpy.dtype(dtype))

    def kind(self, dtype):
        return self.onnx.helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype))

    def model(self, obs, size, outputs):
        helper, declared = self.onnx.helper, []
        for name, x in outputs.items():
            made = x.name if isinstance(x, _Row) else self.constant(x)
            self.nodes.append(helper.make_node("Identity", [made], [name]))
            rows = x.axes if isinstance(x, _Row) else x.ndim
            kind = self.kind(x.dtype)
            declared.append(helper.make_tensor_value_info(name, kind, [None] * rows))
        kind = helper.make_tensor_value_info(obs.name, self.kind("f"), [None, size])
        graph = helper.make_graph(
            self.nodes, "policy", [kind], declared, self.constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR,
            producer_name="chainertrpo",
            producer_version=__version__,
        )
        self.onnx.checker.check_model(model)
        return model


class _Row(numpy.lib.mixins.NDArrayOperatorsMixin):
    """In the place of one row: ONNX broadcasts what is done to it over a batch."""

    ndim = 1

    def __init__(self, graph, name, dtype):
        self.graph, self.name, self.dtype = graph, name, dtype
        self.axes = 2  # in ONNX, where it is a batch of rows

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if method != "__call__" or kwargs:
            return NotImplemented
        if ufunc is numpy.expm1:  # eˣ − 1
            result = numpy.exp(inputs[0]) - 1
        elif ufunc is numpy.logaddexp and isinstance(inputs[1], numbers.Number):
            result = self._softplus(*inputs)
        elif ufunc in OPERATORS:
            result = self._apply(OPERATORS[ufunc], inputs)
        else:
            raise ValueError(
                f"expected functions that ONNX operators are known for, got "
                f"{ufunc.__name__}. Add it to OPERATORS in {__name__}."
            )
        if out is not None:  # in place: the same object stands for the new row
            out[0].name, out[0].dtype = result.name, result.dtype
            return out[0]
        return result

    def _softplus(self, a, zero):
        if zero != 0:
            return NotImplemented
        return self.graph.add("Softplus", [a.name], a.dtype)

    def _apply(self, operator, inputs):
        arrays = [x for x in inputs if hasattr(x, "dtype")]  # numbers take their dtype
        dtype = numpy.result_type(*(x.dtype for x in arrays))
        names = [self._name(x, dtype) for x in inputs]
        return self.graph.add(operator, names, dtype)

    def _name(self, x, dtype):
        if isinstance(x, _Row):
            return x.astype(dtype).name
        return self.graph.constant(numpy.asarray(x, dtype))

    def astype(self, dtype):
        """Cast."""
        dtype = numpy.dtype(dtype)
        if dtype == self.dtype:
            return self
        row = self.graph.add("Cast", [self.name], dtype, to=self.graph.kind(dtype))
        row.axes = self.axes
        return row

    def dot(self, weight):
        """Multiply this row by a matrix."""
        return self._apply("MatMul", (self, weight))

    def argmax(self, axis):
        """Find the index of the largest number."""
        index = self.graph.add("ArgMax", [self.name], "int64", axis=axis, keepdims=0)
        index.axes = 1
        return index

    def __getitem__(self, index):
        columns = index[-1]
        ends = [[columns.start], [columns.stop], [-1]]
        names = [self.graph.constant(numpy.array(x, numpy.int64)) for x in ends]
        return self.graph.add("Slice", [self.name, *names], self.dtype)
