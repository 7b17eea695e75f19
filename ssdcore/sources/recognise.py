"""Recognises the format of a data set by the names of its files and the content of a few."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import TOO_LARGE, ImageFiles, image_names
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.yolo import files_of_names, may_be_label

MOST_READ = 200
"""Maximum number of files of a kind to open for recognition, apart from empty ones."""
NAMES = {
    "coco": "COCO",
    "voc": "Pascal VOC",
    "yolo": "YOLO",
    "labelme": "LabelMe",
    "label_studio": "Label Studio",
    "cvat": "CVAT for images",
    "kitti": "KITTI",
    "labelbox": "Labelbox",
}
"""The formats that are known, by their values of `dataset.local.format`."""
IN_JSON = {"coco", "label_studio"}
"""Formats with any number of annotation files in JSON."""
COCO_KEYS = (b'"images"', b'"annotations"', b'"categories"')
LABEL_STUDIO_KEYS = (b'"data"', b'"annotations"', b'"result"')
COCO_TOOLS = (
    (r"_annotations\.coco\.json$", "Roboflow"),
    (r"^annotations/instances_\w*\.json$", "CVAT"),
    (r"^result(_coco)?\.json$", "Label Studio"),
    (r"^labels\.json$", "FiftyOne"),
)
"""Names of the files in which tools write COCO."""
REMEDY = (
    "Export the data set as COCO or YOLO from its tool: docs/own-data.md has each. Roboflow and "
    "FiftyOne import most other formats and export COCO"
)
IS_LABELME = re.compile(rb'"shapes"\s*:\s*\[')
IS_VIA = re.compile(rb'"(?:regions|_via_img_metadata)"\s*:')
IS_VOC = re.compile(rb"<annotation[\s>]", re.IGNORECASE)


class Recognised(NamedTuple):
    """The format of a data set, and the files that identify it.

    Of COCO, Label Studio, CVAT and Labelbox, these are all annotation files.
    """

    format: str  # a key of `NAMES`
    files: tuple[str, ...]
    tool: str = ""  # that writes files of these names; "" if several do

    def __str__(self) -> str:
        written = f" as {self.tool} writes it" if self.tool else ""
        shown = ", ".join(self.files[:3]) + (", …" if len(self.files) > 3 else "")
        return f"{NAMES[self.format]}{written} ({shown})"


def recognise(
    files: ImageFiles, where: str, wanted: str = "auto", *, or_any: bool = False
) -> Recognised:
    """Returns the format of the files, `wanted` or the only one that is there.

    With `or_any`, a format that is wanted need not be there.

    Raises:
        InputError: none of the formats is there, or several are.
    """
    names = files.names()
    too_large: list[str] = []
    every = list(_found(files, names, too_large))
    found = [one for one in every if wanted in ("auto", one.format)]
    if or_any:
        found = found or every
    if too_large and {one.format for one in found} <= IN_JSON:  # it may be a part of them
        expected, remedy = "a file that can be read", "Unpack the archive, name its folder"
        raise InputError(f"{where}/{too_large[0]}", TOO_LARGE, expected, remedy)
    if len(found) == 1:
        return found[0]
    if found:
        expected = "one format"
        remedy = f"Set dataset.local.format to {' or '.join(one.format for one in found)}"
        remedy += ", or move the other files away" if or_any else ""
        raise InputError(where, [str(one) for one in found], expected, remedy)
    if every:
        known = [one.format for one in every]
        remedy = (
            f"Set dataset.local.format to {' or '.join(known if known[1:] else ['auto', *known])}"
        )
        raise InputError(where, [str(one) for one in every], NAMES[wanted], remedy)
    raise _unknown(files, where, "auto" if or_any else wanted)


def _unknown(files: ImageFiles, where: str, wanted: str) -> InputError:
    """Returns the message for files of no known format: what is missing, if that is known."""
    names = files.names()
    endings = sorted({PurePosixPath(name).suffix.lower() or name for name in names})
    kinds = f"files {', '.join(endings[:10])}" if endings else "no file"
    known = ", ".join(NAMES.values()) if wanted == "auto" else NAMES[wanted]
    expected, remedy = f"annotations in a known format: {known}", REMEDY
    if ".csv" in endings:
        remedy = (
            "CSV is not read: export COCO from its tool. Roboflow imports a CSV file with its "
            "images and exports COCO"
        )
    elif _first(files, _ending(names, ".json"), lambda data: bool(IS_VIA.search(data))):
        remedy = "JSON of VIA is not read: in VIA, Annotation > Export Annotations (COCO format)"
    elif (named := files_of_names(files)) and wanted in ("auto", "yolo"):
        kinds = f"{named[0]}, but no label file with a box"
        expected = "labels/….txt beside images/…, a line for each box"
        remedy = "If the labels lie elsewhere, name the folder that holds them and the images"
        stems = {PurePosixPath(image).stem for image in image_names(files)}
        labels = [n for n in names if may_be_label(n) and PurePosixPath(n).stem in stems]
        if example := _first(files, labels, bool):
            kinds = f"{example}, which begins with {' '.join(_words(_read(files, example)))}"
            expected = "text in UTF-8, a line for each box: class cx cy width height"
            remedy = "Numbers have a point, such as 0.25"
    elif inside := _ending(names, ".zip"):
        kinds, remedy = f"an archive inside, {inside[0]}", "Unpack it, and name the new folder"
    elif names and len(image_names(files)) == len(names):
        kinds = f"images alone, such as {names[0]}"
        remedy = "Name the folder that holds their annotations, too: often the one above"
        folders = [Path(where).absolute(), *Path(where).absolute().parents]
        beside = (one.parent for one in folders if one.name.lower() == "images")
        if above := next((one for one in beside if (one / "labels").is_dir()), None):
            remedy = f"Name {above}, which has the folder labels beside the images"
    return InputError(where, kinds, expected, remedy)


def _found(files: ImageFiles, names: list[str], too_large: list[str]) -> Iterator[Recognised]:
    """Yields each format of which there are files; adds JSON files that are too large to read."""
    stems = {PurePosixPath(image).stem for image in image_names(files)}
    beside = [name for name in _ending(names, ".json") if PurePosixPath(name).stem in stems]
    others = [name for name in _ending(names, ".json") if PurePosixPath(name).stem not in stems]
    coco, tasks = [], []
    for name in others[:MOST_READ]:
        try:
            data = files.read(name).replace(b"\0", b"")  # of UTF-16, too
        except BrokenImageError as error:
            if str(error) == TOO_LARGE:
                too_large.append(name)
            data = b""
        if _is_json(data, b"{", COCO_KEYS):
            coco.append(name)
        elif _is_json(data, b"[", LABEL_STUDIO_KEYS):
            tasks.append(name)
    if coco:
        yield Recognised("coco", tuple(coco), _coco_tool(files, coco))
    if tasks:
        yield Recognised("label_studio", tuple(tasks))
    if example := _first(files, [*beside, *others], lambda data: bool(IS_LABELME.search(data))):
        yield Recognised("labelme", (example,))
    some = _ending(names, ".xml")[:MOST_READ]
    xml = {name: _read(files, name)[:8192] for name in some}
    if voc := next((name for name, head in xml.items() if IS_VOC.search(head)), ""):
        yield Recognised("voc", (voc,))
    if cvat := [name for name, head in xml.items() if b"<annotations>" in head]:
        yield Recognised("cvat", tuple(cvat))
    if rows := _ending(names, ".ndjson"):
        yield Recognised("labelbox", tuple(rows))
    labels = [name for name in names if may_be_label(name)]
    if _first(files, labels, _is_line_of_numbers):
        named = files_of_names(files)
        example = named[0] if named else "labels without a file of class names"
        tool = "Ultralytics" if example.endswith((".yaml", ".yml")) else ""
        yield Recognised("yolo", (example,), tool)
    elif example := _first(files, labels, is_kitti):
        yield Recognised("kitti", (example,))


def _ending(names: Iterable[str], suffix: str) -> list[str]:
    """Returns the names with a suffix, those in the topmost folders first."""
    found = [name for name in names if name.lower().endswith(suffix)]
    return sorted(found, key=lambda name: (name.count("/"), name))


def _first(files: ImageFiles, names: Iterable[str], is_one: Callable[[bytes], bool]) -> str:
    """Returns the first file whose content is of a kind; "" if there is none."""
    read = ((name, _read(files, name)) for name in names)
    filled = islice(((name, data) for name, data in read if data.strip()), MOST_READ)
    return next((name for name, data in filled if is_one(data)), "")


def _read(files: ImageFiles, name: str) -> bytes:
    """Returns a file's bytes without those of 0, which UTF-16 has; none if it is unreadable."""
    try:
        return files.read(name).replace(b"\0", b"")
    except BrokenImageError:
        return b""


def _is_json(data: bytes, begin: bytes, keys: tuple[bytes, ...]) -> bool:
    """Returns whether the first character is `begin`, and all keys are there."""
    first = data.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]
    return first == begin and all(key in data for key in keys)


def _coco_tool(files: ImageFiles, coco: list[str]) -> str:
    if b'"num_annotations"' in _read(files, coco[0]):
        return "COCO Annotator"
    return next((tool for pattern, tool in COCO_TOOLS if re.search(pattern, coco[0])), "")


def _words(data: bytes) -> list[str]:
    return data[:4096].decode("utf-8-sig", "replace").strip().partition("\n")[0].split()


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_line_of_numbers(data: bytes) -> bool:
    words = _words(data)
    return len(words) >= 5 and all(map(_is_number, words))


def is_kitti(data: bytes) -> bool:
    """Returns whether the first line is a class (of any number of words) and 14 numbers."""
    words = _words(data)
    return len(words) >= 15 and [_is_number(word) for word in words[-15:]] == [False, *[True] * 14]
