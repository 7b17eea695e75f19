import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clone import ROOT, run
from tests.report.test_browser import PHONE, browser  # noqa: F401
from tests.sources.archives import served

PAGES = ("index", "predict", "performance", "api/geometry")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = ("python", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    assert run(ROOT, *command, NO_MKDOCS_2_WARNING="1") == ""
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with served(site) as address:
        yield address


def test_every_document_and_every_package_has_a_page(site):
    documents = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert {path.stem for path in site.glob("*.html")} == documents | {"index", "404"}
    packages = {path.parent.name for path in (ROOT / "ssdcore").glob("*/__init__.py")}
    assert {path.stem for path in (site / "api").glob("*.html")} == packages


def test_the_home_page_is_the_readme_and_links_pages_of_the_site(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    assert "make demo" in text
    assert 'href="own-data.html"' in text
    assert "flowchart" not in text


def test_the_library_is_described_by_its_docstrings(site):
    text = (site / "api/geometry.html").read_text(encoding="utf-8")
    assert 'id="ssdcore.geometry.matching.encode_targets"' in text
    assert not re.search(r'id="ssdcore[.\w]*\._', text)


def test_the_pages_load_nothing_from_elsewhere_and_fit_a_phone(browser, address):
    page = browser.new_page(viewport=PHONE)
    others: list[str] = []
    page.on("request", lambda request: others.append(request.url))
    page.on("pageerror", lambda error: others.append(str(error)))
    for name in PAGES:
        page.goto(f"{address}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert [one for one in others if not one.startswith((address, "data:", "blob:"))] == []
    page.close()


def test_the_search_finds_documents_and_functions(browser, address):
    page = browser.new_page()
    for words, first in (("resume training", "Training"), ("encode_targets", "ssdcore.geometry")):
        page.goto(f"{address}/index.html?q={words}")
        result = page.locator(".md-search-result__item h1").first
        result.wait_for()
        assert result.inner_text() == first
    page.close()
