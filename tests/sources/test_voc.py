import pytest

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import open_image_files
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.voc import Voc, class_names
from tests.coco_files import jpeg
from tests.sources.archives import make_folder, make_zip, voc_xml

A = voc_xml("a.jpg", [("cat", (10, 20, 30, 25)), ("süßer Hund", (0.5, 1.5, 80, 60))])
IMAGE_A = ImageEntry(
    "JPEGImages/a.jpg", 60, 80,
    (Box("cat", (10, 20, 20, 5)), Box("süßer Hund", (0.5, 1.5, 79.5, 58.5))),
)  # fmt: skip
TREE = {
    "Annotations/a.xml": A,
    "Annotations/b c.xml": voc_xml("b c.jpg", []),
    "JPEGImages/a.jpg": jpeg(),
    "JPEGImages/b c.jpg": jpeg(),
    "ImageSets/Main/train.txt": "b c\n\n  a  \n",
    "ImageSets/Main/ungood.txt": "a\n\nc\n",
    "ImageSets/Layout/val.txt": "a",
}


def everything(root, images=None):
    with open_image_files(root) as files, open_image_files(images or root) as image_files:
        return Voc(files, str(root), image_files).everything().entries


def listed(root, name):
    with open_image_files(root) as files:
        return Voc(files, str(root), files).listed(name).entries


def error(root, **files):
    with pytest.raises(InputError) as caught:
        everything(make_folder(root, {**TREE, **files}))
    return str(caught.value)


def one(tmp_path, xml, **more):
    return everything(make_folder(tmp_path / "one", {"Annotations/a.xml": xml, **more}))[0]


@pytest.mark.parametrize("kind", ["folder", "zip", "zip with a top folder"])
def test_boxes_and_sizes(tmp_path, kind):
    if kind == "folder":
        root = make_folder(tmp_path / "voc", TREE)
    else:
        root = make_zip(tmp_path / "v.zip", TREE, "VOC2007/" if "top" in kind else "")
    image_files = everything(root)
    assert image_files == [IMAGE_A, ImageEntry("JPEGImages/b c.jpg", 60, 80, ())]
    assert class_names([image_files]) == ["cat", "süßer Hund"]
    assert [image.file_name for image in listed(root, "train")] == [
        "JPEGImages/b c.jpg", "JPEGImages/a.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "lists"),
    [
        ("train val test", {"train": "train", "val": "val", "test": "test"}),
        ("train val trainval", {"train": "train", "val": "val"}),
        ("trainval train test", {"": "trainval", "test": "test"}),
        ("trainval val", {"": "trainval"}),
        ("train", {"": "train"}),
        ("val test", {}),
        ("train val- test-", {"": "train"}),  # with - for an empty list
    ],
)
def test_only_lists_in_main_count_and_what_is_missing_is_left_to_shares(tmp_path, names, lists):
    tree = {name: text for name, text in TREE.items() if "/Main/" not in name}
    for name in names.split():
        tree[f"ImageSets/Main/{name.rstrip('-')}.txt"] = "\n" if name.endswith("-") else "a"
    with open_image_files(make_folder(tmp_path / "voc", tree)) as files:
        assert Voc(files, "voc", files).lists() == lists


@pytest.mark.parametrize("top", ["", "voc2007/"])
def test_folders_in_lower_case_have_lists(tmp_path, top):
    files = {f"{top}annotations/a/1.xml": one_box("cat"), f"{top}annotations/b/1.xml": A}
    files |= {f"{top}jpegimages/a/1.jpg": jpeg(), f"{top}imagesets/main/train.txt": "a/1"}
    entries = listed(make_folder(tmp_path / "set", files), "train")
    assert [image.file_name for image in entries] == [f"{top}jpegimages/a/1.jpg"]
    entries += everything(make_folder(tmp_path / "set", {"c/annotations/c.xml": A}))
    assert len(entries) == 3  # several folders of annotations are read


def test_a_folder_of_xml_files_alone(tmp_path):
    root = make_folder(tmp_path / "xml", {"a.xml": A, "x/b.xml": voc_xml("b.jpg", [])})
    images = make_folder(tmp_path / "images", {"a.jpg": jpeg()})
    assert [p.file_name for p in everything(root, images)] == ["a.jpg", "b.jpg"]


def boxes_and_rest(tmp_path, files, list_name=None):
    """Returns the class on each image, and the files that are not used."""
    with open_image_files(make_folder(tmp_path / "set", files)) as opened:
        voc = Voc(opened, "set", opened)
        reading = voc.listed(list_name) if list_name else voc.everything()
    found = {image.file_name: image.boxes[0].name for image in reading.entries}
    return found, dict(sorted(reading.rest.values()))


def one_box(kind, file_name="1.jpg", folder="x"):
    return voc_xml(file_name, [(kind, (1, 2, 3, 4))]).replace("<folder>x", f"<folder>{folder}")


ALONE, NO_XML = "XML file without an image of its own", "image without an XML file"


@pytest.mark.parametrize(
    ("files", "found", "rest"),
    [
        (
            {"Annotations/a/1.xml": "cat", "Annotations/b/1.xml": "dog", "JPEGImages/a/1.jpg": "",
             "JPEGImages/b/1.jpg": ""},
            {"JPEGImages/a/1.jpg": "cat", "JPEGImages/b/1.jpg": "dog"}, {},
        ),
        (
            {"labelled/1.xml": "cat", "labelled/1.jpg": "", "other/1.jpg": ""},
            {"labelled/1.jpg": "cat"}, {"other/1.jpg": NO_XML},
        ),
        (
            {"Annotations/1.xml": "cat", "x/1.jpg": "", "y/1.jpg": ""},  # <folder>x</folder>
            {"x/1.jpg": "cat"}, {"y/1.jpg": NO_XML},
        ),
        (
            {"Annotations/1.xml": "cat", "y/1.jpg": "", "z/1.jpg": ""},
            {}, {"Annotations/1.xml": ALONE, "y/1.jpg": NO_XML, "z/1.jpg": NO_XML},
        ),
        (
            {"a/1.xml": "cat", "b/1.xml": "dog", "b/2.xml": "dog", "b/2.jpg": "", "a/1.jpg": ""},
            {"a/1.jpg": "cat", "b/2.jpg": "dog"}, {"b/1.xml": ALONE},
        ),
        (
            {"Annotations/IMG_1.xml": "cat", "JPEGImages/img_1.JPG": "", "more/1.xml": "dog"},
            {"JPEGImages/img_1.JPG": "cat"}, {"more/1.xml": "XML file outside Annotations"},
        ),
        (
            {"1.xml": "cat", "1.jpg": "", "2.xml": "<annotations/>"},
            {"1.jpg": "cat"}, {"2.xml": "XML file that is no VOC annotation"},
        ),
    ],
    ids=["same subfolders", "own folder", "by <folder>", "ambiguous", "second XML", "letter case",
         "another kind"],
)  # fmt: skip
def test_images_of_the_same_name_and_xml_in_subfolders(tmp_path, files, found, rest):
    files = {
        name: (kind if "<" in kind else one_box(kind)) if kind else jpeg()
        for name, kind in files.items()
    }
    assert boxes_and_rest(tmp_path, files) == (found, rest)


def test_lists_name_files_in_subfolders_and_the_others_are_named(tmp_path):
    files = {f"Annotations/{name}.xml": one_box("cat") for name in ("a/1", "b/1", "2", "b/3")}
    files |= {f"JPEGImages/{name}.jpg": jpeg() for name in ("a/1", "b/1", "2", "b/3")}
    files |= {"Annotations/a/2.xml": one_box("dog"), "ImageSets/Main/train.txt": "b/1\n3\n2\n"}
    found, rest = boxes_and_rest(tmp_path, files, "train")
    assert list(found) == ["JPEGImages/b/1.jpg", "JPEGImages/b/3.jpg", "JPEGImages/2.jpg"]
    reason = "XML file in no list"
    assert rest == {"Annotations/a/1.xml": reason, "Annotations/a/2.xml": reason}
    (tmp_path / "set/ImageSets/Main/train.txt").write_text("2\n1\n")
    with pytest.raises(InputError, match=r"train\.txt, line 2: found .*1 for .*a/1\.xml.*b/1\.xml"):
        listed(tmp_path / "set", "train")


@pytest.mark.parametrize("named", ["old name.jpg", "C:\\Users\\me\\a.jpg", "/home/me/a.jpg", ""])
def test_a_renamed_image_is_found_by_the_annotations_name(tmp_path, named):
    image = one(tmp_path, voc_xml(named, []), **{"JPEGImages/a.jpg": jpeg()})
    assert image.file_name == "JPEGImages/a.jpg"


def test_a_missing_image_is_listed_for_convert_to_count(tmp_path):
    assert one(tmp_path, voc_xml("gone.jpg", [])) == ImageEntry("gone.jpg", 60, 80, ())


@pytest.mark.parametrize("size", [None, (0, 0)])
def test_a_missing_size_is_read_from_the_image(tmp_path, size):
    plain = one(tmp_path, voc_xml("a.jpg", [], size), **{"p/a.jpg": jpeg(50, 70)})
    assert (plain.height, plain.width) == (50, 70)
    broken = one(tmp_path, voc_xml("a.jpg", [], size), **{"p/a.jpg": b"no image"})
    assert (broken.height, broken.width) == (1, 1)


def test_boxes_without_area_are_kept_for_convert_to_count(tmp_path):
    assert one(tmp_path, voc_xml("a.jpg", [("cat", (5, 6, 5, 6))])).boxes[0].xywh_px == (5, 6, 0, 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<xmin>10</xmin>", "<xmin>ten</xmin>", "line 9: found 'ten', expected a number in <xmin>"),
        ("<ymax>25</ymax>", "", "line 9: found None, expected a number in <ymax>"),
        ("bndbox", "polygon", "line 9: found 'an object without box'"),
        ("<name>cat</name>", "<name> </name>", "line 9: found 'an object without name'"),
        ("</annotation>", "", "line 11: found 'no element found', expected well-formed XML"),
        ("<object><name>cat", "<x><object/></x><object><name>cat", "line 9: found '<object>'"),
        ("<bndbox><xmin>10", "<bndbox/><bndbox><xmin>10", "line 9: found 'an object with 2 boxes'"),
    ],
)
def test_mistakes_are_named_with_file_and_line(tmp_path, old, new, message):
    assert old in A
    actual = error(tmp_path / "voc", **{"Annotations/a.xml": A.replace(old, new)})
    assert actual.startswith(f"{tmp_path}/voc/Annotations/a.xml, {message}")


def test_mistakes_in_a_list(tmp_path):
    root = make_folder(tmp_path / "voc", TREE)
    with pytest.raises(InputError, match=r"Main/ungood\.txt, line 3: found 'c'"):
        listed(root, "ungood")
    with pytest.raises(InputError, match=r"Main/none\.txt: found 'file missing'"):
        listed(root, "none")
    (root / "ImageSets/Main/train.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"Main/train\.txt: .*UTF-8"):
        listed(root, "train")


def test_a_folder_without_voc_files_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"empty: found 'no XML file'.*folder that contains Annot"):
        everything(make_folder(tmp_path / "empty", {"a.txt": ""}))
    both = {"VOC2007/Annotations/a.xml": A, "VOC2012/Annotations/b.xml": A}
    with pytest.raises(InputError, match=r"two: found .*VOC2007/Annotations.*VOC2012/Annotations"):
        everything(make_folder(tmp_path / "two", both))
