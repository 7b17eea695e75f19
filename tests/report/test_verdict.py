from dataclasses import replace

import pytest

from ssdcore.params.loss_rise import Rise
from ssdcore.report.content import ReportContent
from ssdcore.report.labels import one_line
from ssdcore.report.verdict import REMEDIES, Verdict, verdict
from tests.report.conftest import CLASSES, with_rows

FRAMING = "Objects are framed loosely: train longer (train.epochs)."
RISING = "AP was still rising when training ended: train longer (train.epochs)."
NOTHING = (
    "AP was 0 whenever training measured it: see under What training sees whether the boxes fit "
    "their objects. If they do, train longer (train.epochs) or at another rate (train.lr_max)."
)


def said(content: ReportContent) -> Verdict:
    """The verdict on some content, in one font of spaces and without marks of direction."""
    found = verdict(content)
    parts = [
        tuple(one_line(sentence).replace("\u202f", " ") for sentence in part) for part in found
    ]
    return Verdict(*parts)


def test_how_good_it_is(content):
    assert said(content).good == (
        "AP is 0.500 (95 % interval 0.480 to 0.525) on 500 validation images, and AP50, which "
        "accepts loosely framed boxes, 0.600.",
        "At a score threshold of 0.400 it finds 75.4 % of the objects, and 82.2 % of its "
        "detections are correct (F1 0.786).",
        "It is strongest on star (AP 0.700, 30 objects).",
    )


def test_where_it_fails(content):
    assert said(content).fails == (
        "AP loses 0.400 to objects that are not found and to wrong detections, and 0.100 to boxes "
        "that are not framed exactly.",
        "Of AP50, most is lost to loose boxes: 0.062.",
        "It is weakest on circle (AP 0.300, 1 200 objects).",  # not ghost, which has no AP
        "Most often confused: circle, called star 3 times.",
        "It finds small objects worse than large ones: AP 0.125 against 0.625.",
        "Its scores are not probabilities: they are off by 0.250 on average.",
    )


def test_the_advice_is_in_the_order_of_what_is_lost(content):
    assert said(content).todo == (RISING, FRAMING, REMEDIES["localisation"])
    slowly = with_rows(content, "validation", [(1, 1, 0.39, 0.5), (2, 2, 0.4, 0.5)])
    assert said(slowly).todo == (FRAMING, REMEDIES["localisation"], RISING)
    exact = {**content.metrics, "bbox": {**content.metrics["bbox"], "AP50": 0.52}}
    todo = said(replace(slowly, metrics=exact)).todo
    assert todo == (REMEDIES["localisation"], FRAMING, RISING)


def trained(content: ReportContent, *aps: float) -> ReportContent:
    """The content with these measurements of AP in training."""
    return with_rows(content, "validation", [(n, n, ap, ap) for n, ap in enumerate(aps, 1)])


@pytest.mark.parametrize(
    ("aps", "rising"),
    [((0.2, 0.5), True), ((0.5, 0.2, 0.6), True), ((0.5, 0.5), False), ((0.5, 0.2, 0.5), False),
     ((0.0, 0.0, 0.0), False), ((0.5,), False), ((0.5, 0.504), False)],
)  # fmt: skip
def test_an_ap_that_rises_ends_above_all_before_it(content, aps, rising):
    assert (RISING in said(trained(content, *aps)).todo) == rising


def test_an_ap_of_0_throughout_has_an_advice_of_its_own(content):
    for aps in ((0.0,), (0.0, 0.0, 0.0)):
        nothing = trained(content, *aps)
        assert said(nothing).todo == (NOTHING, FRAMING, REMEDIES["localisation"])
        rise = Rise(epoch=2, loss=31.5, start=8.4, rate=0.6)
        assert NOTHING not in said(replace(nothing, rise=rise)).todo  # it says the reason
    assert NOTHING not in said(trained(content, 0.0, 0.01)).todo


def test_a_better_threshold_than_the_models_is_mentioned(content):
    metrics = {**content.metrics, "best_f1": 0.7861, "best_threshold": 0.41}
    assert said(replace(content, metrics=metrics)).todo == said(content).todo
    metrics |= {"best_f1": 0.791, "best_threshold": 0.35}
    assert said(replace(content, metrics=metrics)).todo == (
        *said(content).todo,
        "The model's score threshold is 0.400. F1 is highest at 0.350, 0.791: set "
        "report.score_threshold.",
    )
    chosen = replace(content, metrics=metrics, score_threshold=0.35)
    assert said(chosen).todo == said(content).todo


def test_a_learning_rate_too_high_is_the_first_advice(content):
    rise = Rise(epoch=2, loss=31.5, start=8.4, rate=0.6)
    todo = said(replace(content, rise=rise)).todo
    assert todo == (rise.advice(), *said(content).todo)


def test_default_boxes_that_do_not_fit_are_mentioned(content):
    for fitted, mentioned in ((0.873, True), (0.96, False), (None, False)):
        rows = [
            (*row[:6], fitted, *row[7:]) if row[0] == "train" else row
            for row in content.tables["splits"].rows
        ]
        todo = said(with_rows(content, "splits", rows)).todo
        assert any("Only 87.3 % of the training objects" in one for one in todo) == mentioned


def test_a_remedy_for_loose_frames_is_one_that_is_left(content):
    for width, size, remedy in (
        (0.125, 300, "a wider network (model.width) or a larger input (model.input_size: 512)."),
        (1.0, 300, "try a larger input (model.input_size: 512)."),
        (1.0, 512, "train longer (train.epochs)."),
    ):
        model = {"width": width, "input_size": size}
        todo = said(replace(content, params={"model": model})).todo
        (said_of_frames,) = (one for one in todo if one.startswith("Objects are framed loosely"))
        assert said_of_frames.endswith(remedy)


def test_the_costliest_error_decides_the_advice(content):
    for kind, remedy in REMEDIES.items():
        rows = [
            (row[0], 0.3 if row[0] == kind else 0.2, *row[2:])
            for row in content.tables["errors"].rows
        ]
        todo = said(with_rows(content, "errors", rows)).todo
        assert todo[0] == remedy
        assert "fit_boxes" not in "".join(todo)  # the table of splits may praise the default boxes


def test_overfitting_is_mentioned(content):
    for last, mentioned in ((0.2, True), (0.39, False), (0.4, False)):
        changed = said(with_rows(content, "validation", [(1, 1, 0.4, 0.5), (2, 2, last, 0.5)]))
        assert any("AP fell from 0.400 to 0.200" in one for one in changed.todo) == mentioned


def test_large_objects_may_be_the_harder_ones(content):
    figures = {**content.metrics["bbox"], "APs": 0.6, "APl": 0.3}
    changed = said(replace(content, metrics={**content.metrics, "bbox": figures}))
    assert "It finds large objects worse than small ones: AP 0.300 against 0.600." in changed.fails
    alike = {**figures, "APl": 0.6004}
    changed = said(replace(content, metrics={**content.metrics, "bbox": alike}))
    assert "objects worse" not in "".join(changed.fails)


def test_what_is_small_or_unknown_is_not_mentioned(content):
    quiet = replace(content, metrics={"bbox": {"AP": 0.5, "AP50": -1, "APs": -1, "APl": 0.5}})
    for name, rows in {
        "per_class": CLASSES[1:],  # one with figures: neither best nor worst
        "errors": [("missed", 0.004, 1, 1, "")],
        "confusion": [("circle", "star")] * 2 + [("circle", "background")] * 9,
        "validation": [(4, 4, 0.4, 0.5)],
        "splits": [],
    }.items():
        quiet = with_rows(quiet, name, rows)
    assert said(quiet) == Verdict(("AP is 0.500 on the validation set.",), (), ())


def test_rare_classes_are_not_mentioned_if_others_are_frequent(content):
    rare = ("comet", 1.0, *CLASSES[1][2:7], 9, *CLASSES[1][8:])
    for others, best in ((CLASSES, "star"), (CLASSES[:1], "comet")):
        changed = with_rows(content, "per_class", [*others, rare])
        assert f"It is strongest on {best} " in said(changed).good[2]


def test_classes_of_like_ap_are_not_mentioned(content):
    circle, star, _ = CLASSES
    for ap, mentioned in ((0.7, False), (0.696, False), (0.694, True)):
        alike = said(with_rows(content, "per_class", [(circle[0], ap, *circle[2:]), star]))
        assert any("est on circle" in one for one in alike.fails) == mentioned
        assert any("est on star" in one for one in alike.good) == mentioned


def test_without_objects_there_is_no_conclusion(content):
    for metrics in ({}, {"bbox": {"AP": -1}}):
        nothing = said(replace(content, metrics=metrics))
        assert nothing.good[0].startswith("No conclusion")
        assert (nothing.fails, nothing.todo) == ((), ())
