"""COCO 2017: 118 287 and 5 000 images in 80 classes, from COCO's own archives.

The archives stay in the user's cache; convert reads the images straight out of them. Only the
annotation files are unpacked.
"""

from pathlib import Path

from ssdcore.core import layout
from ssdcore.core.files import sha256_of_file
from ssdcore.data.image_files import archive_fault
from ssdcore.data.manifest import Place, annotation_file
from ssdcore.download.local_copy import local_copy, remembered_sha256
from ssdcore.params.dataset import Coco2017Params
from ssdcore.sources.unzip import take_out

SECTION = "dataset.coco2017"


def fetch(coco: Coco2017Params, folder: Path) -> dict[str, Place]:
    """Writes the annotation files of both splits to `folder`; fetches the archives.

    Raises:
        InputError: an archive is not to be had, or not what it should be.
    """
    annotations = local_copy(coco.annotations, f"{SECTION}.annotations", archive_fault)
    for split in layout.SPLITS:
        name = f"annotations/instances_{split}2017.json"
        take_out(annotations, name, annotation_file(folder, split))
    places = {}
    for split in reversed(layout.SPLITS):  # the small archive before the large one
        reference = getattr(coco, f"{split}_images")
        archive = local_copy(reference, f"{SECTION}.{split}_images", archive_fault)
        origin = f"{coco.annotations}: instances_{split}2017.json"
        fetched = "://" in reference
        # an address is the same on every machine, the cache's path is not
        recorded = reference if fetched else str(archive)
        digest = remembered_sha256(archive) if fetched else sha256_of_file(archive)
        places[split] = Place(archive, recorded, origin, digest)
    return {split: places[split] for split in layout.SPLITS}
