"""A picture of what a network computes."""

import subprocess

from chainertrpo.chainerrl.misc.is_return_code_zero import is_return_code_zero
from chainertrpo.policies import Distribution

import chainer
from chainer.computational_graph import build_computational_graph


def collect_variables(obj):
    """The Variables in an output: of a distribution, those it depends on.

    Parameters
    ----------
    obj : Variable, Distribution, or list or tuple of them
        What a network gives.

    Returns
    -------
    list of Variable
        In their order.
    """
    if isinstance(obj, chainer.Variable):
        return [obj]
    if isinstance(obj, Distribution):
        return list(obj.params)
    return [x for one in obj for x in collect_variables(one)]


def is_graphviz_available():
    """Whether the command ``dot`` is there."""
    return is_return_code_zero(["dot", "-V"])


def draw_computational_graph(outputs, filepath):
    """Write the graph behind outputs to ``<filepath>.gv``, with Graphviz ``.png`` too.

    Parameters
    ----------
    outputs : Variable, Distribution, or list or tuple of them
        What a network gives.
    filepath : str
        Without its ending.
    """
    graph = build_computational_graph(collect_variables(outputs))
    with open(f"{filepath}.gv", "w") as file:
        file.write(graph.dump())
    if is_graphviz_available():
        line = ["dot", "-Tpng", f"{filepath}.gv", "-o", f"{filepath}.png"]
        subprocess.check_call(line)
