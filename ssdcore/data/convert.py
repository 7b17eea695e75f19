"""COCO → MindRecord: every listed image becomes a row or a counted reason why not."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.data.coco import CocoSplit
from ssdcore.data.images import BrokenImageError, checked, read_bytes
from ssdcore.data.mindrecord import Record, write_shards


class Skipped(NamedTuple):
    """An image that was left out."""

    file_name: str
    reason: str


class Conversion(NamedTuple):
    """What became of a split.

    Attributes:
        split: as it was read; its boxes are counted there.
        kept: images written.
        without_objects: of these, how many show none.
        skipped: the others.
    """

    split: CocoSplit
    kept: int
    without_objects: int
    skipped: tuple[Skipped, ...]

    def summary(self) -> dict[str, Any]:
        """Returns the counts as conversion.json holds them."""
        reasons = Counter(skipped.reason for skipped in self.skipped)
        return {
            "images": {
                "listed": len(self.split.images),
                "kept": self.kept,
                "without_objects": self.without_objects,
                "skipped": dict(sorted(reasons.items())),
            },
            "boxes": {**self.split.boxes, "dropped": dict(self.split.dropped)},
            "skipped_files": [skipped._asdict() for skipped in self.skipped],
        }


def convert_split(split: CocoSplit, folder: Path, target: Path, shards: int) -> Conversion:
    """Writes a split's images and objects to MindRecord.

    Args:
        split: the checked annotation file.
        folder: of its images.
        target: name of the shards, see `write_shards`.
        shards: how many.
    """
    skipped: list[Skipped] = []
    objects_kept: list[int] = []  # of each image written, how many

    def records() -> Iterator[Record]:
        for image in split.images:
            try:
                data = checked(read_bytes(folder, image.file_name), image.height, image.width)
            except BrokenImageError as error:
                skipped.append(Skipped(image.file_name, str(error)))
            else:
                objects_kept.append(len(split.objects[image.id].labels))
                yield Record(image.id, data, split.objects[image.id])

    write_shards(target, records(), shards)
    return Conversion(split, len(objects_kept), objects_kept.count(0), tuple(skipped))
