"""Reads COCO annotation files as labelling tools export them, with the images beside them.

Tools write the names of images in many ways: relative to the annotation file or to a folder of
images, or the path of an upload that is not in the export. An image is the file of the same path,
as far as one is there; else the only one of that name.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from ssdcore.coco.annotations import check_rows
from ssdcore.coco.rows import Content, parse_rows
from ssdcore.core.errors import InputError
from ssdcore.data.image_files import ImageFiles, image_names, plain_name
from ssdcore.data.images import BrokenImageError
from ssdcore.sources.pairing import Key, Reading, pair
from ssdcore.sources.selection import image_name
from ssdcore.sources.splits_by_folder import complete, split_of, split_of_words

UNLISTED = "image that the annotation file does not list"
UPLOAD = re.compile(r"[0-9a-f]{8}-")
"""Eight digits that Label Studio puts before the name of an uploaded image."""
LOCAL_FILES = "?d="
"""End of the address that Label Studio puts before the path of a file on its own disk."""
IMAGE_FOLDERS = ("images", "data")


def read_coco_export(
    files: ImageFiles, where: str, annotations: Sequence[str]
) -> tuple[dict[str, str], dict[str, Content], dict[str, Reading]]:
    """Reads the annotation file of each split.

    Returns:
        The annotation file, its content with the names of the images that are there, and the files
        that it does not use; each by split, or by "" if there is no split.

    Raises:
        InputError: a file is unusable, or several are of the same split.
    """
    chosen = _of_splits(where, annotations)
    root = Path(where).resolve()
    others = set(annotations) - set(chosen.values())
    rest_of_all = {root / name: (name, "COCO file that is not used") for name in sorted(others)}
    all_images = image_names(files)
    contents, readings = {}, {}
    for split, name in chosen.items():
        file = f"{where}/{name}"
        try:
            content = parse_rows(lambda name=name: files.read(name), file)  # type: ignore[misc]
        except BrokenImageError as error:
            raise InputError(file, str(error), "a readable COCO annotation file") from None
        check_rows(content, file)  # so that messages name the user's file, not the copy
        of_split = (image for image in all_images if not split or split_of(image) in ("", split))
        images = list(of_split) or all_images
        listed = [name for name in map(image_name, content["images"]) if name]
        image_of, by_name = pair_listed(images, listed, str(PurePosixPath(name).parent), split)
        for row in content["images"]:
            if image_name(row):
                row["file_name"] = image_of.get(row["file_name"], row["file_name"])
        used = set(image_of.values())
        rest = rest_of_all | {
            root / image: (image, UNLISTED) for image in images if image not in used
        }
        notes: tuple[str, ...] = ()
        if by_name and not _is_below_one_folder(by_name):
            example = next(iter(by_name.items()))
            notes = (
                f"{name}: {len(by_name)} of {len(listed)} images are not at the listed path and "
                f"were found by their name, such as {example[0]} at {example[1]}",
            )
        contents[split] = content
        readings[split] = Reading([], {root / image for image in used}, rest, notes=notes)
    return chosen, contents, readings


def _of_splits(where: str, annotations: Sequence[str]) -> dict[str, str]:
    """Returns the annotation file of each split."""
    found: dict[str, list[str]] = {}
    for name in annotations:
        parts = PurePosixPath(name).with_suffix("").parts
        found.setdefault(split_of_words(*parts), []).append(name)
    kept = complete(found) or {"": list(annotations)}
    for split, names in kept.items():
        instances = [name for name in names if "instances" in PurePosixPath(name).name]
        if len(names) > 1 and len(instances) == 1:  # COCO has captions and keypoints beside them
            kept[split] = instances
        elif len(names) > 1:
            raise InputError(
                f"{where}: COCO files{f' of {split}' if split else ''}", names, "one",
                "Move the others away, or set dataset.local.train_annotations and val_annotations",
            )  # fmt: skip
    return {split: names[0] for split, names in kept.items()}


def pair_listed(
    images: Sequence[str], listed: Sequence[str], home: str, split: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the image of each listed name; and those that were found by the end of a path only.

    The annotation file is in the folder `home`, and is of a split, or "".
    """
    by_path: list[tuple[Key, Key]] = [
        (str, lambda name: plain_name(f"{home}/{name}")),
        (str, plain_name),
        (lambda image: _below(image, split), lambda name: _below(plain_name(name), split)),
    ]
    by_name: list[tuple[Key, Key]] = [
        (_with_folder, _with_folder),
        (lambda image: PurePosixPath(image).name, _own_name),
        (lambda image: PurePosixPath(image).name, _without_upload),
        (_as_uploaded, _without_upload),
        (_without_upload, _own_name),
    ]
    names = list(dict.fromkeys(listed))
    certain = pair(images, names, by_path)
    every = pair(images, names, by_name, certain)
    return every, {name: image for name, image in every.items() if name not in certain}


def _is_below_one_folder(image_of: dict[str, str]) -> bool:
    """Returns whether all images are at their listed paths, but for a folder that all are in."""
    ends = {name: f"/{plain_name(name)}" for name in image_of}
    folders = {image.removesuffix(ends[name]) for name, image in image_of.items()}
    return len(folders) == 1 and all(i.endswith(ends[name]) for name, i in image_of.items())


def _below(path: str, split: str) -> str:
    """Returns a path below the folders for images and for the split."""
    parts = list(PurePosixPath(path).parts)
    while len(parts) > 1 and (
        parts[0].lower() in IMAGE_FOLDERS or (split and split_of_words(parts[0]) == split)
    ):
        del parts[0]
    return "/".join(parts)


def _with_folder(name: str) -> str:
    """Returns the last folder and the name of a path or an address, if both are there."""
    parts = PurePosixPath(plain_name(path_in(name))).parts
    return "/".join(parts[-2:]) if len(parts) > 1 else ""


def _own_name(name: str) -> str:
    """Returns the name at the end of a path or an address."""
    return PurePosixPath(plain_name(path_in(name))).name


def path_in(name: str) -> str:
    """Returns the path in a name, which may be an address, such as one signed by a query."""
    path = unquote(name).rpartition(LOCAL_FILES)[2]
    return path.partition("?")[0] if "://" in path else path


def _as_uploaded(image: str) -> str:
    """Returns an image's name as Label Studio stores it, without the eight digits before it."""
    return re.sub(r"[^-\w.]", "", PurePosixPath(plain_name(image)).name.replace(" ", "_"))


def _without_upload(name: str) -> str:
    return UPLOAD.sub("", _own_name(name), count=1) if UPLOAD.match(_own_name(name)) else ""
