import re
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.ground_truth import write_ground_truth
from ssdcore.core import progress
from ssdcore.core.errors import InputError
from ssdcore.data.conversion_report import notes
from ssdcore.data.convert import convert_split, read_split, repeated_files, require_usable
from ssdcore.data.images import phone_formats
from ssdcore.data.loader import spread_samples
from ssdcore.data.mindrecord import COLUMNS, find_shards, to_sample
from ssdcore.geometry.boxes import yxyx_to_xywh_px
from tests.coco_files import box, jpeg, write_coco
from tests.data.samples import extent_px, painted


@pytest.fixture
def faulty(tmp_path):
    """Six listed images, two of them intact; the clipped box is in one that is missing."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "good.jpg").write_bytes(jpeg(seed=1))
    (images / "empty.jpg").write_bytes(jpeg(seed=2))
    (images / "zero.jpg").write_bytes(b"")
    (images / "short.jpg").write_bytes(jpeg()[:-900])
    (images / "large.jpg").write_bytes(jpeg(90, 90))
    names = ["good.jpg", "missing.jpg", "empty.jpg", "zero.jpg", "short.jpg", "large.jpg"]
    path = write_coco(
        tmp_path / "a.json",
        [{"id": 10 + n, "file_name": name} for n, name in enumerate(names)],
        [box(10, 5, [8, 6, 16, 12], area="?"), box(10, 1, [0, 0, 40, 30], iscrowd=1),
         box(10, 1, [1, 1, 0, 0]), box(11, 1, [70, 1, 20, 5])],
    )  # fmt: skip
    return read_coco(path), images


def rows(shards):
    import mindspore.dataset as ds

    table = ds.MindDataset([str(p) for p in shards], list(COLUMNS), shuffle=False)
    return list(table.create_dict_iterator(num_epochs=1, output_numpy=True))


def test_every_image_is_written_or_has_a_reason(faulty, tmp_path):
    split, images = faulty
    conversion = convert_split(split, images, tmp_path / "out/val.mindrecord", shards=1)
    assert conversion.summary() == {
        "images": {
            "listed": 6, "kept": 2, "without_objects": 1, "sizes_from_files": 0,
            "skipped": {
                "file empty": 1, "file missing": 1, "image damaged or cut short": 1,
                "size differs from the annotation file's": 1,
            },
        },
        "boxes": {
            "listed": 4, "kept": 2, "clipped": 0, "crowd": 1, "area_from_box": 1,
            "in_skipped_images": 1, "dropped": {"box without area": 1},
        },
        "skipped_files": [
            {"file_name": "missing.jpg", "reason": "file missing", "boxes": 1, "image_id": 11},
            {"file_name": "zero.jpg", "reason": "file empty", "boxes": 0, "image_id": 13},
            {"file_name": "short.jpg", "reason": "image damaged or cut short", "boxes": 0,
             "image_id": 14},
            {"file_name": "large.jpg", "reason": "size differs from the annotation file's",
             "boxes": 0, "image_id": 15},
        ],
        "nearly_black": [],
        "ambiguous_orientation": [],
        "dropped_boxes": [
            {"reason": "box without area", "file_name": "good.jpg", "annotation_id": 3,
             "image_id": 10, "category_id": 1, "bbox": "[1, 1, 0, 0]"},
        ],
        "repaired_boxes": [
            {"reason": "area is no number of at least 0", "file_name": "good.jpg",
             "annotation_id": 1, "image_id": 10, "category_id": 5, "bbox": "[8, 6, 16, 12]"},
        ],
    }  # fmt: skip

    first, second = rows(find_shards(tmp_path / "out/val.mindrecord"))
    assert (first["image_id"], second["image_id"]) == (10, 12)
    sample = to_sample(first["image"], first["num_objects"], first["objects"])
    assert sample.rgb.shape == (60, 80, 3)
    assert sample.objects.labels.tolist() == [2, 1]
    assert sample.objects.crowd.tolist() == [False, True]
    assert sample.objects.boxes_yxyx[0] == pytest.approx([0.1, 0.1, 0.3, 0.3])
    empty = to_sample(second["image"], second["num_objects"], second["objects"]).objects
    assert empty.boxes_yxyx.shape == (0, 4)
    assert empty.labels.shape == (0,)


def test_sizes_that_are_all_swapped_are_named_with_those_of_the_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(60, 80))
    images = [{"id": 1, "file_name": "a.jpg", "height": 80, "width": 60}]
    split = read_coco(write_coco(tmp_path / "a.json", images, []))
    conversion = convert_split(split, tmp_path, tmp_path / "out/val.mindrecord", shards=1)
    message = (
        "none of 1 image, such as a.jpg: .*: 60 × 80 are listed, the file has 80 × 60.*swapped"
    )
    with pytest.raises(InputError, match=message):
        require_usable(conversion, tmp_path)


def test_what_to_run_once_heic_files_can_be_read_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    phone_formats.cache_clear()
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 99)
    split = read_coco(write_coco(tmp_path / "a.json", [{"id": 1, "file_name": "a.jpg"}], []))
    conversion = convert_split(split, tmp_path, tmp_path / "out/val.mindrecord", shards=1)
    phone_formats.cache_clear()
    said = "pip install pillow-heif to read it.*dvc repro --force convert, and dvc repro"
    with pytest.raises(InputError, match=said):
        require_usable(conversion, tmp_path)
    (line,) = notes(conversion, [], {})
    assert re.search(said, line)


@pytest.fixture
def of_a_microscope(tmp_path):
    """Converts PNG files of 16 bits per channel, whose highest values are given by name."""

    def run(**highest):
        for name, value in highest.items():
            levels = np.linspace(0, value, 60 * 80).reshape(60, 80).astype(np.uint16)
            (tmp_path / f"{name}.png").write_bytes(cv2.imencode(".png", levels)[1].tobytes())
        images = [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(highest, 1)]
        split = read_coco(write_coco(tmp_path / "a.json", images, []))
        return convert_split(split, tmp_path, tmp_path / "out/val.mindrecord", shards=1)

    return run


def test_images_of_12_bits_are_told(of_a_microscope):
    """Of 16 bits the upper 8 are kept, so nothing of them would be seen."""
    conversion = of_a_microscope(twelve=4095, thirteen=4096, sixteen=65535)
    assert conversion.summary()["nearly_black"] == ["twelve.png"]
    (line,) = notes(conversion, [], {})
    assert "1 image nearly black" in line
    assert "such as twelve.png" in line


def test_a_split_of_nearly_black_images_is_refused(of_a_microscope, tmp_path):
    with pytest.raises(InputError, match=r"2 images, all nearly black, such as a.png.*scale"):
        require_usable(of_a_microscope(a=4095, b=1023), tmp_path)
    require_usable(of_a_microscope(a=4095, b=4096), tmp_path)


def test_a_jpeg_of_small_lights_is_not_nearly_black(tmp_path):
    """Its check decodes it at an eighth, where they are as dark as the rest."""
    sky = np.zeros((2000, 3000, 3), np.uint8)
    sky[::100, ::100] = 255
    Image.fromarray(sky).save(tmp_path / "a.jpg", quality=95)
    listed = [{"id": 1, "file_name": "a.jpg", "height": 2000, "width": 3000}]
    split = read_coco(write_coco(tmp_path / "a.json", listed, []))
    assert convert_split(split, tmp_path, tmp_path / "x", 1).nearly_black == []


def test_a_dim_image_of_one_colour_is_not_nearly_black(tmp_path):
    """As of a fluorescent stain: blue has little weight in a grey level."""
    blue = np.zeros((60, 80, 3), np.uint8)
    blue[..., 2] = 100
    Image.fromarray(blue).save(tmp_path / "a.png")
    split = read_coco(write_coco(tmp_path / "a.json", [{"id": 1, "file_name": "a.png"}], []))
    assert convert_split(split, tmp_path, tmp_path / "x", 1).nearly_black == []


def test_orientations_that_the_listed_size_cannot_tell_are_named(tmp_path, rng):
    """Images that EXIF turns by 180°, mirrors, or lays on their side though they are square."""
    listed, stored = [], {}
    for orientation in range(1, 9):
        for name, hw in (("wide", (60, 80)), ("square", (64, 64))):
            exif, file_name = Image.Exif(), f"{name}{orientation}.png"
            exif[0x0112] = orientation
            stored[file_name] = rng.integers(0, 256, (*hw, 3), np.uint8)
            Image.fromarray(stored[file_name]).save(tmp_path / file_name, exif=exif)
            size = {"height": hw[0], "width": hw[1]}
            listed.append({"id": len(listed), "file_name": file_name, **size})
    split = read_split(write_coco(tmp_path / "a.json", listed, []), tmp_path)
    conversion = convert_split(split, tmp_path, tmp_path / "x", 1)
    expected = [f"{name}{n}.png" for n in range(2, 9)
                for name in ("wide", "square") if name == "square" or n < 5]  # fmt: skip
    assert conversion.summary()["ambiguous_orientation"] == expected
    (line,) = notes(conversion, [], {})
    assert line.startswith(
        "  10 images whose EXIF orientation the listed size does not show, used as stored, such as "
        "wide2.png, square2.png, wide3.png. If"
    )
    for image, row in zip(listed, rows(find_shards(tmp_path / "x")), strict=True):
        rgb = to_sample(row["image"], row["num_objects"], row["objects"]).rgb
        np.testing.assert_array_equal(rgb, stored[image["file_name"]])


def test_a_size_that_is_not_listed_is_that_of_the_upright_image(tmp_path):
    """As tools that write no size show it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 60)).save(tmp_path / "sideways.jpg", exif=exif)
    path = write_coco(
        tmp_path / "a.json",
        [{"id": 1, "file_name": "sideways.jpg", "height": None}],
        [box(1, 1, [15, 20, 30, 40])],
    )
    split = read_split(path, tmp_path)
    assert (split.images[0].height, split.images[0].width) == (80, 60)
    np.testing.assert_allclose(split.objects[1].boxes_yxyx, [[0.25, 0.25, 0.75, 0.75]])
    assert convert_split(split, tmp_path, tmp_path / "x", 1).kept == 1
    (row,) = rows(find_shards(tmp_path / "x"))
    assert to_sample(row["image"], row["num_objects"], row["objects"]).rgb.shape == (80, 60, 3)


def test_files_with_several_entries_are_found_in_one_split_and_across(tmp_path):
    def split(*names, first=1):
        images = [{"id": n, "file_name": name} for n, name in enumerate(names, start=first)]
        return read_coco(write_coco(tmp_path / "a.json", images, []))

    (tmp_path / "all/val").mkdir(parents=True)
    train = split("a.jpg", "./a.jpg", "ü.jpg", "val/b.jpg", "c.jpg", "")
    val = split("b.jpg", "c.jpg", "../ü.jpg", "", "", first=7)
    found = repeated_files({"train": (train, tmp_path / "all"), "val": (val, tmp_path / "all/val")})
    assert [one.image_ids for one in found] == [
        {"train": [1, 2]}, {"train": [3], "val": [9]}, {"train": [4], "val": [7]},
    ]  # fmt: skip
    assert str(found[0]) == "a.jpg (train 1, 2)"
    assert repeated_files({"train": (train, tmp_path / "x"), "val": (val, tmp_path / "y")}) == [
        found[0]
    ]


def test_the_number_of_threads_changes_no_byte(tmp_path):
    """Images of very different sizes, so threads finish out of order."""
    images, many = tmp_path / "images", 40
    images.mkdir()
    for n in range(many):
        side = 700 if n % 5 == 0 else 20
        (images / f"{n}.jpg").write_bytes(jpeg(side, side, n) if n % 7 else b"<html>")
    listed = [
        {"id": n, "file_name": f"{n}.jpg", "width": side, "height": side}
        for n in range(many)
        for side in [700 if n % 5 == 0 else 20]
    ]
    split = read_coco(write_coco(tmp_path / "a.json", listed, []))
    alone = convert_split(split, images, tmp_path / "a/x", 2, threads=1)
    together = convert_split(split, images, tmp_path / "b/x", 2, threads=3)
    assert together.summary() == alone.summary()
    assert [s.file_name for s in alone.skipped] == [f"{n}.jpg" for n in range(0, many, 7)]
    for a, b in zip(sorted((tmp_path / "a").iterdir()), (tmp_path / "b").glob("*"), strict=False):
        assert a.read_bytes() == (b.parent / a.name).read_bytes()
    order = [int(row["image_id"]) for row in rows(find_shards(tmp_path / "b/x"))]
    assert sorted(order) == [n for n in range(many) if n % 7]


def test_large_images_are_scaled_down_once_and_their_boxes_stay(tmp_path, rng):
    """A wide, a tall, a sideways and a small image."""
    hws = {1: (801, 1203), 2: (1000, 400), 3: (900, 700), 4: (90, 120)}
    samples = {id_: painted(rng, *hw) for id_, hw in hws.items()}
    sideways = Image.Exif()
    sideways[0x0112] = 6
    rows = []
    for id_, (rgb, objects) in samples.items():
        height, width = hws[id_]
        turned, exif = (np.rot90(rgb), sideways) if id_ == 3 else (rgb, None)
        Image.fromarray(turned).save(tmp_path / f"{id_}.jpg", quality=95, exif=exif or Image.Exif())
        boxes = yxyx_to_xywh_px(objects.boxes_yxyx, height, width)
        rows += [
            box(id_, int(label), xywh.tolist())
            for label, xywh in zip(objects.labels, boxes, strict=True)
        ]
    listed = [
        {"id": id_, "file_name": f"{id_}.jpg", "height": height, "width": width}
        for id_, (height, width) in hws.items()
    ]
    classes = [(label, str(label)) for label in (1, 2, 3)]
    split = read_coco(write_coco(tmp_path / "a.json", listed, rows, classes))
    found = {}
    for most in (None, 500):
        shards = tmp_path / f"at{most}/x"
        assert convert_split(split, tmp_path, shards, 1, max_side=most).kept == 4
        found[most] = dict(spread_samples(find_shards(shards), 4))
    assert {id_: one.rgb.shape[:2] for id_, one in found[500].items()} == {
        1: (333, 500), 2: (500, 200), 3: (500, 389), 4: (90, 120),
    }  # fmt: skip
    for id_, (rgb, objects) in found[500].items():
        np.testing.assert_array_equal(objects.boxes_yxyx, found[None][id_].objects.boxes_yxyx)
        small = np.array(rgb.shape[:2] * 2)
        for label, own in zip(objects.labels, objects.boxes_yxyx, strict=True):
            np.testing.assert_allclose(own * small, extent_px(rgb, label), atol=1)
    write_ground_truth(tmp_path / "truth.json", split)
    assert {image.id: (image.height, image.width) for image in
            read_coco(tmp_path / "truth.json").images} == hws  # fmt: skip
    np.testing.assert_array_equal(found[500][4].rgb, found[None][4].rgb)


def test_a_long_conversion_prints_its_progress(faulty, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    convert_split(*faulty, tmp_path / "x", shards=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "image 1/6: 0 left out"
    assert lines[5] == "image 6/6: 3 left out"


def test_strict_stops_at_the_first_skipped_image(faulty, tmp_path):
    split, images = faulty
    with pytest.raises(InputError, match=r"good\.jpg .* box 1: found 'area is no number"):
        convert_split(split._replace(dropped_boxes=()), images, tmp_path / "out/x", 1, strict=True)
    split = split._replace(dropped_boxes=(), repaired_boxes=())
    with pytest.raises(InputError) as error:
        convert_split(split, images, tmp_path / "out/x", 1, strict=True)
    for part in (str(images), "missing.jpg", "image 11", "file missing"):
        assert part in str(error.value)


def test_strict_accepts_intact_data(faulty, tmp_path):
    split, images = faulty
    whole = split._replace(images=split.images[::2][:2], dropped_boxes=(), repaired_boxes=())
    assert convert_split(whole, images, tmp_path / "x", 1, strict=True).kept == 2


def test_unusual_names_and_formats_are_stored(tmp_path):
    """A wrong suffix, a folder, another script, 16 bits, and names outside the folder."""
    images = tmp_path / "images"
    (images / "süß").mkdir(parents=True)
    (images / "süß" / "猫.png").write_bytes(jpeg(seed=1))
    deep = np.full((60, 80), 40_000, np.uint16)
    (images / "deep.jpg").write_bytes(cv2.imencode(".png", deep)[1].tobytes())
    (tmp_path / "secret.jpg").write_bytes(jpeg())
    names = ["süß/猫.png", "deep.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"), "süß", ""]
    listed = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    split = read_coco(write_coco(tmp_path / "a.json", listed, []))
    conversion = convert_split(split, images, tmp_path / "out/x", 1)
    assert conversion.kept == 2
    leaves = "file name leaves the image folder"
    reasons = [skipped.reason for skipped in conversion.skipped]
    assert reasons == [leaves, leaves, "file unreadable", "entry without file name"]
    stored = [to_sample(r["image"], r["num_objects"], r["objects"]).rgb
              for r in rows(find_shards(tmp_path / "out/x"))]  # fmt: skip
    assert stored[1][0, 0].tolist() == [156] * 3
