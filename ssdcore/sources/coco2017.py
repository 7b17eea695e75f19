"""COCO 2017: 118,287 and 5,000 images in 80 classes, from COCO's own archives.

The archives stay in the user's cache; convert reads the images straight from them. Only the
annotation files are extracted.
"""

from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file
from ssdcore.data.archives import unzip
from ssdcore.data.image_files import archive_fault
from ssdcore.data.manifest import FetchedSplit, annotation_file
from ssdcore.download.local_copy import local_copy, remembered_sha256
from ssdcore.params.dataset import Coco2017Params

SECTION = "dataset.coco2017"


def fetch(params: Coco2017Params, folder: Path) -> dict[str, FetchedSplit]:
    """Fetches the archives and writes the annotation files of both splits to `folder`.

    Raises:
        InputError: an archive cannot be fetched, or has other content than expected.
    """
    annotations = local_copy(params.annotations, f"{SECTION}.annotations", archive_fault)
    names = {split: f"annotations/instances_{split}2017.json" for split in layout.SPLITS}
    unzip(annotations, folder, names.values())
    for split, name in names.items():
        (folder / name).replace(annotation_file(folder, split))
    splits = {}
    for split in reversed(layout.SPLITS):  # the small archive before the large one
        reference = getattr(params, f"{split}_images")
        archive = local_copy(reference, f"{SECTION}.{split}_images", archive_fault)
        is_address = "://" in reference
        splits[split] = FetchedSplit(
            archive,
            # an address is the same on every machine, the path of the cache is not
            recorded=reference if is_address else str(archive),
            annotations=f"{params.annotations}: instances_{split}2017.json",
            images_sha256=remembered_sha256(archive) if is_address else sha256_of_file(archive),
        )
    return splits
