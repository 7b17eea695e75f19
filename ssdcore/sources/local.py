"""The user's own images, in one folder or archive or at four paths; the images stay in place.

With four paths, annotations are in COCO, VOC or YOLO format. If both splits name the same
annotations and images, `val_share` of the images becomes the validation split. VOC's own lists
take precedence: train and val, else trainval or train; test is val here if there is no list of val.
The test split has a path of its own, or is a share of the images.
"""

import shutil
from pathlib import Path
from zipfile import is_zipfile

from ssdcore.coco.annotations import CocoSplit, check_rows
from ssdcore.coco.rows import Content, load_rows
from ssdcore.core import layout
from ssdcore.core.errors import InputError, no_such_path
from ssdcore.core.messages import say
from ssdcore.data.image_files import image_names, open_image_files, plain_name
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.params.dataset import EXAMPLE, LocalParams
from ssdcore.sources.coco_export import UNLISTED
from ssdcore.sources.coco_writer import write_contents
from ssdcore.sources.division import Division, partition
from ssdcore.sources.one_path import Whole, fetch_one_path, fetch_test_path, write_splits
from ssdcore.sources.pairing import Reading, unused, with_rest
from ssdcore.sources.recognise import recognise
from ssdcore.sources.voc import Voc
from ssdcore.sources.yolo import read_names, read_yolo

FOUR_PATHS = ("coco", "voc", "yolo")
"""The formats whose annotations and images may be at four paths."""
PATHS = tuple(f"{split}_{kind}" for split in layout.SPLITS for kind in ("images", "annotations"))
WHOLE = "a folder or a zip archive"
ANNOTATION_SUFFIXES = (".json", ".yaml", ".yml", ".xml", ".txt", ".ndjson", ".csv")
"""Suffixes of files that are a part of a whole data set."""


def fetch(params: LocalParams, folder: Path) -> dict[str, FetchedSplit]:
    """Writes the annotation files of all splits to `folder`.

    Raises:
        InputError: something is missing or wrong; the message names file and line.
    """
    require_paths(params)
    if params.is_example:
        say(f"{EXAMPLE} is this project's own example: name your data in dataset.local.path")
    fetched = fetch_one_path(params, folder) if params.is_one_path else _four_paths(params, folder)
    if params.has_test_path:
        fetched[layout.TEST] = fetch_test_path(params, folder)
    return fetched


def require_paths(params: LocalParams) -> None:
    """Checks that there is something at each path that counts.

    Raises:
        InputError: there is nothing, or an annotation file instead of a whole data set.
    """
    keys = ("path",) if params.is_one_path else PATHS
    for name in (*keys, *(("test_path",) if params.has_test_path else ())):
        key, where = f"dataset.local.{name}", str(getattr(params, name))
        if not (path := Path(where)).exists():
            expected = f"a COCO file, {WHOLE}" if name.endswith("_annotations") else WHOLE
            raise no_such_path(key, where, expected)
        if name not in PATHS and path.suffix.lower() in ANNOTATION_SUFFIXES:
            remedy = f"Set {key} to {path.parent}"
            raise InputError(key, where, "the folder or zip archive around it", remedy)


def _four_paths(params: LocalParams, folder: Path) -> dict[str, FetchedSplit]:
    format = _format(params)
    contents: dict[str, Content] = {}
    classes: list[str] = []
    if format == "coco":
        contents, readings = _read_coco(params)
    elif format == "voc":
        readings = _read_voc(params)
    else:
        readings, classes = _read_yolo(params)
    where = params.train_annotations
    present = [*readings, *([layout.TEST] if params.has_test_path else [])]
    division = Division.of(params, present)
    if not contents:
        whole = Whole(where, format, readings, classes=classes)
        write_splits(whole, folder, division)
    elif division.shares:
        write_contents(folder, partition(contents.pop("train"), division, where))
    for split in contents:  # an undivided file keeps its bytes and hash
        target = annotation_file(folder, split)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_paths(params, split)[1], target)
    for split, reading in readings.items():
        images, annotations = _paths(params, split)
        with open_image_files(Path(images)) as files:
            readings[split] = with_rest(files, images, annotations, reading)
    left = unused(readings)
    return {
        split: FetchedSplit(Path(images), images, annotations, unused=left.get(split, {}))
        for split in (*layout.SPLITS, layout.TEST)
        if annotation_file(folder, split).exists()
        for images, annotations in [_paths(params, split)]
    }


def _format(params: LocalParams) -> str:
    """Returns the format of the four paths; a file that is no archive is taken for COCO."""
    path = Path(params.train_annotations)
    found: str = params.format
    if found == "auto" and (path.is_dir() or is_zipfile(path)):
        with open_image_files(path) as files:
            found = recognise(files, params.train_annotations).format
    elif found == "auto":
        found = "coco"
    if found not in FOUR_PATHS:
        remedy = "Set dataset.local.path to the folder or archive of the whole data set"
        raise InputError("dataset.local.format", found, " or ".join(FOUR_PATHS), remedy)
    return found


def _paths(params: LocalParams, split: str) -> tuple[str, str]:
    """Returns images and annotations of a split; test is a share of train."""
    if split == "val":
        return params.val_images, params.val_annotations
    return params.train_images, params.train_annotations


def _is_one_set(params: LocalParams) -> bool:
    train, val = (tuple(map(Path, _paths(params, split))) for split in layout.SPLITS)
    return train == val


def _read_coco(params: LocalParams) -> tuple[dict[str, Content], dict[str, Reading]]:
    contents, readings = {}, {}
    for split in ("train",) if _is_one_set(params) else layout.SPLITS:
        images, annotations = _paths(params, split)
        contents[split] = load_rows(Path(annotations))
        listed = check_rows(contents[split], annotations)  # messages name the user's file
        readings[split] = _images_beside(Path(images), listed)
    return contents, readings


def _images_beside(path: Path, content: CocoSplit) -> Reading:
    """Returns which images at a path the annotation file lists, and which it does not."""
    with open_image_files(path) as files:
        names, images = files.names(), image_names(files)
    root = path.resolve()
    listed = {plain_name(image.file_name) for image in content.images}
    # a list of an archive's files may include the top folder
    listed |= {name.partition("/")[2] for name in listed if path.is_file()}
    used = {name for name in names if plain_name(name) in listed}
    rest = {root / name: (name, UNLISTED) for name in images if name not in used}
    return Reading([], {root / name for name in used}, rest)


def _read_voc(params: LocalParams) -> dict[str, Reading]:
    readings: dict[str, Reading] = {}
    has_lists = Path(params.train_annotations) == Path(params.val_annotations)
    for index, split in enumerate(layout.SPLITS):
        path, where = _paths(params, split)
        with open_image_files(Path(where)) as files, open_image_files(Path(path)) as images:
            voc = Voc(files, where, images, path)
            names = list(voc.lists().values()) if has_lists else []
            listed = index < len(names)
            readings[split] = voc.listed(names[index]) if listed else voc.everything()
        if len(names) < len(layout.SPLITS) and _is_one_set(params):
            break
    return readings


def _read_yolo(params: LocalParams) -> tuple[dict[str, Reading], list[str]]:
    readings: dict[str, Reading] = {}
    names: list[str] = []
    for split in layout.SPLITS:
        path, where = _paths(params, split)
        with open_image_files(Path(where)) as files, open_image_files(Path(path)) as images:
            own_names = read_names(files, where)
            if names and own_names != names:
                expected = f"those of {params.train_annotations}: {names}"
                raise InputError(f"{where}: class names", own_names, expected)
            names = own_names
            inner = _inner_path(Path(path), Path(where))
            readings[split] = read_yolo(files, where, images, inner, names, path)
        if _is_one_set(params):
            break
    return readings, names


def _inner_path(images: Path, folder: Path) -> str:
    """Returns the path of the images' folder inside `folder`; "" if it is elsewhere."""
    images, folder = images.resolve(), folder.resolve()
    is_inside = images.is_dir() and images.is_relative_to(folder)
    return images.relative_to(folder).as_posix() if is_inside else ""
