import io

import pytest
from PIL import Image

from ssdcore.coco.annotations import CocoSplit, read_coco
from ssdcore.report.comparison.candidate import Detected
from ssdcore.report.comparison.images import SIDE, draw_images, shared_images
from tests import coco_files
from tests.coco_files import write_coco
from tests.report.grey_images import row, table, write_split

BOX = [10, 10, 30, 20]


@pytest.fixture
def split_of(tmp_path):
    def make(images, categories=((7, "cat"), (9, "dog")), box=BOX) -> CocoSplit:
        """Images by id with a category each, 1.png, 2.png, … in this order."""
        rows = [coco_files.box(id_, category, box) for id_, category in images.items()]
        listed = [{"id": id_, "file_name": f"{n}.png"} for n, id_ in enumerate(images, start=1)]
        return read_coco(write_coco(tmp_path / "val.json", listed, rows, categories))

    return make


@pytest.fixture
def folder(tmp_path):
    return write_split(tmp_path / "val", 3).folder


def detected(split: CocoSplit, *image_ids: int, score: float = 0.9) -> Detected:
    return Detected(split, table(*(row(id_, score, BOX) for id_ in image_ids)), "val")


def test_images_are_the_same_by_name_size_and_objects(split_of):
    one = split_of({1: 7, 2: 7, 3: 9})
    renumbered = split_of({5: 8, 6: 9, 4: 9}, categories=((8, "cat"), (9, "dog")))
    assert [tuple(image.id for image in same) for same in shared_images([one, renumbered])] == [
        (1, 5),
        (3, 4),
    ]
    assert shared_images([one, split_of({1: 7, 2: 7, 3: 9}, box=[10, 10, 30, 21])]) == []


def test_the_largest_difference_comes_first(split_of, folder):
    split = split_of({1: 7, 2: 7, 3: 7})
    candidates = {0: (detected(split, 1, 2), 0.5), 2: (detected(split, 1), 0.5)}
    drawn = draw_images(candidates, folder, 2)
    assert [one.name for one in drawn] == ["2.png", "1.png"]
    assert [panel.candidate for panel in drawn[0].panels] == [0, 2]
    tallies = [(panel.tally.hits, panel.tally.misses) for panel in drawn[0].panels]
    assert tallies == [(1, 0), (0, 1)]


def test_each_candidate_has_its_own_threshold(split_of, folder):
    split = split_of({1: 7})
    candidates = {
        0: (detected(split, 1, score=0.3), 0.25),
        1: (detected(split, 1, score=0.3), 0.35),
        2: (detected(split), 0.5),
    }
    (drawn,) = draw_images(candidates, folder, 5)
    assert [panel.tally.hits for panel in drawn.panels] == [1, 0, 0]
    jpegs = [panel.jpeg for panel in drawn.panels]
    assert jpegs[0] != jpegs[1]
    assert jpegs[1] == jpegs[2]
    assert drawn.truth not in jpegs
    assert [panel.threshold for panel in drawn.panels] == [0.25, 0.35, 0.5]
    assert Image.open(io.BytesIO(drawn.truth)).size == (SIDE, SIDE * 60 // 80)


def test_unreadable_images_are_skipped(split_of, folder):
    split = split_of({1: 7, 2: 7, 3: 7})
    (folder / "1.png").write_bytes(b"broken")
    (folder / "3.png").unlink()
    candidates = {0: (detected(split, 1), 0.5), 1: (detected(split, 3), 0.5)}
    assert [one.name for one in draw_images(candidates, folder, 3)] == ["2.png"]
