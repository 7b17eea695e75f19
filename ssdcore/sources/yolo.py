"""Reads YOLO: a text file per image, a line per object with class, centre and size as fractions.

The label file of an image has the same path with `labels` instead of `images` and the suffix
`.txt`, as in exports of Ultralytics and Roboflow: `images/train/a.jpg` and `labels/train/a.txt`,
or `train/images/a.jpg` and `train/labels/a.txt`. An image without a label file has no objects.
"""

from io import StringIO
from math import isfinite
from pathlib import PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.image_sizes import upright_size_hw

NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
"""Files of class names; the first that exists is read."""
TOLERANCE = 0.01
"""How far rounding may put a box outside the image; convert clips it."""


def read_names(files: ImageFiles, where: str) -> list[str]:
    """Returns the class names by number, from the topmost `data.yaml` or `classes.txt`.

    Raises:
        InputError: no such file, or no list of distinct names.
    """
    found = [name for name in files.names() if PurePosixPath(name).name in NAMES]
    if not found:
        raise InputError(where, "no file of class names", " or ".join((NAMES[0], NAMES[3])))
    name = min(found, key=lambda n: (n.count("/"), NAMES.index(PurePosixPath(n).name), n))
    text = _text(files, name, where)
    where = f"{where}/{name}"
    if not name.endswith((".yaml", ".yml")):
        names: object = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        try:
            content = YAML(typ="safe", pure=True).load(StringIO(text))
        except YAMLError as error:
            raise InputError(where, " ".join(str(error).split()), "valid YAML") from None
        names = content.get("names") if isinstance(content, dict) else None
        if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
            names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names or len({str(n) for n in names}) < len(names):
        raise InputError(where, names, "names: a list of distinct names, or names numbered 0, 1, …")
    return [str(name) for name in names]


def read_yolo(
    files: ImageFiles, where: str, images: ImageFiles, inner: str, names: list[str]
) -> list[ImageEntry]:
    """Reads the images and their labels, ordered by name.

    Args:
        files: the label files.
        where: name of their folder or archive in messages.
        images: the images.
        inner: path of `images` inside `files`; "" if it is elsewhere.
        names: the classes.

    Raises:
        InputError: there is no image, no image has labels, or a line is wrong.
    """
    labels = {
        _key(path, "labels"): str(path)
        for path in map(PurePosixPath, files.names())
        if path.suffix == ".txt" and path.name not in NAMES
    }
    entries, labelled = [], 0
    for file_name in image_names(images):
        height, width = upright_size_hw(images, file_name)
        label = labels.get(_key(PurePosixPath(inner) / file_name, "images"))
        boxes: tuple[Box, ...] = ()
        if label is not None:
            labelled += 1
            lines = _text(files, label, where).splitlines()
            boxes = tuple(
                _box(line, f"{where}/{label}, line {number}", names, height, width)
                for number, line in enumerate(lines, start=1)
                if line.strip()
            )
        entries.append(ImageEntry(file_name, height, width, boxes))
    if not labelled:
        found = f"labels of none of {len(entries)} images"
        example = f" such as {entries[0].file_name}" if entries else ""
        expected = "labels/….txt beside images/…, with the same names"
        raise InputError(where, found + example, expected)
    return entries


def _key(path: PurePosixPath, folder: str) -> tuple[str, ...]:
    """Returns the common part of the paths of an image and its label file."""
    return (*(part for part in path.parts[:-1] if part != folder), path.stem)


def _text(files: ImageFiles, name: str, where: str) -> str:
    try:
        return files.read(name).decode("utf-8-sig")
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
