import io
from collections import defaultdict

import pytest
from PIL import Image

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import open_image_files
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.yolo import read_names, read_yolo
from tests.coco_files import jpeg
from tests.sources.archives import make_folder, make_zip

NAMES = ["cat", "süßer Hund"]
YAML = "train: images/train\nnames:\n  0: cat\n  1: süßer Hund\n"
TREE = {
    "data.yaml": YAML,
    "images/train/a.jpg": jpeg(60, 80),
    "images/train/ü b.PNG": jpeg(20, 10),
    "images/train/notes.txt": "",
    "images/val/a.jpg": jpeg(40, 40),
    "labels/train/a.txt": "1 0.5 0.5 0.25 0.5\n\n0 0.125 0.25 0.25 0.5\n",
    "labels/train/ü b.txt": "",
    "labels/val/a.txt": "0 0.5 0.5 1 1",
}
BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join(f'*{before}' for _ in range(9))}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
) + "names: *i\n"  # fmt: skip
A = ImageEntry(
    "a.jpg", 60, 80, (Box("süßer Hund", (30, 15, 20, 30)), Box("cat", (0, 0, 20, 30)))
)  # fmt: skip


def names(tmp_path, **files):
    with open_image_files(make_folder(tmp_path / "n", files)) as opened:
        return read_names(opened, "where")


def read(root, images, inner=""):
    return reading(root, images, inner).entries


def reading(root, images, inner=""):
    with open_image_files(root) as files, open_image_files(images) as image_files:
        return read_yolo(files, "where", image_files, inner, NAMES)


def test_ultralytics_layout(tmp_path):
    root = make_folder(tmp_path / "yolo", TREE)
    train = read(root, root / "images/train", "images/train")
    assert train == [A, ImageEntry("ü b.PNG", 20, 10, ())]
    (val,) = read(root, root / "images/val", "images/val")
    assert val == ImageEntry("a.jpg", 40, 40, (Box("cat", (0, 0, 40, 40)),))


def test_images_in_a_separate_archive(tmp_path):
    root = make_folder(tmp_path / "yolo", {"labels/a.txt": TREE["labels/train/a.txt"]})
    images = make_zip(tmp_path / "p.zip", {"images/a.jpg": jpeg(60, 80), "images/z.jpg": jpeg()})
    assert read(root, images) == [A, ImageEntry("z.jpg", 60, 80, ())]


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/IMG_1.jpg", "labels/img_1.txt"),
        ("images/a.jpg", "labels/A.TXT"),
        ("Images/a.jpg", "Labels/a.txt"),
        ("two/images/a.jpg", "two/images/a.txt"),
        ("one/a.jpg", "one/a.txt"),
        ("images/\u00fc.jpg", "labels/u\u0308.txt"),
        ("images/images/a.jpg", "images/labels/a.txt"),
        ("images/a.jfif", "labels/a.txt"),
    ],
)
def test_a_label_is_found_beside_the_image_and_in_other_letter_case(tmp_path, image, label):
    files = {image: jpeg(60, 80), label: TREE["labels/train/a.txt"]}
    root = make_zip(tmp_path / "y.zip", {**files, "classes.txt": "x"})
    assert read(root, root) == [A._replace(file_name=image)]


def test_an_outline_becomes_the_box_around_it(tmp_path):
    files = {"a.jpg": jpeg(60, 80), "a.txt": "1 0.5 0.25 0.75 0.5 0.25 0.75 0.5 0.5"}
    (image,) = read(*[make_folder(tmp_path / "yolo", files)] * 2)
    assert image.boxes == (Box("süßer Hund", (20, 15, 40, 30)),)


def test_what_fits_no_image_is_named(tmp_path):
    text = TREE["labels/train/a.txt"]
    files = {
        "images/a.jpg": jpeg(60, 80), "images/a.png": jpeg(), "images/b.jpg": jpeg(),
        "images/Cc.jpg": jpeg(), "images/A.jpg": jpeg(), "labels/a.txt": text, "images/a.txt": text,
        "labels/b.jpg.txt": text, "labels/cC.txt": text, "labels/CC.txt": text, "d/e.txt": "",
        "classes.txt": "\n".join(NAMES), "README.txt": "made by hand", "train.txt": "images/a.jpg",
        "labels/classes.txt": "cat\nsüßer Hund\n", "labels/Data.yaml": "names: [dog]",
    }  # fmt: skip
    root = make_zip(tmp_path / "y.zip", files)
    found = reading(root, root)
    assert [image.file_name for image in found.entries if image.boxes] == ["images/a.jpg"]
    assert found.unlabelled == ["images/A.jpg", "images/Cc.jpg", "images/b.jpg"]
    reasons = defaultdict(list)
    for name, reason in found.rest.values():
        reasons[reason].append(name)
    assert reasons == {
        "second image of a label file": ["images/a.png"],
        "file of other class names": ["labels/Data.yaml"],
        "label file without an image of its own": [
            "d/e.txt", "images/a.txt", "labels/CC.txt", "labels/b.jpg.txt", "labels/cC.txt",
        ],
    }  # fmt: skip


def test_boxes_refer_to_the_upright_image(tmp_path):
    rotated = Image.Exif()
    rotated[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (80, 60)).save(file, "JPEG", exif=rotated)
    files = {"a.jpg": file.getvalue(), "a.txt": "0 0.5 0.5 1 0.5"}
    root = make_folder(tmp_path / "yolo", files)
    boxes = (Box("cat", (0, 20, 60, 40)),)
    assert read(root, root) == [ImageEntry("a.jpg", 80, 60, boxes, turn_upright=True)]


def test_a_broken_image_is_listed_for_convert_to_count(tmp_path):
    files = {"images/a.jpg": b"", "images/b.jpg": jpeg(), "labels/b.txt": ""}
    root = make_folder(tmp_path / "yolo", files)
    assert read(root, root)[0] == ImageEntry("images/a.jpg", 1, 1, ())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 0.5 0.5 0.1 0.1", "found '2', expected a class from 0 to 1"),
        ("0.5 0.5 0.5 0.1 0.1", "found '0.5', expected a class"),
        ("nan 0.5 0.5 0.1 0.1", "found 'nan', expected a class"),
        ("cat 0.5 0.5 0.1 0.1", "expected five numbers"),
        ("0 0.5 0.5 0.1", "expected five numbers: class cx cy width height, or a class and an"),
        ("0 0.1 0.1 0.2 0.1 0.2 1.2", "as fractions of the image, 0 to 1"),
        ("0 40 30 20 10", "expected centre and size as fractions"),
        ("0 0.5 0.5 nan 0.1", "expected centre and size as fractions"),
        ("0 -0.02 0.5 0.1 0.1", "expected centre and size as fractions"),
    ],
)
def test_mistakes_are_named_with_file_and_line(tmp_path, line, message):
    files = {**TREE, "labels/train/a.txt": f"0 0.5 0.5 1.005 1\n\n{line}\n"}
    root = make_folder(tmp_path / "yolo", files)
    with pytest.raises(InputError) as error:
        read(root, root)
    assert error.value.where == "where/labels/train/a.txt, line 3"
    assert message in str(error.value)


def test_a_huge_label_file_is_refused(tmp_path):
    root = make_folder(tmp_path / "yolo", {"a.jpg": jpeg(), "a.txt": " " * (65 << 20)})
    with pytest.raises(InputError, match=r"where/a\.txt: found '68157440 bytes'"):
        read(root, root)


def test_labels_without_images_are_refused(tmp_path):
    root = make_folder(tmp_path / "yolo", {"images/a.jpg": jpeg(), "labels/b.txt": ""})
    with pytest.raises(InputError, match=r"labels of none of 1 image such as images/a\.jpg"):
        read(root, root)
    with pytest.raises(InputError, match="labels of none of 0 images"):
        read(root, make_folder(tmp_path / "none", {"x.txt": ""}))


@pytest.mark.parametrize(
    "files",
    [
        {"data.yaml": YAML},
        {"data.yaml": "names:\n- cat\n- süßer Hund\nnc: 2"},
        {"classes.txt": "cat\nsüßer Hund\n\n"},
        {"labels/classes.txt": "cat\nsüßer Hund"},
        {"obj.names": "cat\r\nsüßer Hund"},
        {"classes.txt": "\ufeffcat\nsüßer Hund"},
        {"data.yaml": YAML, "classes.txt": "x"},
        {"classes.txt": "cat\nsüßer Hund", "train/data.yaml": "names: [x]"},
    ],
)
def test_names_by_number(tmp_path, files):
    assert names(tmp_path, **files) == NAMES


def test_names_are_taken_as_written(tmp_path):
    words = ["02146", "1.10", "1e3", "null", "true", "no", "0x1F", "~", "1:30", "2001-99-99", "1_0"]
    for text in (f"names: [{', '.join(words)}]", "names:\n" + "".join(f"- {w}\n" for w in words)):
        assert names(tmp_path, **{"data.yaml": text}) == words
    numbered = "".join(f"  {n}: {word}\n" for n, word in enumerate(words))
    assert names(tmp_path, **{"data.yaml": f"names:\n{numbered}"}) == words
    tagged = "names: [!!int abc, !!python/object/apply:os.system x, &a '1', 'süß: #']"
    assert names(tmp_path, **{"data.yaml": tagged}) == ["abc", "x", "1", "süß: #"]


def test_more_than_ten_numbered_names(tmp_path):
    text = "names:\n" + "".join(f"  {n}: n{n}\n" for n in reversed(range(12)))
    assert names(tmp_path, **{"data.yaml": text}) == [f"n{n}" for n in range(12)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": ""}, "where: found 'no file of class names'"),
        ({"data.yaml": "names: {0: a, 2: b}"}, "found 'no name, or several, of class 1'"),
        ({"data.yaml": "names: [a, a]"}, "where/data.yaml: found 'a for classes 0 and 1'"),
        ({"data.yaml": "nc: 2"}, "where/data.yaml: found 'no list of names'"),
        ({"data.yaml": "names: {0: a, 1: b, 1: c}"}, "found 'no name, or several, of class 1'"),
        ({"data.yaml": "names: [a]\nnames: [b]"}, "data.yaml, line 2: found 'names for the second"),
        ({"data.yaml": "names: [a"}, "expected valid YAML"),
        ({"data.yaml": "names: " + "[" * 500 + "]" * 500}, "where/data.yaml: found"),
        ({"data.yaml": "names: [x" + ", x" * 99_999 + "]"}, "at most 262144 bytes"),
        ({"classes.txt": "x\n" * 200_000}, "at most 262144 bytes"),
        ({"data.yaml": BOMB}, "found 'no name, or several, of class 0'"),
        ({"classes.txt": "a\n\nb\n"}, "found 'no name, or several, of class 1'"),
        ({"classes.txt": b"\xff"}, "expected a readable text in UTF-8"),
    ],
)
def test_invalid_names_are_refused(tmp_path, files, message):
    with pytest.raises(InputError) as error:
        names(tmp_path, **files)
    assert message in str(error.value)
