"""Finds the splits of a data set by the names of its folders, as labelling tools write them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from ssdcore.core import layout
from ssdcore.data.image_files import ImageFiles

TEST = layout.TEST
UNUSED_TEST = "image of a test split without labels, which is not used"
OTHER_TEST = "image of a test split, which dataset.local.test_path replaces"
WORDS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": TEST, "testing": TEST,
}  # fmt: skip


class Subset:
    """Some files of a folder or an archive; see `ssdcore.data.image_files.ImageFiles`."""

    def __init__(self, files: ImageFiles, names: Iterable[str]) -> None:
        self._files, self._names = files, sorted(names)

    def read(self, file_name: str) -> bytes:
        """Returns a file's bytes."""
        return self._files.read(file_name)

    def names(self) -> list[str]:
        """Returns the names of these files, sorted."""
        return self._names


def split_of(path: str) -> str:
    """Returns the split that the folders of a file name, such as `val` for `valid/a.jpg`, or ""."""
    return split_of_words(*PurePosixPath(path).parts[:-1])


def split_of_words(*parts: str) -> str:
    """Returns the split that the last matching name gives; "" if none matches, or it gives two."""
    for part in reversed(parts):
        named = {WORDS[word] for word in re.split("[^a-z]+", part.lower()) if word in WORDS}
        if named:
            return named.pop() if len(named) == 1 else ""
    return ""


def by_split(names: Sequence[str]) -> dict[str, list[str]]:
    """Groups files by the split that their folders name.

    Without a folder of train, all files are one set, with the key "". Without one of val, the files
    of train are the set, and those of test stay apart.
    """
    found = defaultdict(list)
    for name in names:
        found[split_of(name)].append(name)
    return complete(found) or {"": list(names)}


def complete(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns the splits train and val, or one set of train with the key ""; and test, if any."""
    kept = {split: found[split] for split in (*layout.SPLITS, TEST) if found.get(split)}
    if "train" in kept and "val" not in kept:
        kept = {"": kept.pop("train"), **kept}  # files of no split are listed under the first
    return kept if "train" in kept or "" in kept else {}
