"""A folder is a layer: it imports only those above it in this list (DESIGN)."""

import ast
import pathlib

import chainertrpo

import pytest

ROOT = pathlib.Path(chainertrpo.__file__).parent
ROOM_FOR_ALL = {"_checks", "_compat", "_extras", "_threads"}  # beneath the layers
LAYERS = ["numerics", "policies", "data", "updates", "agents", "experiments"]
LAYERS += ["comparison"]
OPTIONAL = {
    *("cupy", "gym", "gymnasium", "h5py", "matplotlib", "minari", "mpi4py", "mujoco"),
    *("Box2D", "PIL", "pygame"),
}


def sources():
    return sorted(ROOT.rglob("*.py"))


def imports(tree):
    """Yield (module, whether at the top of the file) of each import."""
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module]
        for name in names:
            yield name, id(node) in top


def parse(path):
    return ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_upward(path):
    layer = path.relative_to(ROOT).parts[0]
    for module, at_top in imports(parse(path)):
        parts = module.split(".")
        if parts[0] == "chainertrpo" and set(parts[1:2]) <= ROOM_FOR_ALL:
            continue
        if parts[0] == "chainertrpo" and layer in LAYERS:
            assert LAYERS.index(parts[1]) <= LAYERS.index(layer), module
        if at_top:
            assert parts[0] not in OPTIONAL, (
                f"{module} is optional: import it where used"
            )
        if layer == "data":
            assert parts[0] not in ("chainer", "cupy"), "the data layer is NumPy only"
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
