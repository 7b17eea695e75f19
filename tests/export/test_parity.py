"""Networks whose answers are known: the figures are plain arithmetic."""

import json
import math

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import Detections
from ssdcore.export.parity import CHECKPOINT, Picture, compare, judge
from ssdcore.inference.decode import Thresholds

PRIORS = np.array([[0.5, 0.5, 0.4, 0.4], [0.25, 0.25, 0.2, 0.2]], np.float32)  # cy cx h w
BOX_PX = [30.0, 30.0, 40.0, 40.0]  # the first of them, in pictures of 100×100


@pytest.fixture
def annotations(tmp_path):
    """Five pictures with one object each, at the first default box."""
    content = {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": 100, "width": 100} for i in range(1, 6)
        ],
        "categories": [{"id": 4, "name": "thing"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 4, "bbox": BOX_PX, "area": 1600.0, "iscrowd": 0}
            for i in range(1, 6)
        ],
    }
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(content))
    return path


def pictures(count):
    return [Picture(i, np.full((100, 100, 3), i, np.uint8)) for i in range(1, count + 1)]


def network(place=0, shift=0.0, doubt=0.0):
    """Sees the object at a default box; `shift` in its offsets, `doubt` in its probability."""

    def answers(images):
        offsets = np.full((len(images), 2, 4), shift, np.float32)
        probabilities = np.zeros((len(images), 2, 2), np.float32)
        probabilities[:, place, 1] = 0.9 - doubt
        return offsets, probabilities

    return answers


def outcomes(annotations, networks, finders=None, count=5):
    return compare(
        network(), networks, finders or {}, pictures(count), read_coco(annotations), PRIORS,
        Thresholds(score=0.5), batch_size=2,
    )  # fmt: skip


def test_equal_networks_have_no_faults_and_differences_are_the_greatest(annotations):
    given = {"same": network(), "near": network(shift=0.25, doubt=0.125)}
    found, image_ids = outcomes(annotations, given)
    assert image_ids == [1, 2, 3, 4, 5]
    parity = judge(found, (), 0.3, annotations, image_ids)
    assert parity.faults == []
    assert parity.figures["images"] == 5
    assert parity.figures[CHECKPOINT] == {"AP": pytest.approx(1), "AP50": pytest.approx(1)}
    assert parity.figures["same"]["offsets"] == parity.figures["same"]["AP_lost"] == 0
    assert parity.figures["near"]["offsets"] == 0.25
    assert parity.figures["near"]["probabilities"] == pytest.approx(0.125)
    assert str(parity).startswith("5 pictures: checkpoint AP 1.0000, same AP 1.0000")


def test_large_outputs_may_differ_by_more(annotations):
    found, image_ids = compare(
        network(shift=-8.0), {"near": network(shift=-7.9)}, {}, pictures(5),
        read_coco(annotations), PRIORS, Thresholds(score=0.5), batch_size=2,
    )  # fmt: skip
    figures = judge(found, (), 0.02, annotations, image_ids).figures
    assert figures["near"]["offsets"] == pytest.approx(0.1 / 8, rel=1e-5)


def test_what_is_beyond_the_tolerance_is_a_fault_unless_it_is_approximate(annotations):
    given = {"wrong": network(place=1), "far": network(shift=0.01), "int8": network(place=1)}
    parity = judge(*judged(outcomes(annotations, given), ("int8",), annotations))
    assert [fault.split()[:2] for fault in parity.faults] == [
        ["wrong:", "AP_lost"], ["wrong:", "probabilities"], ["far:", "offsets"],
    ]  # fmt: skip
    assert "0.01, at most 0.001" in parity.faults[2]
    assert parity.figures["int8"]["AP"] == 0
    assert parity.figures["int8"]["AP_lost"] == pytest.approx(1)


def judged(compared, approximate, annotations):
    found, image_ids = compared
    return found, approximate, 0.001, annotations, image_ids


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_number_is_a_fault_wherever_it_comes(annotations, bad):
    def breaks(images):
        offsets, probabilities = network()(images)
        if len(images) == 2:  # the last batch, of one picture, is sound
            offsets[0, 1, 2] = bad
        return offsets, probabilities

    parity = judge(*judged(outcomes(annotations, {"bad": breaks}), (), annotations))
    assert len(parity.faults) == 1
    assert "bad: offsets" in parity.faults[0]


def test_what_finds_by_itself_is_measured_by_its_ap(annotations):
    def find(rgb):
        box = np.array([[0.3, 0.3, 0.7, 0.7]], np.float32)
        if rgb[0, 0, 0] == 3:
            box = box / 2
        return Detections(box, np.array([1], np.int32), np.array([0.9], np.float32))

    parity = judge(*judged(outcomes(annotations, {}, {"eye": find}), (), annotations))
    assert 0.1 < parity.figures["eye"]["AP_lost"] < 0.5
    assert len(parity.faults) == 1
    assert "eye: AP_lost" in parity.faults[0]


def test_only_the_pictures_that_were_shown_count(annotations):
    found, image_ids = outcomes(annotations, {}, count=2)
    parity = judge(found, (), 0.001, annotations, image_ids)
    assert (parity.figures["images"], parity.figures[CHECKPOINT]["AP"]) == (2, pytest.approx(1))
