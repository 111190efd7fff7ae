"""Run notebooks from top to bottom and store what they print and draw.

    python notebooks/store_outputs.py                       # all, or those that are named

What differs from run to run, or says where it ran, is left out: times of execution, names
of kernels.  tests/test_notebooks.py looks at what is stored.
"""

import base64
import io
import os
import pathlib
import sys

import nbclient
import nbformat
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


def smaller(picture):
    """A picture of at most 256 colours, which is enough for lines and text."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    file = io.BytesIO()
    image.quantize(256).save(file, "png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def clean(notebook):
    """Leave cells alone; drop what the run has added around them and their outputs."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    return notebook


def store(path):
    """Run a notebook, and write it with its outputs."""
    notebook = nbformat.read(str(path), 4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=3600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    nbformat.write(clean(notebook), str(path))
    print(path.name, path.stat().st_size // 1000, "kB")


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(HERE.parent)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Its warning of pkg_resources shows the path where it is installed.
    os.environ["PYTHONWARNINGS"] = "ignore::UserWarning:pygame.pkgdata"
    named = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    for notebook_path in named or sorted(HERE.glob("*.ipynb")):
        store(notebook_path)
