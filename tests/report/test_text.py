import json
from dataclasses import replace

import pytest

from ssdcore.evaluation.named_table import Chart, Column, Table
from ssdcore.report.page import render
from ssdcore.report.text import WIDTH, as_data, as_text
from tests.report.conftest import with_rows


def rows(text: str) -> list[str]:
    """Returns the lines with one space between their words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_figures_stand_in_columns(content):
    found = rows(as_text(content))
    assert found[:4] == [
        "SSD300 on shapes",
        "================",
        "2024-02-03 16:05 UTC · run d66a075 · 4 000 train images, 500 val images, 3",
        "classes",
    ]
    assert "AP 0.500 0.480 0.525 the score" in found
    assert "ARl – – – of large ones" in found
    assert "circle 0.300 0.500 0.250 0.400 1 200 0.450 0.800 0.600 0.686 900 200" in found
    assert "ghost – – – – 0 – – – – 0 0" in found
    assert "loose box 0.062 50 9 b" in found
    assert "train 4 000 93 31 12 7 100 % 77" in found  # the last columns do not fit
    assert "train.augment.flip 0.5" in found
    assert "commit d66a075" in found


def test_the_verdict_comes_first(content):
    text = as_text(content)
    parts = ("How good it is", "Where it fails", "What to do next", "The twelve COCO figures")
    assert sorted(parts, key=text.index) == [*parts]


def test_sentences_fit_a_narrow_terminal(content):
    sentences = as_text(content).partition("\n\nHow good it is")[2].partition("\n---")[0]
    assert 60 < max(map(len, sentences.splitlines())) <= 80


def test_columns_stand_under_their_headings(content):
    lines = as_text(content).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("class "))
    head, *body = lines[start : start + 4]
    assert {len(line) for line in body} == {len(head)}


@pytest.mark.parametrize("name", ["x" * 300, "<script>", "\u202egnp.exe", "a\nb\x1b[31m", ""])
def test_lines_fit_a_terminal_whatever_the_names(content, name):
    for table in ("per_class", "left_out"):
        rows = [
            tuple(name if isinstance(cell, str) else cell for cell in row)
            for row in content.tables[table].rows
        ]
        content = with_rows(content, table, rows)
    hostile = replace(content, title=name, params={name: {name: name}}, environment={name: name})
    text = as_text(hostile)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert not {"\x1b", "\u202e"} & set(text)
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_nothing_measured_is_a_text_too(empty):
    text = as_text(empty)
    assert "No conclusion" in text
    assert "Figures of each class" not in text


def test_the_same_figures_are_plain_json(content):
    data = as_data(content)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["metrics"]["bbox"]["APs"] == 0.125
    assert data["tables"]["per_class"][1]["AP50"] == 0.9
    assert data["tables"]["objects"][0] == {"class": "circle", "train": 90, "val": 12}
    assert "pr_curves" not in data["tables"]
    assert data["params"]["train"]["epochs"] == 9
    assert "It is strongest on star (AP 0.700, 30 objects)." in data["verdict"]["good"]


def test_a_new_table_is_in_page_text_and_data(content):
    columns = (Column("ratio", "text"), Column("recall"))
    chart = Chart("bars", "ratio", ("recall",))
    table = Table("ratios", "Shapes", "Recall by ratio", columns, [("wide", 0.25)], chart=chart)
    more = replace(content, tables={**content.tables, "ratios": table})
    page = render(more)
    assert '<section id="shapes">' in page
    assert page.count('class="chart"') == render(content).count('class="chart"') + 1
    assert "wide 0.250" in rows(as_text(more))
    assert as_data(more)["tables"]["ratios"] == [{"ratio": "wide", "recall": 0.25}]
