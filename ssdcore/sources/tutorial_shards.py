"""Reads MindRecord shards in the layout of MindSpore's model zoo.

Columns: `img_id` (1,) int32; `image`, an encoded image; `annotation` (N, 5) int32, a row
y1 x1 y2 x2 in pixels and a label from 1 up.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore.mindrecord import FileReader
from numpy.typing import NDArray

from ssdcore.core.errors import InputError

COLUMNS = frozenset(("img_id", "image", "annotation"))


class Row(NamedTuple):
    """An image of a shard.

    Attributes:
        image_id: COCO's.
        image: the encoded image.
        boxes_y1x1y2x2_px_label: (N, 5) int32.
    """

    image_id: int
    image: bytes
    boxes_y1x1y2x2_px_label: NDArray[np.int32]


def read_shards(folder: Path, name: str, place: str, classes: int) -> Iterator[Row]:
    """Yields the rows of `name`0, `name`1, … in their order.

    Args:
        folder: of the shards and their .db files.
        name: without the number.
        place: what messages call the shards.
        classes: number of them; labels run from 1 to it.

    Raises:
        InputError: a shard is no MindRecord file, or a column is not what it should be.
    """
    shards = sorted(path for path in folder.glob(f"{name}[0-9]*") if path.suffix != ".db")
    try:
        reader = FileReader([str(shard) for shard in shards])
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(place, reason, "MindRecord shards, each with its .db") from None
    try:
        if missing := COLUMNS - set(reader.schema()):
            raise InputError(place, f"no columns {sorted(missing)}", f"{sorted(COLUMNS)}")
        seen: set[int] = set()
        for values in reader.get_next():
            row = _checked(values, place, classes)
            if row.image_id in seen:
                raise InputError(place, f"img_id {row.image_id} twice", "each image once")
            seen.add(row.image_id)
            yield row
    finally:
        reader.close()


def _checked(values: dict[str, Any], place: str, classes: int) -> Row:
    image_id = np.asarray(values["img_id"]).reshape(-1)
    boxes = np.asarray(values["annotation"])
    if len(image_id) != 1 or image_id[0] < 0:
        raise InputError(place, f"img_id {image_id.tolist()}", "one whole number from 0 up")
    where = f"{place}, img_id {image_id[0]}"
    if boxes.ndim != 2 or boxes.shape[1] != 5 or boxes.dtype != np.int32:
        raise InputError(where, f"{boxes.dtype} {boxes.shape}", "an annotation of int32 (N, 5)")
    labels = boxes[:, 4]
    if len(labels) and not (labels.min() >= 1 and labels.max() <= classes):
        raise InputError(where, f"labels {sorted(set(labels.tolist()))}", f"1 to {classes}")
    return Row(int(image_id[0]), bytes(values["image"]), boxes)
