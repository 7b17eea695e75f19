"""Networks with known outputs: the figures are plain arithmetic."""

import math

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import Detections
from ssdcore.export.parity import CHECKPOINT, compare, judge, not_compared, why_broken
from ssdcore.inference.decode import Thresholds
from tests.coco_files import box, write_coco

PRIORS = np.array([[0.5, 0.5, 0.4, 0.4], [0.25, 0.25, 0.2, 0.2]], np.float32)  # cy cx h w
BOX_PX = [30.0, 30.0, 40.0, 40.0]  # the first of them, in images of 100×100


@pytest.fixture
def annotations(tmp_path):
    """Five images with one object each, at the first default box."""
    ids = range(1, 6)
    images = [{"id": i, "file_name": f"{i}.png", "height": 100, "width": 100} for i in ids]
    boxes = [box(i, 4, BOX_PX, area=1600.0) for i in ids]
    return write_coco(tmp_path / "truth.json", images, boxes, [(4, "thing")])


def images(count):
    return [(i, np.full((100, 100, 3), i, np.uint8)) for i in range(1, count + 1)]


def network(index=0, shift=0.0, doubt=0.0):
    """Sees the object at a default box; `shift` in its offsets, `doubt` in its probability."""

    def answers(images):
        offsets = np.full((len(images), 2, 4), shift, np.float32)
        probabilities = np.zeros((len(images), 2, 2), np.float32)
        probabilities[:, index, 1] = 0.9 - doubt
        return offsets, probabilities

    return answers


def parity(annotations, networks, finders=None, count=5, tolerance=0.001, approximate=(), **own):
    compared = compare(
        own.get("checkpoint", network()), networks, finders or {}, images(count), PRIORS,
        Thresholds(score=0.5), batch_size=2,
    )  # fmt: skip
    split = read_coco(annotations)
    return judge(compared, split, tolerance, split.classes, approximate)


def test_equal_networks_have_no_faults_and_differences_are_the_maximum(annotations):
    given = {"same": network(), "near": network(shift=0.25, doubt=0.125)}
    verdict = parity(annotations, given, tolerance=0.3)
    assert verdict.faults == []
    assert verdict.figures["images"] == 5
    assert verdict.figures[CHECKPOINT] == {"AP": pytest.approx(1), "AP50": pytest.approx(1)}
    assert verdict.figures["same"]["offsets"] == verdict.figures["same"]["AP_lost"] == 0
    assert verdict.figures["near"]["offsets"] == 0.25
    assert verdict.figures["near"]["probabilities"] == pytest.approx(0.125)
    assert str(verdict).startswith("5 images: checkpoint AP 1.0000, same AP 1.0000")


def test_large_outputs_may_differ_by_more(annotations):
    near = {"near": network(shift=-7.9)}
    figures = parity(annotations, near, checkpoint=network(shift=-8.0)).figures
    assert figures["near"]["offsets"] == pytest.approx(0.1 / 8, rel=1e-5)


def test_a_figure_beyond_the_tolerance_is_a_fault_unless_it_is_approximate(annotations):
    given = {"wrong": network(index=1), "far": network(shift=0.01), "int8": network(index=1)}
    verdict = parity(annotations, given, approximate=("int8",))
    assert [fault.split()[:2] for fault in verdict.faults] == [
        ["wrong:", "AP_lost"], ["wrong:", "probabilities"], ["far:", "offsets"],
    ]  # fmt: skip
    assert "0.01, at most 0.001" in verdict.faults[2]
    assert verdict.figures["int8"]["AP"] == 0
    assert verdict.figures["int8"]["AP_lost"] == pytest.approx(1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_output_that_is_not_finite_is_a_fault_in_any_batch(annotations, bad):
    def breaks(images):
        offsets, probabilities = network()(images)
        if len(images) == 2:  # the last batch, of one image, is sound
            offsets[0, 1, 2] = bad
        return offsets, probabilities

    (fault,) = parity(annotations, {"bad": breaks}).faults
    assert "bad: offsets" in fault


def test_a_detector_of_photos_is_measured_by_its_ap(annotations):
    def find(rgb):
        box = np.array([[0.3, 0.3, 0.7, 0.7]], np.float32)
        if rgb[0, 0, 0] == 3:
            box = box / 2
        return Detections(box, np.array([1], np.int32), np.array([0.9], np.float32))

    verdict = parity(annotations, {}, {"photos": find})
    assert 0.1 < verdict.figures["photos"]["AP_lost"] < 0.5
    (fault,) = verdict.faults
    assert "photos: AP_lost" in fault


@pytest.mark.parametrize(
    ("shift", "reason"),
    [
        (0.0, ""),
        (-99.0, ""),
        (2e5, "its offsets reach 2e+05"),
        (math.inf, "its outputs are not finite"),
    ],
)
def test_a_network_that_diverged_is_broken(shift, reason):
    assert why_broken(network(shift=shift), images(2)) == reason


def test_a_broken_network_is_not_compared():
    verdict = not_compared("its outputs are not finite", 0.001)
    assert verdict.faults == []
    assert str(verdict) == "not compared: the network is broken, its outputs are not finite"


def test_only_the_compared_images_count(annotations):
    figures = parity(annotations, {}, count=2).figures
    assert (figures["images"], figures[CHECKPOINT]["AP"]) == (2, pytest.approx(1))
