"""Costs of errors by hand, and against figures of TIDE's authors' own code."""

import pytest

from ssdcore.evaluation.errors import Costs
from ssdcore.evaluation.outcomes import judge_all
from ssdcore.evaluation.split import read_split
from tests.evaluation.scenes import one_image, write_scene

TIDECV = {
    "class": (22, 3.7720534157829064),
    "localisation": (54, 7.806057939363164),
    "both": (15, 0.04342578108073525),
    "duplicate": (51, 5.881945272888373),
    "background": (53, 0.6801883487739815),
    "missed": (40, 17.41827573124378),
    "false positives": 13.106966023606887,
    "false negatives": 31.418192923734658,
}
"""tidecv 1.0.1 on the scene of seed 1 without crowds: how many, and what they cost in percent."""
BOX = (0, 0, 40, 40)
ELSEWHERE = (200, 200, 40, 40)
AWRY = (0, 0, 40, 10)  # IoU 0.25


def measure(objects, detections, classes=2):
    """Costs of (label, box) and (label, score, box), all in one image."""
    split = one_image(objects, detections, classes)
    return Costs(split, judge_all(split.truth, split.found))


def by_kind(costs):
    return {error.kind: (error.count, pytest.approx(error.AP50_cost)) for error in costs.by_kind()}


def without(**expected):
    kinds = ("class", "localisation", "both", "duplicate", "background", "missed")
    return dict.fromkeys(kinds, (0, 0)) | expected


def test_equals_the_authors_code(tmp_path):
    split = read_split(*write_scene(tmp_path, 1, crowds=False, unseen=False))
    costs = Costs(split, judge_all(split.truth, split.found))
    for error in costs.by_kind():
        count, percent = TIDECV[error.kind]
        assert error.count == count
        assert error.AP50_cost == pytest.approx(percent / 100, abs=1e-12), error.kind
    assert costs.of_false_positives() == pytest.approx(TIDECV["false positives"] / 100, abs=1e-12)
    assert costs.of_false_negatives() == pytest.approx(TIDECV["false negatives"] / 100, abs=1e-12)


def test_a_perfect_detector_makes_none():
    costs = measure([(1, BOX), (2, ELSEWHERE)], [(1, 0.9, BOX), (2, 0.8, ELSEWHERE)])
    assert by_kind(costs) == without()
    assert costs.of_false_positives() == costs.of_false_negatives() == 0


def test_a_class_error_moves_to_the_class_of_its_object():
    costs = measure([(1, BOX), (2, ELSEWHERE)], [(2, 0.9, BOX), (2, 0.8, ELSEWHERE)])
    # class 1 has nothing, class 2 a precision of 1/2; mended both are perfect
    assert by_kind(costs)["class"] == (1, 1 - 0.25)
    assert costs.of_false_positives() == pytest.approx(0.25)  # class 2's
    assert costs.of_false_negatives() == pytest.approx(0.25)  # class 1 has nothing to find, or say


def test_a_class_of_which_nothing_is_left_but_wrong_detections_has_an_ap_of_0():
    costs = measure([(1, BOX), (2, ELSEWHERE)], [(1, 0.9, ELSEWHERE), (2, 0.8, ELSEWHERE)])
    assert costs.of_false_negatives() == pytest.approx(0)


def test_a_badly_placed_box_is_mended_in_place():
    costs = measure([(1, BOX)], [(1, 0.9, AWRY)])
    assert by_kind(costs) == without(localisation=(1, 1))


@pytest.mark.parametrize(("label", "box", "kind"), [(2, BOX, "class"), (1, AWRY, "localisation")])
def test_an_error_on_an_object_that_was_found_goes_away(label, box, kind):
    objects = [(1, BOX), (2, ELSEWHERE)]
    found = [(1, 0.5, BOX), (label, 0.9, box), (2, 0.4, ELSEWHERE)]
    assert by_kind(measure(objects, found)) == without(**{kind: (1, 0.25)})


def test_of_several_errors_on_one_object_the_best_score_is_mended_the_others_go():
    objects = [(1, BOX)]
    found = [(1, 0.8, AWRY), (1, 0.9, AWRY)]
    assert by_kind(measure(objects, found))["localisation"] == (2, 1)
    # of two kinds too: the class error has the better claim, so the other goes away
    rivals = by_kind(measure(objects, [(1, 0.8, AWRY), (2, 0.9, BOX)]))
    assert rivals == without(localisation=(1, 0), **{"class": (1, 1)})


def test_both_duplicates_and_background_go_away():
    objects = [(1, BOX), (2, (100, 100, 40, 40))]
    found = [
        (1, 0.9, ELSEWHERE),
        (1, 0.8, BOX),
        (2, 0.9, (100, 100, 40, 40)),
        (2, 0.95, (0, 0, 40, 10)),
        (2, 0.5, (100, 100, 40, 40)),
    ]
    assert by_kind(measure(objects, found)) == without(
        both=(1, 1 / 4), background=(1, 1 / 4), duplicate=(1, 0)
    )


def test_missed_objects_are_counted_no_more():
    costs = measure([(1, BOX), (1, ELSEWHERE)], [(1, 0.9, BOX)])
    assert by_kind(costs) == without(missed=(1, pytest.approx(50 / 101)))
    assert costs.of_false_negatives() == pytest.approx(50 / 101)


def test_nothing_detected_and_nothing_there():
    assert by_kind(measure([(1, BOX)], [])) == without(missed=(1, 1))
    assert by_kind(measure([], [])) == without()
    assert by_kind(measure([], [(1, 0.9, BOX)])) == without(background=(1, 0))
