"""What a conversion leaves out, repairs and finds, as text for the terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from ssdcore.core.messages import counted, printable
from ssdcore.data.convert import Conversion, RepeatedFile
from ssdcore.data.manifest import UNLABELLED
from ssdcore.data.same_images import EXAMPLES, SameImage

EXAMPLE_LENGTH = 60
"""Maximum characters of an example; file names and boxes can have any length."""


class Row(NamedTuple):
    """A reason, how many images and boxes are left out for it, and the first of them."""

    reason: str
    images: str
    boxes: str
    first_example: str


def table_of_losses(conversion: Conversion) -> str:
    """Returns an aligned table of the reasons, or an empty text if nothing is left out.

    The boxes of a skipped image are counted under the reason of the image.
    """
    rows = [*_image_rows(conversion), *_box_rows(conversion)]
    if not rows:
        return ""
    header = Row(*(field.replace("_", " ") for field in Row._fields))
    first, images, boxes = (max(len(row[k]) for row in [header, *rows]) for k in range(3))
    return "\n".join(
        f"  {row.reason:{first}}  {row.images:>{images}}  {row.boxes:>{boxes}}  {row.first_example}"
        for row in [header, *rows]
    )


def notes(
    conversion: Conversion,
    repeated: Sequence[RepeatedFile],
    unused: Mapping[str, Sequence[str]],
    same: Sequence[SameImage] = (),
) -> list[str]:
    """Returns a line for each kind of repair, and of input that is there twice or not used."""
    split, lines = conversion.split, []
    if split.sizes_from_files:
        images = counted(split.sizes_from_files, "image")
        lines.append(f"  {images} without a listed size: that of the file counts")
    if split.repaired_boxes:
        boxes = counted(split.boxes["area_from_box"], "box", "boxes")
        names = [f"{box.file_name}: box {box.annotation_id}" for box in split.repaired_boxes]
        lines.append(f"  {boxes} of unusable area: that of the box counts{_such_as(names)}")
    if repeated:
        files = counted(len(repeated), "file")
        lines.append(f"  {files} listed under several ids{_such_as(list(map(str, repeated)))}")
    if same:
        images = counted(len(same), "image")
        pairs = [f"{_end(one.file_name)} ({one.other_split}: {_end(one.other_file_name)})"
                 for one in same[:EXAMPLES]]  # fmt: skip
        lines.append(
            f"  {images} also in another split, so AP is too high, such as {', '.join(pairs)}. "
            "Remove one of each, or keep them together with dataset.local.group"
        )
    for reason, unused_names in unused.items():
        is_class = reason.startswith("class")
        files = counted(len(unused_names), *(("class", "classes") if is_class else ("file",)))
        what = files if reason == UNLABELLED else f"{files} not used"
        lines.append(f"  {what}: {reason}{_such_as(unused_names)}")
    return lines


def _such_as(names: Sequence[str]) -> str:
    return f", such as {', '.join(map(_short, names[:EXAMPLES]))}"


def _image_rows(conversion: Conversion) -> list[Row]:
    images, boxes, examples = Counter[str](), Counter[str](), dict[str, str]()
    for skipped in conversion.skipped:
        images[skipped.reason] += 1
        boxes[skipped.reason] += skipped.boxes
        examples.setdefault(skipped.reason, skipped.file_name or f"image {skipped.image_id}")
    return [
        Row(reason, str(images[reason]), str(boxes[reason]), _short(examples[reason]))
        for reason in sorted(images)
    ]


def _box_rows(conversion: Conversion) -> list[Row]:
    examples = {
        box.reason: f"{box.file_name or f'image {box.image_id}'}: "
        f"box {box.annotation_id}, category {box.category_id}, {box.bbox}"
        for box in reversed(conversion.split.dropped_boxes)
    }
    return [
        Row(reason, "-", str(count), _short(examples[reason]))
        for reason, count in conversion.split.dropped.items()
    ]


def _end(name: str) -> str:
    """Returns a file name, of two that share a line; a long one without its folders."""
    return _short(name if 2 * len(name) <= EXAMPLE_LENGTH else PurePosixPath(name).name)


def _short(text: str) -> str:
    """Shortens a text and escapes control characters and line breaks."""
    safe = printable(text).replace("\n", r"\n")
    return safe if len(safe) <= EXAMPLE_LENGTH else safe[: EXAMPLE_LENGTH - 1] + "…"
