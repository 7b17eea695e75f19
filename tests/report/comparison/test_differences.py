from dataclasses import replace

from ssdcore.evaluation.table import HIGHER, LOWER, NEITHER
from ssdcore.evaluation.tables import empty_tables
from ssdcore.report.comparison.candidate import Candidate
from ssdcore.report.comparison.differences import (
    FigureRow,
    figure_groups,
    parameter_rows,
    table_rows,
)

TABLES = {table.name: table for table in empty_tables()}


def row(*values: float | None, better: int = HIGHER) -> FigureRow:
    return FigureRow("a figure", values, better)


def test_parameters_that_differ_and_that_only_one_has(candidates):
    assert [(one.key, list(one.values), one.differs) for one in parameter_rows(candidates)] == [
        ("train.lr_max", ["0.1", "0.2"], True),
        ("train.loss", ["focal", "focal"], False),
        ("old", ["1, 2", None], True),
        ("new", [None, "null"], True),
    ]


def test_figures_stand_under_their_headings(candidates):
    groups = figure_groups(candidates)
    assert {heading: [one.label for one in rows] for heading, rows in groups.items()} == {
        "COCO figures": ["AP", "APs"],
        "Milliseconds per image": ["network"],
        "Evaluation": ["images", "images per second"],
        "Training": ["loss", "steps", "best AP"],
    }


def test_changes_are_to_the_first(candidates):
    assert row(0.5, 0.75, 0.25).changes == [0, 0.25, -0.25]
    assert row(0.5, None).changes == [0, None]
    assert row(None, 0.5).changes == [None, None]


def test_what_is_better_depends_on_the_figure(candidates):
    assert row(0.5, 0.75, 0.25, 0.5).verdicts() == ["", "better", "worse", ""]
    assert row(0.5, 0.75, 0.25, better=LOWER).verdicts() == ["", "worse", "better"]
    assert row(5, 7, better=NEITHER).verdicts() == ["", ""]
    rows = {
        f"{heading}: {one.label}": one.verdicts()[1]
        for heading, rows in figure_groups(candidates).items()
        for one in rows
    }
    assert rows == {
        "COCO figures: AP": "better",
        "COCO figures: APs": "",
        "Milliseconds per image: network": "",
        "Evaluation: images": "",
        "Evaluation: images per second": "worse",
        "Training: loss": "worse",
        "Training: steps": "",
        "Training: best AP": "",
    }


def test_texts_have_the_decimals_of_their_row():
    assert row(0.5, 0.75, None, 0.5).shown() == ["0.500", "0.750", "–", "0.500"]
    assert row(0.5, 0.75, None, 0.4999).shown_changes() == ["±0.000", "+0.250", "", "±0.000"]
    assert row(0.5, 0.25).shown_changes()[1] == "\u22120.250"
    assert row(1000, 500, 1000, better=NEITHER).shown() == ["1,000", "500", "1,000"]
    assert row(1000, 500, 1000, better=NEITHER).shown_changes() == ["±0", "\u2212500", "±0"]
    assert row(47.37, 20).shown() == ["47.4", "20.0"]
    assert row(0.0, 0.0).shown() == ["0.000", "0.000"]


def test_rows_of_a_ranking_are_in_the_order_of_their_change(candidates):
    rows = table_rows(candidates, TABLES["per_class"])
    changes = [("dog", 0.75), ("eel", 0), ("cat", -0.25), ("fly", None)]
    assert [(one.label, one.changes[1]) for one in rows] == changes
    third = Candidate("third", rows={"per_class": {"cat": 0.9, "dog": 0.1}})
    rows = table_rows([*candidates, third], TABLES["per_class"])
    assert [one.label for one in rows] == ["cat", "dog", "eel", "fly"]


def test_rows_improve_as_their_column_says(candidates):
    assert table_rows(candidates, TABLES["per_class"])[0].verdicts() == ["", "better"]
    (missed,) = table_rows(candidates, TABLES["errors"])
    assert missed.verdicts() == ["", "better"]  # it costs less


def test_bars_keep_their_order():
    sizes = [Candidate(str(n), rows={"sizes": {"small": n / 9, "large": n / 3}}) for n in (1, 2)]
    assert [one.label for one in table_rows(sizes, TABLES["sizes"])] == ["small", "large"]


def test_a_change_that_rounds_to_none_is_neither_better_nor_worse():
    assert row(0.5, 0.5004, 0.5006).verdicts() == ["", "", "better"]


def test_losses_of_different_kinds_are_neither_better_nor_worse(candidates):
    other = replace(candidates[1], params={"train.loss": "multibox"})
    ((loss, *_),) = [
        rows for h, rows in figure_groups([candidates[0], other]).items() if h == "Training"
    ]
    assert loss.changes[1] == 1
    assert loss.verdicts() == ["", ""]
