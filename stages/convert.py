"""Writes the images and their boxes to MindRecord shards: data/mindrecord, data/test."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import counted, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssdcore.data.convert import Conversion
    from ssdcore.data.same_images import Look
    from ssdcore.params.schema import ConvertParams

SHOWN_CLASSES = 10
AS_OBJECTS = (
    "If they are objects (exports of masks write iscrowd: 1), set dataset.crowd_as_objects to true"
)


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Check every image and box and write them to MindRecord shards."""
    from ssdcore.params.reader import read_params

    convert = read_params(params).convert
    with writing_outs("convert"):
        _convert(convert)


def _convert(convert: ConvertParams) -> None:
    from ssdcore.coco.ground_truth import write_ground_truth
    from ssdcore.core.errors import InputError
    from ssdcore.core.files import replacing_folder, write_json
    from ssdcore.data.conversion_report import notes, table_of_losses
    from ssdcore.data.convert import (
        convert_split,
        read_split,
        repeated_files,
        require_usable,
        require_used_once,
    )
    from ssdcore.data.manifest import image_folder, read_unused
    from ssdcore.data.same_images import find_same, require_apart

    splits, has_test = {}, layout.TEST_SOURCE.is_file()
    for name in (*layout.SPLITS, layout.TEST) if has_test else layout.SPLITS:
        images = image_folder(layout.source(name), name)
        splits[name] = read_split(layout.annotations(name), images), images
    repeated, unused = {layout.TEST: repeated_files(splits)}, read_unused(layout.RAW)
    if convert.strict:
        require_used_once(repeated[layout.TEST], unused)
    for name in layout.SPLITS:  # what train depends on must not depend on a test split
        repeated[name] = repeated_files({name: splits[name] for name in layout.SPLITS})
    looks: dict[str, Sequence[Look]] = {}
    lists: dict[Path, None] = {}
    summaries: dict[Path, dict[str, Any]] = {layout.MINDRECORD: {}, layout.TEST_DATA: {}}
    with (
        replacing_folder(layout.MINDRECORD) as for_training,
        replacing_folder(layout.TEST_DATA) as for_test,
    ):
        folders = {layout.MINDRECORD: for_training, layout.TEST_DATA: for_test}
        for name, (split, images) in splits.items():
            folder = folders[layout.converted(name)]
            shards = folder / layout.mindrecord(name).name
            conversion = convert_split(
                split, images, shards, convert.shards,
                strict=convert.strict, max_side=convert.max_side,
            )  # fmt: skip
            require_usable(conversion, images)
            write_ground_truth(folder / layout.ground_truth(name).name, split)
            own = [file for file in repeated[name] if name in file.image_ids]
            not_used = unused.get(name, {})
            of_test = unused.get(layout.TEST, {}) if name == "train" and not has_test else {}
            same = find_same(conversion.looks, looks)
            looks[name] = conversion.looks
            if convert.strict:
                require_apart(name, same)
            summary = conversion.summary() | {
                "repeated_files": [file._asdict() for file in own],
                "unused": not_used,
                "same_images": [image._asdict() for image in same],
            }
            summaries[layout.converted(name)][name] = summary
            say(_summary_line(name, summary))
            say(f"  {_classes_line(conversion)}")
            if table := table_of_losses(conversion):
                say("  Left out:\n" + table)
                lists[layout.conversion(name)] = None
            for line in notes(conversion, own, not_used | of_test, same):
                say(line)
            crowds = conversion.boxes["crowd"]
            objects = conversion.boxes["kept"] - crowds
            if not objects and name == "train":
                found = f"no usable box, and {counted(crowds, 'crowd region')}"
                remedy = AS_OBJECTS if crowds else "Label objects, or check the annotation file"
                expected = "boxes of objects to train on"
                raise InputError(f"{images} ({layout.annotations(name)})", found, expected, remedy)
            if not objects:
                remedy = f". {AS_OBJECTS}" if crowds else ""
                say(f"  no object: AP can't be measured on this split{remedy}")
        classes = [c._asdict() for c in splits["train"][0].classes]
        write_json(for_training / layout.CLASSES.name, classes)
        for folder, of_splits in summaries.items():
            write_json(folders[folder] / layout.CONVERSION.name, of_splits)
    for path in lists:
        say(f"What was left out is listed in {path}")


def _summary_line(name: str, summary: dict[str, Any]) -> str:
    images, boxes = summary["images"], summary["boxes"]
    return (
        f"{name}: {images['kept']} of {counted(images['listed'], 'image')} "
        f"({images['without_objects']} without objects), "
        f"{boxes['kept']} of {counted(boxes['listed'], 'box', 'boxes')} "
        f"({boxes['clipped']} clipped, {boxes['crowd']} crowd)"
    )


def _classes_line(conversion: Conversion) -> str:
    """Returns the number of objects of each class in the images that are kept, the most first."""
    split, skipped = conversion.split, {one.image_id for one in conversion.skipped}
    numbers = Counter(dict.fromkeys(range(1, len(split.classes) + 1), 0))
    for image_id, objects in split.objects.items():
        if image_id not in skipped:
            numbers.update(objects.labels[~objects.crowd].tolist())
    counts = [f"{split.classes[n - 1].name} {count}" for n, count in numbers.most_common()]
    more = len(counts) - SHOWN_CLASSES
    others = f" and {counted(more, 'other class', 'other classes')}" if more > 0 else ""
    return f"{', '.join(counts[:SHOWN_CLASSES])}{others}"


app = command(main)

if __name__ == "__main__":
    run(app)
