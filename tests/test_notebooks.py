"""Every notebook runs from top to bottom; its assertions are its tests."""

import pathlib

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def read(path):
    import nbformat

    return nbformat.read(str(path), 4)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own machinery
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("NOTEBOOK_SEEDS", "1")  # half of the time of all notebooks
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


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_holds_no_outputs(path):
    pytest.importorskip("nbformat")
    for cell in read(path).cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
