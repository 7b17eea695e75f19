"""Writes the images and their boxes to MindRecord shards: data/mindrecord."""

from typing import Any

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.core.locks import writing_outs
from ssdcore.params.reader import read_params
from ssdcore.params.schema import ConvertParams


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Check every image and box and write them to MindRecord shards."""
    convert = read_params(params).convert
    with writing_outs("convert"):
        _convert(convert)


def _convert(convert: ConvertParams) -> None:
    from ssdcore.coco.annotations import read_coco
    from ssdcore.core.errors import InputError
    from ssdcore.core.files import replacing_folder, write_json
    from ssdcore.data.conversion_report import table_of_losses
    from ssdcore.data.convert import convert_split
    from ssdcore.data.manifest import image_folder

    summaries = {}
    with replacing_folder(layout.MINDRECORD) as folder:
        for name in layout.SPLITS:
            split = read_coco(layout.annotations(name))
            images = image_folder(layout.SOURCE, name)
            shards = folder / layout.mindrecord(name).name
            conversion = convert_split(split, images, shards, convert.shards, strict=convert.strict)
            if not conversion.kept:
                faults = [f"{file.file_name}: {file.reason}" for file in conversion.skipped[:3]]
                raise InputError(str(images), faults, "at least one usable image")
            summaries[name] = conversion.summary()
            print(_summary_line(name, summaries[name]))
            if table := table_of_losses(conversion):
                print(f"  Left out, listed in {layout.CONVERSION}:\n" + table)
        write_json(folder / layout.CLASSES.name, [c._asdict() for c in split.classes])
        write_json(folder / layout.CONVERSION.name, summaries)


def _summary_line(name: str, summary: dict[str, Any]) -> str:
    images, boxes = summary["images"], summary["boxes"]
    return (
        f"{name}: {images['kept']} of {images['listed']} images "
        f"({images['without_objects']} without objects), "
        f"{boxes['kept']} of {boxes['listed']} boxes "
        f"({boxes['clipped']} clipped, {boxes['crowd']} crowd)"
    )


if __name__ == "__main__":
    run(main)
