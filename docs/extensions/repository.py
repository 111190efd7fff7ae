"""Links to files and folders of the repository, on the site.

On a code host ``[`conjugate_gradient`](../chainertrpo/numerics/conjugate_gradient.py)``
opens the source.  Here it leads to the entry of that name in the reference; a folder has
no page and becomes plain text.
"""

import importlib
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

PACKAGE = "chainertrpo"


def public_name(path, text):
    """The documented name that a link's text means, or None: path is from the root."""
    package = importlib.import_module(".".join(path.parts[:2]))
    name = text.split("(")[0]
    if name.split(".")[0] in getattr(package, "__all__", ()):
        return f"{package.__name__}.{name}"
    return None


def folders_to_text(app, doctree):
    """Links to folders; before they are missed."""
    for node in list(doctree.findall(addnodes.pending_xref)):
        if node.get("reftype") == "myst" and node.get("refdomain") is None:
            _, path = app.env.relfn2path(node["reftarget"], app.env.docname)
            if Path(path).is_dir():
                node.replace_self(nodes.literal("", node.astext()))


def tables_to_orphans(app, doctree):
    """Pages of benchmarks that are one table, reached by links and in no menu."""
    if app.env.docname.startswith("benchmarks/results/"):
        app.env.metadata[app.env.docname]["orphan"] = True


def sources_to_reference(app, doctree, docname):
    """Links to modules of the package."""
    builder, env = app.builder, app.env
    if builder.format != "html":
        return
    for node in list(doctree.findall(addnodes.download_reference)):
        name, _ = env.relfn2path(node["reftarget"], docname)
        path = Path(name)
        if path.parts[0] != PACKAGE or path.suffix != ".py":
            continue
        content = node.children[0].deepcopy()
        target = public_name(path, node.astext())
        found = target and env.domains["py"].resolve_xref(
            env, docname, builder, "obj", target, node, content
        )
        if found:
            node.replace_self(found)  # else it is the file itself


def setup(app):
    """Listen."""
    app.connect("doctree-read", folders_to_text)
    app.connect("doctree-read", tables_to_orphans)
    app.connect("doctree-resolved", sources_to_reference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
