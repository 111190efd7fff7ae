"""Check the links of a site that has been built: every file and every anchor within it.

    python docs/check_links.py docs/_build/html

Links to other hosts are counted, not followed: ``make docs-links`` does that, where there
is internet.  A page may not load anything from another host, though: equations and styles
are to be seen without one.
"""

import html.parser
import pathlib
import sys
import urllib.parse

LOADS = {"img": "src", "script": "src", "iframe": "src", "source": "src"}


class Page(html.parser.HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = {""}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Note what a tag names and where it leads."""
        found = dict(attrs)
        self.anchors.update(x for x in (found.get("id"), found.get("name")) if x)
        if tag in ("a", "link") and found.get("href"):
            stylesheet = tag == "link" and "stylesheet" in (found.get("rel") or "")
            (self.loaded if stylesheet else self.links).append(found["href"])
        if tag in LOADS and found.get(LOADS[tag]):
            self.loaded.append(found[LOADS[tag]])


def broken_links(root):
    """Look at every page.

    Parameters
    ----------
    root : Path
        Of the site.

    Returns
    -------
    broken : list of str
        Page and link of each that leads nowhere, or loads from another host.
    n : int
        Links within the site.
    elsewhere : set of str
        Links to other hosts.
    """
    root = root.resolve()
    pages = {path: Page(path.read_text("utf-8")) for path in root.rglob("*.html")}
    broken, n, elsewhere = [], 0, set()
    for path, page in pages.items():
        for link in page.links + page.loaded:
            url = urllib.parse.urlsplit(link)
            if url.scheme == "data" or url.scheme == "mailto":
                continue
            if url.scheme or url.netloc:
                elsewhere.add(link)
                if link in page.loaded:
                    broken.append(f"{path.relative_to(root)}: loads {link}")
                continue
            n += 1
            name = urllib.parse.unquote(url.path)
            target = (path.parent / name).resolve() if name else path
            if target.is_dir():
                target = target / "index.html"
            anchor = urllib.parse.unquote(url.fragment)
            inside = root in target.parents and target.exists()
            if not inside or (target in pages and anchor not in pages[target].anchors):
                broken.append(f"{path.relative_to(root)}: {link}")
    return broken, n, elsewhere


def main():
    """Say what is broken."""
    broken, n, elsewhere = broken_links(pathlib.Path(sys.argv[1]))
    for line in broken:
        print("broken:", line, file=sys.stderr)
    there = f"{len(elsewhere)} to other hosts, not followed"
    print(f"{n} links within the site, {len(broken)} broken; {there}")
    sys.exit(bool(broken) or not n)


if __name__ == "__main__":
    main()
