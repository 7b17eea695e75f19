import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ssdcore.coco.ground_truth import write_ground_truth
from ssdcore.data.convert import convert_split, read_split
from ssdcore.data.mindrecord import COLUMNS, find_shards
from tests.coco_files import box, jpeg, write_coco

FILES = {"whole.jpg": jpeg(), "turned.jpg": jpeg(80, 60), "empty.jpg": b"",
         "cut.jpg": jpeg()[:-900], "page.jpg": b"<html>", "ü/b c.jpg": jpeg(seed=1)}  # fmt: skip
ODD = st.sampled_from([None, "", "text", float("nan"), -1, True, [1], {}, "7", 2.5, 10**400])

image_entries = st.fixed_dictionaries(
    {"file_name": st.sampled_from([*FILES, "missing.jpg", "../out.jpg", "", None, 7])},
    optional={"width": ODD | st.just(60), "height": ODD | st.just(80)},
)
coordinates = st.floats(-30, 120) | st.integers(-30, 120) | st.sampled_from([0, 10, 1e-9]) | ODD
boxes = st.lists(coordinates, min_size=4, max_size=4) | st.just([10, 10, 20, 20])
annotations = st.builds(
    lambda image, category, bbox, more: box(image, category, bbox, **more),
    st.integers(0, 7) | ODD,
    st.sampled_from([1, 5, "1", 5.0]) | ODD,
    boxes | ODD,
    st.fixed_dictionaries(
        {}, optional={"iscrowd": st.sampled_from([0, 1, "true"]) | ODD, "area": st.just(9) | ODD}
    ),
)


def written(shards):
    """The number of objects, and of crowd regions among them, by image id, from the shards."""
    import mindspore.dataset as ds

    table = ds.MindDataset([str(p) for p in shards], list(COLUMNS), shuffle=False)
    rows = table.create_dict_iterator(num_epochs=1, output_numpy=True)
    return {int(r["image_id"]): (int(r["num_objects"]), r["objects"][:, 5].sum()) for r in rows}


@settings(max_examples=25, deadline=None)
@given(st.lists(image_entries, max_size=6), st.lists(annotations, max_size=25))
def test_nothing_is_lost(images, rows):
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file_name, data in FILES.items():
            (folder / file_name).parent.mkdir(exist_ok=True)
            (folder / file_name).write_bytes(data)
        listed = [{"file_name": "whole.jpg"}, *images]  # one can be converted
        listed = [{"id": number, **image} for number, image in enumerate(listed)]
        rows = [box(0, 1, [10, 10, 30, 30]), *rows]  # not all are less than a pixel
        split = read_split(write_coco(folder / "a.json", listed, rows), folder)
        summary = convert_split(split, folder, folder / "x", 1, threads=1).summary()
        write_ground_truth(folder / "b.json", split)
        truth = json.loads((folder / "b.json").read_text())
        objects = written(find_shards(folder / "x"))

    counted = summary["images"]
    skipped = {file["image_id"]: file["boxes"] for file in summary["skipped_files"]}
    assert objects.keys() | skipped.keys() == set(range(len(listed)))
    assert counted["listed"] == len(listed) == counted["kept"] + sum(counted["skipped"].values())
    assert (counted["kept"], sum(counted["skipped"].values())) == (len(objects), len(skipped))

    counted = summary["boxes"]
    assert [counted["kept"], counted["crowd"]] == np.sum([*objects.values()], axis=0).tolist()
    assert counted["in_skipped_images"] == sum(skipped.values())
    dropped = Counter(one["reason"] for one in summary["dropped_boxes"])
    assert counted["dropped"] == dict(dropped)
    assert counted["listed"] == len(rows)
    assert len(rows) == counted["kept"] + counted["in_skipped_images"] + sum(dropped.values())

    assert [image["id"] for image in truth["images"]] == list(range(len(listed)))
    unknown = {one["annotation_id"] for one in summary["dropped_boxes"]}
    stay = Counter(int(r["image_id"]) for n, r in enumerate(rows, start=1) if n not in unknown)
    of_unknown_size = {
        image["id"] for image in truth["images"] if not image["height"] or not image["width"]
    }
    in_truth = Counter(row["image_id"] for row in truth["annotations"])
    assert stay == Counter({k: n for k, n in in_truth.items() if k not in of_unknown_size})
    assert of_unknown_size <= skipped.keys()
