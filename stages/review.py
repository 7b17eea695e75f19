"""Writes labels that are worth a look for a labelling tool. A command for people, not a stage."""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError
from ssdcore.core.files import read_json
from ssdcore.core.messages import counted, say

if TYPE_CHECKING:
    from ssdcore.evaluation.named_table import Table
    from ssdcore.sources.review_files import ReviewedImage, Suspect

Out = Annotated[
    Path, typer.Option("--out", help="File to write: .json for Label Studio, .xml for CVAT.")
]
Images = Annotated[
    str, typer.Option("--images", help="Label Studio's address of the folder of the images.")
]


LOCAL_FILES = "/data/local-files/?d="
"""Address under which Label Studio serves files of its own disk."""


def main(out: Out, images: Images = LOCAL_FILES, params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Write the labels of train and val, and what the detector proposes, for a labelling tool.

    Images with suspicious labels come first. All others that convert kept follow, so that what the
    tool exports is the corrected data set, unless dataset.classes or dataset.limit chooses a part.
    """
    from ssdcore.params.reader import read_params

    dataset = read_params(params).dataset
    if out.suffix not in (".json", ".xml"):
        raise InputError("--out", str(out), "a name that ends in .json or .xml")

    from ssdcore.coco.annotations import read_coco
    from ssdcore.coco.ground_truth import read_skipped
    from ssdcore.core.files import require_writable
    from ssdcore.evaluation.label_errors import NAME
    from ssdcore.evaluation.tables import read_tables
    from ssdcore.sources import review_files

    table = read_tables(layout.EVALUATION).get(NAME)
    if table is None:
        remedy = "Set evaluate.review to 60, then run dvc repro evaluate"
        raise InputError(str(layout.TABLES), f"no table {NAME}", "labels worth a look", remedy)
    require_writable(out.parent, "--out")
    splits = {name: read_coco(layout.ground_truth(name)) for name in layout.SPLITS}
    classes = list(dict.fromkeys(one.name for split in splits.values() for one in split.classes))
    folders = _folders()
    found: list[ReviewedImage] = []
    for name, split in splits.items():
        suspects, skipped = _suspects(table, name), read_skipped(name)
        found += review_files.reviewed_images(name, split, folders[name], skipped, suspects)
    found.sort(key=lambda one: -one.suspicion)
    if out.suffix == ".json":
        review_files.write_label_studio(out, found, images)
        say("The labelling interface of a project for it:")
        say(review_files.labelling_interface(classes))
    else:
        review_files.write_cvat(out, found, classes)
    if crowds := sum(split.boxes["crowd"] for split in splits.values()):
        say(f"{counted(crowds, 'crowd region')} left out: these tools have none")
    conversion = read_json(layout.CONVERSION)
    images_lost = sum(sum(conversion[name]["images"]["skipped"].values()) for name in splits)
    boxes = [conversion[name]["boxes"] for name in splits]
    boxes_lost = sum(one["in_skipped_images"] + sum(one["dropped"].values()) for one in boxes)
    if images_lost or boxes_lost:
        lost = f"{counted(images_lost, 'image')} and {counted(boxes_lost, 'box', 'boxes')}"
        say(f"{lost} that convert left out are not in it: {layout.CONVERSION} has the reasons")
    if dataset.classes is not None or dataset.limit is not None:
        chosen = "what dataset.classes and dataset.limit choose"
        say(f"It has only {chosen}. Don't replace a data set with it.")
    labels = counted(len(table.rows), "label")
    say(f"{counted(len(found), 'image')}, {labels} worth a look → {out}")


def _suspects(table: Table, split: str) -> dict[int, list[Suspect]]:
    """Returns the entries about a split by the id of the image."""
    from ssdcore.evaluation.label_errors import SIDES
    from ssdcore.sources.coco_writer import Box
    from ssdcore.sources.review_files import Suspect

    found = defaultdict(list)
    for row in table.records():
        if row["split"] == split:
            x, y, width, height = (row[side] for side in SIDES)
            box = Box(row["found"], (x, y, width, height))
            what = " ".join(filter(None, (row["kind"], row["label"], row["found"])))
            proposed = box if row["found"] else None
            found[row["image_id"]].append(Suspect(what, row["suspicion"], proposed, row["score"]))
    return found


def _folders() -> dict[str, PurePosixPath]:
    """Returns the image folders of train and val, relative to the one that holds both."""
    from ssdcore.download.local_copy import PIN

    sources = read_json(layout.SOURCE)["splits"]
    paths = [PurePosixPath(sources[name]["images"].partition(PIN)[0]) for name in layout.SPLITS]
    parts = [path.with_suffix("").parts if path.suffix == ".zip" else path.parts for path in paths]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*parts, strict=False)))
    return {n: PurePosixPath(*own[shared:]) for n, own in zip(layout.SPLITS, parts, strict=True)}


app = command(main)

if __name__ == "__main__":
    run(app)
