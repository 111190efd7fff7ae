"""Equations as MathML, written when the site is built.

Browsers show MathML themselves: no script, nothing from another host, and the text can be
selected and read aloud.  Few systems have a mathematical font, so one comes along: STIX
Two Math, from the package ziamath.
"""

import shutil
from importlib import resources
from pathlib import Path

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.errors import SphinxError

FONT = "STIXTwoMath-Regular.ttf"
CONVERTER = LatexToMathML(annotation=True, fancy_error=False)


def mathml(node, displaystyle):
    """The MathML of a node of LaTeX; what it cannot read ends the build."""
    try:
        return CONVERTER.convert_with_local_state(
            node.astext(), displaystyle=displaystyle
        )
    except LatexError as error:
        place = f"{node.source}:{node.line}"
        raise SphinxError(f"{place}: {node.astext()!r}: {error}") from None


def visit_inline(self, node):
    """Write an equation within a line."""
    self.body.append(mathml(node, displaystyle=False))
    raise nodes.SkipNode


def visit_block(self, node):
    """Write an equation on its own line, which scrolls where it is too wide."""
    self.body.append(self.starttag(node, "div", CLASS="equation"))
    self.body.append(mathml(node, displaystyle=True) + "</div>")
    raise nodes.SkipNode


def copy_font(app, error):
    """Put the font beside the style sheet."""
    if error is None and app.builder.format == "html":
        font = resources.files("ziamath") / "fonts" / FONT
        with resources.as_file(font) as path:
            shutil.copy(path, Path(app.outdir) / "_static" / FONT)


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("build-finished", copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
