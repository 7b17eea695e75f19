"""Describes what a conversion leaves out, repairs and finds, as text for the terminal."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ssdcore.core.messages import counted, printable
from ssdcore.data.convert import AFTER_HEIF, BRIGHTEN, Conversion, RepeatedFile, Skipped
from ssdcore.data.images import DARK, WITHOUT_HEIF
from ssdcore.data.manifest import UNLABELLED
from ssdcore.data.same_images import EXAMPLES, SameImage

EXAMPLE_LENGTH = 60
"""Maximum characters of an example; file names and boxes can have any length."""
HEADER = ("reason", "images", "boxes", "first example")
Row = tuple[str, str, str, str]


def table_of_losses(conversion: Conversion) -> str:
    """Returns an aligned table of the reasons, or an empty text if nothing is left out.

    The boxes of a skipped image are counted under the reason of the image.
    """
    rows = [HEADER, *_image_rows(conversion), *_box_rows(conversion)]
    if len(rows) == 1:
        return ""
    first, second, third, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        f"  {reason:{first}}  {images:>{second}}  {boxes:>{third}}  {example}"
        for reason, images, boxes, example in rows
    )


def notes(
    conversion: Conversion,
    repeated: Sequence[RepeatedFile],
    unused: Mapping[str, Sequence[str]],
    same: Sequence[SameImage] = (),
) -> list[str]:
    """Returns a line for each kind of repair, and of input that is doubtful or not used."""
    split, lines = conversion.split, []
    if WITHOUT_HEIF in [skipped.reason for skipped in conversion.skipped]:
        lines.append(f"  {WITHOUT_HEIF}. {AFTER_HEIF}")
    if split.sizes_from_files:
        images = counted(split.sizes_from_files, "image")
        lines.append(f"  {images} without a listed size: the file's size is used")
    if split.repaired_boxes:
        boxes = counted(split.boxes["area_from_box"], "box", "boxes")
        names = [f"{box.file_name}: box {box.annotation_id}" for box in split.repaired_boxes]
        lines.append(f"  {boxes} of unusable area: the box's area is used{_such_as(names)}")
    if dark := conversion.nearly_black:
        images = counted(len(dark), "image")
        lines.append(
            f"  {images} nearly black, without a level of {DARK} or above{_such_as(dark)}. "
            f"{BRIGHTEN}"
        )
    if unclear := conversion.ambiguous_orientation:
        images = counted(len(unclear), "image")
        lines.append(
            f"  {images} whose EXIF orientation the listed size does not show, used as "
            f"stored{_such_as(unclear)}. If their boxes are of the upright image, turn the files "
            "upright without the tag, or remove the listed size"
        )
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
    of_reason: dict[str, list[Skipped]] = defaultdict(list)
    for skipped in conversion.skipped:
        of_reason[skipped.reason].append(skipped)
    return [
        (reason, str(len(own)), str(sum(one.boxes for one in own)),
         _short(own[0].file_name or f"image {own[0].image_id}"))
        for reason, own in sorted(of_reason.items())
    ]  # fmt: skip


def _box_rows(conversion: Conversion) -> list[Row]:
    examples = {
        box.reason: f"{box.file_name or f'image {box.image_id}'}: "
        f"box {box.annotation_id}, category {box.category_id}, {box.bbox}"
        for box in reversed(conversion.split.dropped_boxes)
    }
    return [
        (reason, "-", str(count), _short(examples[reason]))
        for reason, count in conversion.split.dropped.items()
    ]


def _end(name: str) -> str:
    """Returns a file name for a line with two; a long one loses its folders."""
    return _short(name if 2 * len(name) <= EXAMPLE_LENGTH else PurePosixPath(name).name)


def _short(text: str) -> str:
    """Shortens a text and escapes control characters and line breaks."""
    safe = printable(text).replace("\n", r"\n")
    return safe if len(safe) <= EXAMPLE_LENGTH else safe[: EXAMPLE_LENGTH - 1] + "…"
