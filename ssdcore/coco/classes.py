"""Maps a detector's classes to an annotation file's categories; names of published classes.

Labels of the network, which number the categories of a file, are in `ssdcore.coco.annotations`.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import CocoClass, same_name
from ssdcore.core.errors import InputError, found_instead

NAMES_EXPECTED = "a name in each line, or a list of them as JSON"
SHOWN = 5
"""Maximum number of names in a message."""
COCO_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
UNUSED_COCO_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""Ids from 1 to 90 that no category of COCO 2017 has."""
UNUSED_NAME = "N/A"
"""torchvision's name of the ten columns that no image trained."""
VOC_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip


def coco_classes() -> tuple[CocoClass, ...]:
    """Returns COCO's 80 classes, whose ids have gaps."""
    ids = (number for number in range(1, 91) if number not in UNUSED_COCO_IDS)
    return tuple(map(CocoClass, ids, COCO_NAMES))


def coco_ids_as_columns() -> tuple[CocoClass, ...]:
    """Returns the 90 classes of a detector whose columns are COCO's ids; ten of them are unused."""
    unused = (CocoClass(number, UNUSED_NAME) for number in UNUSED_COCO_IDS)
    return tuple(sorted((*coco_classes(), *unused)))


def voc_classes() -> tuple[CocoClass, ...]:
    """Returns PASCAL VOC's 20 classes, numbered in the order of their names."""
    return tuple(CocoClass(number, name) for number, name in enumerate(VOC_NAMES, 1))


def read_classes(path: Path) -> tuple[CocoClass, ...]:
    """Reads the classes of a detector in the order of its outputs, without the background.

    The file has a name in each line, or is JSON: a list of names, a list of id and name as in
    classes.json, or an annotation file of COCO, whose categories count in the order of their ids.

    Raises:
        InputError: the file is missing or empty, or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        is_json = path.suffix == ".json"
        rows: Any = json.loads(text) if is_json else filter(None, map(str.strip, text.split("\n")))
        if isinstance(rows, dict):
            rows = sorted(rows["categories"], key=lambda row: row["id"])
        found = tuple(
            CocoClass(number, row)
            if isinstance(row, str)
            else CocoClass(int(row["id"]), str(row["name"]))
            for number, row in enumerate(rows, 1)
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(str(path), found_instead(error), NAMES_EXPECTED) from None
    if not found:
        raise InputError(str(path), "no names", NAMES_EXPECTED)
    return found


def counterparts(
    classes: Sequence[CocoClass], others: Sequence[CocoClass]
) -> tuple[int | None, ...]:
    """Returns for each class the index of the same class among `others`; None if there is none.

    The name decides, apart from letter case and spaces. The id decides where a name is empty or
    occurs more than once.
    """
    ours, theirs = ([same_name(one.name) for one in group] for group in (classes, others))
    unique = {name for name in ours if name and ours.count(name) == theirs.count(name) == 1}
    of_name = {name: index for index, name in enumerate(theirs)}
    of_id = {other.id: index for index, other in enumerate(others)}
    found: list[int | None] = []
    for name, one in zip(ours, classes, strict=True):
        index = of_name[name] if name in unique else of_id.get(one.id)
        is_same = index is not None and (name == theirs[index] or not name or not theirs[index])
        found.append(index if is_same else None)
    return tuple(found)


def as_listed(
    classes: Sequence[CocoClass], listed: Sequence[CocoClass], where: str
) -> tuple[CocoClass | None, ...]:
    """Returns the annotation file's class for each class of a detector, None for an unknown one.

    Raises:
        InputError: they have no class in common; `where` names the detector.
    """
    found = tuple(
        None if index is None else listed[index] for index in counterparts(classes, listed)
    )
    if not any(found):
        raise InputError(
            f"{where}: classes", _shown(classes), f"a class of the data set: {_shown(listed)}",
            "Use a detector of these classes, or the data set that it was trained for",
        )  # fmt: skip
    return found


def difference(classes: Sequence[CocoClass], listed: Sequence[CocoClass]) -> str:
    """Names the classes that a detector and an annotation file do not share; "" if none."""
    index = counterparts(classes, listed)
    left = [one for one, found in zip(classes, index, strict=True) if found is None]
    unknown = [one for number, one in enumerate(listed) if number not in index]
    parts = []
    if left:
        parts.append(f"detected but not in the data set, and left out: {_shown(left)}")
    if unknown:
        parts.append(f"in the data set but unknown to the model, with AP 0: {_shown(unknown)}")
    return f"classes {'; '.join(parts)}" if parts else ""


def _shown(classes: Sequence[CocoClass]) -> str:
    counts = Counter(one.name for one in classes)
    names = [f"{count} × {name}" if count > 1 else name for name, count in counts.items()]
    more = f" … ({len(classes)})" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
