from dataclasses import replace

import pytest

from ssdcore.report.content import History, ReportContent
from ssdcore.report.text import WIDTH, as_text


def rows(text: str) -> list[str]:
    """Returns the lines with one space between their words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_figures_stand_in_columns(content: ReportContent) -> None:
    found = rows(as_text(content))
    assert found[:2] == ["SSD300 on shapes", "================"]
    assert "AP 0.500 AP50 0.500 AP75 0.500 APs 0.125 APm 0.500 APl 0.625" in found
    assert "AR1 0.500 AR10 0.500 AR100 0.500 ARs 0.200 ARm 0.400 ARl –" in found
    assert "circle 1 200 0.300 0.500 0.400 900 300 200 0.450 0.686" in found
    assert "ghost 0 – – – 0 0 0 – –" in found
    assert "loose box 0.062 50" in found
    assert "0–16 px 40 0.100 0.200 0.300" in found
    assert "70–100 % 9 0.500 0.600 0.700" in found
    assert "40 2.00 0.400 0.600" in found
    assert "train 4 000 9 270 31 12 7 87.3 %" in found
    assert "train.augment.flip 0.5" in found
    assert "commit d66a075" in found
    assert "dvc repro" in found


def test_the_verdict_comes_first(content: ReportContent) -> None:
    text = as_text(content)
    parts = ("How good it is", "Where it fails", "What to do next", "COCO figures", "Parameters")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_columns_stand_under_their_headings(content: ReportContent) -> None:
    lines = as_text(content).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("class"))
    head, *body = lines[start : start + 4]
    assert {len(line) for line in body} == {len(head)}


@pytest.mark.parametrize("name", ["x" * 300, "<script>", "\u202egnp.exe", "a\nb\x1b[31m", ""])
def test_lines_fit_a_terminal_whatever_the_names(content: ReportContent, name: str) -> None:
    analysis = replace(
        content.analysis, classes=[replace(one, name=name) for one in content.analysis.classes]
    )
    hostile = replace(
        content,
        title=name,
        analysis=analysis,
        params={name: {name: name}},
        environment={name: name},
        splits=[replace(one, name=name) for one in content.splits],
    )
    text = as_text(hostile)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert not {"\x1b", "\u202e"} & set(text)
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_nothing_measured_is_a_text_too(content: ReportContent) -> None:
    analysis = replace(content.analysis, classes=[], errors=[], sizes=[], shares=[])
    bare = replace(
        content, metrics={}, analysis=analysis, history=History(*[[]] * 9), splits=[], params={}
    )
    text = as_text(bare)
    assert "Nothing can be said of the detector" in text
    assert "\nClasses\n" not in text
