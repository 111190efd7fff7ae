"""Every notebook runs from top to bottom; its assertions are its tests."""

import pathlib
import platform
import re

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def read(path):
    import nbformat

    return nbformat.read(str(path), 4)


@pytest.mark.notebooks
@pytest.mark.filterwarnings("default")  # of Jupyter's own machinery
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(path.parent.parent))
    notebook = read(path)
    client = nbclient.NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    figures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert figures, "a notebook draws"


def stored(path):
    """Cells of code, and what is stored of each as text and as pictures."""
    for cell in read(path).cells:
        if cell.cell_type == "code":
            data = [
                o.get("data", {"text/plain": o.get("text", "")}) for o in cell.outputs
            ]
            texts = [str(v) for d in data for k, v in d.items() if k != "image/png"]
            yield cell, texts, sum("image/png" in d for d in data)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_holds_its_outputs(path):
    """Of one run from top to bottom, without errors (`make notebooks`)."""
    pytest.importorskip("nbformat")
    cells = list(stored(path))
    assert [c.execution_count for c, _, _ in cells] == list(range(1, len(cells) + 1))
    for cell, _, pictures in cells:
        assert all(output.output_type != "error" for output in cell.outputs)
        assert pictures or "plt.show()" not in cell.source
        assert cell.metadata == {}
    assert any(pictures for _, _, pictures in cells)
    assert path.stat().st_size < 1_000_000


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_do_not_say_where_they_were_made(path):
    pytest.importorskip("nbformat")
    place = re.compile(r"(?<![\w.])/(home|work|root|tmp|Users|usr|opt|var)/|[A-Z]:\\\\")
    for _, texts, _ in stored(path):
        for text in texts:
            assert not place.search(text) and platform.node() not in text, text
            assert "np.float64(" not in text and "<bound method" not in text, text


@pytest.mark.filterwarnings("default")
def test_a_notebook_installs_what_is_missing_and_nothing_else():
    for path in NOTEBOOKS:
        first = next(c for c in read(path).cells if c.cell_type == "code")
        assert first.source.startswith("import importlib.util"), path
        assert not first.outputs, path
