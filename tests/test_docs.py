"""What the site is checked by; the site itself is built by `make docs`, in CI too."""

import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def check_links():
    path = ROOT / "docs" / "check_links.py"
    spec = importlib.util.spec_from_file_location("check_links", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "link, whole",
    [
        ("sub/b.html", True),
        ("sub/b.html#there", True),
        ("sub/", True),
        ("#here", True),
        ("https://example.org/x", True),
        ("c.html", False),
        ("sub/b.html#nowhere", False),
        ("#nowhere", False),
        ("../outside.html", False),
    ],
)
def test_links_are_followed(check_links, tmp_path, link, whole):
    site = tmp_path / "site"
    (site / "sub").mkdir(parents=True)
    (tmp_path / "outside.html").write_text("")
    (site / "index.html").write_text(f'<p id="here"><a href="{link}">x</a></p>')
    for name in ("b", "index"):
        (site / "sub" / f"{name}.html").write_text('<p id="there"></p>')
    broken, _, elsewhere = check_links.broken_links(site)
    assert broken == ([] if whole else [f"index.html: {link}"])
    assert bool(elsewhere) == link.startswith("https")


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="{}">',
        '<script src="{}"></script>',
        '<link rel="stylesheet" href="{}">',
    ],
)
def test_nothing_is_loaded_from_another_host(check_links, tmp_path, tag):
    (tmp_path / "index.html").write_text(tag.format("https://example.org/x"))
    broken, _, _ = check_links.broken_links(tmp_path)
    assert broken == ["index.html: loads https://example.org/x"]


def test_links_between_files_of_the_repository():
    """Where the repository is read, without a site: every relative link is a file."""
    pages = [
        *ROOT.glob("*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("docs/**/*.md"),
    ]
    n = 0
    for page in pages:
        if "_build" in page.parts:
            continue
        text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
            if "://" not in link and not link.startswith("#"):
                n += 1
                assert (page.parent / link.split("#")[0]).exists(), (page.name, link)
    assert n > 150


def test_equations_are_named_by_functions_that_exist():
    """A name on the page of mathematics is found in the file that it links to."""
    text = (ROOT / "docs" / "mathematics.md").read_text("utf-8")
    links = re.findall(r"\[`([\w.]+)`\]\(\.\./([\w/]+\.py)\)", text)
    assert len(links) > 30
    for name, path in links:
        source = (ROOT / path).read_text("utf-8")
        for part in name.split("."):
            assert re.search(rf"^\s*(def|class) {part}\b", source, re.M), (name, path)
