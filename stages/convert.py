"""Packs the pictures and their boxes into MindRecord shards: data/mindrecord."""

from typing import Any

from ssdcore import layout
from ssdcore.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.params_file import read_params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Check every picture and box and pack them into MindRecord shards."""
    shards = read_params(params).convert.shards

    from ssdcore.data.coco import read_coco
    from ssdcore.data.convert import convert_split
    from ssdcore.data.sources import image_folder
    from ssdcore.errors import InputError
    from ssdcore.files import replacing_folder, write_json

    summaries = {}
    with replacing_folder(layout.MINDRECORD) as folder:
        for name in layout.SPLITS:
            split = read_coco(layout.annotations(name))
            images = image_folder(layout.SOURCE, name)
            conversion = convert_split(split, images, folder / layout.mindrecord(name).name, shards)
            if not conversion.kept:
                raise InputError(str(images), conversion.skipped[:3], "at least one usable picture")
            summaries[name] = conversion.summary()
            print(_in_words(name, summaries[name]))
        write_json(folder / layout.CLASSES.name, [c._asdict() for c in split.classes])
        write_json(folder / layout.CONVERSION.name, summaries)


def _in_words(name: str, summary: dict[str, Any]) -> str:
    images, boxes = summary["images"], summary["boxes"]
    lost = {**images["skipped"], **boxes["dropped"]}
    reasons = "".join(f"\n  left out: {count} × {reason}" for reason, count in lost.items())
    return (
        f"{name}: {images['kept']} of {images['listed']} images "
        f"({images['without_objects']} without objects), "
        f"{boxes['kept']} of {boxes['listed']} boxes ({boxes['crowd']} crowd){reasons}"
    )


if __name__ == "__main__":
    run(main)
