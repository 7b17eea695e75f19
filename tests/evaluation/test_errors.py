from collections import Counter

import pytest

from ssdcore.evaluation.errors import errors
from ssdcore.evaluation.outcomes import judge
from tests.evaluation.scenes import judged_scene, one_image

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
LOOSE = (0, 0, 40, 10)  # IoU 0.25


def measure(objects, detections, classes=2):
    """Costs of (label, box) and (label, score, box), all in one image."""
    return errors(one_image(objects, detections, classes))


def by_kind(table):
    return {row["kind"]: (row["count"], pytest.approx(row["AP50_cost"])) for row in table.records()}


def all_costs(table):
    return [table.scalars[f"AP50_cost/false_{kind}"] for kind in ("positives", "negatives")]


def without(**expected):
    kinds = ("class", "localisation", "both", "duplicate", "background", "missed")
    return dict.fromkeys(kinds, (0, 0)) | expected


def test_equals_the_authors_code(tmp_path):
    table = errors(judged_scene(tmp_path, 1, crowds=False, unseen=False))
    for kind, (count, cost) in by_kind(table).items():
        expected, percent = TIDECV[kind]
        assert (count, cost) == (expected, percent / 100)
        assert table.scalars[f"AP50_cost/{kind}"] == pytest.approx(percent / 100, abs=1e-12)
    expected = [TIDECV["false positives"] / 100, TIDECV["false negatives"] / 100]
    assert all_costs(table) == pytest.approx(expected, abs=1e-12)


def test_a_class_error_moves_to_the_class_of_its_object():
    costs = measure([(1, BOX), (2, ELSEWHERE)], [(2, 0.9, BOX), (2, 0.8, ELSEWHERE)])
    # class 1 has nothing, class 2 a precision of 1/2; corrected both are perfect
    assert by_kind(costs)["class"] == (1, 1 - 0.25)
    # class 2's wrong detection; class 1 without objects does not count
    assert all_costs(costs) == pytest.approx([0.25, 0.25])


def test_a_class_with_wrong_detections_alone_has_an_ap_of_0():
    costs = measure([(1, BOX), (2, ELSEWHERE)], [(1, 0.9, ELSEWHERE), (2, 0.8, ELSEWHERE)])
    assert all_costs(costs)[1] == pytest.approx(0)


def test_of_several_errors_on_one_object_the_highest_score_is_corrected():
    objects = [(1, BOX)]
    found = [(1, 0.8, LOOSE), (1, 0.9, LOOSE)]
    assert by_kind(measure(objects, found))["localisation"] == (2, 1)
    # of two kinds too: the class error has the better claim, so the other goes away
    rivals = by_kind(measure(objects, [(1, 0.8, LOOSE), (2, 0.9, BOX)]))
    assert rivals == without(localisation=(1, 0), **{"class": (1, 1)})


def test_nothing_detected_and_nothing_there():
    assert by_kind(measure([(1, BOX)], [])) == without(missed=(1, 1))
    assert by_kind(measure([], [])) == without()
    assert by_kind(measure([], [(1, 0.9, BOX)])) == without(background=(1, 0))


def test_counts_from_the_threshold_are_those_of_the_shown_detections_alone(tmp_path):
    judged = judged_scene(tmp_path, 2)
    shown = judge(judged.split.truth, judged.split.found.select(judged.shown))
    kinds = Counter([*shown.names, *["missed"] * int(shown.missed.sum())])
    counts = {row["kind"]: row["from_threshold"] for row in errors(judged).records()}
    assert counts == {kind: kinds[kind] for kind in counts}
    assert counts["missed"] > judged.outcomes.missed.sum()
