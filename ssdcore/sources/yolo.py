"""Reads YOLO: a text file per image, a line per object with class, centre and size as fractions.

A line with the corners of an outline instead, as for segmentation, becomes the box around it.

The label file of an image has the same path with `labels` instead of `images` and the suffix
`.txt`, as in exports of Ultralytics and Roboflow: `images/train/a.jpg` and `labels/train/a.txt`,
or `train/images/a.jpg` and `train/labels/a.txt`. It may also lie beside the image, or differ in
letter case. An image without a label file has no objects.
"""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path, PurePosixPath

import yaml  # type: ignore[import-untyped]

from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted, say
from ssdcore.data.image_files import ImageFiles, image_names, plain_name
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.coco_writer import Box, ImageEntry, box_around, with_size
from ssdcore.sources.pairing import ALONE, Key, Reading, pair, read_text
from ssdcore.sources.splits_by_folder import TEST, by_split, complete

NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "_darknet.labels")
"""Files of class names; the first that exists is read. Other YAML files with names come last."""
YAML = (".yaml", ".yml")
ENTRIES = ("names", "path", "train", "val", "test")
"""Entries of a data.yaml."""
MAX_NAMES_BYTES = 1 << 18
"""Maximum size, ten thousand names; larger YAML takes minutes."""
TOLERANCE = 0.01
"""Maximum distance of a box outside the image that rounding causes; convert clips it."""


def read_names(files: ImageFiles, where: str) -> list[str]:
    """Returns the class names by number, from the topmost `data.yaml` or `classes.txt`.

    Names are taken as written: `no`, `1.10` and `0x1F` are text.

    Raises:
        InputError: no such file, or no list of distinct names.
    """
    found = files_of_names(files)
    if not found:
        expected = " or ".join((NAMES[0], NAMES[3]))
        remedy = "Write classes.txt into this folder: a name a line, that of class 0 first"
        raise InputError(where, "no file of class names", expected, remedy)
    return _names_in(files, found[0], where)


def files_of_names(files: ImageFiles) -> list[str]:
    """Returns the files of class names; the first one counts."""
    rank = {}
    for name in files.names():
        own = PurePosixPath(name).name.lower()
        if own in NAMES:
            rank[name] = NAMES.index(own)
        elif own.endswith(YAML) and _has_names(files, name):
            rank[name] = len(NAMES)
    return sorted(rank, key=lambda name: (name.count("/"), rank[name], name))


def _has_names(files: ImageFiles, name: str) -> bool:
    try:
        return "names" in _entries(read_text(files, name, "", MAX_NAMES_BYTES), "")
    except InputError:
        return False


def split_images(files: ImageFiles, where: str) -> dict[str, list[str]]:
    """Returns the images of each split, as `ssdcore.sources.splits_by_folder.complete` does.

    The entries `train`, `val` and `test` of a data.yaml name folders, or text files with an image
    in each line. Their paths are those of the machine that wrote them; the longest end of such a
    path that exists counts. Without these entries, the names of folders decide.

    Raises:
        InputError: there is nothing at an entry's path.
    """
    images = image_names(files)
    source = next(iter(files_of_names(files)), "")
    entries: dict[str, yaml.Node] = {}
    if _is_yaml(source):
        entries = _entries(read_text(files, source, where, MAX_NAMES_BYTES), f"{where}/{source}")
    if "kpt_shape" in entries:
        expected = "boxes or outlines"
        raise InputError(f"{where}/{source}: kpt_shape", "labels of keypoints", expected)
    root, home = entries.get("path"), PurePosixPath(source).parent
    prefix = root.value if isinstance(root, yaml.ScalarNode) else ""
    found = {}
    for split in ("train", "val", TEST):
        node = entries.get(split)
        values = node.value if isinstance(node, yaml.SequenceNode) else [node]
        named = (value.value for value in values if isinstance(value, yaml.ScalarNode))
        paths = [path for path in named if path not in ("", "null", "~")]
        chosen = [n for path in paths for n in _images_at(files, where, images, home, prefix, path)]
        if chosen or not paths or split == TEST:
            found[split] = sorted(set(chosen))
            continue
        expected = f"a folder or list of images in {where}"
        remedy = "Name the folder of the images and their labels, or delete the entry"
        raise InputError(f"{where}/{source}: {split}", ", ".join(paths), expected, remedy)
    if found["train"] == found["val"]:
        del found["val"]
    own = {*found["train"], *found.get("val", ())}
    if own < set(found[TEST]):  # the folder of test is around theirs
        found[TEST] = [name for name in found[TEST] if name not in own]
    held_out = {*found.get("val", ()), *found[TEST]}  # the folder of train may be around theirs
    found["train"] = [name for name in found["train"] if name not in held_out]
    kept = complete(found)
    if not kept and any(found.values()):
        say(f"  {source} leaves no images for train: the names of folders count instead")
    return kept or by_split(images)


def _images_at(
    files: ImageFiles, where: str, images: list[str], home: PurePosixPath, prefix: str, path: str
) -> list[str]:
    """Returns the images in a folder, or in a list of images, that a data.yaml in `home` names."""
    known = set(files.names())
    for place in _endings(home, f"{prefix}/{path}"):
        if inside := [name for name in images if not place or name.startswith(f"{place}/")]:
            return inside
        if place in known:
            lines = filter(None, map(str.strip, read_text(files, place, where).splitlines()))
            ends = [[*_endings(PurePosixPath(place).parent, line)] for line in lines]
            listed = [next((end for end in some if end in known), some[0]) for some in ends]
            return listed if known.intersection(listed) else []  # convert counts what is missing
    return []


def _endings(home: PurePosixPath, path: str) -> Iterator[str]:
    """Yields a path below `home` and below the root, without more and more of its first folders."""
    parts = [part for part in plain_name(path).split("/") if part not in ("", ".", "..")]
    for start in range(max(len(parts), 1)):
        end = "/".join(parts[start:])
        yield from dict.fromkeys(((home / end).as_posix() if home.parts else end, end))


def _names_in(files: ImageFiles, name: str, where: str) -> list[str]:
    text, where = read_text(files, name, where, MAX_NAMES_BYTES), f"{where}/{name}"
    if _is_yaml(name):
        names = _names_of_yaml(text, where)
    else:
        names = [line.strip() for line in text.rstrip().splitlines()]
    expected = "names: a list of distinct names, or names numbered 0, 1, …"
    if not names:
        raise InputError(where, "no list of names", expected)
    number_of: dict[str, int] = {}
    for number, class_name in enumerate(names):
        if not class_name:
            raise InputError(where, f"no name, or several, of class {number}", expected)
        if (first := number_of.setdefault(class_name, number)) < number:
            raise InputError(where, f"{class_name} for classes {first} and {number}", expected)
    return names


def _has_other_names(files: ImageFiles, name: str, names: list[str]) -> bool:
    try:
        return _names_in(files, name, "") != names
    except InputError:
        return True


def _names_of_yaml(text: str, where: str) -> list[str]:
    """Returns the texts of the entry `names`; "" where a name is missing, twice or no text."""
    found = _entries(text, where).get("names")
    if isinstance(found, yaml.MappingNode):
        numbered: dict[str, yaml.Node | None] = {}
        for key, value in found.value:
            numbered[str(key.value)] = None if str(key.value) in numbered else value
        values = [numbered.get(str(number)) for number in range(len(found.value))]
    else:
        values = found.value if isinstance(found, yaml.SequenceNode) else []
    return [node.value if isinstance(node, yaml.ScalarNode) else "" for node in values]


def _entries(text: str, where: str) -> dict[str, yaml.Node]:
    """Returns the entries of a YAML file.

    Nodes are read, not values: YAML has no numbers then, and aliases do not multiply.
    """
    try:
        root = yaml.compose(text, yaml.BaseLoader)
    except RecursionError:
        raise InputError(where, "hundreds of nested brackets", "a list of names") from None
    except Exception as error:  # YAMLError, ValueError, …
        remedy = "Correct this line, or export the data set again"
        raise InputError(where, " ".join(str(error).split()), "valid YAML", remedy) from None
    entries: dict[str, yaml.Node] = {}
    for key, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value in ENTRIES and key.value in entries:
            line = f"{where}, line {value.start_mark.line + 1}"
            raise InputError(line, f"{key.value} for the second time", f"one entry {key.value}")
        if isinstance(key, yaml.ScalarNode):
            entries[key.value] = value
    return entries


def _is_yaml(name: str) -> bool:
    return name.lower().endswith(YAML)


def read_yolo(
    files: ImageFiles,
    where: str,
    images: ImageFiles,
    inner: str,
    names: list[str],
    images_where: str = "",
    *,
    is_test: bool = False,
) -> Reading:
    """Reads the images and their labels, which a test split may lack, ordered by name.

    The path of the images inside that of the label files is `inner`, "" if they are elsewhere.

    Raises:
        InputError: there is no image, no image has labels, or a line is wrong.
    """
    known = [name for name in files.names() if may_be_label(name)]
    first_of: dict[PurePosixPath, str] = {}
    for name in (all_images := image_names(images)):
        first_of.setdefault(PurePosixPath(name).with_suffix(""), name)
    by_path = {f"{inner}/{name}" if inner else name: name for name in first_of.values()}
    label_of = {by_path[path]: label for label, path in pair(list(by_path), known, LEVELS).items()}
    entries, unlabelled, outlines = [], [], 0
    labels_root, images_root = Path(where).resolve(), Path(images_where or where).resolve()
    rest = {}
    for file_name in all_images:
        label = label_of.get(file_name)
        if label is None and first_of[PurePosixPath(file_name).with_suffix("")] in label_of:
            rest[images_root / file_name] = (file_name, "second image of a label file")
            continue
        image = with_size(images, ImageEntry(file_name))
        boxes: tuple[Box, ...] = ()
        if label is None:
            unlabelled.append(file_name)
        else:
            lines = read_text(files, label, where).splitlines()
            outlines += sum(len(line.split()) > 5 for line in lines)
            boxes = tuple(
                _box(line, f"{where}/{label}, line {number}", names, image.height, image.width)
                for number, line in enumerate(lines, start=1)
                if line.strip()
            )
        entries.append(image._replace(boxes=boxes))
    if not label_of and not is_test:
        found = f"labels of none of {counted(len(entries), 'image')}"
        example = f" such as {entries[0].file_name}" if entries else ""
        expected = "labels/….txt beside images/…, with the same names"
        raise InputError(where, found + example, expected)
    used = {labels_root / label for label in label_of.values()}
    used |= {images_root / entry.file_name for entry in entries}
    for label in sorted(set(known) - set(label_of.values())):
        if _is_label(files, label):
            rest[labels_root / label] = (label, ALONE)
    for name in files_of_names(files)[1:]:
        if _has_other_names(files, name, names):
            rest[labels_root / name] = (name, "file of other class names")
    notes = (f"{outlines} outlines became the boxes around them",) if outlines else ()
    return Reading(entries, used, rest, unlabelled, notes)


def may_be_label(name: str) -> bool:
    """Returns whether a file is a text other than one of class names."""
    path = PurePosixPath(name)
    return path.suffix.lower() == ".txt" and path.name.lower() not in NAMES


def _is_label(files: ImageFiles, name: str) -> bool:
    """Returns whether a text has labels: by its folder, or if it is empty or starts like labels."""
    if "labels" in PurePosixPath(name.lower()).parts[:-1]:
        return True
    try:
        first = files.read(name).split(maxsplit=1)[:1]
        return not first or float(first[0]) >= 0
    except (BrokenImageError, ValueError):
        return False


def _key(folder: str = "", instead: str = "") -> Key:
    """Returns a function that drops a path's suffix and replaces its last folder of this name."""

    def key(path: str) -> str:
        *folders, stem = PurePosixPath(path).with_suffix("").parts
        found = [index for index, part in enumerate(folders) if part.lower() == folder]
        if found:
            folders[found[-1] : found[-1] + 1] = [instead] if instead else []
        return "/".join([*folders, stem])

    return key


LEVELS = [(_key("images", "labels"), _key()), (_key(), _key()), (_key("images"), _key("labels"))]
"""Keys that pair the path of an image with that of its label file, the most precise first."""


def _box(line: str, where: str, names: list[str], height: int, width: int) -> Box:
    parts = line.split()
    try:
        label, *values = (float(part) for part in parts)
        if len(values) != 4 and (len(values) < 6 or len(values) % 2):
            raise ValueError
    except ValueError:
        expected = "five numbers: class cx cy width height, or a class and an outline x y x y x y …"
        raise InputError(where, line, expected) from None
    if label not in range(len(names)):
        raise InputError(where, parts[0], f"a class from 0 to {len(names) - 1}")
    if not all(isfinite(v) and -TOLERANCE <= v <= 1 + TOLERANCE for v in values):
        raise InputError(where, line, "centre and size as fractions of the image, 0 to 1")
    name = names[int(label)]
    if len(values) > 4:
        xs, ys = (values[first::2] for first in (0, 1))
        return box_around(name, [(x * width, y * height) for x, y in zip(xs, ys, strict=True)])
    cx, cy, w, h = values
    x, y = (cx - w / 2) * width, (cy - h / 2) * height
    return Box(name, (x, y, w * width, h * height))
