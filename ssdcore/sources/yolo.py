"""YOLO: a text file an image, a line an object: class number, then centre and size as fractions.

An image's labels stand under the same path with `labels` in place of `images` and `.txt` as the
suffix, as in Ultralytics' and Roboflow's exports: `images/train/a.jpg` and `labels/train/a.txt`,
or `train/images/a.jpg` and `train/labels/a.txt`. An image without such a file shows no object.
"""

from io import StringIO
from math import isfinite
from pathlib import PurePosixPath

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.headers import image_names, upright_size_hw

NAMES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
"""Where the class names stand; the first that is there counts."""
TOLERANCE = 0.01
"""By which rounding may put a box outside the image; convert clips it."""


def read_names(files: ImageFiles, place: str) -> list[str]:
    """Returns the classes by number, from `data.yaml` or `classes.txt`, the topmost there is.

    Raises:
        InputError: no such file, or not a list of different names.
    """
    found = [name for name in files.names() if PurePosixPath(name).name in NAMES]
    if not found:
        raise InputError(place, "no file of class names", " or ".join((NAMES[0], NAMES[3])))
    name = min(found, key=lambda n: (n.count("/"), NAMES.index(PurePosixPath(n).name), n))
    where, text = f"{place}/{name}", _text(files, name, place)
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
        raise InputError(where, names, "names: a list of different names, or numbered 0, 1, …")
    return [str(name) for name in names]


def read_yolo(
    files: ImageFiles, place: str, images: ImageFiles, below: str, names: list[str]
) -> list[ImageEntry]:
    """Reads the images in the order of their names, with their labels.

    Args:
        files: what holds the label files.
        place: what messages call it.
        images: the images.
        below: path of `images` inside `files`, "" where it is another place.
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
        label = labels.get(_key(PurePosixPath(below) / file_name, "images"))
        boxes: tuple[Box, ...] = ()
        if label is not None:
            labelled += 1
            lines = _text(files, label, place).splitlines()
            boxes = tuple(
                _box(line, f"{place}/{label}, line {number}", names, height, width)
                for number, line in enumerate(lines, start=1)
                if line.strip()
            )
        entries.append(ImageEntry(file_name, height, width, boxes))
    if not labelled:
        found = f"labels of none of {len(entries)} images"
        example = f" such as {entries[0].file_name}" if entries else ""
        expected = "labels/….txt beside images/…, with the same names"
        raise InputError(place, found + example, expected)
    return entries


def _key(path: PurePosixPath, folder: str) -> tuple[str, ...]:
    """Returns what an image and its label file have in common."""
    return (*(part for part in path.parts[:-1] if part != folder), path.stem)


def _text(files: ImageFiles, name: str, place: str) -> str:
    try:
        return files.read(name).decode("utf-8-sig")
    except (BrokenImageError, UnicodeDecodeError) as error:
        raise InputError(f"{place}/{name}", str(error), "a readable text in UTF-8") from None


def _box(line: str, place: str, names: list[str], height: int, width: int) -> Box:
    parts = line.split()
    try:
        label, cx, cy, w, h = (float(part) for part in parts)
    except ValueError:
        remedy = "Export boxes, not outlines" if len(parts) > 5 else ""
        raise InputError(place, line, "five numbers: class cx cy width height", remedy) from None
    if label not in range(len(names)):
        raise InputError(place, parts[0], f"a class from 0 to {len(names) - 1}")
    values = (cx, cy, w, h)
    if not all(isfinite(v) and -TOLERANCE <= v <= 1 + TOLERANCE for v in values):
        raise InputError(place, line, "centre and size as fractions of the image, 0 to 1")
    x, y = (cx - w / 2) * width, (cy - h / 2) * height
    return Box(names[int(label)], (x, y, w * width, h * height))
