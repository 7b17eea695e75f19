"""Reads Label Studio's own JSON: a list of tasks, each with an image and its annotations.

Boxes are percentages of the image. Predictions are proposals that no person has accepted; they
are not read. https://labelstud.io/guide/task_format describes the format.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ssdcore.coco.rows import finite_number, whole_number
from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted
from ssdcore.data.image_files import IMAGE_SUFFIXES, LARGEST_BYTES, ImageFiles, image_names
from ssdcore.geometry.boxes import around_rotated
from ssdcore.sources.coco_export import pair_listed, path_in
from ssdcore.sources.coco_writer import Box, ImageEntry, with_size
from ssdcore.sources.pairing import Reading, gathered, read_json

KIND = "rectanglelabels"
UNFINISHED = "image of a task without an annotation"


class Task(NamedTuple):
    """The content of a task; without regions, nobody has annotated it."""

    where: str  # the file and the task's position, for messages
    image: str  # its path or address
    regions: Sequence[Mapping[str, Any]] | None


def read_label_studio(files: ImageFiles, where: str, exports: Sequence[str]) -> Reading:
    """Reads the tasks of all files; those that nobody has annotated are not used.

    Raises:
        InputError: a file is no list of tasks, or a region is no box of a class.
    """
    images = image_names(files)
    tasks = [
        _task(task, f"{where}/{export}: task {number}")
        for export in exports
        for number, task in enumerate(_list(read_json(files, export, where, LARGEST_BYTES)))
    ]
    image_of, by_name = pair_listed(images, [task.image for task in tasks], ".", "")
    entries, rest, others = [], {}, 0
    for task in tasks:
        image = image_of.get(task.image, task.image.lstrip("/"))  # else the file is missing
        if task.regions is None:
            rest[image] = UNFINISHED
            continue
        boxes = [region for region in task.regions if region.get("type") == KIND]
        others += len(task.regions) - len(boxes)
        entry = with_size(files, ImageEntry(image, *_size(boxes)))
        found = (_box(region, entry.height, entry.width, task.where) for region in boxes)
        entries.append(entry._replace(boxes=tuple(found)))
    counts = (
        (others, "region", "not read: no boxes"),
        (len(by_name), "image", "not at the path of the task, found by its end"),
    )
    notes = tuple(f"{counted(number, one)} {what}" for number, one, what in counts if number)
    return gathered(where, images, entries, exports, rest, notes)


def _task(task: Any, where: str) -> Task:
    data = _dict(_dict(task).get("data"))
    paths = [path_in(value) for value in data.values() if isinstance(value, str)]
    images = [path for path in paths if PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise InputError(where, data, "data with the path of an image")
    done = [*map(_dict, _list(task.get("annotations")))]
    done = [annotation for annotation in done if not annotation.get("was_cancelled")]
    latest = max(done, key=lambda one: str(one.get("updated_at", "")), default=None)
    regions = None if latest is None else [*map(_dict, _list(latest.get("result")))]
    return Task(where, images[0], regions)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _size(regions: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Returns height and width in pixels, which regions alone carry; 0 if none does."""
    for region in regions:
        sides = [whole_number(region.get(f"original_{side}")) or 0 for side in ("height", "width")]
        if min(sides) > 0:
            return sides[0], sides[1]
    return 0, 0


def _box(region: Mapping[str, Any], height: int, width: int, where: str) -> Box:
    value = _dict(region.get("value"))
    percent = [finite_number(value.get(key)) for key in ("x", "y", "width", "height")]
    name = next(iter(_list(value.get(KIND))), None)
    if None in percent or not isinstance(name, str):
        raise InputError(where, value, f"x, y, width and height in percent, and {KIND}")
    x, y, w, h = (float(percent[n] or 0) * (width, height)[n % 2] / 100 for n in range(4))
    degrees = finite_number(value.get("rotation")) or 0
    return Box(name, around_rotated((x, y, w, h), degrees, (x, y)))
