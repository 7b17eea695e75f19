"""Reads YOLO: a text file per image, a line per object with class, centre and size as fractions.

The label file of an image has the same path with `labels` instead of `images` and the suffix
`.txt`, as in exports of Ultralytics and Roboflow: `images/train/a.jpg` and `labels/train/a.txt`,
or `train/images/a.jpg` and `train/labels/a.txt`. It may also lie beside the image, or differ in
letter case. An image without a label file has no objects.
"""

from math import isfinite
from pathlib import Path, PurePosixPath

import yaml  # type: ignore[import-untyped]

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.coco_writer import Box, ImageEntry, upright_size_hw
from ssdcore.sources.pairing import Key, Reading, pair

NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
"""Files of class names; the first that exists is read."""
MAX_NAMES_BYTES = 1 << 18
"""Ten thousand names; YAML that is larger takes minutes."""
MAX_BYTES = 8 << 20
"""Of a label file: more than 100,000 boxes."""
TOLERANCE = 0.01
"""How far rounding may put a box outside the image; convert clips it."""


def read_names(files: ImageFiles, where: str) -> list[str]:
    """Returns the class names by number, from the topmost `data.yaml` or `classes.txt`.

    Names are taken as written: `no`, `1.10` and `0x1F` are text.

    Raises:
        InputError: no such file, or no list of distinct names.
    """
    found = _files_of_names(files)
    if not found:
        raise InputError(where, "no file of class names", " or ".join((NAMES[0], NAMES[3])))
    return _names_in(files, found[0], where)


def _files_of_names(files: ImageFiles) -> list[str]:
    """Returns the files of class names; the first one counts."""
    found = [name for name in files.names() if PurePosixPath(name).name.lower() in NAMES]
    rank = {name: NAMES.index(PurePosixPath(name).name.lower()) for name in found}
    return sorted(found, key=lambda name: (name.count("/"), rank[name], name))


def _names_in(files: ImageFiles, name: str, where: str) -> list[str]:
    text, where = _text(files, name, where, MAX_NAMES_BYTES), f"{where}/{name}"
    if name.lower().endswith((".yaml", ".yml")):
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
    """Returns the texts of the entry `names`; "" where a name is missing, twice or no text.

    Nodes are read, not values: YAML has no numbers then, and aliases do not multiply.
    """
    try:
        root = yaml.compose(text, yaml.BaseLoader)
    except RecursionError:
        raise InputError(where, "hundreds of nested brackets", "a list of names") from None
    except Exception as error:  # YAMLError, ValueError, …
        raise InputError(where, " ".join(str(error).split()), "valid YAML") from None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    nodes = [value for key, value in pairs if key.value == "names"]
    if len(nodes) > 1:
        line = f"{where}, line {nodes[1].start_mark.line + 1}"
        raise InputError(line, "names for the second time", "one entry names")
    found = nodes[0] if nodes else None
    if isinstance(found, yaml.MappingNode):
        numbered: dict[str, yaml.Node | None] = {}
        for key, value in found.value:
            numbered[str(key.value)] = None if str(key.value) in numbered else value
        values = [numbered.get(str(number)) for number in range(len(found.value))]
    else:
        values = found.value if isinstance(found, yaml.SequenceNode) else []
    return [node.value if isinstance(node, yaml.ScalarNode) else "" for node in values]


def read_yolo(
    files: ImageFiles,
    where: str,
    images: ImageFiles,
    inner: str,
    names: list[str],
    images_where: str = "",
) -> Reading:
    """Reads the images and their labels, ordered by name.

    Args:
        files: the label files.
        where: path of their folder or archive, which messages name.
        images: the images.
        inner: path of `images` inside `files`; "" if it is elsewhere.
        names: the classes.
        images_where: path of the images.

    Raises:
        InputError: there is no image, no image has labels, or a line is wrong.
    """
    known = [name for name in files.names() if _may_be_label(name)]
    first_of: dict[PurePosixPath, str] = {}
    for name in (all_images := image_names(images)):
        first_of.setdefault(PurePosixPath(name).with_suffix(""), name)
    by_path = {f"{inner}/{name}" if inner else name: name for name in first_of.values()}
    label_of = {by_path[path]: label for label, path in pair(list(by_path), known, LEVELS).items()}
    entries, unlabelled = [], []
    labels_root, images_root = Path(where).resolve(), Path(images_where or where).resolve()
    rest = {}
    for file_name in all_images:
        label = label_of.get(file_name)
        if label is None and first_of[PurePosixPath(file_name).with_suffix("")] in label_of:
            rest[images_root / file_name] = (file_name, "second image of a label file")
            continue
        height, width = upright_size_hw(images, file_name)
        boxes: tuple[Box, ...] = ()
        if label is None:
            unlabelled.append(file_name)
        else:
            lines = _text(files, label, where).splitlines()
            boxes = tuple(
                _box(line, f"{where}/{label}, line {number}", names, height, width)
                for number, line in enumerate(lines, start=1)
                if line.strip()
            )
        entries.append(ImageEntry(file_name, height, width, boxes))
    if not label_of:
        found = f"labels of none of {len(entries)} images"
        example = f" such as {entries[0].file_name}" if entries else ""
        expected = "labels/….txt beside images/…, with the same names"
        raise InputError(where, found + example, expected)
    used = {labels_root / label for label in label_of.values()}
    used |= {images_root / entry.file_name for entry in entries}
    for label in sorted(set(known) - set(label_of.values())):
        if _is_label(files, label):
            rest[labels_root / label] = (label, "label file without an image of its own")
    for name in _files_of_names(files)[1:]:
        if _has_other_names(files, name, names):
            rest[labels_root / name] = (name, "file of other class names")
    return Reading(entries, used, rest, unlabelled)


def _may_be_label(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() == ".txt" and path.name.lower() not in NAMES


def _is_label(files: ImageFiles, name: str) -> bool:
    """Says whether a text is of labels: by its folder, or since it is empty or starts so."""
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
"""How the paths of an image and its label file correspond, the most precise first."""


def _text(files: ImageFiles, name: str, where: str, most: int = MAX_BYTES) -> str:
    try:
        data = files.read(name)
        if len(data) > most:
            raise InputError(f"{where}/{name}", f"{len(data)} bytes", f"at most {most} bytes")
        return data.decode("utf-8-sig")
    except (BrokenImageError, UnicodeDecodeError) as error:
        raise InputError(f"{where}/{name}", str(error), "a readable text in UTF-8") from None


def _box(line: str, where: str, names: list[str], height: int, width: int) -> Box:
    parts = line.split()
    try:
        label, cx, cy, w, h = (float(part) for part in parts)
    except ValueError:
        remedy = "Export boxes, not outlines" if len(parts) > 5 else ""
        raise InputError(where, line, "five numbers: class cx cy width height", remedy) from None
    if label not in range(len(names)):
        raise InputError(where, parts[0], f"a class from 0 to {len(names) - 1}")
    values = (cx, cy, w, h)
    if not all(isfinite(v) and -TOLERANCE <= v <= 1 + TOLERANCE for v in values):
        raise InputError(where, line, "centre and size as fractions of the image, 0 to 1")
    x, y = (cx - w / 2) * width, (cy - h / 2) * height
    return Box(names[int(label)], (x, y, w * width, h * height))
