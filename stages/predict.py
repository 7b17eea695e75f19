"""Finds objects in photos. No stage of DVC, but for a person at the keyboard.

Exit status: 0 all photos went well; 1 some can't be used, and are named; 2 there is none, or a
word names nothing.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ssdcore import layout
from ssdcore.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.errors import InputError
from ssdcore.params_file import read_params

if TYPE_CHECKING:
    from ssdcore.nn.runtime import Device

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="IMAGE_OR_FOLDER…", help="Pictures, folders of them, or patterns."),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="A checkpoint, an exported .onnx file, REVISION:model/best.ckpt, models:/NAME@ALIAS "
        "or runs:/RUN/model/best.ckpt.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for pictures and predictions.json.")]
Score = Annotated[
    float | None,
    typer.Option(
        "--score", min=0, max=1, help="Least score of a box [report.score_threshold or of best F1]."
    ),
]
Classes = Annotated[
    list[str] | None, typer.Option("--classes", help="A class to keep; may be repeated [all].")
]
DeviceName = Annotated[
    str | None, typer.Option("--device", help="Where to compute [runtime.device].")
]
Csv = Annotated[bool, typer.Option("--csv", help="Write predictions.csv, too.")]
AllowUrl = Annotated[bool, typer.Option("--allow-url", help="Take web addresses for pictures.")]
DEVICES = ("auto", "Ascend", "GPU", "CPU")


def main(
    inputs: Inputs,
    model: Model = str(layout.BEST_CHECKPOINT),
    out: Out = Path("predictions"),
    score: Score = None,
    classes: Classes = None,
    device: DeviceName = None,
    csv: Csv = False,
    allow_url: AllowUrl = False,
    params: ParamsOption = DEFAULT_PARAMS,
) -> None:
    """Draw what a detector finds in pictures, and write it to predictions.json in COCO's form.

    Exit status: 0 all went well, 1 some pictures can't be used, 2 there is none.
    """
    settings = read_params(params)
    wanted, runtime = settings.evaluate, settings.runtime
    if device not in (None, *DEVICES):
        raise InputError("--device", device, ", ".join(DEVICES))

    from ssdcore.data.photo_files import find_photos

    photos = find_photos(inputs, out, allow_url=allow_url)

    from itertools import tee

    from ssdcore.analysis.score_to_show import score_to_show
    from ssdcore.data.in_threads import map_in_threads
    from ssdcore.detection.decode import Thresholds
    from ssdcore.detection.photo_results import only, to_coco, to_csv
    from ssdcore.files import write_json, write_text
    from ssdcore.progress import Progress
    from ssdcore.report.drawn_photos import draw_photo, require_other_places
    from ssdcore.report.labels import one_line
    from ssdcore.serving.model_source import load_detector, model_file

    require_other_places(photos, out)
    place = cast("Device", device or runtime.device)
    with model_file(model) as file:
        detector = load_detector(
            file, wanted.batch_size, runtime.workers, place, device_is_asked=device is not None
        )
    names = [one.name for one in detector.classes]
    if unknown := [name for name in classes or () if name not in names]:
        raise InputError("--classes", unknown[0], f"one of {', '.join(names)}")
    labels = [names.index(name) + 1 for name in classes or names]
    chosen = settings.report.score_threshold if score is None else score
    thresholds = Thresholds.of(wanted, score_to_show(chosen, layout.EVALUATE_METRICS))

    to_detect, to_draw = tee(photo.read() for photo in photos)
    found = (
        (photo, source, seen._replace(detections=only(seen.detections, labels)))
        for photo, source, seen in zip(
            photos, to_draw, detector.detect(to_detect, thresholds), strict=True
        )
    )
    results = []
    with Progress(len(photos), unit="picture") as progress:
        drawn = map_in_threads(
            lambda one: draw_photo(*one, detector.classes, out), found, runtime.workers
        )
        for number, (photo, seen) in enumerate(drawn, start=1):
            results.append((photo.name, seen))
            progress.step(number, f"{len(seen.detections.labels)} boxes")
            if seen.fault:
                progress.say(f"{one_line(photo.name)}: {seen.fault}")
    coco = to_coco(results, detector.classes)
    write_json(out / "predictions.json", coco)
    if csv:
        write_text(out / "predictions.csv", to_csv(coco))
    print(
        f"{len(coco['annotations'])} boxes in {len(coco['images'])} pictures → {out}"
        + (f"; {len(coco['broken'])} pictures can't be used" if coco["broken"] else "")
    )
    if coco["broken"]:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
