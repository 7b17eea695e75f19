"""Reads Pascal VOC: an XML file per image, and lists of the images of each split.

Boxes are [xmin, ymin, xmax - xmin, ymax - ymin], as most tools write them; VOC's own boxes are
half a pixel off then. Objects marked `difficult` are crowd regions, as COCO calls them: ignored in
training and evaluation, like in VOC's own evaluation.

An image and its XML file have the same name: in the same folder, or in the same folder below
`JPEGImages` and `Annotations`. The elements `folder` and `filename`, which are out of date where
files were renamed, decide where names do not.
"""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from math import isfinite, nan
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.sources.coco_writer import Box, ImageEntry, with_size
from ssdcore.sources.pairing import Key, Reading, last_part, pair, read_label, read_text, stem
from ssdcore.sources.splits_by_folder import TEST
from ssdcore.sources.xml_nodes import parse_xml, text_of

SIDES = ("height", "width")
CORNERS = ("xmin", "ymin", "xmax", "ymax")
IMAGE_FOLDERS = ("jpegimages", "images")
ALONE = "XML file without an image of its own"


class Voc:
    """A folder or archive with `Annotations/` and optionally `ImageSets/Main/`, and its images.

    Raises:
        InputError: there is no XML file, or several folders are named Annotations.
    """

    def __init__(
        self, files: ImageFiles, where: str, images: ImageFiles, images_where: str = ""
    ) -> None:
        self._files, self._where, self._images = files, where, images
        self._images_where = images_where or where
        self._names = frozenset(files.names())
        found = [name for name in map(PurePosixPath, self._names) if name.suffix.lower() == ".xml"]
        homes = {_home(name, "Annotations") for name in found} - {None}
        if not homes and len(lower := {_home(name, "annotations") for name in found}) == 1:
            homes = lower - {None}  # several are folders like any other
        if len(homes) > 1 or not found:
            several = sorted(map(str, homes)) or "no XML file"
            raise InputError(
                where, several, "one folder named Annotations with an XML file for each image",
                "Name the folder that contains Annotations and, if there are lists, ImageSets",
            )  # fmt: skip
        home = homes.pop() if homes else None
        self._home = home or PurePosixPath()
        inside = [name for name in found if home is None or name.is_relative_to(home)]
        self._xml = [str(name) for name in sorted(inside, key=lambda name: (name.stem, name))]
        self._outside = sorted(map(str, set(found) - set(inside)))
        lists = (home.parent if home is not None else PurePosixPath()) / "ImageSets" / "Main"
        folders = (PurePosixPath(name).parent for name in sorted(self._names))
        self._lists = next((f for f in folders if str(f).lower() == str(lists).lower()), lists)
        self._image_names = image_names(images)
        paths = map(PurePosixPath, self._image_names)
        self._known = {name.casefold() for path in paths for name in (path.name, path.stem)}
        self._image_of = self._paired()

    def lists(self) -> dict[str, str]:
        """Returns the names of the lists of train, val and test that are not empty, by split.

        Without both train and val, trainval or train has the key "", for all images but those of
        test. Without any of these, there is none.
        """
        paths = {name: f"{self._lists / name}.txt" for name in ("train", "val", "trainval", TEST)}
        found = {
            name: name for name, path in paths.items()
            if path in self._names and read_text(self._files, path, self._where).strip()
        }  # fmt: skip
        of_both = found.pop("trainval", "")
        if not found.keys() >= set(layout.SPLITS):
            whole = of_both or found.get("train")
            found = {"": whole, **{s: s for s in (TEST,) if s in found}} if whole else {}
        return found

    def listed(self, name: str) -> Reading:
        """Reads the images of a list.

        Raises:
            InputError: the list or an XML file is missing or wrong.
        """
        path = f"{self._lists / name}.txt"
        by_path = {str(stem(xml).relative_to(self._home)): xml for xml in self._xml}
        by_stem = defaultdict(list)
        for xml in self._xml:
            by_stem[stem(xml).name].append(xml)
        chosen = []
        lines = read_text(self._files, path, self._where).splitlines()
        for number, line in enumerate(lines, start=1):
            wanted = " ".join(line.split())
            found = [by_path[wanted]] if wanted in by_path else by_stem.get(wanted, [])
            if wanted and len(found) != 1:
                where = f"{self._where}/{path}, line {number}"
                raise InputError(
                    where, f"{wanted} for {found}" if found else wanted,
                    "a name without suffix that has one file in Annotations",
                )  # fmt: skip
            chosen += found
        return self._read_all(chosen, "XML file in no list")

    def everything(self) -> Reading:
        """Reads the images of all XML files, ordered by name."""
        return self._read_all(self._xml)

    def _read_all(self, chosen: list[str], not_chosen: str = ALONE) -> Reading:
        entries, used, rest = [], set(), {}
        images, files = Path(self._images_where).resolve(), Path(self._where).resolve()
        for xml in chosen:
            entry = self._read(xml)
            if isinstance(entry, str):
                rest[files / xml] = (xml, entry)
                continue
            entries.append(entry)
            used |= {files / xml, images / entry.file_name}
        rest |= {files / xml: (xml, not_chosen) for xml in set(self._xml) - set(chosen)}
        rest |= {files / xml: (xml, "XML file outside Annotations") for xml in self._outside}
        paired = set(self._image_of.values())
        for image in self._image_names:
            if image not in paired:
                rest[images / image] = (image, "image without an XML file")
        return Reading(entries, used, rest)

    def _paired(self) -> dict[str, str]:
        """Returns the image of each XML file that has one."""

        @cache
        def named(xml: str) -> tuple[str, str]:
            root = self._root(xml)
            return last_part(text_of(root, "folder")), last_part(text_of(root, "filename"))

        stems: list[tuple[Key, Key]] = [
            (_below_images, lambda xml: str(stem(xml).relative_to(self._home))),
            (lambda image: stem(image).name, lambda xml: stem(xml).name),
        ]
        names: list[tuple[Key, Key]] = [
            (lambda image: PurePosixPath(image).parts[-2:], named),
            (lambda image: PurePosixPath(image).name, lambda xml: named(xml)[1] or None),
        ]
        beside: list[tuple[Key, Key]] = [(stem, stem)]
        image_of = pair(self._image_names, self._xml, beside)
        folders = {PurePosixPath(xml).parent for xml in image_of}
        others = [xml for xml in self._xml if PurePosixPath(xml).parent not in folders]
        image_of = pair(self._image_names, others, [*stems, *names], image_of)
        # an XML file whose folder holds the images of others has its own there, or none
        in_folder: list[tuple[Key, Key]] = [
            (PurePosixPath, lambda xml: PurePosixPath(xml).parent / named(xml)[1])
        ]
        return pair(self._image_names, self._xml, in_folder, image_of)

    def _root(self, xml: str) -> Element:
        return parse_xml(read_label(self._files, xml, self._where), f"{self._where}/{xml}")

    def _read(self, xml: str) -> ImageEntry | str:
        """Returns the image of an XML file, or why it has none. Convert counts a missing image."""
        where = f"{self._where}/{xml}"
        root = self._root(xml)
        if root.tag.lower() != "annotation":
            return "XML file that is no VOC annotation"
        file_name = self._image_of.get(xml)
        if file_name is None:
            file_name = last_part(text_of(root, "filename")) or stem(xml).name
            if not self._known.isdisjoint({file_name.casefold(), stem(xml).name.casefold()}):
                return ALONE
        size, height, width = root.find("size"), 0.0, 0.0
        if size is None:
            size = root
        if all(size.find(side) is not None for side in SIDES):
            height, width = (_number(size, side, where) for side in SIDES)
        objects = root.findall("object")
        direct = set(objects)
        for node in root.iter():
            if node.tag.lower() == "object" and node not in direct:
                line = f"{where}, line {node.get('line')}"
                raise InputError(line, f"<{node.tag}>", "<object> directly in <annotation>")
        boxes = tuple(_box(node, where) for node in objects)
        listed = ImageEntry(file_name, int(height), int(width), boxes)
        return with_size(self._images, listed)  # some tools do not write the size


def class_names(splits: Iterable[Iterable[ImageEntry]]) -> list[str]:
    """Returns the names of all boxes' classes, sorted."""
    return sorted({box.name for images in splits for image in images for box in image.boxes})


def _home(xml: PurePosixPath, name: str) -> PurePosixPath | None:
    """Returns the topmost folder of a name that contains a file, if any."""
    parents = [parent for parent in xml.parents if parent.name == name]
    return parents[-1] if parents else None


def _below_images(image: str) -> str:
    """Returns an image's path without suffix below the last folder for images."""
    parts = stem(image).parts
    tops = [n for n, part in enumerate(parts[:-1], start=1) if part.lower() in IMAGE_FOLDERS]
    return "/".join(parts[tops[-1] if tops else 0 :])


def _box(node: Element, where: str) -> Box:
    name, boxes, line = text_of(node, "name"), node.findall("bndbox"), node.get("line")
    if not name:
        raise InputError(f"{where}, line {line}", "an object without name", "<name>")
    if len(boxes) != 1:
        found = f"an object with {len(boxes)} boxes" if boxes else "an object without box"
        raise InputError(f"{where}, line {line}", found, "one <bndbox>")
    x1, y1, x2, y2 = (_number(boxes[0], corner, where) for corner in CORNERS)
    return Box(name, (x1, y1, x2 - x1, y2 - y1), text_of(node, "difficult") == "1")


def _number(parent: Element, tag: str, where: str) -> float:
    node = parent.find(tag)
    found = None if node is None else text_of(parent, tag)
    try:
        value = float(found or "")
    except ValueError:
        value = nan
    if not isfinite(value):
        line = (parent if node is None else node).get("line")
        raise InputError(f"{where}, line {line}", found, f"a number in <{tag}>")
    return value
