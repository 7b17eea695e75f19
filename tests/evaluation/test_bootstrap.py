"""Resamples against pycocotools on files in which images are listed as often as they are drawn."""

import json

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.detection_matching import Found, Truth
from ssdcore.coco.metrics import FIGURES, evaluate
from ssdcore.coco.results import CocoResults
from ssdcore.evaluation.bootstrap import bootstrap, draw, interval
from ssdcore.evaluation.split import Split, read_split
from tests.evaluation.scenes import NOTHING, write_scene

IMAGES, FEW = 80, 4
"""With 80 images, every resample has every class in every size."""


def resampled(path, results, times, folder):
    """The scene as files in which an image is there `times` times, as another image each time."""
    content = json.loads(path.read_text())
    rows = [
        {"image_id": int(image), "category_id": int(category), "bbox": box, "score": score}
        for image, category, box, score in zip(
            results.image_ids, results.category_ids, results.boxes_xywh_px.tolist(),
            results.scores.tolist(), strict=True,
        )
    ]  # fmt: skip
    images, annotations, found = [], [], []
    for image in content["images"]:
        for _ in range(times[image["id"] - 1]):
            images.append(image | {"id": len(images) + 1})
            own = {"image_id": len(images)}
            annotations += [a | own for a in content["annotations"] if a["image_id"] == image["id"]]
            found += [row | own for row in rows if row["image_id"] == image["id"]]
    annotations = [row | {"id": number} for number, row in enumerate(annotations, start=1)]
    copy = folder / "resampled.json"
    copy.write_text(json.dumps(content | {"images": images, "annotations": annotations}))
    return copy, CocoResults.from_rows(found)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_resample_has_the_figures_of_its_images(tmp_path, seed):
    path, results = write_scene(tmp_path, seed, images=IMAGES)
    found = bootstrap(read_split(read_coco(path), results), FEW)
    for number, times in enumerate(draw(IMAGES, FEW).T.astype(int).tolist()):
        figures = evaluate(*resampled(path, results, times, tmp_path))
        for name in FIGURES:
            own = np.nan_to_num(found.figures[name][number], nan=-1)
            assert own == pytest.approx(figures[name], abs=1e-12), name
        own = np.nan_to_num(found.classes[:, number], nan=-1)
        np.testing.assert_allclose(own, [c["AP"] for c in figures["per_class"]], atol=1e-12)


def test_each_resample_has_as_many_images_and_the_same_ones_each_time():
    drawn = draw(IMAGES)
    assert drawn.shape == (IMAGES, 1000)
    assert set(drawn.sum(axis=0)) == {IMAGES}
    np.testing.assert_array_equal(draw(IMAGES), drawn)
    assert drawn.mean() == 1
    assert (drawn == 0).mean() == pytest.approx((1 - 1 / IMAGES) ** IMAGES, abs=0.01)


def test_the_interval_holds_95_percent_of_the_defined_values():
    assert interval(np.linspace(0, 1, 1001)) == pytest.approx((0.025, 0.975))
    assert interval(np.array([np.nan, 0.5, np.nan])) == (0.5, 0.5)
    assert interval(np.full(3, np.nan)) is None


def test_without_detections_figures_are_0_and_without_objects_undefined(tmp_path):
    path, _ = write_scene(tmp_path, 1)
    nothing = bootstrap(read_split(read_coco(path), NOTHING), FEW)
    assert interval(nothing.figures["AP"]) == (0, 0)
    path.write_text(json.dumps({**json.loads(path.read_text()), "annotations": []}))
    empty = bootstrap(read_split(read_coco(path), NOTHING), FEW)
    assert {interval(values) for values in empty.figures.values()} == {None}


def of_boxes(objects, found):
    """100 images with one box for each (image, label)."""
    truth, detections = (np.array(rows, int).reshape(-1, 2).T for rows in (objects, found))
    boxes, more = (np.tile([0.0, 0, 50, 50], (rows.shape[1], 1)) for rows in (truth, detections))
    return Split(
        tuple(str(label) for label in range(truth[1].max())),
        Truth(*truth, np.zeros(len(boxes), bool), boxes),
        Found(*detections, np.ones(len(more)), more),
        np.full(len(boxes), 2500.0), np.full(len(more), 2500.0), np.ones(100),
    )  # fmt: skip


def test_rare_classes_that_are_not_found_leave_ap_inside_its_interval():
    """A resample without them would have the higher mean of the other classes."""
    common = [(image, label) for image in range(100) for label in range(1, 6)]
    found = [(image, label) for image, label in common if (image + label) % 5]
    rare = [(label, label) for label in range(6, 21)]
    low, high = interval(bootstrap(of_boxes(common + rare, found)).figures["AP"])
    assert low < 5 * 81 / 101 / 20 < high


@pytest.mark.parametrize(("images", "known"), [(4, False), (5, True)])
def test_a_class_in_few_images_has_no_interval(images, known):
    objects = [(image, 1) for image in range(images)]
    found = bootstrap(of_boxes(objects, objects[1:]))
    assert (interval(found.classes[0]) is not None) == known
