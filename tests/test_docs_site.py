# SPDX-License-Identifier: Apache-2.0
"""The built documentation: strict, whole, self-contained; and a browser that reads it.

It needs the extra `docs` and nothing of the package, so that `nox -s docs` runs it without a
compiler.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import chromium
import pytest

for package in ("mkdocs", "material", "mkdocstrings"):
    pytest.importorskip(package)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
# Formulas each page is known to have; all pages that have any are browsed.
FORMULAS = {"strategies/bait.html": 20, "engine.html": 60}
BROWSED = sorted(
    {"choosing.html", "examples.html", "api/selection.html"}
    | {
        page.relative_to(DOCS).with_suffix(".html").as_posix()
        for page in DOCS.rglob("*.md")
        if r"\(" in page.read_text(encoding="utf-8")
    }
)
# What another host is asked for is refused, and the refusal is a word on the console.
POLICY = "default-src 'self' data: blob: 'unsafe-inline'"
PROBE = """<script>addEventListener("load", () => MathJax.startup.promise.then(() => {
const count = (selector) => document.querySelectorAll(selector).length;
document.title = "probe " + JSON.stringify({
    written: count(".arithmatex"),
    drawn: [...document.querySelectorAll(".arithmatex mjx-container svg")]
        .filter((svg) => svg.getBoundingClientRect().width > 0).length,
    errors: count("[data-mjx-error]"),
    hosts: [...new Set(performance.getEntriesByType("resource")
        .map((entry) => new URL(entry.name)).filter((url) => url.protocol.startsWith("http"))
        .map((url) => url.host))],
});}));</script>"""


class Page(HTMLParser):
    """Identifiers of a page, where its links lead, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {key: value or "" for key, value in attrs}
        self.names |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") != "canonical":
            self.loads.append(found.get("href", ""))
        if "src" in found:
            self.loads.append(found["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strict: a warning is an error."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder))
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """All pages by their path below the site."""
    return {p.relative_to(site).as_posix(): Page(p) for p in site.rglob("*.html")}


def test_every_source_is_a_page(pages: dict[str, Page]) -> None:
    sources = {path.relative_to(DOCS) for path in DOCS.rglob("*.md")}
    assert {path.with_suffix(".html").as_posix() for path in sources} <= set(pages)


def test_no_internal_link_is_dead(site: Path, pages: dict[str, Page]) -> None:
    """Links to pages, and to places in them."""
    checked = 0
    for path, page in pages.items():
        if path == "404.html":  # its links are absolute: it may be shown anywhere
            continue
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            target, place = urldefrag(urljoin(path, unquote(link)))
            assert (site / target).is_file(), f"{path}: {link}"
            if place and target.endswith(".html"):
                assert place in pages[target].names, f"{path}: {link}"
            checked += 1
    assert checked > 1000


def test_no_page_loads_from_another_host(site: Path, pages: dict[str, Page]) -> None:
    for path, page in pages.items():
        for target in page.loads:
            parts = urlsplit(target)
            assert (parts.scheme, parts.netloc) in {("", ""), ("data", "")}, (path, target)
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text), style.name


class Handler(SimpleHTTPRequestHandler):
    """Serves the site under a policy, and puts the probe into its pages."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html" or not path.is_file():
            super().do_GET()
            return
        text = path.read_text(encoding="utf-8").replace("</body>", f"{PROBE}</body>")
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """A web server of this site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", BROWSED)
def test_a_browser_reads_the_page(path: str, address: str, tmp_path: Path) -> None:
    """Headless Chromium: formulas drawn, no word on the console, no other host asked."""
    shown = chromium.read(f"http://{address}/{path}", tmp_path, milliseconds=20_000)
    found = re.search(r"<title>probe (\{.*?\})</title>", shown)
    assert found is not None
    seen = json.loads(found[1])
    assert seen["hosts"] == [address]
    assert seen["errors"] == 0
    assert seen["drawn"] == seen["written"]
    assert seen["written"] >= FORMULAS.get(path, 0)
