"""Which sources of gymnasium and gym the formulae have been read beside."""

import ast
import functools
import hashlib
import inspect
import sys

# Of classes beneath a task's own: what a step or a reset goes through.
INHERITED = (
    *("reset", "dt", "do_simulation", "_step_mujoco_simulation", "_reset_simulation"),
    *("set_state", "state_vector", "get_body_com"),
)
# What the constructor leaves behind is looked at instead; the other's infos are not used.
OWN_BUT = {"__init__", "_get_reset_info"}
# Fields of a syntax tree that say nothing about what is done.
UNSAID = {"annotation", "returns", "ctx", "kind", "type_comment", "type_params"}


def fingerprint(cls):
    """Hash what a class of an environment does, however it is written down.

    Comments, docstrings and annotations do not count, nor do methods for rendering.

    Parameters
    ----------
    cls : type
        Its class.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    ValueError
        A function is not what stands in the class's file.
    """
    found = []
    for owner in cls.__mro__:
        if owner.__module__.split(".")[1:3] != ["envs", "mujoco"]:
            continue
        written, helpers = _functions(inspect.getsourcefile(owner), owner.__name__)
        names = set(vars(owner)) & set(INHERITED)
        if owner is cls:
            names = {n for n, x in vars(owner).items() if _code(x) is not None}
            names = (names | written.keys()) - OWN_BUT
            module = vars(sys.modules[owner.__module__])
            for name, node in helpers.items():
                _compare(module.get(name), node, name)
                found.append((name, _text(node)))
        for name in sorted(names):
            _compare(vars(owner).get(name), written.get(name), name)
            found.append((name, _text(written[name])))
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]


def _code(member):
    function = member.fget if isinstance(member, property) else member
    return getattr(function, "__code__", None)


def _compare(member, node, name):
    code = _code(member)
    if node is None or code is None or code.co_firstlineno != _first_line(node):
        raise ValueError(f"{name} is not the one in its file")


def _first_line(node):
    return min([node.lineno, *[x.lineno for x in node.decorator_list]])


@functools.lru_cache(maxsize=None)
def _functions(path, class_name):
    """Functions of a class in a file, and of the file, by name."""
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    classes = [x for x in tree.body if isinstance(x, ast.ClassDef)]
    bodies = [x.body for x in classes if x.name == class_name] or [[]]
    return [
        {x.name: x for x in body if isinstance(x, ast.FunctionDef)}
        for body in (bodies[0], tree.body)
    ]


def _text(node):
    """Write a tree down in a way that all versions of Python agree about."""
    if isinstance(node, list):
        return [_text(x) for x in node if not _is_docstring(x)]
    if not isinstance(node, ast.AST):
        return repr(node)
    if type(node).__name__ == "Index":  # of Python 3.8
        return _text(node.value)
    fields = [
        (name, _text(value))
        for name, value in ast.iter_fields(node)
        if name not in UNSAID and value not in (None, [])
    ]
    return (type(node).__name__, fields)


def _is_docstring(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
