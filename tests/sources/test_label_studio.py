import json

import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import open_image_files
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.label_studio import read_label_studio
from tests.coco_files import jpeg

SIZE = {"original_width": 200, "original_height": 100}


def region(x, y, width, height, name="cat", **more):
    value = {"x": x, "y": y, "width": width, "height": height, "rectanglelabels": [name]}
    return {"type": "rectanglelabels", **SIZE, "value": value | more}


def task(image, *annotations, **more):
    return {"data": {"text": "a note", "image": image}, "annotations": [*annotations], **more}


@pytest.fixture
def reading(tmp_path):
    """Returns a function from tasks to what is read of them; there are three images."""
    for name in ("train/a.jpg", "val/a.jpg", "b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(100, 200))

    def read(content):
        (tmp_path / "tasks.json").write_text(json.dumps(content))
        with open_image_files(tmp_path) as files:
            return read_label_studio(files, str(tmp_path), ["tasks.json"])

    return read


def boxes(found):
    def rounded(box):
        return (box.name, *(round(side, 6) for side in box.xywh_px))

    return {entry.file_name: [*map(rounded, entry.boxes)] for entry in found.entries}


def test_the_latest_annotation_counts_and_predictions_do_not(reading):
    old, new = ({"result": [region(x, 0, 10, 10)], "updated_at": f"2024-0{x}"} for x in (1, 2))
    dropped = {"result": [region(9, 0, 10, 10)], "updated_at": "2025", "was_cancelled": True}
    guess = [{"result": [region(50, 50, 10, 10, "dog")]}]
    found = reading([task("b.jpg", new, old, dropped, predictions=guess)])
    assert boxes(found) == {"b.jpg": [("cat", 4, 0, 20, 10)]}


def test_a_task_that_nobody_has_annotated_is_not_used_and_an_empty_one_shows_nothing(reading):
    found = reading([task("train/a.jpg", predictions=[]), task("b.jpg", {"result": []})])
    assert boxes(found) == {"b.jpg": []}
    reasons = dict(found.rest.values())
    assert reasons == {
        "train/a.jpg": "image of a task without an annotation",
        "val/a.jpg": "image without a label file",
    }


def test_addresses_end_in_the_path_of_their_image(reading):
    local = "/data/local-files/?d=my%20photos/train/a.jpg"
    upload = "https://host/data/upload/3/0a1b2c3d-b.jpg"
    found = reading([task(local, {"result": []}), task(upload, {"result": [region(0, 0, 5, 5)]})])
    assert set(boxes(found)) == {"train/a.jpg", "b.jpg"}
    assert found.notes == ("2 images not at the path of the task, found by its end",)


def test_signed_addresses_and_names_that_an_upload_changed_are_found(reading, tmp_path):
    """Label Studio stores an upload with _ for spaces, and without brackets and the like."""
    (tmp_path / "bü c (1).jpg").write_bytes(jpeg())
    images = ("https://host/c/b.jpg?sv=1&sig=a%2Fb", "/data/upload/3/0a1b2c3d-bü_c_1.jpg")
    found = reading([task(image, {"result": []}) for image in images])
    assert set(boxes(found)) == {"b.jpg", "bü c (1).jpg"}


def test_a_rotated_box_is_the_box_around_it_and_other_regions_are_counted(reading):
    other = {"type": "polygonlabels", "value": {"points": [[0, 0]], "polygonlabels": ["cat"]}}
    quarter = region(50, 20, 10, 10, rotation=90)  # 20 × 10 pixels, clockwise around its corner
    found = reading([task("b.jpg", {"result": [quarter, other]})])
    assert boxes(found) == {"b.jpg": [("cat", 90, 20, 10, 20)]}
    assert found.notes == ("1 region not read: no boxes",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"data": {"text": "no image"}, "annotations": []}], "task 0: .* the path of an image"),
        ([task("b.jpg", {"result": [region("far", 0, 1, 1)]})], "task 0: .* in percent"),
        ([task("b.jpg", {"result": [region(0, 0, 1, 1, None)]})], "task 0: .* rectanglelabels"),
        ([[]], "task 0: .* the path of an image"),
    ],
)
def test_a_fault_names_the_task(reading, content, message):
    with pytest.raises(InputError, match=f"tasks.json: {message}"):
        reading(content)


def test_an_image_that_is_not_there_is_missing_and_leaves_no_folder(reading, tmp_path):
    found = reading([task("/data/upload/1/0123abcd-gone.jpg", {"result": [region(1, 2, 3, 4)]})])
    (entry,) = found.entries
    with (
        open_image_files(tmp_path) as files,
        pytest.raises(BrokenImageError, match=r"^file missing"),
    ):
        files.read(entry.file_name)
