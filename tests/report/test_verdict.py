from dataclasses import replace

from ssdcore.evaluation.analysis import Analysis, ErrorCost, OperatingPoint
from ssdcore.report.content import ReportContent
from ssdcore.report.labels import one_line
from ssdcore.report.verdict import REMEDIES, Verdict, verdict


def said(content: ReportContent) -> Verdict:
    """The verdict on some content, in one font of spaces and without marks of direction."""
    found = verdict(content.metrics, content.analysis, content.history, content.splits)
    parts = [
        tuple(one_line(sentence).replace("\u202f", " ") for sentence in part) for part in found
    ]
    return Verdict(*parts)


def test_how_good_it_is(content: ReportContent) -> None:
    assert said(content).good == (
        "AP is 0.500 on 500 validation images, and AP50, which accepts loosely framed boxes, "
        "0.500.",
        "At a score threshold of 0.400 it finds 75.4 % of the objects, and 82.2 % of what it "
        "reports is right (F1 0.786).",
        "It is strongest on star (AP 0.700, 30 objects).",
    )


def test_where_it_fails(content: ReportContent) -> None:
    assert said(content).fails == (
        "Most AP50 is lost to loose boxes: 0.062, by 50 at any score.",
        "It is weakest on circle (AP 0.300, 1 200 objects).",  # not ghost, which has no AP
        "Most often confused: circle, called star 3 times.",
        "It finds small objects worse than large ones: AP 0.125 against 0.625.",
        "Its scores are no probabilities: they are off by 0.250 on average.",
    )


def test_what_to_do_next(content: ReportContent) -> None:
    assert said(content).todo == (
        "Report what scores 0.400 or more: F1 is highest there. The table of classes has each "
        "one's own best threshold.",
        REMEDIES["localisation"],
        "AP was still rising when training ended: train longer (train.epochs).",
        "Only 87.3 % of the training objects have a default box that fits: bring "
        "model.default_box_scales nearer to their sizes.",
    )


def test_the_dearest_error_decides_the_advice(content: ReportContent) -> None:
    for kind, remedy in REMEDIES.items():
        errors = [
            replace(one, AP50_cost=0.2 if one.kind == kind else 0.1)
            for one in content.analysis.errors
        ]
        changed = replace(content, analysis=replace(content.analysis, errors=errors))
        assert [one for one in said(changed).todo if one in REMEDIES.values()] == [remedy]
    assert len(set(REMEDIES.values())) == len(REMEDIES)


def test_training_that_went_too_far_is_told(content: ReportContent) -> None:
    for last, told in ((0.2, True), (0.39, False), (0.4, False)):
        history = replace(content.history, val_ap=[None, 0.4, None, last])
        changed = said(replace(content, history=history))
        assert any("AP fell from 0.400 to 0.200" in one for one in changed.todo) == told


def test_large_objects_may_be_the_harder_ones(content: ReportContent) -> None:
    figures = {**content.metrics["bbox"], "APs": 0.6, "APl": 0.3}
    changed = said(replace(content, metrics={**content.metrics, "bbox": figures}))
    assert "It finds large objects worse than small ones: AP 0.300 against 0.600." in changed.fails


def test_of_what_is_not_worth_it_nothing_is_said(
    content: ReportContent, analysis: Analysis
) -> None:
    quiet = replace(
        analysis,
        operating_point=OperatingPoint(None, None, None, 0, 0, 9),
        classes=analysis.classes[1:],  # one with figures: neither best nor worst
        errors=[ErrorCost("missed", 1, 0.004)],
        confusion=replace(analysis.confusion, counts=[[0, 2, 0, 9], *[[0] * 4] * 3]),
        calibration=replace(analysis.calibration, error=0.05),
    )
    figures = {"AP": 0.5, "AP50": -1, "APs": -1, "APl": 0.5}
    history = replace(content.history, val_ap=[None, None, None, 0.4])
    changed = replace(
        content, metrics={"bbox": figures}, analysis=quiet, history=history, splits=[]
    )
    assert said(changed) == Verdict(("AP is 0.500 on the validation set.",), (), ())


def test_rare_classes_are_not_spoken_of_where_there_are_others(
    content: ReportContent, analysis: Analysis
) -> None:
    rare = replace(analysis.classes[1], name="comet", AP=1.0, objects=9)
    for others, best in ((analysis.classes, "star"), (analysis.classes[:1], "comet")):
        changed = replace(content, analysis=replace(analysis, classes=[*others, rare]))
        assert f"It is strongest on {best} " in said(changed).good[2]


def test_without_objects_nothing_can_be_said(content: ReportContent) -> None:
    for metrics in ({}, {"bbox": {"AP": -1}}):
        nothing = said(replace(content, metrics=metrics))
        assert nothing.good[0].startswith("Nothing can be said of the detector")
        assert (nothing.fails, nothing.todo) == ((), ())


def test_names_are_short_and_turn_nothing_round(content: ReportContent) -> None:
    long = replace(content.analysis.classes[1], name="\u202e" + "x" * 200)
    classes = [content.analysis.classes[0], long]
    found = verdict(
        content.metrics, replace(content.analysis, classes=classes), content.history, ()
    )
    assert f"strongest on \u2068{'x' * 59}…\u2069 (AP 0.700, 30 objects)" in found.good[2]
