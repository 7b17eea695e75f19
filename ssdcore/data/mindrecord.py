"""MindRecord shards, which the convert stage writes and later stages read: one row per image.

This module hides two quirks of the format. Bytes lose their trailing zeros, so every image ends
with `END`. An empty array is read as a scalar, so the number of objects is stored as well and an
image without objects has one row of zeros.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mindspore.mindrecord import FileWriter
from numpy.typing import NDArray

from ssdcore.coco.checked_boxes import Objects
from ssdcore.core.errors import InputError, RunError, disk_fault
from ssdcore.data.augment import Sample
from ssdcore.data.images import decode_for_network
from ssdcore.geometry.feature_maps import IMAGE_SIZE

END = b"\x01"
SCHEMA = {
    "image_id": {"type": "int64"},
    "image": {"type": "bytes"},
    "num_objects": {"type": "int32"},
    "objects": {"type": "float32", "shape": [-1, 6]},
}
COLUMNS = tuple(SCHEMA)
OBJECTS = COLUMNS[2:]
"""The columns that `to_objects` takes."""
DESCRIPTION = "pictures and their boxes (y1 x1 y2 x2 fractions, label, crowd)"
"""Part of each shard's header: another word changes the hash of every shard."""
REMEDY = "Run dvc checkout --force data/mindrecord, or dvc repro --force convert"
MIN_FREE_BYTES = 1 << 20
"""Free space below which an error of MindRecord counts as a full disk."""
ROWS_AT_ONCE = 64
BYTES_AT_ONCE = 64 << 20
"""Maximum rows in a call of the writer, and bytes of images that end a group earlier."""


class Record(NamedTuple):
    """An image to store."""

    image_id: int  # of the annotation file
    image: bytes
    objects: Objects


def write_shards(path: Path, records: Iterable[Record], shards: int = 1) -> list[Path]:
    """Writes and returns the shards `path` or `path`0, `path`1, …, each with a .db file beside it.

    Equal records give equal bytes. This is not so if MindSpore distributes the rows: its threads
    race. So each shard is written as a separate file, and the rows are distributed in turn. There
    are no more shards than rows. A .db file contains the name of its shard; the two may be moved
    together but not renamed.

    Raises:
        OSError: the disk is full.
        RunError: the writer fails for another reason.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    digits = len(str(shards - 1))
    writers: list[FileWriter] = []
    written = 0
    for group in _groups(records):
        for turn in range(min(shards, len(group))):
            shard = (written + turn) % shards
            if shard == len(writers):
                number = f"{shard:0{digits}}" if shards > 1 else ""
                writers.append(_open(path.with_name(path.name + number)))
            with mindrecord_errors(path):
                writers[shard].write_raw_data([_to_row(record) for record in group[turn::shards]])
        written += len(group)
    with mindrecord_errors(path):
        for writer in writers:
            writer.commit()
    return find_shards(path) if written else []


@contextmanager
def mindrecord_errors(path: Path) -> Iterator[None]:
    """Turns an error of MindRecord, a stack of C++ calls, into one line.

    Raises:
        OSError: the disk is full.
        RunError: anything else.
    """
    try:
        yield
    except (RuntimeError, ValueError) as error:
        text = str(error)
        if disk_fault(error) or shutil.disk_usage(path.parent).free < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
        told = re.search(r"^\[ERROR\] (.*)$", text, re.MULTILINE)
        reason = (told[1] if told else text.strip().partition("\n")[0]).rstrip(".!")
        raise RunError(f"{path}: {reason}. Run the convert stage again.") from None


def _open(path: Path) -> FileWriter:
    writer = FileWriter(str(path), overwrite=True)
    writer.add_schema(SCHEMA, DESCRIPTION)
    return writer


def find_shards(path: Path) -> list[Path]:
    """Returns the shards that `write_shards` wrote at `path`, in their order.

    Raises:
        InputError: there is none, or one without its index, a file with the suffix .db.
    """
    shards = [p for p in path.parent.glob(f"{path.name}*") if p.suffix != ".db"]
    indices = [shard.with_name(f"{shard.name}.db") for shard in shards]
    for file in indices or [path]:
        if not file.is_file():
            raise InputError(str(file), "no file", "a MindRecord file or its index", REMEDY)
    return sorted(shards, key=lambda shard: (len(shard.name), shard.name))


def _groups(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Groups the records for the writer; bounds the memory."""
    group: list[Record] = []
    for record in records:
        group.append(record)
        size = sum(len(member.image) for member in group)
        if len(group) == ROWS_AT_ONCE or size > BYTES_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _to_row(record: Record) -> dict[str, Any]:
    number = len(record.objects.labels)
    rows = np.zeros((max(number, 1), 6), np.float32)
    rows[:number, :4] = record.objects.boxes_yxyx
    rows[:number, 4] = record.objects.labels
    rows[:number, 5] = record.objects.crowd
    return {
        "image_id": record.image_id,
        "image": record.image + END,
        "num_objects": number,
        "objects": rows,
    }


def to_sample(
    image: NDArray[Any],
    num_objects: NDArray[Any],
    objects: NDArray[Any],
    size: int = IMAGE_SIZE,
    tile: int | None = None,
) -> Sample:
    """Converts the columns of a row, as MindDataset returns them, for a network of `size`.

    With tiles, of a side in pixels, the image keeps what each of them shows.
    """
    rgb = decode_for_network(image.tobytes()[: -len(END)], size, tile)
    return Sample(rgb, to_objects(num_objects, objects))


def to_objects(num_objects: NDArray[Any], objects: NDArray[Any]) -> Objects:
    """Converts the columns `OBJECTS` of a row."""
    rows = objects[: int(num_objects)]
    return Objects(rows[:, :4], rows[:, 4].astype(np.int32), rows[:, 5] > 0)
