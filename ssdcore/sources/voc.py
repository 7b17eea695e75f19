"""Pascal VOC: an XML file an image, and lists of the images of each split.

Boxes are taken as most tools write them, [xmin, ymin, xmax - xmin, ymax - ymin]; VOC's own are
half a pixel off by that. Objects marked `difficult` count like all others.
"""

from collections.abc import Iterable
from math import isfinite
from pathlib import PurePosixPath

from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.coco_writer import Box, ImageEntry
from ssdcore.sources.headers import image_names, upright_size_hw
from ssdcore.sources.xml_lines import Node, parse_xml

SIDES = ("height", "width")
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Voc:
    """A folder or archive with `Annotations/` and, perhaps, `ImageSets/Main/`.

    Args:
        files: what it holds.
        place: what messages call it.
        images: the images.

    Raises:
        InputError: there are no XML files, or several folders named Annotations.
    """

    def __init__(self, files: ImageFiles, place: str, images: ImageFiles) -> None:
        self._files, self._place, self._images = files, place, images
        self._names = frozenset(files.names())
        names = [PurePosixPath(name) for name in sorted(self._names)]
        annotations = [name for name in names if name.suffix.lower() == ".xml"]
        homes = {name.parent for name in annotations if name.parent.name == "Annotations"}
        if len(homes) > 1 or not annotations:
            several = sorted(map(str, homes)) or "no XML file"
            raise InputError(
                place, several, "one folder named Annotations with an XML file for each image",
                "Name the folder that holds Annotations and, if there are lists, ImageSets",
            )  # fmt: skip
        home = homes.pop() if homes else None
        chosen = [name for name in annotations if home is None or name.parent == home]
        self._xml = {name.stem: str(name) for name in chosen}
        self._lists = (home.parent if home is not None else PurePosixPath()) / "ImageSets" / "Main"
        found = [PurePosixPath(name) for name in image_names(images)]
        self._by_name = {name.name: str(name) for name in found}
        self._by_stem = {name.stem: str(name) for name in found}

    def has_list(self, name: str) -> bool:
        """Says whether there is such a list, `train` for instance."""
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
                place = f"{self._place}/{path}, line {number}"
                raise InputError(place, stem, "a name without suffix, with a file in Annotations")
            stems += [stem] if stem else []
        return [self._read(stem) for stem in stems]

    def everything(self) -> list[ImageEntry]:
        """Reads the images of all XML files, in the order of their names."""
        return [self._read(stem) for stem in sorted(self._xml)]

    def _bytes(self, name: str) -> bytes:
        try:
            return self._files.read(name)
        except BrokenImageError as error:
            raise InputError(f"{self._place}/{name}", str(error), "a readable file") from None

    def _text(self, name: str) -> str:
        try:
            return self._bytes(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{self._place}/{name}", str(error), "text in UTF-8") from None

    def _read(self, stem: str) -> ImageEntry:
        place = f"{self._place}/{self._xml[stem]}"
        root = parse_xml(self._bytes(self._xml[stem]), place)
        file_name = self._image_of(root, stem)
        size = root.first("size") or root
        if all(size.first(side) for side in SIDES):
            height, width = (_number(size, side, place) for side in SIDES)
        else:
            height = width = 0
        if min(height, width) < 1:  # some tools leave it open
            height, width = upright_size_hw(self._images, file_name)
        boxes = tuple(_box(node, place) for node in root.all("object"))
        return ImageEntry(file_name, int(height), int(width), boxes)

    def _image_of(self, root: Node, stem: str) -> str:
        """Returns the image named in the file; where that one is not there, the file's namesake.

        Renamed images leave their old name in the file, and old Windows paths.
        """
        node = root.first("filename")
        named = node.text.strip().replace("\\", "/").rpartition("/")[2] if node else ""
        known = self._by_name.get(named) or self._by_stem.get(stem)
        return known or named or stem


def class_names(splits: Iterable[Iterable[ImageEntry]]) -> list[str]:
    """Returns the names of all boxes' classes, sorted."""
    return sorted({box.name for image_files in splits for p in image_files for box in p.boxes})


def _box(node: Node, place: str) -> Box:
    name = node.first("name")
    if name is None or not name.text.strip():
        raise InputError(f"{place}, line {node.line}", "an object without name", "<name>")
    box = node.first("bndbox")
    if box is None:
        raise InputError(f"{place}, line {node.line}", "an object without box", "<bndbox>")
    x1, y1, x2, y2 = (_number(box, corner, place) for corner in CORNERS)
    return Box(name.text.strip(), (x1, y1, x2 - x1, y2 - y1))


def _number(parent: Node, tag: str, place: str) -> float:
    node = parent.first(tag)
    try:
        value = float(node.text) if node else None
    except ValueError:
        value = None
    if value is None or not isfinite(value):
        found = node.text.strip() if node else None
        line = (node or parent).line
        raise InputError(f"{place}, line {line}", found, f"a number in <{tag}>")
    return value
