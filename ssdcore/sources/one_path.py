"""A whole data set in one folder or archive, as a labelling tool exports it.

The format is recognised. The tool's own folders of train and val are the splits; without them,
`val_share` of the images becomes the validation split. A test split is left out and counted.
"""

from collections.abc import Sequence
from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import write_json
from ssdcore.core.messages import printable, say
from ssdcore.data.image_files import ImageFiles, image_names, open_image_files
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.params.dataset import LocalParams
from ssdcore.sources.coco_export import read_coco_export
from ssdcore.sources.coco_writer import ImageEntry, write_coco
from ssdcore.sources.converted import READERS as CONVERTED
from ssdcore.sources.converted import read_converted
from ssdcore.sources.labelme import read_labelme
from ssdcore.sources.pairing import Reading, unused, with_rest
from ssdcore.sources.recognise import NAMES, Recognised, recognise
from ssdcore.sources.selection import partition, val_entries
from ssdcore.sources.splits import TEST, Subset, by_split
from ssdcore.sources.voc import VOC_LISTS, Voc, class_names
from ssdcore.sources.yolo import read_names, read_yolo, split_images

UNUSED_TEST = "image of a test split, which is not used"


def fetch_one_path(params: LocalParams, folder: Path) -> dict[str, FetchedSplit]:
    """Writes the annotation files of both splits to `folder`; says what was recognised.

    Raises:
        InputError: the format is not known, or something is missing or wrong; the message names
            file and line.
    """
    where = params.path or ""
    path = Path(where)
    if not path.exists():
        remedy = "Set dataset.local.path to it"
        raise InputError("dataset.local.path", where, "a folder or a zip archive", remedy)
    if path.suffix.lower() in (".json", ".yaml", ".yml", ".xml", ".txt", ".ndjson"):
        remedy = f"Set dataset.local.path to {path.parent}"
        raise InputError("dataset.local.path", where, "the folder or zip archive around it", remedy)
    with open_image_files(path) as files:
        found = recognise(files, where, params.format)
        say(printable(f"{where}: {found}"))
        if found.format == "coco":
            readings, names = _write_coco_export(files, found, params, folder)
        else:
            readings, names = _write_others(files, found, params, folder), {}
        for note in (note for reading in readings.values() for note in reading.notes):
            say(printable(f"  {note}"))
        left = unused({s: with_rest(files, where, where, r) for s, r in readings.items()})
        first = left.get("train", left.get("", {}))
        if TEST in readings:
            first[UNUSED_TEST] = _images_of(readings[TEST], files, path)
    return {
        split: FetchedSplit(
            path, where, f"{where}/{names[split]}" if split in names else where,
            unused=first if split == "train" else left.get(split, {}),
        )
        for split in layout.SPLITS
    }  # fmt: skip


def _write_coco_export(
    files: ImageFiles, found: Recognised, params: LocalParams, folder: Path
) -> tuple[dict[str, Reading], dict[str, str]]:
    """Writes COCO as it is listed, with the ids of its classes; returns the file of each split."""
    where = str(params.path)
    names, contents, readings = read_coco_export(files, where, found.files)
    train, val = (annotation_file(folder, split) for split in layout.SPLITS)
    write_json(train, contents.get("train", contents.get("")))
    if "val" in contents:
        write_json(val, contents["val"])
    else:
        named = f"{where}/{names['']}"
        partition(train, train, val, params.val_share, params.split_seed, named)
        names |= dict.fromkeys(layout.SPLITS, names[""])
    return readings, names


def _write_others(
    files: ImageFiles, found: Recognised, params: LocalParams, folder: Path
) -> dict[str, Reading]:
    """Writes what is in another format as COCO."""
    where = str(params.path)
    classes: list[str] = []
    if found.format == "yolo":
        classes = read_names(files, where)
        readings = {
            split: read_yolo(files, where, Subset(files, images), "", classes)
            for split, images in split_images(files, where).items()
        }
    elif found.format == "voc":
        readings = _read_voc(files, where)
    else:
        whole = (
            read_converted(files, where, found.format, found.files)
            if found.format in CONVERTED
            else read_labelme(files, where)
        )
        readings = _divided(whole)
    entries: dict[str, Sequence[ImageEntry]] = {
        split: reading.entries for split, reading in readings.items() if split != TEST
    }
    classes = classes or class_names(entries.values())
    if not classes:
        raise InputError(where, f"{NAMES[found.format]} files without any object", "objects")
    if "" in entries:
        entries = val_entries(entries[""], params.val_share, params.split_seed, where)
    write_coco(folder, entries, classes, f"Converted from {NAMES[found.format]}")
    return readings


def _read_voc(files: ImageFiles, where: str) -> dict[str, Reading]:
    """Reads the folders of the splits; else VOC's lists; else all files."""
    parts = by_split(files.names())
    if len(parts) > 1:
        return {
            split: Voc(Subset(files, names), where, Subset(files, names)).everything()
            for split, names in parts.items()
        }
    voc = Voc(files, where, files)
    lists = next((pair for pair in VOC_LISTS if all(map(voc.has_list, pair))), None)
    if lists is None:
        return {"": voc.everything()}
    return {split: voc.listed(name) for split, name in zip(layout.SPLITS, lists, strict=True)}


def _images_of(reading: Reading, files: ImageFiles, path: Path) -> list[str]:
    root, own = path.resolve(), {entry.file_name for entry in reading.entries}
    return [name for name in image_names(files) if name in own or root / name in reading.used]


def _divided(reading: Reading) -> dict[str, Reading]:
    """Divides what was read by the folders of the images."""
    entry_of = {entry.file_name: entry for entry in reading.entries}
    parts = by_split(list(entry_of))
    if len(parts) == 1:
        return {"": reading}
    divided = {split: Reading([entry_of[name] for name in names]) for split, names in parts.items()}
    whole = next(iter(divided))
    divided[whole] = reading._replace(entries=divided[whole].entries)
    return divided
