"""A folder is a layer: it imports only itself and those before it in this list."""

import ast
import pathlib

import chainertrpo

import pytest

ROOT = pathlib.Path(chainertrpo.__file__).parent
# Modules beneath the layers, which any of them may import; they import each other only.
BENEATH = {"_checks", "_compat", "_extras", "_renamed", "_threads", "_version", "ranks"}
LAYERS = ["numerics", "data", "policies", "updates", "agents", "experiments"]
LAYERS += ["comparison", "program", "chainerrl"]
OPTIONAL = {
    *("cupy", "gym", "gymnasium", "h5py", "matplotlib", "minari", "mpi4py", "mujoco"),
    "chainermn",
    *("Box2D", "PIL", "pygame"),
}


def sources():
    return sorted(ROOT.rglob("*.py"))


def imports(tree):
    """Yield (module, whether at the top of the file) of each import, wherever it is.

    In functions and classes, after ``from chainertrpo import``, and by a name in a string.
    """
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module]
            if node.module == "chainertrpo":
                names = [f"chainertrpo.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and _called(node).endswith("import_module"):
            names = [x.value for x in node.args if isinstance(x, ast.Constant)]
        elif isinstance(node, ast.Attribute) and _called(node.value) == "chainertrpo":
            own = node.attr.startswith("__")  # such as the version
            names = [] if own else [f"chainertrpo.{node.attr}"]
        for name in names:
            yield name, id(node) in top


def _called(node):
    """The last name of what is called or named: ``importlib.import_module``."""
    node = getattr(node, "func", node)
    return getattr(node, "attr", getattr(node, "id", ""))


def parse(path):
    return ast.parse(path.read_text("utf-8"))


def misplaced(layer, module):
    """Whether a module of ours is none that a layer may import."""
    first, *rest = module.split(".")
    if first != "chainertrpo" or not rest or rest[0] in BENEATH or layer not in LAYERS:
        return layer in BENEATH and bool(rest) and rest[0] in LAYERS
    # What is no layer is a name that the package has from the agents.
    imported = rest[0] if rest[0] in LAYERS else "agents"
    return LAYERS.index(imported) > LAYERS.index(layer)


def test_every_folder_is_a_layer_and_every_module_beneath_them():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(LAYERS)
    assert {path.stem for path in ROOT.glob("*.py")} - {
        "__init__",
        "__main__",
    } == BENEATH


@pytest.mark.parametrize(
    "layer, code, bad",
    [
        ("data", "from chainertrpo.numerics import flatten", False),
        ("numerics", "from chainertrpo.data import Batch", True),
        ("data", "def f():\n    from chainertrpo.policies import parts", True),
        ("data", "def f():\n    import chainertrpo.agents.gail", True),
        ("updates", "from chainertrpo import ranks, _checks", False),
        ("updates", "from chainertrpo import agents", True),
        ("policies", "class A:\n    from chainertrpo import TRPO", True),
        ("comparison", "from chainertrpo import TRPO", False),
        ("comparison", "from chainertrpo.program import main", True),
        (
            "updates",
            "import importlib\nimportlib.import_module('chainertrpo.agents')",
            1,
        ),
        ("data", "def f():\n    import chainertrpo\n    chainertrpo.TRPO()", True),
        ("data", "import chainertrpo\nv = chainertrpo.__version__", False),
        ("ranks", "def f():\n    from chainertrpo.numerics import at", True),
    ],
)
def test_the_order_is_held_wherever_an_import_is(layer, code, bad):
    found = [misplaced(layer, module) for module, _ in imports(ast.parse(code))]
    assert any(found) == bad


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_upward(path):
    relative = path.relative_to(ROOT)
    layer = relative.parts[0] if len(relative.parts) > 1 else relative.stem
    for module, at_top in imports(parse(path)):
        assert not misplaced(layer, module), module
        parts = module.split(".")
        if parts[0] == "chainertrpo" and set(parts[1:2]) <= BENEATH:
            continue
        if at_top:
            assert parts[0] not in OPTIONAL, (
                f"{module} is optional: import it where used"
            )
        if layer == "data":
            assert parts[0] not in ("chainer", "cupy"), (
                "data is NumPy and numerics only"
            )
        if layer == "experiments":
            known = parts[0] != "chainertrpo" or len(parts) == 1
            assert known or parts[1] in ("data", "experiments"), module
        if parts[0] == "cupy":
            assert path.name == "_compat.py"


def test_numerics_know_no_reinforcement_learning():
    for path in (ROOT / "numerics").glob("*.py"):
        text = path.read_text("utf-8").lower()
        for word in ("advantage", "reward", "episode"):
            assert word not in text, f"{word} in {path.name}"


@pytest.mark.parametrize("name", ["variants", "ppo"])
def test_variants_only_have_constructors(name):
    tree = parse(ROOT / "agents" / f"{name}.py")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [n.name for n in node.body if isinstance(n, ast.FunctionDef)]
            assert methods in ([], ["__init__"]), node.name


def test_nothing_that_is_read_can_run_code():
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    for path in sources():
        tree = parse(path)
        for module, _ in imports(tree):
            assert module.split(".")[0] not in forbidden, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), path
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert (
                    isinstance(node.value, ast.Constant) and node.value.value is False
                )
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("load_npz", "load_hdf5"), path
