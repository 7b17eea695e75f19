"""Labels and proposals as a labelling tool's import, read back as the user's own data."""

from pathlib import PurePosixPath

import pytest

from ssdcore.coco.annotations import read_coco
from ssdcore.core import layout
from ssdcore.sources.coco_writer import Box
from ssdcore.sources.fetch import fetch
from ssdcore.sources.review_files import Suspect, reviewed_images, write_cvat, write_label_studio
from tests.coco_files import box, jpeg, write_coco
from tests.sources.settings import dataset

CLASSES = [(1, "cat"), (5, "dog & co")]
"""By id."""
BOXES = [(1, [10.5, 20.25, 30.125, 40]), (5, [0, 0, 80, 60]), (1, [33.333, 1 / 3, 12.3456, 7])]
"""By the id of the class."""
WITHIN_PX = 0.001
PROPOSED = Box("dog & co", (1.0, 2.0, 3.0, 4.0))


@pytest.fixture
def folder(tmp_path):
    """Returns a data set of two splits with images of the same names."""
    for split in layout.SPLITS:
        (tmp_path / "set" / split).mkdir(parents=True)
        for number in (1, 2):
            (tmp_path / f"set/{split}/{number}.jpg").write_bytes(jpeg(60, 80, number))
    return tmp_path / "set"


def reviewed(folder):
    """Returns the images of both splits with their labels, and one proposal in val."""
    found = []
    for split, shift in (("train", 0), ("val", 1)):
        rows = [box(n, id_, [x, y, w - shift, h]) for n in (1, 2) for id_, (x, y, w, h) in BOXES]
        rows.append(box(1, 1, [5, 5, 50, 50], iscrowd=1))
        images = [{"id": n, "file_name": f"{n}.jpg"} for n in (1, 2)]
        truth = read_coco(write_coco(folder.parent / f"{split}.json", images, rows, CLASSES))
        suspects = {2: [Suspect("other class cat dog & co", 0.75, PROPOSED, 0.9)]}
        only_val = suspects if split == "val" else {}
        found += reviewed_images(split, truth, PurePosixPath(split), [], only_val)
    return found


def read_back(folder, raw):
    """Returns the boxes by image as the stages read them from `dataset.local.path`."""
    boxes = {}
    for split in fetch(dataset("local", path=str(folder)), raw):
        content = read_coco(raw / layout.annotations(split).relative_to(layout.RAW))
        rows = content.annotations
        for image, label, xywh in zip(rows.image, rows.label, rows.boxes_xywh_px, strict=True):
            name = f"{split}: {content.images[image].file_name}"
            boxes.setdefault(name, []).append((content.classes[label - 1].name, xywh))
    return boxes


@pytest.mark.parametrize("tool", ["Label Studio", "CVAT"])
def test_a_round_trip_ends_in_the_same_boxes(folder, tmp_path, capsys, tool):
    images = reviewed(folder)
    if tool == "CVAT":
        write_cvat(folder / "review.xml", images, [name for _, name in CLASSES])
    else:
        write_label_studio(folder / "review.json", images, "/data/local-files/?d=my pets/")
    found = read_back(folder, tmp_path / "raw")
    assert f": {tool}" in capsys.readouterr().out
    expected = {f"{one.split}: {one.entry.file_name}": one.entry.boxes for one in images}
    assert set(found) == set(expected)
    for name, boxes in expected.items():
        assert [box.name for box in boxes] == [label for label, _ in found[name]]
        for box_, (_, xywh) in zip(boxes, found[name], strict=True):
            assert xywh == pytest.approx(box_.xywh_px, abs=WITHIN_PX)
    assert len(expected["train: train/1.jpg"]) == len(BOXES)  # without the crowd region


def test_what_cvat_exports_after_a_review_is_read_with_the_accepted_proposals(folder, tmp_path):
    """CVAT writes a head of its own, and keeps the source of each box."""
    path = folder / "review.xml"
    write_cvat(path, reviewed(folder), [name for _, name in CLASSES])
    text = path.read_text()
    start, end = text.index("<proposals>"), text.index("</proposals>") + len("</proposals>")
    path.write_text(text[:start] + text[end:])
    found = read_back(folder, tmp_path / "raw")["val: val/2.jpg"]
    assert found[-1][0] == PROPOSED.name
    assert found[-1][1] == pytest.approx(PROPOSED.xywh_px, abs=WITHIN_PX)
    assert len(found) == len(BOXES) + 1
