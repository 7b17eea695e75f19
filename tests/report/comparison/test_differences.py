from dataclasses import replace

from ssdcore.report.comparison.candidate import Candidate, ClassResult
from ssdcore.report.comparison.differences import (
    HIGHER,
    LOWER,
    NEITHER,
    FigureRow,
    class_rows,
    figure_groups,
    parameter_rows,
)


def row(*values: float | None, better: int = HIGHER) -> FigureRow:
    """The one row that candidates with these values of a figure have."""
    key = {HIGHER: "evaluate.bbox.AP", LOWER: "errors.missed", NEITHER: "train.steps"}[better]
    found = [
        Candidate(str(n), figures={} if value is None else {key: value})
        for n, value in enumerate(values)
    ]
    ((only,),) = figure_groups(found).values()
    return only


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
        "AP50 that errors cost": ["missed"],
        "Milliseconds an image": ["network"],
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
        "AP50 that errors cost: missed": "better",
        "Milliseconds an image: network": "",
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


def test_classes_from_the_greatest_gain_to_the_greatest_loss(candidates):
    rows = class_rows(candidates)
    assert [(one.label, one.changes[1]) for one in rows] == [
        ("dog", 0.75),
        ("eel", 0),
        ("cat", -0.25),
        ("fly", None),
    ]
    assert [one.objects for one in rows] == [3, 1, 12, 0]


def test_the_last_candidate_decides_the_order_of_classes(candidates):
    third = Candidate("third", classes={"cat": ClassResult(0.9, 12), "dog": ClassResult(0.1, 3)})
    rows = class_rows([*candidates, third])
    assert [one.label for one in rows] == ["cat", "dog", "eel", "fly"]


def test_a_change_that_does_not_show_is_neither_good_nor_bad():
    assert row(0.5, 0.5004, 0.5006).verdicts() == ["", "", "better"]


def test_losses_of_different_kinds_are_neither_better_nor_worse(candidates):
    other = replace(candidates[1], params={"train.loss": "multibox"})
    ((loss, *_),) = [
        rows for h, rows in figure_groups([candidates[0], other]).items() if h == "Training"
    ]
    assert loss.changes[1] == 1
    assert loss.verdicts() == ["", ""]
