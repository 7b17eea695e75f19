"""A few hundred of COCO 2017's own images with their official annotations, where they are."""

import json
from pathlib import Path

import numpy as np
import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.data.convert import convert_split
from ssdcore.data.mindrecord import COLUMNS, find_shards, to_sample

REAL = Path(__file__).parents[3] / "shared/data/coco_real"
COUNTS = {"train": (160, 1444, 14), "val": (158, 1424, 16)}
"""Images, boxes and crowd regions among them."""

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="real COCO images are not here")


@pytest.mark.parametrize("name", COUNTS)
def test_no_image_or_box_is_lost(name, tmp_path):
    import mindspore.dataset as ds

    images, boxes, crowds = COUNTS[name]
    path = REAL / f"annotations/instances_{name}.json"
    split = read_coco(path)
    conversion = convert_split(split, REAL / "images" / name, tmp_path / "x", 1)
    nobody = {"skipped": {}, "without_objects": 0, "sizes_from_files": 0}
    assert conversion.summary() == {
        "images": {"listed": images, "kept": images, **nobody},
        "boxes": {
            "listed": boxes, "kept": boxes, "clipped": 0, "crowd": crowds,
            "area_from_box": 0, "in_skipped_images": 0, "dropped": {},
        },
        "skipped_files": [],
        "nearly_black": [],
        "ambiguous_orientation": [],
        "dropped_boxes": [],
        "repaired_boxes": [],
    }  # fmt: skip
    assert len(split.classes) == 80
    assert (split.classes[0], split.classes[79]) == ((1, "person"), (90, "toothbrush"))

    table = ds.MindDataset([str(p) for p in find_shards(tmp_path / "x")], list(COLUMNS))
    content = json.loads(path.read_text())
    listed = {image["id"]: image for image in content["images"]}
    rows = {image_id: [] for image_id in listed}
    for annotation in content["annotations"]:
        rows[annotation["image_id"]].append(annotation)
    for row in table.create_dict_iterator(num_epochs=1, output_numpy=True):
        image = listed.pop(int(row["image_id"]))
        sample = to_sample(row["image"], row["num_objects"], row["objects"])
        height, width = sample.rgb.shape[:2]
        assert (height, width) == (image["height"], image["width"])
        annotations = rows[image["id"]]
        assert sample.objects.crowd.tolist() == [a["iscrowd"] == 1 for a in annotations]
        ids = [split.classes[label - 1].id for label in sample.objects.labels]
        assert ids == [a["category_id"] for a in annotations]
        x, y, w, h = np.array([a["bbox"] for a in annotations]).T
        corners_px = sample.objects.boxes_yxyx * [height, width, height, width]
        np.testing.assert_allclose(corners_px, np.stack([y, x, y + h, x + w], axis=1), atol=1e-3)
    assert listed == {}
