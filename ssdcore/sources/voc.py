"""Reads Pascal VOC: an XML file per image, and lists of the images of each split.

Boxes are [xmin, ymin, xmax - xmin, ymax - ymin], as most tools write them; VOC's own boxes are
half a pixel off then. Objects marked `difficult` count like all others.

The XML is untrusted. A document type is refused: it can declare entities, which expand to
gigabytes or include other files. VOC annotations have none.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import PurePosixPath
from xml.parsers import expat

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, image_names
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.image_sizes import upright_size_hw

MAX_XML_BYTES = 8 << 20
MAX_DEPTH = 100
SIDES = ("height", "width")
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class Node:
    """An element.

    Attributes:
        tag: its name.
        line: line of its start tag, from 1.
        children: the elements in it, in order.
        text: the text directly in it.
    """

    tag: str
    line: int
    children: list["Node"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list["Node"]:
        """Returns the children with this tag."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> "Node | None":
        """Returns the first child with this tag, if any."""
        return next(iter(self.all(tag)), None)


def parse_xml(data: bytes, where: str) -> Node:
    """Returns the root element.

    Args:
        data: the content of the file.
        where: its name in messages.

    Raises:
        InputError: malformed XML, a document type, or far larger than any annotation.
    """
    if len(data) > MAX_XML_BYTES:
        raise InputError(where, f"{len(data)} bytes", f"at most {MAX_XML_BYTES} bytes of XML")
    top = Node("", 0)
    path = [top]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        node = Node(tag, parser.CurrentLineNumber)
        if len(path) > MAX_DEPTH:
            raise InputError(
                f"{where}, line {node.line}", tag, f"at most {MAX_DEPTH} nested elements"
            )
        path[-1].children.append(node)
        path.append(node)

    def end(tag: str) -> None:
        path.pop()

    def characters(text: str) -> None:
        path[-1].text += text

    def doctype(name: str, *_: object) -> None:
        line = f"{where}, line {parser.CurrentLineNumber}"
        raise InputError(line, f"<!DOCTYPE {name}>", "no document type", "Delete the line")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = characters, doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise InputError(f"{where}, line {error.lineno}", reason, "well-formed XML") from None
    return top.children[0]


class Voc:
    """A folder or archive with `Annotations/` and optionally `ImageSets/Main/`.

    Args:
        files: its files.
        where: its name in messages.
        images: the images.

    Raises:
        InputError: there is no XML file, or several folders are named Annotations.
    """

    def __init__(self, files: ImageFiles, where: str, images: ImageFiles) -> None:
        self._files, self._where, self._images = files, where, images
        self._names = frozenset(files.names())
        names = [PurePosixPath(name) for name in sorted(self._names)]
        annotations = [name for name in names if name.suffix.lower() == ".xml"]
        homes = {name.parent for name in annotations if name.parent.name == "Annotations"}
        if len(homes) > 1 or not annotations:
            several = sorted(map(str, homes)) or "no XML file"
            raise InputError(
                where, several, "one folder named Annotations with an XML file for each image",
                "Name the folder that contains Annotations and, if there are lists, ImageSets",
            )  # fmt: skip
        home = homes.pop() if homes else None
        chosen = [name for name in annotations if home is None or name.parent == home]
        self._xml = {name.stem: str(name) for name in chosen}
        self._lists = (home.parent if home is not None else PurePosixPath()) / "ImageSets" / "Main"
        found = [PurePosixPath(name) for name in image_names(images)]
        self._by_name = {name.name: str(name) for name in found}
        self._by_stem = {name.stem: str(name) for name in found}

    def has_list(self, name: str) -> bool:
        """Returns whether there is a list of this name, such as `train`."""
        return f"{self._lists / name}.txt" in self._names

    def listed(self, name: str) -> list[ImageEntry]:
        """Reads the images of a list.

        Raises:
            InputError: the list or an XML file is missing or wrong.
        """
        path = f"{self._lists / name}.txt"
        stems = []
        for number, line in enumerate(self._text(path).splitlines(), start=1):
            stem = " ".join(line.split())
            if stem and stem not in self._xml:
                where = f"{self._where}/{path}, line {number}"
                raise InputError(
                    where, stem, "a name without suffix that has a file in Annotations"
                )
            stems += [stem] if stem else []
        return [self._read(stem) for stem in stems]

    def everything(self) -> list[ImageEntry]:
        """Reads the images of all XML files, ordered by name."""
        return [self._read(stem) for stem in sorted(self._xml)]

    def _bytes(self, name: str) -> bytes:
        try:
            return self._files.read(name)
        except BrokenImageError as error:
            raise InputError(f"{self._where}/{name}", str(error), "a readable file") from None

    def _text(self, name: str) -> str:
        try:
            return self._bytes(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{self._where}/{name}", str(error), "text in UTF-8") from None

    def _read(self, stem: str) -> ImageEntry:
        where = f"{self._where}/{self._xml[stem]}"
        root = parse_xml(self._bytes(self._xml[stem]), where)
        file_name = self._image_of(root, stem)
        size = root.first("size") or root
        if all(size.first(side) for side in SIDES):
            height, width = (_number(size, side, where) for side in SIDES)
        else:
            height = width = 0
        if min(height, width) < 1:  # some tools do not write the size
            height, width = upright_size_hw(self._images, file_name)
        boxes = tuple(_box(node, where) for node in root.all("object"))
        return ImageEntry(file_name, int(height), int(width), boxes)

    def _image_of(self, root: Node, stem: str) -> str:
        """Returns the image that the file names, or else the image with the file's own stem.

        Files of renamed images still contain the old name, and some contain Windows paths.
        """
        node = root.first("filename")
        named = node.text.strip().replace("\\", "/").rpartition("/")[2] if node else ""
        known = self._by_name.get(named) or self._by_stem.get(stem)
        return known or named or stem


def class_names(splits: Iterable[Iterable[ImageEntry]]) -> list[str]:
    """Returns the names of all boxes' classes, sorted."""
    return sorted({box.name for images in splits for image in images for box in image.boxes})


def _box(node: Node, where: str) -> Box:
    name = node.first("name")
    if name is None or not name.text.strip():
        raise InputError(f"{where}, line {node.line}", "an object without name", "<name>")
    box = node.first("bndbox")
    if box is None:
        raise InputError(f"{where}, line {node.line}", "an object without box", "<bndbox>")
    x1, y1, x2, y2 = (_number(box, corner, where) for corner in CORNERS)
    return Box(name.text.strip(), (x1, y1, x2 - x1, y2 - y1))


def _number(parent: Node, tag: str, where: str) -> float:
    node = parent.first(tag)
    try:
        value = float(node.text) if node else None
    except ValueError:
        value = None
    if value is None or not isfinite(value):
        found = node.text.strip() if node else None
        line = (node or parent).line
        raise InputError(f"{where}, line {line}", found, f"a number in <{tag}>")
    return value
