import re
from pathlib import Path

import pytest

from ssdcore.report import document
from ssdcore.report.document import render_document

CHILD = """{% extends "document.html.jinja" %}
{% set title = heading %}
{% set contents = {"one": "First", "two": heading} %}
{% block main %}
<section id="one">{{ 0.5 | score }}</section><section id="two"></section>
{% endblock %}
"""


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared template, style and script, and a page of their own kind."""
    for file in document.FOLDER.iterdir():
        if file.name.startswith(("document.", "macros.")):
            (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "child.html.jinja").write_text(CHILD)
    (tmp_path / "child.css").write_text(".own { color: red }")
    monkeypatch.setattr(document, "FOLDER", tmp_path)
    return tmp_path


def test_a_page_has_the_shared_parts_and_its_own(templates: Path) -> None:
    html = render_document("child", heading="A run")
    assert "<title>A run</title>" in html
    assert re.findall(r'<a href="#(\w+)">([^<]+)', html) == [("one", "First"), ("two", "A run")]
    assert html.index("--ground:") < html.index(".own { color: red }") < html.index("</style>")
    assert '<section id="one">0.500</section>' in html
    assert html.count("<script>") == 2  # plotly and the shared one; this page has none
    (templates / "child.js").write_text("own();")
    assert "<script>own();</script>" in render_document("child", heading="A run")
