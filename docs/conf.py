"""The site, as `make docs` builds it.

The source folder is the whole repository, so that a link between pages, notebooks and
sources is the same file name here and where the repository is read.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import chainertrpo  # before anything of Chainer

project = "chainertrpo"
copyright = "the chainertrpo contributors, MIT licence"
version = release = chainertrpo.__version__

root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/**.md",
    "docs/**",
    "notebooks/*.ipynb",
    "tests/cupy_on_cpu/README.md",
]
exclude_patterns = ["docs/_build", ".*", "**/.venvs", "**/.ipynb_checkpoints"]
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "mathml",
    "public_names",
    "repository",
]

nb_execution_mode = "off"  # outputs are stored; tests/test_notebooks.py runs the cells
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4  # as a code host makes them
myst_update_mathjax = False
smartquotes = False  # "--workers" is a flag

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types stand in the docstrings, with shapes and units
autodoc_preserve_defaults = True
default_role = "py:obj"
numpydoc_show_class_members = False  # autodoc lists them
add_module_names = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
pygments_style = "default"

html_theme = "furo"
html_title = f"chainertrpo {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["entrance"]
html_copy_source = False
html_show_sphinx = False
html_show_sourcelink = False
