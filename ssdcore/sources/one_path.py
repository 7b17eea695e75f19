"""A whole data set in one folder or archive, as a labelling tool exports it.

The format is recognised. The tool's own folders of train, val and test are the splits; without
them, shares of the images become val and test. A test split without labels is left out and counted.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ssdcore.coco.rows import Content
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.messages import say
from ssdcore.data.image_files import ImageFiles, image_names, open_image_files
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.params.dataset import LocalParams
from ssdcore.sources.coco_export import read_coco_export
from ssdcore.sources.coco_writer import ImageEntry, write_coco, write_contents
from ssdcore.sources.converted import read_cvat, read_kitti, read_labelbox
from ssdcore.sources.division import Division, divide_entries, partition
from ssdcore.sources.label_studio import read_label_studio
from ssdcore.sources.labelme import read_labelme
from ssdcore.sources.pairing import Reading, not_entered, unused, with_rest
from ssdcore.sources.recognise import NAMES, recognise
from ssdcore.sources.splits_by_folder import OTHER_TEST, TEST, UNUSED_TEST, Subset, by_split
from ssdcore.sources.voc import Voc, class_names
from ssdcore.sources.yolo import read_names, read_yolo, split_images

OUTSIDE = "file outside the folders of train and val"
READERS = {
    "cvat": read_cvat, "kitti": read_kitti, "label_studio": read_label_studio,
    "labelbox": read_labelbox, "labelme": read_labelme,
}  # fmt: skip
"""Readers of the formats without splits; the folders of the images name the splits, if any."""


class Whole(NamedTuple):
    """The content of a folder or archive."""

    where: str
    format: str  # a key of `ssdcore.sources.recognise.NAMES`
    readings: dict[str, Reading]  # by split; "" holds the images that have none
    contents: Mapping[str, Content] = MappingProxyType({})  # of COCO files, by split
    files: Mapping[str, str] = MappingProxyType({})  # the COCO file of each split, for messages
    classes: Sequence[str] = ()  # YOLO's

    def annotations(self, split: str) -> str:
        """Returns the name of a split's annotations in messages."""
        return f"{self.where}/{self.files[split]}" if split in self.files else self.where


def fetch_one_path(params: LocalParams, folder: Path) -> dict[str, FetchedSplit]:
    """Writes the annotation files of all splits to `folder`; prints the recognised format.

    Raises:
        InputError: the format is not known, or something is missing or wrong; the message names
            file and line.
    """
    path = Path(params.path)
    with open_image_files(path) as files:
        whole = _read(files, params.path, params.format)
        readings = whole.readings
        has_test = TEST in readings and _has_boxes(whole, TEST)
        present = [split for split in readings if split not in ("", TEST)]
        if has_test or params.has_test_path:
            present.append(TEST)
        division = Division.of(params, present)
        write_splits(whole, folder, division)
        if has_test and not params.has_test_path:
            _write_test(whole, TEST, folder)
        every = {s: with_rest(files, whole.where, whole.where, r) for s, r in readings.items()}
        left = {split or "train": reasons for split, reasons in unused(every).items()}
        unused_test = {}
        known = {name for reading in readings.values() for name in (*reading.used, *reading.rest)}
        root, images = path.resolve(), image_names(files)
        if TEST in readings and (params.has_test_path or not has_test):
            reason = OTHER_TEST if params.has_test_path else UNUSED_TEST
            of_test = [name for name in images if root / name in readings[TEST].used]
            unused_test = left.pop(TEST) | {reason: of_test}
        xml = [n for n in files.names() if whole.format == "voc" and n.lower().endswith(".xml")]
        left["train"][OUTSIDE] = [name for name in (*images, *xml) if root / name not in known]
    pool = "train" if "train" in readings else ""
    fetched = {}
    for split in (*layout.SPLITS, TEST):
        if annotation_file(folder, split).exists():
            own = split if split in readings and split not in division.shares else pool
            named = whole.annotations(own)
            fetched[split] = FetchedSplit(path, whole.where, named, unused=left.get(split, {}))
    fetched["train"] = fetched["train"]._replace(unused_test=unused_test)
    return fetched


def fetch_test_path(params: LocalParams, folder: Path) -> FetchedSplit:
    """Writes the annotation file of the test split from `test_path`; prints the recognised format.

    If its folders have splits, its test split counts, else all of it.

    Raises:
        InputError: as `fetch_one_path`, or there are other splits only.
    """
    path = Path(params.test_path)
    with open_image_files(path) as files:
        whole = _read(files, params.test_path, params.format, or_any=True)
        split = TEST if TEST in whole.readings else ""
        if split not in whole.readings or not _has_boxes(whole, split):
            splits = sorted(filter(None, whole.readings)) or "images without a box"
            expected = "one set of images with boxes, or a test split"
            raise InputError("dataset.local.test_path", f"{params.test_path}: {splits}", expected)
        _write_test(whole, split, folder)
        reading = with_rest(files, params.test_path, params.test_path, whole.readings[split])
    return FetchedSplit(
        path, params.test_path, whole.annotations(split), unused=unused({TEST: reading})[TEST]
    )


def _read(files: ImageFiles, where: str, wanted: str, *, or_any: bool = False) -> Whole:
    """Reads all splits; prints the format and notes for the user."""
    found = recognise(files, where, wanted, or_any=or_any)
    say(f"{where}: {found}")
    links = ", ".join(folder.name for folder in not_entered(Path(where)))
    if links and not image_names(files):
        value = f"no image, and {links}, which is a link or cannot be read"
        raise InputError(where, value, "images in folders that are no links")
    if found.format == "coco":
        names, contents, readings = read_coco_export(files, where, found.files)
        whole = Whole(where, found.format, readings, contents, names)
    elif found.format == "yolo":
        classes = read_names(files, where)
        readings = {
            split: read_yolo(
                files, where, Subset(files, images), "", classes, is_test=split == TEST
            )
            for split, images in split_images(files, where).items()
        }
        whole = Whole(where, found.format, readings, classes=classes)
    elif found.format == "voc":
        whole = Whole(where, found.format, _read_voc(files, where))
    else:
        reading = READERS[found.format](files, where, found.files)
        if not reading.entries:
            expected = f"images with labels of {NAMES[found.format]}"
            raise InputError(where, "no image with a label file or an annotation", expected)
        whole = Whole(where, found.format, _divided(reading, where))
    for note in (note for reading in whole.readings.values() for note in reading.notes):
        say(f"  {note}")
    return whole


def _has_boxes(whole: Whole, split: str) -> bool:
    """Returns whether a split is labelled; a published test split may not be."""
    if split in whole.contents:
        return bool(whole.contents[split]["annotations"])
    return any(entry.boxes for entry in whole.readings[split].entries)


def write_splits(whole: Whole, folder: Path, division: Division) -> None:
    """Writes the annotation files, but a test split's: COCO as it is listed, others as COCO."""
    pool = "train" if "train" in whole.readings else ""
    if whole.contents:
        contents = {s or "train": one for s, one in whole.contents.items() if s != TEST}
        if division.shares:
            contents |= partition(contents["train"], division, whole.annotations(pool))
        write_contents(folder, contents)
    else:
        entries: dict[str, Sequence[ImageEntry]] = {
            split or "train": reading.entries
            for split, reading in whole.readings.items()
            if split != TEST
        }
        if division.shares:
            entries |= divide_entries(entries["train"], division, whole.where)
        _write_entries(whole, entries, folder)


def _write_test(whole: Whole, split: str, folder: Path) -> None:
    """Writes one of the splits as the test split, with classes of its own."""
    if split in whole.contents:
        write_contents(folder, {TEST: whole.contents[split]})
    else:
        _write_entries(whole, {TEST: whole.readings[split].entries}, folder)


def _write_entries(whole: Whole, entries: Mapping[str, Sequence[ImageEntry]], folder: Path) -> None:
    name = NAMES[whole.format]
    classes = whole.classes or class_names(entries.values())
    if not classes:
        raise InputError(whole.where, f"{name} files without any object", "objects")
    write_coco(folder, entries, classes, f"Converted from {name}")


def _read_voc(files: ImageFiles, where: str) -> dict[str, Reading]:
    """Reads the folders of the splits; else VOC's lists; else all files."""
    parts = by_split(files.names())
    if len(parts) > 1:
        return {
            split: Voc(Subset(files, names), where, Subset(files, names)).everything()
            if split != TEST or any(name.lower().endswith(".xml") for name in names)
            else Reading([], {Path(where).resolve() / name for name in names})  # not labelled
            for split, names in parts.items()
        }
    voc = Voc(files, where, files)
    lists = voc.lists()
    readings = {split: voc.listed(name) for split, name in lists.items() if split != TEST}
    if TEST in lists:
        try:
            readings[TEST] = voc.listed(TEST)
        except InputError as error:  # a published test split without its XML files
            note = f"the list of test is not used, {error.where}: {error.value}"
            first = next(iter(readings))
            readings[first] = readings[first]._replace(notes=(note,))
    return readings or {"": voc.everything()}


def _divided(reading: Reading, where: str) -> dict[str, Reading]:
    """Divides what was read by the folders of the images."""
    entry_of = {entry.file_name: entry for entry in reading.entries}
    parts = by_split(list(entry_of))
    root = Path(where).resolve()
    images = {root / name for name in entry_of}
    divided = {
        split: Reading([entry_of[name] for name in names], {root / name for name in names})
        for split, names in parts.items()
    }
    whole = next(iter(divided))
    used = divided[whole].used | (reading.used - images)
    divided[whole] = reading._replace(entries=divided[whole].entries, used=used)
    return divided
